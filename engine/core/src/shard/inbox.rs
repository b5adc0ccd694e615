//! What reaches a shard from outside its thread.

use crate::CloseCode;
use crate::client::Opening;
use crate::driver::Driver;
use crate::running::Drain;
use crate::topic::log::Log;
use crate::upgrade::Decision;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wsring_io::{CloseHow, Connect, Socket, Waker};
use wsring_proto::Kind;

/// One request to a shard.
pub(crate) enum Command {
    /// The answer to a deferred upgrade.
    Decide { socket: Socket, decision: Box<Decision> },
    /// A message for one connection.
    Send { socket: Socket, kind: Kind, payload: Bytes },
    /// Begin the closing handshake of one connection.
    Close { socket: Socket, code: CloseCode, reason: String },
    /// End one connection without one.
    HangUp { socket: Socket, how: CloseHow },
    /// A log has grown. At most one is on its way for each log and shard.
    Published(Arc<Log>),
    /// A connection's handler has set its timer.
    Reschedule(Socket),
    /// A connection's handler wants to be read for, or not.
    Read { socket: Socket, on: bool },
    /// Open a connection.
    Connect { connect: Connect, opening: Box<Opening> },
    /// Make a driver and call it in every turn.
    Drive(Box<dyn FnOnce() -> Box<dyn Driver> + Send>),
    /// Nothing but a turn.
    Wake,
    /// There is room again in some table.
    AcceptResume,
    /// End everything in order.
    Drain(Drain),
}

/// Commands on their way, and the shard's waker.
#[derive(Default)]
pub(crate) struct Inbox {
    commands: Mutex<Vec<Command>>,
    /// Whether `commands` may be worth a look: spares an idle turn the lock.
    filled: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Inbox {
    /// Wakes the shard from now on.
    pub(crate) fn set_waker(&self, waker: Waker) {
        // A shard starts once, so the cell is empty.
        let _ = self.waker.set(waker.clone());
        // Pairs with the fence in `push`: one of the two sees what the other has stored.
        fence(Ordering::SeqCst);
        // What was pushed before found nobody to wake.
        if self.filled.load(Ordering::SeqCst) {
            waker.wake();
        }
    }

    /// Adds a command and wakes the shard when it may be asleep over an empty inbox.
    pub(crate) fn push(&self, command: Command) {
        self.lock().push(command);
        if !self.filled.swap(true, Ordering::SeqCst) {
            fence(Ordering::SeqCst);
            if let Some(waker) = self.waker.get() {
                waker.wake();
            }
        }
    }

    /// Moves all commands to `commands`.
    pub(crate) fn take(&self, commands: &mut Vec<Command>) {
        if self.filled.load(Ordering::SeqCst) {
            self.filled.store(false, Ordering::SeqCst);
            commands.append(&mut self.lock());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("filled", &self.filled).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use wsring_io::Wake;

    /// Counts how often a shard was woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Wakes {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn taken(inbox: &Inbox) -> usize {
        let mut commands = Vec::new();
        inbox.take(&mut commands);
        commands.len()
    }

    #[test]
    fn what_came_before_the_waker_wakes_the_shard() {
        let (inbox, wakes) = (Inbox::default(), Arc::new(Wakes::default()));
        inbox.push(Command::AcceptResume);
        inbox.push(Command::AcceptResume);
        inbox.set_waker(Waker::new(wakes.clone()));
        assert_eq!(wakes.count(), 1);
        inbox.push(Command::AcceptResume);
        assert_eq!((wakes.count(), taken(&inbox)), (1, 3), "it is awake for all of them");
    }

    #[test]
    fn only_what_comes_into_an_empty_inbox_wakes_the_shard() {
        let (inbox, wakes) = (Inbox::default(), Arc::new(Wakes::default()));
        inbox.set_waker(Waker::new(wakes.clone()));
        assert_eq!(wakes.count(), 0, "there is nothing to wake for");
        for round in 1..4 {
            inbox.push(Command::AcceptResume);
            inbox.push(Command::AcceptResume);
            assert_eq!((wakes.count(), taken(&inbox), taken(&inbox)), (round, 2, 0));
        }
    }

    /// Whichever comes first, command or waker: the shard is woken for it.
    #[test]
    fn a_command_that_races_with_the_waker_wakes_the_shard() {
        for _ in 0..1000 {
            let (inbox, wakes) = (Inbox::default(), Arc::new(Wakes::default()));
            let start = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    inbox.push(Command::AcceptResume);
                });
                start.wait();
                inbox.set_waker(Waker::new(wakes.clone()));
            });
            assert!((1..=2).contains(&wakes.count()), "{}", wakes.count());
        }
    }
}
