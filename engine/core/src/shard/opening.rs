//! The client's side of an opening handshake.

use super::hands::{After, Hands};
use super::session::{Phase, Session, Stream};
use super::{Shard, input};
use crate::client::{OpenFailure, Opening, Steps};
use crate::handler::Handler;
use crate::limits::ANSWER_HEAD_BYTES_MAX;
use wsring_io::{CloseHow, Connect, Io, Op, Socket};
use wsring_proto::http;

impl<I: Io> Shard<I> {
    pub(super) fn connect(&mut self, connect: Connect, mut opening: Box<Opening>) {
        if self.draining.is_some() {
            return fail(*opening, &OpenFailure::Lost);
        }
        opening.begun = self.local.now;
        let due = self.local.now.after(self.local.settings.handshake_timeout);
        self.openings_due.push_back((due, connect.request));
        self.openings.insert(connect.request, opening);
        self.io.submit(Op::Connect(connect));
    }

    /// Gives up connects that TCP has not answered in time; should one still succeed, it is closed.
    /// All have the same time, so that the oldest is due first.
    pub(super) fn run_openings_due(&mut self) {
        while let Some((due, request)) = self.openings_due.front().copied() {
            if self.openings.contains_key(&request) {
                if due > self.local.now {
                    return;
                }
                self.give_up_opening(request, &OpenFailure::Timeout);
            }
            self.openings_due.pop_front();
        }
    }

    /// Gives up every connect under way.
    pub(super) fn give_up_openings(&mut self) {
        let requests: Vec<u64> = self.openings.keys().copied().collect();
        for request in requests {
            self.give_up_opening(request, &OpenFailure::Lost);
        }
    }

    fn give_up_opening(&mut self, request: u64, failure: &OpenFailure) {
        if let Some(opening) = self.openings.remove(&request) {
            fail(*opening, failure);
        }
    }

    pub(super) fn connect_failed(&mut self, request: u64, errno: i32) {
        self.give_up_opening(request, &OpenFailure::Connect(std::io::Error::from_raw_os_error(errno)));
    }

    /// TCP is there: the request goes out.
    pub(super) fn connected(&mut self, request: u64, socket: Socket) {
        self.local.cluster.opened(self.local.shard);
        let Some(mut opening) = self.openings.remove(&request) else {
            self.local.cluster.closed(self.local.shard);
            return self.io.submit(Op::Close { socket, how: CloseHow::Reset });
        };
        opening.steps = Some(Steps { begun: opening.begun, connected: self.local.now });
        if let Some(mut options) = opening.deflate {
            opening.room = options.server_takeover.then(|| self.resources.reserve_context()).flatten();
            options.server_takeover = opening.room.is_some();
            opening.handshake = opening.handshake.deflate(options);
        }
        let mut head = Vec::with_capacity(512);
        if let Err(cause) = opening.handshake.write(&mut head) {
            self.table.insert(Session::new(socket, Phase::Closing, self.local.tick));
            self.io.submit(Op::Close { socket, how: CloseHow::Fin });
            return fail(*opening, &OpenFailure::Request(cause.to_string()));
        }
        self.open(socket, Phase::Opening(opening, Vec::new()));
        if let Some(number) = self.output(socket) {
            self.outputs.at(number).compose(|bytes| bytes.extend_from_slice(&head));
        }
    }

    /// The opening ends here: its handler is told why.
    pub(super) fn opening_failed(&mut self, socket: Socket, failure: OpenFailure) {
        let Some(session) = self.table.get(socket) else { return };
        if matches!(session.phase, Phase::Opening(..)) {
            let phase = std::mem::replace(&mut session.phase, Phase::Lingering { bytes: 0 });
            if let Phase::Opening(opening, _) = phase {
                fail(*opening, &failure);
            }
        }
    }
}

impl Hands<'_> {
    /// Gathers the answer to our handshake; what comes behind it are frames already.
    pub(super) fn opening(&mut self, input: &[u8]) -> After {
        let Phase::Opening(_, answer) = &mut self.session.phase else { return After::Lost };
        let searched = answer.len();
        answer.extend_from_slice(input);
        let Some(end) = http::head_end(answer, searched) else {
            let too_long = answer.len() > ANSWER_HEAD_BYTES_MAX;
            return if too_long { After::Lost } else { After::Open };
        };
        let phase = std::mem::replace(&mut self.session.phase, Phase::Lingering { bytes: 0 });
        let Phase::Opening(opening, mut answer) = phase else { return After::Lost };
        match opening.handshake.check(&answer[..end], &self.local.settings.head) {
            Err(error) => {
                fail(*opening, &OpenFailure::Handshake(error));
                After::Lost
            }
            Ok(agreement) => {
                let deflate = opening.deflate;
                let mut handler = make(*opening);
                handler.agreed(&agreement);
                // Behind what may panic: it may hold a window.
                let protocol = self.protocol(agreement.deflate().zip(deflate));
                self.session.phase = Phase::Client(Stream::new(protocol, handler));
                self.opened(&mut answer[end..], None)
            }
        }
    }
}

fn fail(opening: Opening, failure: &OpenFailure) {
    input::guarded(move || make(opening).failed(failure));
}

/// The handler that was waited for, told how far the opening has come.
fn make(opening: Opening) -> Box<dyn Handler> {
    let mut handler = (opening.handler)();
    if let Some(steps) = &opening.steps {
        handler.connected(steps);
    }
    handler
}
