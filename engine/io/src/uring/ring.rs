//! The two queues and the one system call: pushing requests, entering the kernel, draining answers.
//!
//! Owns the ring and its registered index. It never looks at what a request is about.

#![expect(unsafe_code, reason = "io_uring_enter, io_uring_register and pushing to the submission queue")]

use super::request::Request;
use crate::Time;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, squeue};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

// Operations of io_uring_register(2) that the io-uring crate does not offer in the form needed here.
const REGISTER_RING_FDS: libc::c_uint = 20;
const UNREGISTER_RING_FDS: libc::c_uint = 21;
const REGISTER_FILE_ALLOC_RANGE: libc::c_uint = 25;

/// What an enter does besides submitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: no deferred work is run.
    No,
    /// Runs the deferred work that is there, up to the kernel's cap of 20 items.
    Collect,
    /// Runs it, and sleeps until `want` completions are there or the time has come.
    Until {
        /// `None`: no time.
        deadline: Option<Time>,
        /// At least one.
        want: u32,
    },
}

/// How an enter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// As asked.
    Done,
    /// The kernel wants completions taken first, or is short of memory for requests.
    Busy,
}

/// An io_uring of this thread.
pub(super) struct Ring {
    uring: IoUring,
    /// The ring's index among the descriptors that this thread registered, which saves the kernel
    /// looking the descriptor up in every enter. It means nothing on any other thread.
    registered: Option<u32>,
    /// Flags for every enter that may sleep.
    wait_flags: EnterFlags,
    /// Whether a wait ends at a time of the clock rather than after a span.
    absolute: bool,
    /// Entries that found the submission queue full, oldest first.
    backlog: VecDeque<squeue::Entry>,
}

/// `struct io_uring_rsrc_update` of linux/io_uring.h.
#[repr(C)]
struct RingRegistration {
    offset: u32,
    reserved: u32,
    descriptor: u64,
}

/// `struct io_uring_file_index_range` of linux/io_uring.h.
#[repr(C)]
struct PlaceRange {
    offset: u32,
    length: u32,
    reserved: u64,
}

impl Ring {
    /// Takes over a ring that was set up on this thread, and learns what its kernel can do on entering.
    pub(super) fn new(uring: IoUring) -> Self {
        let mut ring = Self {
            uring,
            registered: None,
            wait_flags: EnterFlags::GETEVENTS | EnterFlags::EXT_ARG,
            absolute: false,
            backlog: VecDeque::new(),
        };
        ring.registered = ring.register_descriptor().ok();
        // Since 6.15: an idle ring does not look like a disk wait in load and pressure figures.
        if ring.accepts(EnterFlags::NO_IOWAIT) {
            ring.wait_flags |= EnterFlags::NO_IOWAIT;
        }
        // Since 6.12: saves reading the clock before every wait.
        if ring.accepts(EnterFlags::ABS_TIMER) {
            ring.wait_flags |= EnterFlags::ABS_TIMER;
            ring.absolute = true;
        }
        ring
    }

    /// Queues a request for the next enter, behind everything queued before.
    pub(super) fn push(&mut self, request: Request) {
        let entry = request.into_entry();
        if !self.backlog.is_empty() || !self.push_entry(&entry) {
            self.backlog.push_back(entry);
        }
    }

    /// Whether the next [`push`](Self::push) is certain to be part of the next enter.
    pub(super) fn has_room(&mut self) -> bool {
        self.backlog.is_empty() && !self.uring.submission().is_full()
    }

