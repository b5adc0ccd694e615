//! What other threads, and handlers of other connections, ask of a shard.

use super::session::Phase;
use super::{Command, Shard};
use crate::upgrade::Decision;
use wsring_io::{Io, Socket};

impl<I: Io> Shard<I> {
    /// Carries out everything asked for so far.
    pub(super) fn read_inbox(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.local.cluster.inbox(self.local.shard).take(&mut commands);
        self.carry_out(commands);
    }

    /// Carries out what handlers have asked for since.
    pub(super) fn read_own_commands(&mut self) {
        let commands = std::mem::take(&mut self.commands);
        self.carry_out(commands);
    }

    /// Carries out these, and what is asked for meanwhile; their vector is kept for the next.
    fn carry_out(&mut self, mut commands: Vec<Command>) {
        loop {
            commands.append(&mut self.local.commands);
            if commands.is_empty() {
                break;
            }
            for command in commands.drain(..) {
                self.command(command);
            }
        }
        self.commands = commands;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Decide { socket, decision } => self.decide(socket, *decision),
            Command::Send { socket, kind, payload } => {
                self.with_handler(socket, |_, conn| {
                    let _ = conn.send_payload(kind, &payload);
                });
            }
            Command::Close { socket, code, reason } => self.close(socket, code, &reason),
            Command::HangUp { socket, how } => self.cut(socket, how),
            Command::Published(log) => self.local.fanout.published(&log, self.local.shard),
            Command::Reschedule(socket) => self.reschedule(socket),
            Command::Read { socket, on } => self.set_reading(socket, on),
            Command::Connect { connect, opening } => self.connect(connect, opening),
            Command::Drive(make) => self.drivers.add(make),
            // The turn in which it is read has a call of the drivers in it.
            Command::Wake => {}
            Command::AcceptResume => self.resume_accept(),
            Command::Drain(drain) => self.begin_drain(drain),
        }
    }

    /// The answer to a deferred upgrade.
    fn decide(&mut self, socket: Socket, decision: Decision) {
        let Some(session) = self.table.get(socket) else { return };
        let Phase::Deferred(early) = &mut session.phase else { return };
        let mut early = std::mem::take(early);
        match decision {
            Decision::Reject(response) => self.answer_and_linger(socket, &response),
            Decision::Accept { accepted, without_window, handler } => {
                let after = self.hands(socket, |hands| {
                    let has_room = hands.resources.has_room_for_context();
                    hands.accept(if has_room { accepted } else { without_window }, handler());
                    hands.opened(&mut early, None)
                });
                self.after(socket, after);
            }
        }
    }
}
