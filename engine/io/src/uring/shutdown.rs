//! Ending with everything in flight: nothing that the kernel may still touch is freed.

use super::Uring;
use super::ring::{Wait, clock};
use super::slots::Receive;
use crate::{CloseHow, Completion, Time};
use std::mem;
use std::time::Duration;

/// How long the kernel may take to end everything. It takes milliseconds; were it ever to take
/// longer, memory is leaked rather than freed under it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest single wait meanwhile.
const STEP: Duration = Duration::from_millis(10);

impl Drop for Uring {
    /// Stops accepting, closes every socket, and waits for the last word on each request before the
    /// fields are dropped: first the ring, then the memory that it borrowed.
    fn drop(&mut self) {
        self.close_listener();
        self.cancel_connects();
        let sockets: Vec<_> = self.slots.sockets().collect();
        for socket in sockets {
            self.close(socket, CloseHow::Fin);
        }
        self.wait_for_the_end();
        // Refuses sockets that other shards hand over from here on. Should closing not have come to
        // its end, the kernel does that when the ring is gone.
        let _ = self.ring.close_table();
        if self.is_memory_borrowed() {
            self.leak_memory();
        }
    }
}

impl Uring {
    fn wait_for_the_end(&mut self) {
        let deadline = clock().after(PATIENCE);
        loop {
            self.close_newcomers();
            let now = clock();
            let over =
                self.slots.filled() == 0 && self.connects.in_flight() == 0 && !self.acceptor.is_in_flight();
            if over || now >= deadline || !self.step(now) {
                return;
            }
        }
    }

    /// One enter; false when the ring is of no more use.
    fn step(&mut self, now: Time) -> bool {
        self.enter_and_collect(Wait::Until { deadline: Some(now.after(STEP)), want: 1 }).is_ok()
    }

    /// Closes what still arrived, gives everything else that was reported back.
    fn close_newcomers(&mut self) {
        for completion in mem::take(&mut self.ready) {
            match completion {
                Completion::Accepted { socket } | Completion::Connected { socket, .. } => {
                    self.close(socket, CloseHow::Fin);
                }
                Completion::Received { buffer, .. } => self.buffers.release(buffer),
                _ => {}
            }
        }
    }

    fn is_memory_borrowed(&self) -> bool {
        let receiving = |receive| matches!(receive, Receive::Armed | Receive::Stopping | Receive::Restarting);
        self.sends.submitted() > 0
            || self.sends.in_flight() > 0
            || self.connects.in_flight() > 0
            || self.slots.any(|slot| receiving(slot.receive))
    }

    fn leak_memory(&mut self) {
        mem::forget(mem::replace(&mut self.sends, super::Sends::new()));
        mem::forget(mem::take(&mut self.connects));
        self.buffers.leak();
    }
}
