//! The end of what a connection has received, which its next compressed message may refer to.

use super::WINDOW_BITS_MAX;
use std::collections::VecDeque;

/// The largest window.
pub(crate) const WINDOW_BYTES_MAX: usize = 1 << WINDOW_BITS_MAX;

/// The last bytes of all messages so far, as many as the window has (RFC 7692 section 7.2.2). Between messages
/// this is all that is kept of an inflater: its window, of the size that was agreed on and as far as it is
/// filled, while the inflater itself, several times that, serves other connections.
#[derive(Debug)]
pub(crate) struct History {
    bytes: VecDeque<u8>,
    window_bits: u8,
}

impl History {
    pub(crate) fn new(window_bits: u8) -> Self {
        Self { bytes: VecDeque::new(), window_bits }
    }

    /// The size of the window.
    pub(crate) fn bytes_max(&self) -> usize {
        1 << self.window_bits
    }

    /// Adds the next message, or the next part of one.
    pub(crate) fn push(&mut self, output: &[u8]) {
        let kept = &output[output.len().saturating_sub(self.bytes_max())..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(self.bytes_max());
        self.bytes.drain(..excess);
        let length = self.bytes.len() + kept.len();
        if length > self.bytes.capacity() {
            // Grows in few steps, but never beyond the window.
            let capacity = length.next_power_of_two().min(self.bytes_max());
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend(kept);
    }

    /// What it has, in two pieces.
    pub(crate) fn as_slices(&self) -> (&[u8], &[u8]) {
        self.bytes.as_slices()
    }
}
