//! Taking connections from the listener, and pausing while there is no place for more.

use super::session::{Http, Phase};
use super::{Command, Shard};
use crate::limits::{ACCEPT_AGAIN_AFTER, TABLE_RESERVE};
use crate::placement::Placement;
use wsring_io::{Io, Op, Socket};

/// Whether the listener is taking connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// There is no listener here: what is accepted was handed over.
    Never,
    /// The listener is closed for good.
    Closed,
    On,
    /// No table has room, or the kernel was short of something.
    Paused,
}

impl<I: Io> Shard<I> {
    /// A connection from the listener finds its shard; one from another shard has found it, and was
    /// counted there.
    pub(super) fn accepted(&mut self, socket: Socket) {
        if self.accept != Accept::Never {
            let place = self.place();
            if !self.has_room() {
                self.pause_accept();
            }
            if let Some(shard) = place {
                return self.io.submit(Op::HandOver { socket, shard });
            }
        }
        self.open(socket, Phase::Http(Http::default()));
    }

    /// The other shard that a new connection goes to, if it does not stay here; counts it there.
    fn place(&self) -> Option<usize> {
        let local = &self.local;
        let spreads = self.accept != Accept::Closed && local.settings.placement == Placement::HandOver;
        if let Some(shard) = spreads.then(|| local.cluster.place(self.room())).flatten() {
            return (shard != local.shard).then_some(shard);
        }
        // Where no table has room it has a place here at least: it was accepted.
        local.cluster.opened(local.shard);
        None
    }

    /// Connections that a shard may have.
    fn room(&self) -> u32 {
        let table = self.io.sockets_max().saturating_sub(TABLE_RESERVE).max(1);
        let shards = self.local.cluster.shards() as u32;
        self.local.settings.connections_max.map_or(table, |max| table.min(max.div_ceil(shards)))
    }

    /// Whether one more connection would find a place.
    fn has_room(&self) -> bool {
        let (cluster, room) = (&self.local.cluster, self.room());
        match self.local.settings.placement {
            Placement::HandOver => (0..cluster.shards()).any(|shard| cluster.count(shard) < room),
            Placement::ReusePort => cluster.count(self.local.shard) < room,
        }
    }

    fn pause_accept(&mut self) {
        if self.accept == Accept::On {
            self.accept = Accept::Paused;
            self.io.submit(Op::AcceptStop);
            self.await_room();
        }
    }

    /// Whoever closes a connection next tells of it.
    fn await_room(&self) {
        self.local.cluster.pause_accept();
        // Room may have come up since the last look, with nobody left to tell of it.
        if self.has_room() {
            self.local.cluster.send(self.local.shard, Command::AcceptResume);
        }
    }

    /// Accepting goes on when a connection closes, or some time later: what the kernel is short of may
    /// come from elsewhere, and asking at once would spin.
    pub(super) fn accept_ended(&mut self, errno: i32) {
        if self.accept == Accept::On {
            tracing::warn!(shard = self.local.shard, errno, "accepting has paused");
            self.accept = Accept::Paused;
            self.accept_again = Some(self.local.now.after(ACCEPT_AGAIN_AFTER));
            self.local.cluster.pause_accept();
        }
    }

    /// Tries again after a shortage. Without room it waits for a connection to close: the kernel
    /// would take one more connection only to drop it.
    pub(super) fn accept_on(&mut self) {
        if self.accept_again.is_some_and(|time| time <= self.local.now) {
            self.accept_again = None;
            if self.has_room() {
                self.resume_accept();
            }
        }
    }

    pub(super) fn resume_accept(&mut self) {
        if self.accept != Accept::Paused || self.draining.is_some() {
            return;
        }
        if self.has_room() {
            self.accept = Accept::On;
            self.accept_again = None;
            self.io.submit(Op::AcceptStart);
        } else {
            self.await_room();
        }
    }
}
