//! From a receive buffer to the session and back: what is in it, and what stays in it as output.

use super::hands::{After, Hands};
use super::session::{Lent, Phase};
use super::{Command, Local, Shard};
use crate::handler::Closed;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use wsring_io::{CloseHow, Io, Received, Socket};
use wsring_proto::{CloseCode, CloseReason};

impl<I: Io> Shard<I> {
    /// Hands received bytes to the session; frames that its handler left in the buffer become this
    /// turn's output, otherwise the buffer goes back.
    pub(super) fn input(&mut self, socket: Socket, buffer: Received) {
        let (Some(number), Some(session)) = (self.output(socket), self.table.get(socket)) else {
            return self.io.release(buffer);
        };
        let input = session.transport.open(self.io.bytes(&buffer));
        self.local.input_stays = Some(0);
        let output = self.outputs.at(number);
        let mut hands = Hands {
            session,
            output,
            local: &mut self.local,
            resources: &mut self.resources,
            routes: &self.routes,
            closing: self.draining.is_some(),
        };
        let after = guarded(|| hands.take(input)).unwrap_or(After::Panicked);
        self.local.input_stays = None;
        match side_by_side(input, &mut self.local.frames) {
            Some(range) => self.outputs.at(number).set_input(buffer, range),
            None => self.io.release(buffer),
        }
        self.after(socket, after);
    }

    /// The session with everything that input to it may touch, outside of receiving.
    pub(super) fn hands(&mut self, socket: Socket, act: impl FnOnce(&mut Hands<'_>) -> After) -> After {
        let (Some(number), Some(session)) = (self.output(socket), self.table.get(socket)) else {
            return After::Open;
        };
        let mut hands = Hands {
            session,
            output: self.outputs.at(number),
            local: &mut self.local,
            resources: &mut self.resources,
            routes: &self.routes,
            closing: self.draining.is_some(),
        };
        guarded(|| act(&mut hands)).unwrap_or(After::Panicked)
    }

    /// What follows from input beyond output.
    pub(super) fn after(&mut self, socket: Socket, after: After) {
        let settings = &self.local.settings;
        match after {
            After::Open => self.note_close(socket),
            After::Opened => {
                if let Some(session) = self.table.get(socket) {
                    session.clock.limit = super::wheel::Tick(0);
                    session.clock.opened = self.local.tick;
                }
                self.reschedule(socket);
                self.note_close(socket);
                if self.draining.is_some() {
                    self.close(socket, CloseCode::GOING_AWAY, "the server shuts down");
                }
            }
            After::Answered => self.limit(socket, settings.handshake_timeout),
            After::Failed => self.limit(socket, settings.linger_timeout),
            After::AwaitEnd => self.limit(socket, settings.close_timeout),
            After::Finish => self.finish(socket),
            After::Linger => self.linger(socket),
            After::Panicked => self.panicked(socket),
            After::Lost => {
                self.hang_up(socket, &Closed::LOST);
                self.end(socket, CloseHow::Reset);
            }
        }
    }

    /// The application panicked while it had this connection: that ends the connection, with 1011
    /// where the peer can still be told, and nothing else.
    pub(super) fn panicked(&mut self, socket: Socket) {
        tracing::error!(shard = self.local.shard, "a handler panicked; its connection is closed");
        self.local.frames.clear();
        let (Some(number), Some(session)) = (self.output(socket), self.table.get(socket)) else { return };
        if !matches!(session.phase, Phase::Server(_) | Phase::Client(_) | Phase::Events(_)) {
            return self.end(socket, CloseHow::Reset);
        }
        let Lent { mut conn, phase, .. } = session.lend(self.outputs.at(number), &mut self.local, false);
        let handler = phase.take_handler();
        conn.append_close(CloseReason { code: Some(CloseCode::INTERNAL_ERROR), reason: "" });
        // Dropping what has panicked may panic again.
        guarded(|| drop(handler));
        self.finish(socket);
    }

    /// The last words are among the output; what still comes is thrown away.
    pub(super) fn linger(&mut self, socket: Socket) {
        if let Some(session) = self.table.get(socket) {
            session.phase = Phase::Lingering { bytes: 0 };
        }
        if self.io.half_closes() {
            self.finish(socket);
        } else {
            self.limit(socket, self.local.settings.linger_timeout);
        }
    }

    /// Once a Close of ours is among the output, the closing handshake has a deadline.
    pub(super) fn note_close(&mut self, socket: Socket) {
        let timeout = self.local.settings.close_timeout;
        let Some(session) = self.table.get(socket) else { return };
        if session.flow.close_sent && session.held {
            self.local.commands.push(Command::Read { socket, on: true });
        }
        if !session.flow.close_sent || session.clock.limit.0 != 0 {
            return;
        }
        match session.phase {
            Phase::Server(_) | Phase::Client(_) => session.phase.sent_close(),
            // There is no handshake to end an event stream with.
            Phase::Events(_) => {
                self.hang_up(socket, &Closed::LOST);
                return self.finish(socket);
            }
            _ => return,
        }
        self.limit(socket, timeout);
    }
}

impl Local {
    /// Notes a frame that stays in the present input's receive buffer.
    pub(crate) fn stay(&mut self, frame: Range<usize>) {
        let base = self.input_stays.unwrap_or(0);
        self.frames.push(base + frame.start..base + frame.end);
    }
}

/// Calls into the application; `None` when that panicked. What it was lent stays usable: output is
/// composed in whole frames, and the connection itself is given up.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).ok()
}

/// Moves the frames together, so that one send takes them all: each server frame is four bytes
/// shorter than the client frame it was made of, so that there are gaps between them. The first
/// frame, which mostly is the only one, does not move.
fn side_by_side(input: &mut [u8], frames: &mut Vec<Range<usize>>) -> Option<Range<usize>> {
    let (first, rest) = frames.split_first()?;
    let mut end = first.end;
    for frame in rest {
        input.copy_within(frame.clone(), end);
        end += frame.len();
    }
    let all = first.start..end;
    frames.clear();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_moved_together() {
        let table = [
            (vec![(2, 5)], (2, "cde")),
            (vec![(2, 5), (5, 7)], (2, "cdefg")),
            (vec![(1, 3), (6, 9), (9, 10)], (1, "bcghij")),
        ];
        for (frames, (start, text)) in table {
            let mut input = *b"abcdefghij";
            let mut frames: Vec<_> = frames.into_iter().map(|(start, end)| start..end).collect();
            let range = side_by_side(&mut input, &mut frames).expect("there are frames");
            assert_eq!((range.start, &input[range]), (start, text.as_bytes()));
            assert!(frames.is_empty());
        }
        assert_eq!(side_by_side(&mut [], &mut Vec::new()), None);
    }
}
