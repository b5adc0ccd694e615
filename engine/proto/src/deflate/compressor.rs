//! One direction's compression: the way out.

use super::{COMPRESSED, TAIL};
use crate::Masking;
use crate::frame::{Header, Opcode};
use flate2::{Compress, Compression, FlushCompress};

/// Compresses messages one after the other, each of them one or more calls of [`append`](Self::append), the
/// last with `last`. Later messages refer to earlier ones until [`reset`](Self::reset), which is allowed
/// between messages at any time.
pub struct Compressor {
    raw: Compress,
    window_bits: u8,
    level: u8,
}

/// zlib has no window of 256 bytes. Its next one never looks back further than 512 - 262 = 250 bytes (it
/// keeps room for the longest match), which fits the smaller one too; a test reads the distances.
const ZLIB_WINDOW_BITS_MIN: u8 = 9;

/// Room to compress into beyond the payload's own size, so that mostly one call is enough.
const SPARE_BYTES: usize = 64;

/// What zlib-rs allocates whatever the window: 128 KiB of hash heads, output and symbols that wait, its state;
/// and per byte of window 2 of window and 2 of hash chains. A test measures it.
const FIXED_BYTES: usize = 248_960;
const BYTES_PER_WINDOW_BYTE: usize = 4;

impl Compressor {
    /// For windows of 8 to 15 bits and levels of 1 to 9, as
    /// [`DeflateOptions::check`](super::DeflateOptions::check) has them.
    pub fn new(window_bits: u8, level: u8) -> Self {
        let zlib_bits = window_bits.max(ZLIB_WINDOW_BITS_MIN);
        let raw = Compress::new_with_window_bits(Compression::new(u32::from(level)), false, zlib_bits);
        Self { raw, window_bits, level }
    }

    /// Memory that it holds, a few hundred KiB.
    pub fn bytes(&self) -> usize {
        Self::bytes_of(self.window_bits)
    }

    /// What one of this window holds.
    pub(super) fn bytes_of(window_bits: u8) -> usize {
        FIXED_BYTES + (BYTES_PER_WINDOW_BYTE << window_bits.max(ZLIB_WINDOW_BITS_MIN))
    }

    /// The window it was made for.
    pub fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// Appends the compressed payload to `out`: the whole message's, or a fragment's. All of a fragment can be
    /// inflated when it has arrived.
    ///
    /// Source: RFC 7692 section 7.2.1; an empty end is the octet 00 (section 7.2.3.6).
    pub fn append(&mut self, payload: &[u8], last: bool, out: &mut Vec<u8>) {
        if payload.is_empty() {
            // Nothing to flush: zlib would refuse a second flush behind the first.
            return out.extend_from_slice(if last { &TAIL[..1] } else { &[] });
        }
        let mut rest = payload;
        out.reserve(payload.len() + payload.len() / 8 + SPARE_BYTES);
        loop {
            let before = self.raw.total_in();
            // It has no way to fail: the state was made here and the flush is one that it knows.
            let done = self.raw.compress_vec(rest, out, FlushCompress::Sync);
            debug_assert!(done.is_ok(), "{done:?}");
            rest = &rest[(self.raw.total_in() - before) as usize..];
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
            out.reserve(rest.len() + SPARE_BYTES);
        }
        if last {
            debug_assert!(out.ends_with(&TAIL), "a flush ends with an empty block");
            out.truncate(out.len() - TAIL.len());
        }
    }

    /// Forgets what was compressed before: the next message refers to nothing before it.
    pub fn reset(&mut self) {
        self.raw.reset();
    }

    /// Forgets as [`reset`](Self::reset) does, and goes on at this level.
    pub(super) fn reset_to(&mut self, level: u8) {
        self.raw.reset();
        if level != self.level {
            // Right behind a reset nothing waits to be written, which is all that could keep it from it.
            let set = self.raw.set_level(Compression::new(u32::from(level)));
            debug_assert!(set.is_ok(), "{set:?}");
            self.level = level;
        }
    }

    /// Appends one frame of a compressed message, masked if `masking` is there. Says whether it is shorter
    /// than the frame of the payload as it is.
    pub(super) fn append_frame(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        out: &mut Vec<u8>,
        mut masking: Option<&mut Masking>,
    ) -> bool {
        let mask = masking.as_mut().map(|masking| masking.key());
        let reserved = if opcode == Opcode::Continuation { 0 } else { COMPRESSED };
        let header = |length: usize| Header { fin, reserved, opcode, mask, length: length as u64 }.encode();
        let start = out.len();
        // Mostly the header of the compressed payload is as long as the one of the payload would be.
        let guessed = header(payload.len());
        out.extend_from_slice(&guessed);
        let begin = out.len();
        self.append(payload, fin, out);
        let header = header(out.len() - begin);
        out.splice(start..begin, header.iter().copied());
        if let (Some(masking), Some(key)) = (masking, mask) {
            masking.mask(&mut out[start + header.len()..], key);
        }
        out.len() - start < guessed.len() + payload.len()
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor")
            .field("window_bits", &self.window_bits)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Appends a message's whole frame as a server sends it, compressed so that whoever agreed on a window of at
/// least `compressor`'s can inflate it, whatever was sent before: the compressor is reset. `false` and nothing
/// if that would not be shorter than the payload itself.
///
/// A connection whose own compressor takes its window over has to start it afresh afterwards
/// ([`Compressors::append_frame`](super::Compressors::append_frame), `fresh`).
pub fn append_shared(compressor: &mut Compressor, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    compressor.reset();
    let shorter = compressor.append_frame(opcode, true, payload, out, None);
    if !shorter {
        out.truncate(start);
    }
    shorter
}
