//! The IO vocabulary of wsring, and its speakers.
//!
//! A shard owns one [`Io`] and talks to it in two closed enums: it submits [`Op`]s and is handed
//! [`Completion`]s. Nothing happens between two calls of [`Io::turn`]; all operations of a turn
//! reach the kernel together, and everything that is ready comes back together.
//!
//! * [`uring`] speaks to the Linux kernel by io_uring; the rules it keeps are in `docs/ring.md`.
//! * [`sim`] speaks to a seeded network in memory, so that a whole server runs, and fails, the same
//!   way each time.
//!
//! What many shards send alike lies in a [`Segment`], which one thread fills by its [`Appender`].
//!
//! This crate never parses a byte it carries and holds no timer beyond the deadline of a turn.
//! Read [`Op`] and [`Completion`] first.

mod buffer;
mod completion;
mod counters;
mod op;
mod segment;
pub mod sim;
mod socket;
mod sync;
pub mod uring;

pub use buffer::{LocalSegment, Outgoing, Received};
pub use completion::{Completion, ReceiveEnd};
pub use counters::Counters;
pub use op::{CloseHow, Connect, Op};
pub use segment::{Appender, Segment, State};
pub use socket::Socket;

use std::sync::Arc;

/// Nanoseconds on a monotonic clock that starts anywhere; virtual in [`sim`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// This time and `duration` more; saturates.
    pub fn after(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// What a shard needs of the world outside it.
///
/// The order of use is a loop: [`turn`](Self::turn), act on every completion, [`submit`](Self::submit)
/// what follows from them, turn again. A [`Received`] buffer is the shard's own from its completion
/// until it goes back, by [`release`](Self::release) or inside an [`Outgoing`].
pub trait Io {
    /// Notes an operation; it takes effect in the next [`turn`](Self::turn).
    fn submit(&mut self, op: Op);

    /// Carries out everything submitted, waits until at least one completion is there or `deadline`
    /// has passed (`None`: no deadline), collects all that is ready, and appends it to `completions`.
    ///
    /// # Errors
    /// Only when the speaker itself is broken (the ring refused an enter for a reason that no retry
    /// mends); a fault of one connection is a completion.
    fn turn(&mut self, deadline: Option<Time>, completions: &mut Vec<Completion>) -> std::io::Result<()>;

    /// Has the next [`turn`](Self::turn) wait for so many completions, where the speaker can do that, instead
    /// of one; still no longer than its deadline.
    fn gather(&mut self, _completions: u32) {}

    /// The clock as read at the end of the last turn: one reading serves a whole turn.
    fn now(&self) -> Time;

    /// The bytes of a received buffer, to be read and changed in place.
    fn bytes(&mut self, received: &Received) -> &mut [u8];

    /// Gives a received buffer back, to be filled again.
    fn release(&mut self, received: Received);

    /// An empty vector to compose output in: one that an earlier [`Outgoing::Buffer`] is done with
    /// when there is one, so that a warm shard allocates nothing.
    fn spare(&mut self) -> Vec<u8>;

    /// A long vector that an earlier [`Outgoing::Buffer`] is done with, if there is one: for the next
    /// long message to be gathered in. [`spare`](Self::spare) gives only short ones.
    fn spare_long(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Gives a vector back to [`spare`](Self::spare) unused.
    fn restore(&mut self, spare: Vec<u8>);

    /// Whether [`Op::HalfClose`] is there. Without it a socket is closed at once, and what the peer
    /// still sends makes the kernel reset the connection.
    fn half_closes(&self) -> bool {
        false
    }

    /// A handle with which any thread ends this shard's wait ([`Completion::Woken`]).
    fn waker(&self) -> Waker;

    /// How many sockets this speaker can hold at once.
    fn sockets_max(&self) -> u32;

    /// For how many more there is a place now. A socket that is being closed or handed over has its place until that is
    /// done; one that the kernel has accepted and not yet told of is not counted.
    fn sockets_free(&self) -> u32;

    /// What has happened so far.
    fn counters(&self) -> &Counters;
}

/// Ends the wait of the shard it belongs to, from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Waker(Arc<dyn Wake>);

impl Waker {
    /// Makes a waker of anything that can wake.
    pub fn new(wake: Arc<dyn Wake>) -> Self {
        Self(wake)
    }

    /// Ends the current wait of the shard, or the next one when it is awake. Many calls before the
    /// shard looks count as one.
    pub fn wake(&self) {
        self.0.wake();
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

/// What stands behind a [`Waker`].
pub trait Wake: Send + Sync {
    /// See [`Waker::wake`].
    fn wake(&self);
}
