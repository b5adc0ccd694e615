//! How a socket ends here: closed, or handed over to another shard.
//!
//! Closing a place of the table does not end what is under way on the socket: an armed receive would
//! keep it open and go on taking bytes. So first everything is cancelled and has reported its end,
//! then the place is emptied, and only after that may it be filled again.

use super::Uring;
use super::request::{self, Outcome, SocketOption};
use super::slots::{Life, Receive};
use super::token::{Kind, Token};
use crate::{CloseHow, Completion, Socket};

impl Uring {
    pub(super) fn close(&mut self, socket: Socket, how: CloseHow) {
        let Some(slot) = self.slots.get_open(socket) else { return };
        slot.life = Life::Draining(how);
        let is_pending = slot.pending.is_some();
        match slot.receive {
            Receive::Armed | Receive::Watching => {
                slot.receive = Receive::Stopping;
                self.cancel_receive(socket);
            }
            Receive::Starved => slot.receive = Receive::Idle,
            Receive::Idle
            | Receive::Stopping
            | Receive::Restarting
            | Receive::Pausing
            | Receive::Resuming => {}
        }
        if is_pending {
            self.ring.push(request::cancel(Token::of(socket, Kind::SendPending)));
        }
        self.close_when_quiet(socket);
    }

    /// Submits the close when the last request on a draining socket is over.
    pub(super) fn close_when_quiet(&mut self, socket: Socket) {
        let Some(slot) = self.slots.get(socket) else { return };
        let Life::Draining(how) = slot.life else { return };
        if !slot.is_quiet() {
            return;
        }
        slot.life = Life::Closing;
        if how == CloseHow::Reset {
            self.ring.push(request::set_option(socket.slot(), SocketOption::ResetOnClose));
        }
        self.ring.push(request::close(Token::of(socket, Kind::Close)));
    }

    /// Closes a socket that the shard does not know, or not any more.
    pub(super) fn discard(&mut self, socket: Socket) {
        if let Some(slot) = self.slots.get(socket) {
            slot.life = Life::Leaving;
            self.ring.push(request::close(Token::of(socket, Kind::Close)));
        }
    }

    pub(super) fn close_completed(&mut self, socket: Socket) {
        let Some(slot) = self.slots.get(socket) else {
            self.counters.stale += 1;
            return;
        };
        if slot.life == Life::Closing {
            self.ready.push(Completion::Closed { socket });
        }
        self.slots.free(socket);
    }

    pub(super) fn hand_over(&mut self, socket: Socket, shard: usize) {
        let Some(slot) = self.slots.get_open(socket) else { return };
        if !slot.is_quiet() {
            debug_assert!(false, "a socket is handed over before anything is started on it");
            return self.close(socket, CloseHow::Fin);
        }
        if shard == self.shard {
            if let Some(socket) = self.slots.rename(socket) {
                self.counters.accepted += 1;
                self.ready.push(Completion::Accepted { socket });
            }
            return;
        }
        slot.life = Life::HandedTo(shard as u16);
        match self.mesh.ring(shard) {
            Some(ring) => {
                let arrival = Token::single(Kind::HandedOver);
                self.ring.push(request::hand_over(ring, Token::of(socket, Kind::HandOver), arrival));
            }
            None => {
                self.hand_over_refused(shard);
                self.discard(socket);
            }
        }
    }

    /// The other ring holds the socket now, or has refused it; either way our place is emptied.
    pub(super) fn hand_over_completed(&mut self, socket: Socket, outcome: Outcome) {
        let life = self.slots.get(socket).map(|slot| slot.life);
        if let (Err(_), Some(Life::HandedTo(shard))) = (outcome.value(), life) {
            self.hand_over_refused(shard.into());
        }
        self.discard(socket);
    }

    fn hand_over_refused(&mut self, shard: usize) {
        self.counters.accepts_failed += 1;
        self.ready.push(Completion::HandOverRefused { shard });
    }

    pub(super) fn hand_over_arrived(&mut self, outcome: Outcome) {
        if let Ok(place) = outcome.value() {
            let socket = self.slots.fill(place, Life::Open);
            self.counters.accepted += 1;
            self.ready.push(Completion::Accepted { socket });
        }
    }
}
