//! What reaches a shard from outside its thread.

use crate::CloseCode;
use crate::client::Opening;
use crate::running::Drain;
use crate::upgrade::Decision;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use wsring_io::{Connect, Socket, Waker};
use wsring_proto::Kind;

/// One request to a shard.
pub(crate) enum Command {
    /// The answer to a deferred upgrade.
    Decide { socket: Socket, decision: Box<Decision> },
    /// A message for one connection.
    Send { socket: Socket, kind: Kind, payload: Bytes },
    /// Begin the closing handshake of one connection.
    Close { socket: Socket, code: CloseCode, reason: String },
    /// A finished frame for all subscribers of a topic.
    Publish { topic: u64, frame: Bytes, except: Option<Socket> },
    /// Open a connection.
    Connect { connect: Connect, opening: Box<Opening> },
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
        let _ = self.waker.set(waker);
    }

    /// Adds a command and wakes the shard when it may be asleep over an empty inbox.
    pub(crate) fn push(&self, command: Command) {
        self.lock().push(command);
        if !self.filled.swap(true, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
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
