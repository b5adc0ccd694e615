//! Ending a shard's wait from another thread.

#![expect(unsafe_code, reason = "eventfd")]

use crate::Wake;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const RUNG: u8 = 2;

/// A bell beside the bed of a shard: whoever rings while the shard is awake only leaves a note, and
/// of many who ring while it sleeps only the first makes a system call.
///
/// The eventfd is only there to end the sleep; that somebody rang is told by the state. So a shard
/// under load is woken for the price of one atomic swap.
pub(super) struct Bell {
    state: AtomicU8,
    eventfd: File,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: eventfd(2) takes no pointers.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it for us, and nobody else knows it.
        let eventfd = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { state: AtomicU8::new(AWAKE), eventfd: File::from(eventfd) })
    }

    /// What to watch for readability while asleep.
    pub(super) fn descriptor(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    /// Called by the shard before it sleeps; false when somebody has rung, and it must not.
    pub(super) fn lie_down(&self) -> bool {
        // AcqRel: pairs with the swap in `wake`, as in `get_up`.
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Called by the shard when it is awake: whether somebody has rung since the last time.
    pub(super) fn get_up(&self) -> bool {
        // The common case under load, without a write to a line that other threads look at.
        if self.state.load(Ordering::Relaxed) == AWAKE {
            return false;
        }
        // Acquire: what the ringer wrote before it rang is visible after this. Release: a ringer
        // that still finds RUNG, and so does nothing, rang before this swap.
        self.state.swap(AWAKE, Ordering::AcqRel) == RUNG
    }
}

impl Wake for Bell {
    fn wake(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP {
            // Fails only when the counter would pass 2^64 - 2, one ring at a time.
            let _ = (&self.eventfd).write(&1_u64.to_ne_bytes());
        }
    }
}
