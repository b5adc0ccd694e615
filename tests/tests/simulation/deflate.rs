//! RFC 7692 on the way out, as a client does it.

use flate2::{Compress, Compression, FlushCompress};

/// RSV1, of a compressed message's first frame (RFC 7692, section 6).
pub(crate) const COMPRESSED: u8 = 0x40;

/// Compresses a client's messages.
pub(crate) struct Deflater {
    raw: Compress,
    takeover: bool,
}

impl Deflater {
    pub(crate) fn new(takeover: bool) -> Self {
        Self { raw: Compress::new(Compression::new(3), false), takeover }
    }

    /// A whole message (section 7.2.1).
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            return vec![0];
        }
        if !self.takeover {
            self.raw.reset();
        }
        let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 64);
        let before = self.raw.total_in();
        self.raw.compress_vec(payload, &mut out, FlushCompress::Sync).expect("it can be compressed");
        assert!(self.raw.total_in() - before == payload.len() as u64 && out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }
}
