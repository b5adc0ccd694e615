//! How the rings of one process find each other.

#![expect(unsafe_code, reason = "borrowing the ring's descriptor to duplicate it")]

use super::error::OpenError;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

/// Where each shard of a process makes its ring known, so that
/// [`HandOver`](crate::Op::HandOver) can reach it. Made once, shared by all in an `Arc`.
///
/// It holds a descriptor of every ring until it is dropped, so that a number in a request never
/// names something else; a ring whose shard has ended refuses what is sent to it.
#[derive(Debug)]
pub struct Mesh {
    rings: Box<[OnceLock<OwnedFd>]>,
}

impl Mesh {
    /// A mesh of `shards` places, all empty. Open every shard before the first hands over: a socket
    /// for a shard that is not open is closed.
    pub fn new(shards: usize) -> Self {
        Self { rings: (0..shards).map(|_| OnceLock::new()).collect() }
    }

    /// How many shards it was made for.
    pub fn shards(&self) -> usize {
        self.rings.len()
    }

    /// Refuses a place that does not exist or is taken.
    pub(super) fn check(&self, shard: usize) -> Result<(), OpenError> {
        match self.rings.get(shard) {
            Some(place) if place.get().is_none() => Ok(()),
            _ => Err(self.refusal(shard)),
        }
    }

    /// Makes the ring of `shard` known.
    pub(super) fn join(&self, shard: usize, ring: &impl AsRawFd) -> Result<(), OpenError> {
        // SAFETY: `ring` keeps its descriptor open for the length of this borrow.
        let descriptor = unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) };
        let copy = descriptor
            .try_clone_to_owned()
            .map_err(|error| OpenError::other("sharing the ring's descriptor", error))?;
        let place = self.rings.get(shard).ok_or_else(|| self.refusal(shard))?;
        place.set(copy).map_err(|_| self.refusal(shard))
    }

    /// The descriptor of a shard's ring, when that shard has opened one.
    pub(super) fn ring(&self, shard: usize) -> Option<RawFd> {
        Some(self.rings.get(shard)?.get()?.as_raw_fd())
    }

    fn refusal(&self, shard: usize) -> OpenError {
        OpenError::Shard { shard, shards: self.shards() }
    }
}
