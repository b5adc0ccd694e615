//! RFC 7692 on the way in, written for the test alone: one stream for all messages of a connection, by a library
//! that the engine uses as well but in another way.

use flate2::write::DeflateDecoder;
use std::io::Write;

/// Inflates what a server sends on one connection.
pub(crate) struct Inflater {
    stream: DeflateDecoder<Vec<u8>>,
    /// Whether messages may refer to earlier ones.
    takeover: bool,
}

impl Inflater {
    /// For what was agreed on: the value of the answer's `Sec-WebSocket-Extensions`.
    pub(crate) fn of(agreed: &str) -> Self {
        assert!(agreed.starts_with("permessage-deflate"), "{agreed:?}");
        let takeover = !agreed.contains("server_no_context_takeover");
        Self { stream: DeflateDecoder::new(Vec::new()), takeover }
    }

    /// A whole message (section 7.2.2). What is wrong with it is said.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Result<Vec<u8>, String> {
        if !self.takeover {
            self.stream = DeflateDecoder::new(Vec::new());
        }
        let wrong = |fault: std::io::Error| format!("{} bytes that do not inflate: {fault}", payload.len());
        self.stream.write_all(payload).map_err(wrong)?;
        self.stream.write_all(&[0x00, 0x00, 0xff, 0xff]).map_err(wrong)?;
        self.stream.flush().map_err(wrong)?;
        Ok(std::mem::take(self.stream.get_mut()))
    }
}
