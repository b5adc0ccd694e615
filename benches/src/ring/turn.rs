//! Entering the kernel: what a turn submits, and how long it waits.

#![expect(unsafe_code, reason = "io_uring_enter(2) takes an address")]

use super::Ring;
use io_uring::EnterFlags;
use io_uring::types::{SubmitArgs, Timespec};
use std::io;
use std::time::{Duration, Instant};

/// Deferred completions that the kernel hands over in one enter at most, when one is waited for.
const HAND_OVER_MAX: usize = 20;
/// Looking once for completions takes less than this.
const LOOK_MAX: Duration = Duration::from_micros(10);

impl Ring {
    /// Submits everything noted since the last turn and waits until something has happened; then read
    /// it with [`next`](Self::next), all of it, before the next turn.
    ///
    /// # Errors
    /// Only when the kernel refuses an enter for a reason that no repetition mends.
    pub fn turn(&mut self) -> io::Result<()> {
        self.turn_with(1, None)
    }

    /// A [`turn`](Self::turn) that waits for `want` completions, but no longer than `patience`.
    ///
    /// A server wakes a waiting client only with the last of them, and so does its work undisturbed.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn turn_for(&mut self, want: u32, patience: Duration) -> io::Result<()> {
        self.turn_with(want, Some(Timespec::from(patience)))
    }

    /// A [`turn`](Self::turn) that never sleeps: nobody pays for waking this thread, and its core does not
    /// halt. Returns for how much of that this thread ran and had nothing to do.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn turn_awake(&mut self, patience: Duration) -> io::Result<Duration> {
        self.before_enter()?;
        self.enter(0)?;
        let start = Instant::now();
        let (mut waited, mut idle) = (Duration::ZERO, Duration::ZERO);
        while self.cq.is_empty() && waited < patience {
            if self.sq.taskrun() {
                self.fetch()?;
            } else {
                std::hint::spin_loop();
            }
            self.cq.sync();
            let now = start.elapsed();
            // A look that took longer was interrupted: somebody else ran.
            if now - waited < LOOK_MAX {
                idle += now - waited;
            }
            waited = now;
        }
        self.after_enter();
        Ok(idle)
    }

    fn turn_with(&mut self, want: u32, patience: Option<Timespec>) -> io::Result<()> {
        self.before_enter()?;
        match patience {
            None => self.enter(want)?,
            Some(patience) => self.enter_for(want, patience)?,
        }
        self.after_enter();
        Ok(())
    }

    fn before_enter(&mut self) -> io::Result<()> {
        assert!(self.cq.is_empty(), "every event is read before the next turn");
        self.give_back_entered();
        if std::mem::take(&mut self.released) {
            self.buffers.publish();
            for slot in std::mem::take(&mut self.starved) {
                self.receive(slot)?;
            }
        }
        Ok(())
    }

    fn after_enter(&mut self) {
        self.handed_over = self.cq.len();
        if self.sq.is_empty() {
            std::mem::swap(&mut self.queued, &mut self.entered);
            self.blocks.enter();
        }
    }

    /// Fetches, without waiting and without submitting, what the kernel held back from the last enter;
    /// `false` when there was nothing.
    ///
    /// The kernel's flag alone does not tell: it can be raised just after the work it announces was
    /// done, and then stays up with nothing behind it until new work comes. So the last enter must also
    /// have handed over as much as one enter can.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn collect(&mut self) -> io::Result<bool> {
        if self.handed_over < HAND_OVER_MAX || !self.sq.taskrun() {
            return Ok(false);
        }
        if self.released {
            // Or a crowd of receives would find none left, though most have long been read.
            self.buffers.publish();
        }
        self.fetch()?;
        self.handed_over = self.cq.len();
        Ok(true)
    }

    /// Has the kernel hand over what it holds back.
    fn fetch(&mut self) -> io::Result<()> {
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: nothing is submitted and no argument is passed.
        let entered = unsafe { self.submitter.enter::<libc::sigset_t>(0, 0, flags, None) };
        forgive(entered)?;
        self.cq.sync();
        Ok(())
    }

    /// One enter: submits what is queued, waits for `want` completions.
    pub(super) fn enter(&mut self, want: u32) -> io::Result<()> {
        self.sq.sync();
        let count = self.sq.len() as u32;
        let flags = if want > 0 { EnterFlags::GETEVENTS } else { EnterFlags::empty() };
        // SAFETY: `count` entries are in the queue, each sound by what `push` says; no argument is passed.
        let entered = unsafe { self.submitter.enter::<libc::sigset_t>(count, want, flags.bits(), None) };
        forgive(entered)?;
        self.sq.sync();
        self.cq.sync();
        Ok(())
    }

    /// As [`enter`](Self::enter), with an end to the waiting.
    fn enter_for(&mut self, want: u32, patience: Timespec) -> io::Result<()> {
        self.sq.sync();
        let arguments = SubmitArgs::new().timespec(&patience);
        forgive(self.submitter.submit_with_args(want as usize, &arguments))?;
        self.sq.sync();
        self.cq.sync();
        Ok(())
    }

    /// The sends that read from these buffers were over when their enter returned, and the completions
    /// of those that failed have been read since.
    fn give_back_entered(&mut self) {
        self.released |= !self.entered.is_empty();
        for id in self.entered.drain(..) {
            self.buffers.give_back(id);
        }
        self.blocks.drop_entered();
    }
}

/// An enter that was interrupted or waited long enough is no error: what it did not do, the next does.
fn forgive(entered: io::Result<usize>) -> io::Result<()> {
    match entered {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ETIME)
            ) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}
