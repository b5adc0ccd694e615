//! What one subscriber has read: every message is looked at, and where it stands in the topic.

use crate::wire::{FIN_BINARY, FIN_TEXT};

/// A Close as a server sends it: opcode, length, code.
const FIN_CLOSE: u8 = 0x88;

/// Bytes at the front of a message: its number, then when it was due, in nanoseconds of the client's clock.
pub(super) const STAMP_BYTES: usize = 16;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// Bytes of a frame that has not come whole.
    partial: Vec<u8>,
    /// The number of the next message.
    pub(super) next: u64,
    pub(super) received: u64,
    /// Messages that it was told to have missed.
    pub(super) missed: u64,
    /// How often it was told so.
    pub(super) gaps: u64,
    /// Where it went on after the last gap.
    pub(super) gap_to: u64,
    /// The code of a Close.
    pub(super) closed: Option<u16>,
    /// Whether nothing more is received.
    pub(super) ended: bool,
    /// Whatever was not as it should be.
    pub(super) faults: u64,
}

impl Listener {
    /// Takes what came; `each` is told when each message in it was due.
    pub(super) fn read(&mut self, bytes: &[u8], mut each: impl FnMut(u64)) {
        if self.partial.is_empty() {
            let taken = self.frames(bytes, &mut each);
            self.partial.extend_from_slice(&bytes[taken..]);
            return;
        }
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let taken = self.frames(&all, &mut each);
        all.drain(..taken);
        self.partial = all;
    }

    /// Whether nothing was cut off in the middle of a frame.
    pub(super) fn is_whole(&self) -> bool {
        self.partial.is_empty()
    }

    /// Takes whole frames off the front; how many bytes those were.
    fn frames(&mut self, bytes: &[u8], each: &mut impl FnMut(u64)) -> usize {
        let mut taken = 0;
        while let Some((first, start, end)) = frame(&bytes[taken..]) {
            self.frame(first, &bytes[taken + start..taken + end], each);
            taken += end;
        }
        taken
    }

    fn frame(&mut self, first: u8, payload: &[u8], each: &mut impl FnMut(u64)) {
        match (first, payload) {
            (FIN_BINARY, payload) if payload.len() >= STAMP_BYTES => {
                self.faults += u64::from(number(payload) != self.next);
                self.next = number(payload) + 1;
                self.received += 1;
                each(number(&payload[8..]));
            }
            (FIN_TEXT, payload) => match gap(payload) {
                Some((from, to)) if from == self.next && to > from => {
                    self.gaps += 1;
                    self.missed += to - from;
                    (self.next, self.gap_to) = (to, to);
                }
                _ => self.faults += 1,
            },
            (FIN_CLOSE, [high, low, ..]) => self.closed = Some(u16::from_be_bytes([*high, *low])),
            _ => self.faults += 1,
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(u64::MAX, |eight| u64::from_le_bytes(*eight))
}

fn gap(payload: &[u8]) -> Option<(u64, u64)> {
    let (from, to) = std::str::from_utf8(payload).ok()?.strip_prefix("gap ")?.split_once(' ')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// The first byte of the first frame, where its payload begins, and where it ends; `None` while it is not
/// whole.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let [first, length, rest @ ..] = bytes else { return None };
    let (start, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        length => (2, usize::from(*length)),
    };
    (bytes.len() >= start + length).then_some((*first, start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header;

    /// A message as a subscriber gets it.
    fn message(number: u64, payload_bytes: usize) -> Vec<u8> {
        let mut bytes = header(FIN_BINARY, payload_bytes);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&(number * 10).to_le_bytes());
        bytes.resize(bytes.len() + payload_bytes - STAMP_BYTES, 7);
        bytes
    }

    #[test]
    fn what_is_read_is_the_same_in_every_split() {
        let text = |text: &str| [header(FIN_TEXT, text.len()), text.as_bytes().to_vec()].concat();
        let close = [FIN_CLOSE, 4, 0x03, 0xf5, b'n', b'o'];
        let all =
            [message(0, 16), message(1, 1024), text("gap 2 9"), message(9, 300), close.to_vec()].concat();
        for split in 0..=all.len() {
            let (mut listener, mut due) = (Listener::default(), Vec::new());
            listener.read(&all[..split], |at| due.push(at));
            listener.read(&all[split..], |at| due.push(at));
            assert_eq!(due, [0, 10, 90], "{split}");
            let Listener { next, received, missed, gaps, closed, faults, .. } = listener;
            assert_eq!(
                (next, received, missed, gaps, closed, faults),
                (10, 3, 7, 1, Some(1013), 0),
                "{split}"
            );
            assert!(listener.is_whole());
        }
    }

    #[test]
    fn what_does_not_follow_is_a_fault() {
        let cases: [&[Vec<u8>]; 3] = [
            &[message(1, 20)],
            &[message(0, 20), message(0, 20)],
            &[[header(FIN_TEXT, 7), b"gap 3 4".to_vec()].concat()],
        ];
        for case in cases {
            let mut listener = Listener::default();
            listener.read(&case.concat(), |_| {});
            assert_eq!(listener.faults, 1, "{case:?}");
        }
    }
}
