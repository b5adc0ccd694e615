//! The way in: deflate streams without their ends.

use super::TAIL;
use flate2::{Decompress, DecompressError, FlushDecompress, Status};

/// Inflates one message at a time. It has the largest window whatever was agreed on: zlib-rs holds the memory
/// for it anyway, and what a peer may refer to is decided by what is in it.
pub(crate) struct Inflater {
    raw: Decompress,
    /// Nothing has been taken in since the stream began.
    at_start: bool,
}

/// The stream is not what RFC 1951 describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Where a [`step`](Inflater::step) has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All input is taken in and all output is out.
    Hungry,
    /// The room for output is used up, and there may be more.
    Full,
    /// There was no room for output, and there is more.
    Over,
    /// At the end of a block with BFINAL; the rest of the input is the next stream.
    StreamEnd,
}

/// The end that was taken off the message, and an empty block with BFINAL behind it: only a stream that
/// stands between two blocks ends there, with nothing more written.
const END: [u8; 6] = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0x03, 0x00];

/// The least room for output where the memory has more than there is room for.
const ZEROED_BYTES_MIN: usize = 1024;

impl Inflater {
    /// Memory that one holds: a window of 32 KiB and the tables. A test measures it.
    pub(crate) const BYTES: usize = 47_552;

    pub(crate) fn new() -> Self {
        Self { raw: Decompress::new(false), at_start: true }
    }

    /// Starts a stream that may refer to `before`, the later pieces last.
    pub(crate) fn begin(&mut self, before: &[&[u8]]) {
        self.raw.reset(false);
        self.at_start = true;
        for piece in before.iter().filter(|piece| !piece.is_empty()) {
            // A raw stream takes any window that it is given before it begins.
            let set = self.raw.set_dictionary(piece);
            debug_assert!(set.is_ok(), "{set:?}");
        }
    }

    /// Takes in as much of `input` as can be inflated to `room` more bytes of `out` or to its capacity, and
    /// writes no more than that.
    pub(crate) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>, room: usize) -> Result<Stop, Broken> {
        if room == 0 {
            return self.end_of_room(input);
        }
        let (start, spare) = (out.len(), out.capacity() - out.len());
        // Only bytes that were written before can be lent in part: not more of them than are likely needed.
        let room = if spare <= room { spare } else { room.min(ZEROED_BYTES_MIN.max(input.len() * 8)) };
        let (taken, written) = (self.raw.total_in(), self.raw.total_out());
        let status = if room == spare {
            self.raw.decompress_vec(input, out, FlushDecompress::None)
        } else {
            out.resize(start + room, 0);
            self.raw.decompress(input, &mut out[start..], FlushDecompress::None)
        };
        let written = (self.raw.total_out() - written) as usize;
        out.truncate(start + written);
        self.stop(status, input, taken, written == room)
    }

    /// Ends the message (RFC 7692 section 7.2.2). A stream at its very beginning is at an end already: nothing
    /// came, or nothing behind a block with BFINAL, where the RFC asks for an octet 00 that some leave out.
    pub(crate) fn finish(&mut self) -> Result<(), Broken> {
        if self.at_start {
            return Ok(());
        }
        let mut input = &END[..];
        match self.end_of_room(&mut input)? {
            // The empty block whose end was taken off may have BFINAL itself.
            Stop::StreamEnd if input.is_empty() || *input == END[TAIL.len()..] => Ok(()),
            _ => Err(Broken),
        }
    }

    /// Goes on as long as nothing more is written: the end of a block may still follow.
    fn end_of_room(&mut self, input: &mut &[u8]) -> Result<Stop, Broken> {
        let (taken, written) = (self.raw.total_in(), self.raw.total_out());
        let status = self.raw.decompress(input, &mut [0], FlushDecompress::None);
        self.stop(status, input, taken, false).map(|stop| match self.raw.total_out() - written {
            0 => stop,
            _ => Stop::Over,
        })
    }

    fn stop(
        &mut self,
        status: Result<Status, DecompressError>,
        input: &mut &[u8],
        taken_before: u64,
        full: bool,
    ) -> Result<Stop, Broken> {
        let taken = (self.raw.total_in() - taken_before) as usize;
        self.at_start &= taken == 0;
        *input = &input[taken..];
        match status {
            Err(_) => Err(Broken),
            Ok(Status::StreamEnd) => Ok(Stop::StreamEnd),
            Ok(_) if full => Ok(Stop::Full),
            Ok(_) => Ok(Stop::Hungry),
        }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("at_start", &self.at_start).finish_non_exhaustive()
    }
}
