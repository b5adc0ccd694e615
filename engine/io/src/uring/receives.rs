//! Receiving: one multishot request per socket, and what to do when it ends.

use super::Uring;
use super::buffer_ring::GROUP;
use super::request::{self, Outcome};
use super::slots::{Life, Receive};
use super::token::{Kind, Token};
use crate::{Completion, ReceiveEnd, Socket};
use std::collections::VecDeque;

/// Sockets whose receive ended because no buffer was left. They go on when buffers come back, in
/// order; who was armed and still got nothing goes before who got something, so that one peer with
/// much to say cannot take every buffer each time round.
#[derive(Default)]
pub(super) struct Starved {
    unserved: VecDeque<Socket>,
    served: VecDeque<Socket>,
}

impl Starved {
    pub(super) fn is_empty(&self) -> bool {
        self.unserved.is_empty() && self.served.is_empty()
    }

    fn push(&mut self, socket: Socket, served: bool) {
        let queue = if served { &mut self.served } else { &mut self.unserved };
        queue.push_back(socket);
    }

    fn pop(&mut self) -> Option<Socket> {
        self.unserved.pop_front().or_else(|| self.served.pop_front())
    }
}

impl Uring {
    pub(super) fn start_receiving(&mut self, socket: Socket) {
        let Some(slot) = self.slots.get_open(socket) else { return };
        match slot.receive {
            Receive::Idle => self.arm_receive(socket),
            Receive::Stopping | Receive::Pausing => slot.receive = Receive::Restarting,
            Receive::Watching => {
                slot.receive = Receive::Resuming;
                self.cancel_receive(socket);
            }
            Receive::Armed | Receive::Starved | Receive::Restarting | Receive::Resuming => {}
        }
    }

    pub(super) fn stop_receiving(&mut self, socket: Socket) {
        let Some(slot) = self.slots.get_open(socket) else { return };
        match slot.receive {
            Receive::Armed | Receive::Watching => {
                slot.receive = Receive::Stopping;
                self.cancel_receive(socket);
            }
            Receive::Restarting | Receive::Pausing | Receive::Resuming => slot.receive = Receive::Stopping,
            // Its entry among the starved is passed over when its turn comes.
            Receive::Starved => {
                slot.receive = Receive::Idle;
                self.ready.push(Completion::ReceiveEnded { socket, end: ReceiveEnd::Stopped });
            }
            Receive::Idle | Receive::Stopping => {}
        }
    }

    pub(super) fn pause_receiving(&mut self, socket: Socket) {
        let Some(slot) = self.slots.get_open(socket) else { return };
        match slot.receive {
            Receive::Armed => {
                slot.receive = Receive::Pausing;
                self.cancel_receive(socket);
            }
            Receive::Stopping | Receive::Restarting => slot.receive = Receive::Pausing,
            // The poll that is being cancelled is made anew.
            Receive::Resuming => slot.receive = Receive::Watching,
            Receive::Starved => {
                self.ready.push(Completion::ReceiveEnded { socket, end: ReceiveEnd::Stopped });
                self.watch_end(socket);
            }
            Receive::Idle => self.watch_end(socket),
            Receive::Pausing | Receive::Watching => {}
        }
    }

    pub(super) fn cancel_receive(&mut self, socket: Socket) {
        self.ring.push(request::cancel(Token::of(socket, Kind::Receive)));
    }

    /// Asks to be told when the peer has ended the connection, or it broke.
    fn watch_end(&mut self, socket: Socket) {
        if let Some(slot) = self.slots.get_open(socket) {
            slot.receive = Receive::Watching;
            self.ring.push(request::watch_end(Token::of(socket, Kind::Receive)));
        }
    }

    pub(super) fn receive_completed(&mut self, socket: Socket, outcome: Outcome) {
        let length = u32::try_from(outcome.result).unwrap_or(0);
        let buffer = outcome.buffer.map(|id| self.buffers.take(id, length));
        let Some(slot) = self.slots.get(socket) else {
            self.counters.stale += 1;
            return self.release_all(buffer);
        };
        let open = slot.life == Life::Open;
        slot.served |= length > 0;
        let before = slot.receive;
        if !outcome.more {
            slot.receive = Receive::Idle;
        }
        match buffer {
            Some(buffer) if open && length > 0 => {
                self.counters.bytes_received += u64::from(length);
                self.ready.push(Completion::Received { socket, buffer });
            }
            buffer => self.release_all(buffer),
        }
        if !outcome.more && open {
            self.receive_ended(socket, before, outcome.result);
        } else if !outcome.more {
            self.close_when_quiet(socket);
        }
    }

    /// Tells what it means that the request is over, which depends on what was wanted of it.
    fn receive_ended(&mut self, socket: Socket, wanted: Receive, result: i32) {
        match wanted {
            // Cancelled for a start that was then taken back.
            Receive::Watching if result < 0 => return self.watch_end(socket),
            Receive::Watching | Receive::Resuming => return self.arm_receive(socket),
            _ => {}
        }
        let was_stopped = matches!(wanted, Receive::Stopping | Receive::Restarting | Receive::Pausing);
        let end = match -result {
            0 => ReceiveEnd::Eof,
            // Positive results end a request when the completion queue has overflowed.
            ..0 | libc::ECANCELED | libc::ENOBUFS | libc::EINTR | libc::EAGAIN if was_stopped => {
                ReceiveEnd::Stopped
            }
            libc::ENOBUFS => return self.starve(socket),
            ..0 | libc::EINTR | libc::EAGAIN => return self.arm_receive(socket),
            errno => ReceiveEnd::Failed(errno),
        };
        self.ready.push(Completion::ReceiveEnded { socket, end });
        match wanted {
            Receive::Restarting if end == ReceiveEnd::Stopped => self.arm_receive(socket),
            Receive::Pausing if end == ReceiveEnd::Stopped => self.watch_end(socket),
            _ => {}
        }
    }

    fn starve(&mut self, socket: Socket) {
        self.counters.buffers_exhausted += 1;
        if let Some(slot) = self.slots.get_open(socket) {
            slot.receive = Receive::Starved;
            self.starved.push(socket, slot.served);
        }
    }

    /// Arms those who wait for a buffer again, at most one for each buffer that there is: they
    /// receive while they are submitted, before anybody who is armed already.
    pub(super) fn feed_starved(&mut self) {
        let mut meals = self.buffers.in_kernel();
        while meals > 0 {
            let Some(socket) = self.starved.pop() else { return };
            let waits = |slot: &mut super::slots::Slot| slot.receive == Receive::Starved;
            if self.slots.get_open(socket).is_some_and(waits) {
                self.arm_receive(socket);
                meals -= 1;
            }
        }
    }

    fn arm_receive(&mut self, socket: Socket) {
        if let Some(slot) = self.slots.get_open(socket) {
            slot.receive = Receive::Armed;
            slot.served = false;
            self.ring.push(request::receive(GROUP, Token::of(socket, Kind::Receive)));
        }
    }

    fn release_all(&mut self, buffer: Option<crate::Received>) {
        if let Some(buffer) = buffer {
            self.buffers.release(buffer);
        }
    }
}
