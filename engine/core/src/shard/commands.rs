//! What other threads, and handlers of other connections, ask of a shard.

use super::session::{Phase, Stream};
use super::{Command, Shard};
use crate::upgrade::Decision;
use bytes::Bytes;
use wsring_io::{Io, Socket};

impl<I: Io> Shard<I> {
    /// Carries out everything asked for so far.
    pub(super) fn read_inbox(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.local.cluster.inbox(self.local.shard).take(&mut commands);
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
            Command::Publish { topic, frame, except } => self.deliver(topic, &frame, except),
            Command::Connect { connect, opening } => self.connect(connect, opening),
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
            Decision::Accept { head, handler } => {
                session.phase = Phase::Server(Stream::new(handler()));
                let Some(number) = self.output(socket) else { return };
                self.outputs.at(number).compose(|bytes| bytes.extend_from_slice(&head));
                let after = self.hands(socket, |hands| hands.opened(false, &mut early, None));
                self.after(socket, after);
            }
        }
    }

    /// A published frame, to every subscriber of this shard. No handler is called on the way, so that
    /// the subscribers stay the same.
    fn deliver(&mut self, topic: u64, frame: &Bytes, except: Option<Socket>) {
        let Some(subscribers) = self.local.topics.remove(&topic) else { return };
        for socket in &subscribers {
            if Some(*socket) != except {
                self.with_handler(*socket, |_, conn| conn.push_shared(frame));
            }
        }
        self.local.topics.insert(topic, subscribers);
    }
}
