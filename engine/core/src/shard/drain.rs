//! The end of a shard, in order.

use super::session::{Ending, Phase};
use super::{Accept, Shard, earliest};
use crate::running::{Drain, DrainReport};
use std::time::Duration;
use wsring_io::{CloseHow, Io, Op, Socket, Time};
use wsring_proto::CloseCode;

/// Turns of a drain: what was submitted as it began, hand-overs among it, is carried out in the second.
const TURNS_MIN: u32 = 2;

/// A drain under way.
pub(super) struct Draining {
    began: Time,
    drain: Drain,
    /// Connections to be told; those before `told` have been.
    sockets: Vec<Socket>,
    told: usize,
    cut_off: usize,
    /// Whether the deadline has passed.
    over: bool,
    turns: u32,
}

impl Draining {
    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Time> {
        if self.turns < TURNS_MIN {
            return Some(self.began);
        }
        let deadline = (!self.over).then(|| self.began.after(self.drain.deadline));
        let tell = (self.told < self.sockets.len()).then(|| self.began.after(self.share(self.told)));
        earliest(deadline, tell)
    }

    /// Into the window, when the connection with this number is told.
    fn share(&self, number: usize) -> Duration {
        self.drain.window.mul_f64(number as f64 / self.sockets.len().max(1) as f64)
    }
}

impl<I: Io> Shard<I> {
    pub(super) fn begin_drain(&mut self, drain: Drain) {
        if self.draining.is_some() {
            return;
        }
        if self.accept != Accept::Never {
            self.accept = Accept::Closed;
            self.io.submit(Op::ListenerClose);
        }
        let mut sockets = self.table.sockets();
        // Those that have parted already, but for the peer's FIN, need no telling.
        sockets.retain(|socket| {
            self.table.get(*socket).is_some_and(|session| session.ending != Ending::HalfClosed)
        });
        tracing::info!(shard = self.local.shard, connections = sockets.len(), "draining");
        let began = self.local.now;
        self.draining = Some(Draining { began, drain, sockets, told: 0, cut_off: 0, over: false, turns: 0 });
    }

    /// Tells the connections whose time has come; cuts off what is left at the deadline.
    pub(super) fn drain_on(&mut self) {
        let Some(mut draining) = self.draining.take() else { return };
        draining.turns = draining.turns.saturating_add(1);
        let passed = self.local.now.since(draining.began);
        while draining.told < draining.sockets.len() && draining.share(draining.told) <= passed {
            let socket = draining.sockets[draining.told];
            draining.told += 1;
            self.dismiss(socket);
        }
        if !draining.over && passed >= draining.drain.deadline {
            draining.over = true;
            draining.told = draining.sockets.len();
            draining.cut_off = self.cut_off();
            self.give_up_openings();
        }
        self.draining = Some(draining);
    }

    /// The last report, once nothing is left and nothing is on its way here from the acceptor.
    pub(super) fn report(&self) -> Option<DrainReport> {
        let draining = self.draining.as_ref().filter(|draining| draining.turns >= TURNS_MIN)?;
        if self.table.len() > 0 || !self.openings.is_empty() {
            return None;
        }
        if !self.local.cluster.retire(self.local.shard) && !draining.over {
            return None;
        }
        let connections = draining.sockets.len();
        let cut_off = draining.cut_off;
        Some(DrainReport { connections, closed: connections.saturating_sub(cut_off), cut_off })
    }

    /// Ends one connection in the way of its phase.
    fn dismiss(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        match &session.phase {
            Phase::Server(_) | Phase::Client(_) | Phase::Events(_) => {
                self.close(socket, CloseCode::GOING_AWAY, "the server shuts down");
            }
            Phase::Http(http) if http.pending.is_empty() => self.finish(socket),
            _ => {}
        }
    }

    fn cut_off(&mut self) -> usize {
        let left = self.table.sockets();
        let mut count = 0;
        for socket in left {
            let Some(session) = self.table.get(socket) else { continue };
            match (&session.phase, session.ending) {
                (Phase::Closing, _) => {}
                // The handshake is done, all is out, only the peer's FIN is missing.
                (_, Ending::HalfClosed) => self.end(socket, CloseHow::Fin),
                _ => {
                    count += 1;
                    self.end(socket, CloseHow::Reset);
                }
            }
        }
        count
    }
}
