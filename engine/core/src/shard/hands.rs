//! A session with everything that input to it may touch.

use super::Local;
use super::output::Output;
use super::session::{Lent, Phase, Session};
use crate::cluster::ConnectionId;
use crate::route::Routes;
use wsring_proto::Resources;

/// One session, its output of this turn, and what all sessions of the shard share. Borrowed apart
/// from the IO, which lends the input meanwhile.
pub(super) struct Hands<'a> {
    pub(super) session: &'a mut Session,
    pub(super) output: &'a mut Output,
    pub(super) local: &'a mut Local,
    pub(super) resources: &'a mut Resources,
    pub(super) routes: &'a Routes,
    /// The server drains: answers close.
    pub(super) closing: bool,
}

/// What follows from input beyond the output that it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Open,
    /// It is a WebSocket from now on.
    Opened,
    /// An HTTP request was answered and another may follow.
    Answered,
    /// The WebSocket was failed: the peer's Close or a deadline ends it.
    Failed,
    /// Both Closes are there and the peer is to close the transport (a client waits for its server).
    AwaitEnd,
    /// Close the transport when the output is out.
    Finish,
    /// Throw input away for a while, so that the peer can read the refusal, then close.
    Linger,
    /// The application panicked.
    Panicked,
    /// Close at once.
    Lost,
}

impl Hands<'_> {
    /// Takes input in whichever phase the session is.
    pub(super) fn take(&mut self, input: &mut [u8]) -> After {
        match &mut self.session.phase {
            Phase::Server(_) | Phase::Client(_) => self.stream(input),
            Phase::Http(_) => self.http(input),
            Phase::Opening(..) => self.opening(input),
            _ => After::Open,
        }
    }

    pub(super) fn id(&self) -> ConnectionId {
        ConnectionId { shard: self.local.shard as u32, socket: self.session.socket }
    }

    /// The connection's opening is done: its handler takes over, and `rest` is the first input.
    /// `base` is where that begins in the receive buffer, if it lies there.
    pub(super) fn opened(&mut self, rest: &mut [u8], base: Option<usize>) -> After {
        let Lent { mut conn, phase, .. } = self.session.lend(self.output, self.local, false);
        if let Some(handler) = phase.handler() {
            handler.open(&mut conn);
        }
        if rest.is_empty() {
            return After::Opened;
        }
        self.local.input_stays = base;
        match self.stream(rest) {
            After::Open => After::Opened,
            after => after,
        }
    }
}