    /// Submits what is queued, as far as the submission queue holds it, and waits as told.
    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<Entered> {
        while let Some(entry) = self.backlog.pop_front() {
            if !self.push_entry(&entry) {
                self.backlog.push_front(entry);
                break;
            }
        }
        let submit = self.uring.submission().len() as u32;
        let outcome = match wait {
            Wait::No => self.enter_raw(submit, 0, EnterFlags::empty(), None),
            Wait::Collect => self.enter_raw(submit, 0, EnterFlags::GETEVENTS, None),
            Wait::Until { deadline: None, want } => self.enter_raw(submit, want, self.wait_flags, None),
            Wait::Until { deadline: Some(deadline), want } => {
                let timespec = self.timespec(deadline);
                self.enter_raw(submit, want, self.wait_flags, Some(&timespec))
            }
        };
        match outcome.map_err(|error| (error.raw_os_error(), error)) {
            Ok(submitted) if submitted < submit => Ok(Entered::Busy),
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR), _)) => Ok(Entered::Done),
            Err((Some(libc::EBUSY | libc::EAGAIN), _)) => Ok(Entered::Busy),
            Err((_, error)) => Err(error),
        }
    }

    /// Moves every completion that the kernel has posted to the end of `into`.
    pub(super) fn drain(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.extend(self.uring.completion());
    }

    /// Whether completions wait in the kernel because the completion queue was full.
    pub(super) fn overflowed(&mut self) -> bool {
        self.uring.submission().cq_overflow()
    }

    /// Whether deferred work waits for an enter that collects.
    pub(super) fn has_deferred_work(&mut self) -> bool {
        self.uring.submission().taskrun()
    }

    /// Whether the kernel has taken everything that was in the submission queue.
    pub(super) fn is_submitted(&mut self) -> bool {
        self.uring.submission().is_empty()
    }

    /// Makes the kernel look for free places from the lowest again; see [`super::slots`].
    pub(super) fn rewind_places(&self, places: u32) -> io::Result<()> {
        let mut range = PlaceRange { offset: 0, length: places, reserved: 0 };
        self.register(REGISTER_FILE_ALLOC_RANGE, &mut range, 0).map(drop)
    }

    /// Empties the whole descriptor table, which closes every socket on which nothing is under way.
    pub(super) fn close_table(&self) -> io::Result<()> {
        self.uring.submitter().unregister_files()
    }

    fn push_entry(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: the memory that the entry names must stay valid while the kernel may use it. Every
        // entry comes out of a `Request`, and whoever made that vouched for it (see request.rs).
        unsafe { self.uring.submission().push(entry) }.is_ok()
    }

    fn timespec(&self, deadline: Time) -> Timespec {
        let base = if self.absolute { Time(0) } else { clock() };
        Timespec::from(deadline.since(base).min(Duration::from_secs(u32::MAX.into())))
    }

    /// Whether an enter that does nothing is let through with `flags`.
    fn accepts(&self, flags: EnterFlags) -> bool {
        let timespec = Timespec::new();
        self.enter_raw(0, 0, self.wait_flags | flags, Some(&timespec)).is_ok()
    }

    /// io_uring_enter(2). `deadline` needs `EXT_ARG` among the flags.
    fn enter_raw(
        &self,
        submit: u32,
        want: u32,
        flags: EnterFlags,
        deadline: Option<&Timespec>,
    ) -> io::Result<u32> {
        let arguments: SubmitArgs<'_, '_> = match deadline {
            Some(time) => SubmitArgs::new().timespec(time),
            None => SubmitArgs::new(),
        };
        let (argument, bytes) = match flags.contains(EnterFlags::EXT_ARG) {
            true => (std::ptr::from_ref(&arguments), size_of::<SubmitArgs<'_, '_>>()),
            false => (std::ptr::null(), 0),
        };
        let (descriptor, flags) = match self.registered {
            Some(index) => (index as libc::c_int, flags | EnterFlags::REGISTERED_RING),
            None => (self.uring.as_raw_fd(), flags),
        };
        // SAFETY: the descriptor is this ring's, or the index under which this thread registered it:
        // a `Ring` cannot leave its thread. `argument` is null with size 0, or points to a live
        // `io_uring_getevents_arg` of the given size (SubmitArgs is transparent over it), whose
        // timespec lives as long. The queued entries were vouched for when they were pushed.
        let result = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, descriptor, submit, want, flags.bits(), argument, bytes)
        };
        u32::try_from(result).map_err(|_| io::Error::last_os_error())
    }

    fn register_descriptor(&self) -> io::Result<u32> {
        let descriptor = self.uring.as_raw_fd() as u64;
        let mut registration = RingRegistration { offset: u32::MAX, reserved: 0, descriptor };
        self.register(REGISTER_RING_FDS, &mut registration, 1)?;
        Ok(registration.offset)
    }

    /// io_uring_register(2) with one argument structure.
    fn register<T>(
        &self,
        operation: libc::c_uint,
        argument: &mut T,
        count: libc::c_uint,
    ) -> io::Result<libc::c_long> {
        let argument = std::ptr::from_mut(argument);
        let descriptor = self.uring.as_raw_fd();
        // SAFETY: `T` is the structure that the operation reads and writes (the callers in this file
        // pair them), it is live and exclusively borrowed, and the kernel keeps no pointer to it.
        let result =
            unsafe { libc::syscall(libc::SYS_io_uring_register, descriptor, operation, argument, count) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}

impl Drop for Ring {
    /// A registered descriptor keeps its ring alive until the thread ends, so it goes first.
    fn drop(&mut self) {
        if let Some(index) = self.registered.take() {
            let mut registration = RingRegistration { offset: index, reserved: 0, descriptor: 0 };
            // A refusal leaves the ring open until the thread ends; nothing can be done about it here.
            let _ = self.register(UNREGISTER_RING_FDS, &mut registration, 1);
        }
    }
}

/// Reads `CLOCK_MONOTONIC`, the clock by which the kernel ends waits.
pub(super) fn clock() -> Time {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a live, writable timespec. The call cannot fail: every Linux has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    Time((now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64))
}
