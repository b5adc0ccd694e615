//! The end of a turn: each connection's output leaves as one send.

use super::Shard;
use super::output::{Shape, append};
use super::session::Ending;
use crate::limits::COALESCE_BYTES_MAX;
use wsring_io::{Io, Op, Outgoing, Socket};

impl<I: Io> Shard<I> {
    /// Sends what the turn has gathered.
    pub(super) fn flush(&mut self) {
        for number in 0..self.outputs.used() {
            self.flush_one(number);
            self.outputs.at(number).relax(&mut self.io);
        }
        self.outputs.reset();
    }

    fn flush_one(&mut self, number: usize) {
        let socket = self.outputs.socket(number);
        let output = self.outputs.at(number);
        let Some(session) = self.table.get(socket) else { return output.discard(&mut self.io) };
        session.output = 0;
        if session.topics.behind > 0 && session.takes_messages() {
            // A message in fragments may just have come to its end.
            self.local.fanout.is_hungry(&mut session.topics, socket);
        }
        if session.is_closing() || session.ending == Ending::HalfClosed {
            return output.discard(&mut self.io);
        }
        let (blocked, ending) = (session.flow.is_blocked(), session.ending != Ending::No);
        match output.take(&mut self.io) {
            Shape::Nothing => {
                if ending && !blocked {
                    self.part(socket);
                }
            }
            Shape::One(bytes) if !blocked => {
                session.flow.sending = ending;
                let bytes = session.transport.seal(bytes);
                self.io.submit(Op::Send { socket, bytes, notify: ending });
            }
            Shape::One(Outgoing::Received { buffer, range }) => {
                session.flow.push(super::output::copy_out(&mut self.io, buffer, range));
                self.check_high_water(socket);
            }
            Shape::One(mut bytes) => {
                if let Outgoing::Segment { .. } = bytes {
                    // Nothing of a log is kept: who waits is behind, and is not given any.
                    debug_assert!(false, "messages from a log for a connection that waits");
                    let mut copy = self.io.spare();
                    append(&mut self.io, &mut copy, bytes);
                    bytes = Outgoing::Buffer { bytes: copy, start: 0 };
                }
                session.flow.push(bytes);
                self.check_high_water(socket);
            }
            Shape::Many(output) => {
                output.into_pieces(&mut self.io, |piece| session.flow.push(piece));
                if !session.flow.sending {
                    self.send_next(socket);
                }
                self.check_high_water(socket);
            }
        }
    }

    /// The peer does not keep up: what follows waits.
    pub(super) fn send_pending(&mut self, socket: Socket, unsent: usize) {
        if let Some(session) = self.table.get(socket).filter(|session| !session.is_closing()) {
            session.flow.pending(unsent);
            self.check_high_water(socket);
        }
    }

    /// The peer has taken a part of what is pending.
    pub(super) fn send_progress(&mut self, socket: Socket, unsent: usize) {
        let Some(session) = self.table.get(socket).filter(|session| !session.is_closing()) else { return };
        // A Pong cannot be waited for: the Ping stands behind what is pending. That the peer takes
        // that, however slowly, is sign of life enough.
        session.clock.heard = self.local.tick;
        session.flow.pending(unsent);
        self.read_on(socket);
    }

    /// What waited may go, and the connection may read on.
    pub(super) fn send_done(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket).filter(|session| !session.is_closing()) else { return };
        // The peer's acknowledgements are a sign of life.
        session.clock.heard = self.local.tick;
        session.flow.done();
        if session.flow.is_blocked() {
            self.send_next(socket);
        }
        self.read_on(socket);
        let Some(session) = self.table.get(socket) else { return };
        if session.flow.is_blocked() {
            return;
        }
        if session.topics.behind > 0 {
            self.local.fanout.is_hungry(&mut session.topics, socket);
        }
        if session.ending != Ending::No {
            // What this turn has added, a Close perhaps, is still to be sent.
            if session.output == 0 {
                self.part(socket);
            }
            return;
        }
        if std::mem::take(&mut session.flow.drain_wanted) && session.is_open_stream() {
            self.with_handler(socket, |handler, conn| handler.drain(conn));
        }
    }

    /// Sends the next waiting piece, and short ones after it together with it.
    fn send_next(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        let (flow, transport) = (&mut session.flow, session.transport);
        let Some(mut piece) = flow.next() else { return };
        let fits =
            |length: usize, next: Option<usize>| next.is_some_and(|next| length + next <= COALESCE_BYTES_MAX);
        if fits(piece.len(), flow.next_bytes()) {
            let mut bytes = self.io.spare();
            append(&mut self.io, &mut bytes, piece);
            while fits(bytes.len(), flow.next_bytes()) {
                let Some(next) = flow.next_too() else { break };
                append(&mut self.io, &mut bytes, next);
            }
            piece = Outgoing::Buffer { bytes, start: 0 };
        }
        self.io.submit(Op::Send { socket, bytes: transport.seal(piece), notify: true });
    }

    /// Reads again from a peer of whose output enough has gone out.
    fn read_on(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        if session.flow.should_resume(&self.local.settings) {
            session.flow.paused = false;
            self.set_receiving(socket);
        }
    }

    /// Stops reading from a peer that has too much waiting for it: its own input must not add more.
    fn check_high_water(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        if session.flow.should_pause(&self.local.settings) {
            session.flow.paused = true;
            self.set_receiving(socket);
        }
    }

    /// The handler wants to be read for, or not. Whoever has sent a Close waits for the peer's.
    pub(super) fn set_reading(&mut self, socket: Socket, on: bool) {
        let Some(session) = self.table.get(socket) else { return };
        let held = !on && session.is_open_stream();
        if held != session.held && !session.is_closing() {
            session.held = held;
            session.clock.heard = self.local.tick;
            self.set_receiving(socket);
            self.reschedule(socket);
        }
    }

    /// Receives, or not, as things stand.
    fn set_receiving(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        self.io.submit(match (session.flow.paused, session.held) {
            // What the peer sends must not add to what waits for it, not even at the end.
            (true, _) => Op::ReceiveStop(socket),
            (false, true) => Op::ReceivePause(socket),
            (false, false) => Op::ReceiveStart(socket),
        });
    }
}
