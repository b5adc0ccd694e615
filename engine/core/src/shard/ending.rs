//! How connections end: told, parted from, closed.

use super::Shard;
use super::input;
use super::session::{Ending, Phase};
use crate::cluster::ConnectionId;
use crate::handler::Closed;
use wsring_io::{CloseHow, Io, Op, ReceiveEnd, Socket};

impl<I: Io> Shard<I> {
    pub(super) fn receive_ended(&mut self, socket: Socket, end: ReceiveEnd) {
        match end {
            ReceiveEnd::Stopped => {}
            ReceiveEnd::Failed(_) => self.lost(socket),
            ReceiveEnd::Eof => {
                self.hang_up(socket, &Closed::LOST);
                let Some(session) = self.table.get(socket) else { return };
                match session.ending {
                    Ending::No => self.finish_as(socket, Ending::PeerEnded),
                    Ending::Finishing => session.ending = Ending::PeerEnded,
                    Ending::PeerEnded => {}
                    Ending::HalfClosed => self.end(socket, CloseHow::Fin),
                }
            }
        }
    }

    /// The transport broke: nothing more can be sent.
    pub(super) fn lost(&mut self, socket: Socket) {
        self.hang_up(socket, &Closed::LOST);
        self.end(socket, CloseHow::Reset);
    }

    /// The application ends it without a closing handshake.
    pub(super) fn cut(&mut self, socket: Socket, how: CloseHow) {
        self.hang_up(socket, &Closed::LOST);
        match how {
            CloseHow::Fin => self.finish(socket),
            CloseHow::Reset => self.end(socket, how),
        }
    }

    /// Tells the handler that it is over, unless it was told.
    pub(super) fn hang_up(&mut self, socket: Socket, closed: &Closed<'_>) {
        let id = ConnectionId { shard: self.local.shard as u32, socket };
        let Some(session) = self.table.get(socket) else { return };
        if let Phase::Opening(..) = session.phase {
            return self.opening_failed(socket, crate::client::OpenFailure::Lost);
        }
        if let Some(mut handler) = session.phase.take_handler() {
            // The handler is dropped in there too.
            input::guarded(move || handler.close(id, closed));
        }
    }

    /// Closes the transport once all output is out, at the latest at the close timeout.
    pub(super) fn finish(&mut self, socket: Socket) {
        self.finish_as(socket, Ending::Finishing);
    }

    fn finish_as(&mut self, socket: Socket, ending: Ending) {
        let Some(session) = self.table.get(socket) else { return };
        if session.ending != Ending::No || session.is_closing() {
            return;
        }
        session.ending = ending;
        if matches!(session.phase, Phase::Http(_) | Phase::Deferred(_)) {
            // What still comes is not taken for another request.
            session.phase = Phase::Lingering { bytes: 0 };
        }
        self.limit(socket, self.local.settings.close_timeout);
        let session = self.table.get(socket).filter(|session| session.output == 0);
        if session.is_some_and(|session| !session.flow.is_blocked()) {
            self.part(socket);
        }
    }

    /// All output of an ending connection is out. RFC 6455 section 7.1.1: send FIN, receive until the
    /// peer does the same, then close: closed at once, bytes that the peer still sends would make the
    /// kernel reset the connection, and our last words could be lost to it.
    pub(super) fn part(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        if session.ending != Ending::Finishing || !self.io.half_closes() {
            return self.end(socket, CloseHow::Fin);
        }
        session.ending = Ending::HalfClosed;
        self.io.submit(Op::HalfClose(socket));
        self.limit(socket, self.local.settings.linger_timeout);
    }

    /// Closes the transport now.
    pub(super) fn end(&mut self, socket: Socket, how: CloseHow) {
        self.hang_up(socket, &Closed::LOST);
        let Some(session) = self.table.get(socket) else { return };
        match std::mem::replace(&mut session.phase, Phase::Closing) {
            Phase::Closing => return,
            Phase::Server(mut stream) => stream.protocol.abandon(&mut self.resources),
            Phase::Client(mut stream) => stream.protocol.abandon(&mut self.resources),
            _ => {}
        }
        if session.flow.compression.is_some() {
            self.local.compressing.forget(socket.slot());
        }
        session.flow = crate::flow::Flow::default();
        self.local.unsubscribe_all(&mut session.topics);
        self.wheel.remove(socket.slot());
        self.io.submit(Op::Close { socket, how });
    }

    pub(super) fn closed(&mut self, socket: Socket) {
        self.forget_address(socket);
        if self.table.remove(socket).is_some() {
            self.local.cluster.closed(self.local.shard);
        }
    }
}
