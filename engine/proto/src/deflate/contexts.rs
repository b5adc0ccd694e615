//! What a thread's connections need to inflate: windows that outlive their message, and inflaters.

use super::WINDOW_BITS_MAX;
use super::history::History;
use std::num::NonZeroU32;

/// Names a window in [`Contexts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextId(NonZeroU32);

/// The windows of connections whose peer refers to its earlier messages, and the inflaters that messages
/// borrow. Their bytes are counted together.
#[derive(Debug)]
pub(crate) struct Contexts {
    windows: Vec<Option<History>>,
    free: Vec<ContextId>,
    bytes: usize,
    bytes_max: usize,
}

impl Contexts {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { windows: Vec::new(), free: Vec::new(), bytes: 0, bytes_max }
    }

    /// Whether one more of the largest windows fits.
    pub(crate) fn have_room(&self) -> bool {
        self.bytes + (1 << WINDOW_BITS_MAX) <= self.bytes_max
    }

    /// A window for a connection, counted in full though it grows with what arrives.
    pub(crate) fn add(&mut self, window_bits: u8) -> ContextId {
        let history = History::new(window_bits);
        self.bytes += history.bytes_max();
        let id = self.free.pop().unwrap_or_else(|| {
            self.windows.push(None);
            ContextId(
                u32::try_from(self.windows.len())
                    .ok()
                    .and_then(NonZeroU32::new)
                    .expect("fewer than 2^32 connections"),
            )
        });
        self.windows[id.index()] = Some(history);
        id
    }

    pub(crate) fn remove(&mut self, id: ContextId) {
        if let Some(history) = self.windows[id.index()].take() {
            self.bytes -= history.bytes_max();
            self.free.push(id);
        }
    }

    /// Windows held at present.
    pub(crate) fn windows(&self) -> usize {
        self.windows.len() - self.free.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl ContextId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
