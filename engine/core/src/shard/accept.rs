//! Taking connections from the listener, and pausing while there is no place for more.

use super::session::{Http, Phase};
use super::{Command, Shard};
use crate::limits::{ACCEPT_AGAIN_AFTER, ACCEPT_AGAIN_WHEN_FULL, SHORTAGE_TOLD_EVERY, TABLE_RESERVE};
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
            if !self.may_accept() {
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
        let placed = spreads.then(|| local.cluster.place(self.most(), |shard| self.room(shard)));
        if let Some(shard) = placed.flatten() {
            return (shard != local.shard).then_some(shard);
        }
        // Where no table has room it has a place here at least: it was accepted.
        local.cluster.opened(local.shard);
        None
    }

    /// Connections that all shards together may have; where each accepts its own, that this one may.
    fn most(&self) -> u32 {
        let settings = &self.local.settings;
        let most = settings.connections_max.unwrap_or(u32::MAX);
        match settings.placement {
            Placement::HandOver => most,
            Placement::ReusePort => most.div_ceil(self.local.cluster.shards() as u32),
        }
    }

    /// Connections that the table of a shard has room for. Here, where connections are accepted, those on their way to
    /// other shards have a place as well.
    fn room(&self, shard: usize) -> u32 {
        let table = self.io.sockets_max();
        let margin = if shard == self.local.shard { self.margin() } else { 0 };
        table.saturating_sub(TABLE_RESERVE + margin).max(1)
    }

    fn margin(&self) -> u32 {
        self.local.settings.accept_margin(self.io.sockets_max())
    }

    /// Whether one more connection would find a shard.
    fn has_room(&self) -> bool {
        let (cluster, most) = (&self.local.cluster, self.most());
        let has_room = |shard| cluster.count(shard) < self.room(shard);
        match self.local.settings.placement {
            Placement::HandOver => cluster.total() < most && (0..cluster.shards()).any(has_room),
            Placement::ReusePort => cluster.count(self.local.shard) < most && has_room(self.local.shard),
        }
    }

    /// Whether as many connections as the kernel may accept at once would find places in the table here, beside those
    /// that are on their way out of it.
    fn has_places(&self) -> bool {
        self.io.sockets_free() > self.margin()
    }

    fn may_accept(&self) -> bool {
        self.has_room() && self.has_places()
    }

    fn pause_accept(&mut self) {
        if self.accept == Accept::On {
            self.accept = Accept::Paused;
            self.io.submit(Op::AcceptStop);
            self.await_place();
        }
    }

    /// In the table here: soon, some that are on their way out of it will be gone. In any: whoever closes a connection
    /// next tells of it.
    fn await_place(&mut self) {
        if self.has_room() {
            self.accept_again = Some(self.local.now.after(ACCEPT_AGAIN_WHEN_FULL));
            return;
        }
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
            self.tell_of_shortage(errno);
            self.accept = Accept::Paused;
            self.accept_again = Some(self.local.now.after(ACCEPT_AGAIN_AFTER));
            self.local.cluster.pause_accept();
        }
    }

    /// Once a while: a shortage that lasts ends accepting anew each time that it is tried.
    fn tell_of_shortage(&mut self, errno: i32) {
        if self.shortage_told.is_none_or(|told| told.after(SHORTAGE_TOLD_EVERY) <= self.local.now) {
            self.shortage_told = Some(self.local.now);
            let cause = std::io::Error::from_raw_os_error(errno);
            tracing::warn!(shard = self.local.shard, %cause, "accepting has paused: the kernel is short of something");
        }
    }

    /// Tries again after a shortage. Without room it waits for a connection to close: the kernel
    /// would take one more connection only to drop it.
    pub(super) fn accept_on(&mut self) {
        if self.accept_again.is_some_and(|time| time <= self.local.now) {
            self.accept_again = None;
            self.resume_accept();
        }
    }

    pub(super) fn resume_accept(&mut self) {
        if self.accept != Accept::Paused || self.draining.is_some() {
            return;
        }
        if self.may_accept() {
            self.accept = Accept::On;
            self.accept_again = None;
            self.io.submit(Op::AcceptStart);
        } else {
            self.await_place();
        }
    }
}
