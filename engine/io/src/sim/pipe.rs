//! One direction of a connection: bytes on their way, bounded by a window.

use bytes::Bytes;
use std::collections::VecDeque;

/// What is between a writer and a reader, in order; each piece can be read from its time on.
#[derive(Debug)]
pub(super) struct Pipe {
    pieces: VecDeque<Piece>,
    held: usize,
    window: usize,
    due_last: u64,
}

#[derive(Debug)]
struct Piece {
    due: u64,
    what: What,
}

/// `Fin` and `Reset` are the last piece of a pipe and stay there: every later read finds them again.
#[derive(Debug)]
enum What {
    Bytes(Bytes),
    Fin,
    Reset,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing has arrived.
    Nothing,
    /// So many bytes, at least one.
    Bytes(usize),
    Fin,
    Reset,
}

impl Pipe {
    pub(super) fn new(window: usize) -> Self {
        Self { pieces: VecDeque::new(), held: 0, window: window.max(1), due_last: 0 }
    }

    /// How many more bytes fit.
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.held)
    }

    /// Sets how many bytes fit; 0 stops the writer. What is held already stays.
    pub(super) fn set_window(&mut self, bytes: usize) {
        self.window = bytes;
    }

    /// Appends bytes that arrive at `due`, or with what went before them when that is later; says when.
    pub(super) fn write(&mut self, bytes: &[u8], due: u64) -> u64 {
        debug_assert!(!bytes.is_empty() && bytes.len() <= self.room(), "the writer looks for room first");
        self.held += bytes.len();
        self.push(What::Bytes(Bytes::copy_from_slice(bytes)), due)
    }

    /// Appends the writer's FIN; says when it arrives.
    pub(super) fn finish(&mut self, due: u64) -> u64 {
        self.push(What::Fin, due)
    }

    /// Breaks the pipe: what has not arrived by `now` never does, and a reset follows what has.
    /// (Linux leaves a reset socket's receive queue readable.)
    pub(super) fn reset(&mut self, now: u64, due: u64) -> u64 {
        self.pieces.retain(|piece| piece.due <= now && matches!(piece.what, What::Bytes(_)));
        self.held = self.pieces.iter().map(|piece| piece.what.len()).sum();
        self.due_last = now;
        self.push(What::Reset, due)
    }

    /// Lets a reset follow everything that is on its way, once; says when it arrives.
    pub(super) fn reset_after(&mut self, due: u64) -> Option<u64> {
        let is_reset = self.pieces.back().is_some_and(|piece| matches!(piece.what, What::Reset));
        (!is_reset).then(|| self.push(What::Reset, due))
    }

    /// Moves as much of what has arrived by `now` into `into` as fits.
    pub(super) fn take(&mut self, now: u64, into: &mut [u8]) -> Taken {
        let mut taken = 0;
        while let Some(piece) = self.pieces.front_mut().filter(|piece| piece.due <= now) {
            match &mut piece.what {
                What::Bytes(bytes) => {
                    let count = bytes.len().min(into.len() - taken);
                    into[taken..taken + count].copy_from_slice(&bytes.split_to(count));
                    taken += count;
                    if !bytes.is_empty() {
                        break;
                    }
                    self.pieces.pop_front();
                }
                What::Fin | What::Reset if taken > 0 => break,
                What::Fin => return Taken::Fin,
                What::Reset => return Taken::Reset,
            }
        }
        self.held -= taken;
        if taken == 0 { Taken::Nothing } else { Taken::Bytes(taken) }
    }

    /// How many bytes were written and not read.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// How many bytes can be read at `now`.
    pub(super) fn readable(&self, now: u64) -> usize {
        self.pieces.iter().take_while(|piece| piece.due <= now).map(|piece| piece.what.len()).sum()
    }

    /// The end, when a read at `now` would find that.
    pub(super) fn ending(&self, now: u64) -> Option<Taken> {
        let piece = self.pieces.front().filter(|piece| piece.due <= now)?;
        match piece.what {
            What::Bytes(_) => None,
            What::Fin => Some(Taken::Fin),
            What::Reset => Some(Taken::Reset),
        }
    }

    /// Whether a read at `now` finds anything, an end included.
    pub(super) fn is_ready(&self, now: u64) -> bool {
        self.pieces.front().is_some_and(|piece| piece.due <= now)
    }

    /// Whether a reset has arrived by `now`, read or not.
    pub(super) fn is_reset(&self, now: u64) -> bool {
        self.pieces.back().is_some_and(|piece| piece.due <= now && matches!(piece.what, What::Reset))
    }

    /// Whether its end has arrived by `now`, read or not.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.pieces.back().is_some_and(|piece| piece.due <= now && !matches!(piece.what, What::Bytes(_)))
    }

    /// Whether no more can be written: FIN or a reset is on its way or there.
    pub(super) fn is_ended(&self) -> bool {
        self.pieces.back().is_some_and(|piece| !matches!(piece.what, What::Bytes(_)))
    }

    fn push(&mut self, what: What, due: u64) -> u64 {
        self.due_last = self.due_last.max(due);
        self.pieces.push_back(Piece { due: self.due_last, what });
        self.due_last
    }
}

impl What {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Fin | Self::Reset => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(pipe: &mut Pipe, now: u64, most: usize) -> Result<Vec<u8>, Taken> {
        let mut into = vec![0; most];
        match pipe.take(now, &mut into) {
            Taken::Bytes(count) => Ok(into[..count].to_vec()),
            other => Err(other),
        }
    }

    #[test]
    fn bytes_come_in_order_and_in_time() {
        let mut pipe = Pipe::new(8);
        assert_eq!(pipe.write(b"abc", 10), 10);
        // Drawn earlier, but nothing overtakes.
        assert_eq!(pipe.write(b"def", 5), 10);
        assert_eq!(pipe.room(), 2);
        assert_eq!(take(&mut pipe, 9, 4), Err(Taken::Nothing));
        assert_eq!(take(&mut pipe, 10, 4), Ok(b"abcd".to_vec()));
        assert_eq!(pipe.room(), 6);
        pipe.finish(11);
        assert_eq!(take(&mut pipe, 11, 4), Ok(b"ef".to_vec()));
        assert_eq!(take(&mut pipe, 11, 4), Err(Taken::Fin));
        assert_eq!(take(&mut pipe, 11, 4), Err(Taken::Fin));
    }

    #[test]
    fn a_reset_loses_what_is_on_its_way() {
        let mut pipe = Pipe::new(100);
        pipe.write(b"there", 1);
        pipe.write(b"never", 50);
        assert_eq!(pipe.reset(20, 30), 30);
        assert_eq!(pipe.room(), 95);
        assert!(!pipe.is_reset(29) && pipe.is_reset(30));
        assert_eq!(take(&mut pipe, 30, 100), Ok(b"there".to_vec()));
        assert_eq!(take(&mut pipe, 30, 100), Err(Taken::Reset));
    }

    #[test]
    fn a_smaller_window_keeps_what_it_holds() {
        let mut pipe = Pipe::new(4);
        pipe.write(b"abcd", 0);
        pipe.set_window(0);
        assert_eq!(pipe.room(), 0);
        assert_eq!(take(&mut pipe, 0, 9), Ok(b"abcd".to_vec()));
        assert_eq!(pipe.room(), 0);
    }
}
