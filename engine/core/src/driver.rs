//! What an application does on a shard at times of its own.

use crate::cluster::ConnectionId;
use crate::conn::Conn;
use wsring_io::Time;

/// A client's own part in the turns of one shard: it sends when something is due, not because something has
/// arrived. Handlers' timers are kept to a tenth of a second; a driver is called in the microsecond that it
/// names, as far as the kernel wakes the thread in time.
///
/// It is started by [`Client::drive`](crate::Client::drive), lives on its shard, and may share what it knows with
/// the handlers there without a lock. Nothing in it may block. One that panics is dropped.
pub trait Driver: 'static {
    /// Called once in each turn of the shard's loop, after everything that had arrived was acted on and before
    /// the output of the turn leaves. Says when it has to be called again at the latest.
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again;
}

/// When a [`Driver`] is called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// In the next turn, and that no later than this; in a time that has passed: as soon as what has arrived
    /// meanwhile was acted on.
    At(Time),
    /// In the next turn, whenever something else brings it about.
    NextTurn,
    /// Never; it is dropped.
    Never,
}

/// A shard in the hands of its driver, for the length of one call.
pub struct Turn<'a> {
    pub(crate) shard: usize,
    pub(crate) now: Time,
    pub(crate) reach: &'a mut dyn Reach,
}

/// Whoever can lend a shard's connections.
pub(crate) trait Reach {
    /// Calls `act` with an open WebSocket of this shard; not when there is none with this name.
    fn reach(&mut self, id: ConnectionId, act: &mut dyn FnMut(&mut Conn<'_>));
}

impl Turn<'_> {
    /// The number of the shard.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// The shard's clock, CLOCK_MONOTONIC, as read when this turn's input was collected. [`Conn::now`] is the same
    /// throughout the turn.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lends a connection of this shard, as its handler is lent it. `None` when it is over, or another shard's.
    pub fn with<T>(&mut self, connection: ConnectionId, act: impl FnOnce(&mut Conn<'_>) -> T) -> Option<T> {
        let (mut act, mut result) = (Some(act), None);
        self.reach.reach(connection, &mut |conn| result = act.take().map(|act| act(conn)));
        result
    }
}
