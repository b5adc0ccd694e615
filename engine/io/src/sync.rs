//! What memory shared between threads is made of: std's, or loom's when `cfg(loom)` explores every
//! interleaving of it (`tests/segment_loom.rs`).

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use std::ops::Range;

/// Watches who touches which bytes of some shared memory. Under loom an access that another does not
/// happen before or after fails the test; otherwise it is nothing.
#[cfg(not(loom))]
pub(crate) struct Accesses;

#[cfg(not(loom))]
impl Accesses {
    pub(crate) fn new(_bytes: usize) -> Self {
        Self
    }

    pub(crate) fn read(&self, _range: Range<usize>) {}

    pub(crate) fn write(&self, _range: Range<usize>) {}
}

#[cfg(loom)]
pub(crate) struct Accesses(Vec<loom::cell::UnsafeCell<()>>);

#[cfg(loom)]
impl Accesses {
    pub(crate) fn new(bytes: usize) -> Self {
        Self((0..bytes).map(|_| loom::cell::UnsafeCell::new(())).collect())
    }

    pub(crate) fn read(&self, range: Range<usize>) {
        self.0[range].iter().for_each(|byte| byte.with(|_| ()));
    }

    pub(crate) fn write(&self, range: Range<usize>) {
        self.0[range].iter().for_each(|byte| byte.with_mut(|_| ()));
    }
}
