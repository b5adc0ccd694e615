//! What a thread's connections need to inflate: windows that outlive their message, and inflaters.

use super::history::{History, WINDOW_BYTES_MAX};
use super::{DeflateFigures, Inflater};
use crate::limits::SPARE_INFLATERS_MAX;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names a window in [`Contexts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextId(NonZeroU32);

/// The windows of connections whose peer refers to its earlier messages, and the inflaters that messages
/// borrow. Their bytes are counted together.
#[derive(Debug)]
pub(crate) struct Contexts {
    windows: Vec<Option<History>>,
    free: Vec<ContextId>,
    spare: Vec<Inflater>,
    bytes: usize,
    /// Kept for windows that are asked for.
    reserved: Arc<AtomicUsize>,
    bytes_max: usize,
    figures: DeflateFigures,
}

/// Room for a window that a server has been asked to let us keep, until it is dropped.
#[derive(Debug)]
pub struct ContextRoom(Arc<AtomicUsize>);

impl Drop for ContextRoom {
    fn drop(&mut self) {
        self.0.fetch_sub(WINDOW_BYTES_MAX, Ordering::Relaxed);
    }
}

impl Contexts {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            windows: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
            bytes: 0,
            reserved: Arc::default(),
            bytes_max,
            figures: DeflateFigures::default(),
        }
    }

    /// Whether one more of the largest windows fits.
    pub(crate) fn have_room(&self) -> bool {
        self.fits(WINDOW_BYTES_MAX)
    }

    /// Keeps room for one of the largest windows, if there is.
    pub(crate) fn reserve(&self) -> Option<ContextRoom> {
        self.have_room().then(|| {
            self.reserved.fetch_add(WINDOW_BYTES_MAX, Ordering::Relaxed);
            ContextRoom(Arc::clone(&self.reserved))
        })
    }

    /// A window for a connection, counted in full though it grows with what arrives.
    pub(crate) fn add(&mut self, window_bits: u8) -> ContextId {
        let history = History::new(window_bits);
        self.bytes += history.bytes_max();
        let id = self.free.pop().unwrap_or_else(|| {
            self.windows.push(None);
            let number = u32::try_from(self.windows.len()).ok().and_then(NonZeroU32::new);
            ContextId(number.expect("fewer than 2^32 connections"))
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

    pub(crate) fn figures(&self) -> DeflateFigures {
        self.figures
    }

    /// An inflater at the start of a message of the connection with this window, until
    /// [`give_back`](Self::give_back); `None` if there is no memory for it. It is found for a message that is
    /// `whole`, since that gives it back before anything else happens.
    pub(crate) fn lend(&mut self, id: Option<ContextId>, whole: bool) -> Option<Inflater> {
        let mut inflater = match self.spare.pop() {
            Some(inflater) => inflater,
            None if whole || self.fits(Inflater::BYTES) => {
                self.bytes += Inflater::BYTES;
                Inflater::new()
            }
            None => return None,
        };
        self.begin(&mut inflater, id, &[]);
        Some(inflater)
    }

    /// Starts a stream that may refer to the connection's earlier messages and to what there is of the
    /// present one.
    pub(crate) fn begin(&self, inflater: &mut Inflater, id: Option<ContextId>, message: &[u8]) {
        let (first, second) = match id.and_then(|id| self.windows[id.index()].as_ref()) {
            Some(history) if message.len() < history.bytes_max() => history.as_slices(),
            _ => (&[][..], &[][..]),
        };
        let end = &message[message.len().saturating_sub(WINDOW_BYTES_MAX)..];
        inflater.begin(&[first, second, end]);
    }

    /// Adds a message to the window of its connection, whose next one may refer to it.
    pub(crate) fn remember(&mut self, id: Option<ContextId>, message: &[u8]) {
        if let Some(history) = id.and_then(|id| self.windows[id.index()].as_mut()) {
            history.push(message);
        }
    }

    pub(crate) fn give_back(&mut self, inflater: Inflater) {
        if self.spare.len() < SPARE_INFLATERS_MAX && self.bytes <= self.bytes_max {
            self.spare.push(inflater);
        } else {
            self.bytes -= Inflater::BYTES;
        }
    }

    pub(crate) fn count(&mut self, wire_bytes: usize, plain_bytes: usize) {
        self.figures.add(plain_bytes, wire_bytes, true);
    }

    fn fits(&self, bytes: usize) -> bool {
        let taken = self.bytes.saturating_add(self.reserved.load(Ordering::Relaxed));
        bytes <= self.bytes_max.saturating_sub(taken)
    }
}

impl ContextId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
