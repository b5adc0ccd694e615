//! One connection: a stack of layers, and where it stands in its life.
//!
//! ```text
//!   transport   plain today; TLS takes its place here
//!   phase       HTTP request -> WebSocket (protocol, extension, handler) -> gone
//!   flow        output that waits for a slow peer
//! ```

use super::fanout::Circle;
use super::wheel::Tick;
use super::{Local, Output};
use crate::client::Opening;
use crate::cluster::ConnectionId;
use crate::conn::{Conn, Wire};
use crate::flow::Flow;
use crate::handler::Handler;
use crate::limits::IDLE_BYTES_MAX;
use wsring_io::{Outgoing, Socket};
use wsring_proto::{Client, Connection, Role, Server};

/// What a shard keeps of a connection.
pub(crate) struct Session {
    pub(crate) socket: Socket,
    /// The connection's [`Output`](super::output::Output) of this turn, by number and one more.
    pub(crate) output: u32,
    pub(crate) phase: Phase,
    pub(crate) transport: Transport,
    pub(crate) flow: Flow,
    pub(crate) clock: Clock,
    /// Topics it is subscribed to.
    pub(crate) topics: Circle,
    /// When its handler wants to be called; 0: not.
    pub(crate) timer: Tick,
    /// Receiving is stopped because the handler wants it.
    pub(crate) held: bool,
    pub(crate) ending: Ending,
}

/// How far a connection is on its way to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    #[default]
    No,
    /// Our side ends once all output is out.
    Finishing,
    /// The same, and the peer has sent its last byte.
    PeerEnded,
    /// We have sent our last byte; the peer's is to come.
    HalfClosed,
}

/// What carries the bytes. Input passes through [`open`](Self::open) before the phase sees it, output
/// through [`seal`](Self::seal) when it leaves. Takes no room while there is only one variant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Transport {
    /// TCP as it is.
    #[default]
    Plain,
}

impl Transport {
    /// The application bytes of what arrived.
    pub(crate) fn open(self, wire: &mut [u8]) -> &mut [u8] {
        match self {
            Self::Plain => wire,
        }
    }

    /// What goes out for these application bytes.
    pub(crate) fn seal(self, bytes: Outgoing) -> Outgoing {
        match self {
            Self::Plain => bytes,
        }
    }
}

/// Where the connection stands.
pub(crate) enum Phase {
    /// The place is free.
    Free,
    /// Reading an HTTP request.
    Http(Http),
    /// An upgrade waits for its decision; what arrives meanwhile is kept.
    Deferred(Vec<u8>),
    /// We have sent an opening handshake and wait for the answer.
    Opening(Box<Opening>, Vec<u8>),
    /// A WebSocket that a client opened.
    Server(Stream<Server>),
    /// A WebSocket that we opened.
    Client(Stream<Client>),
    /// An event stream: the answer to an HTTP request, without an end.
    Events(Option<Box<dyn Handler>>),
    /// What arrives is thrown away until the peer closes or a deadline passes.
    Lingering {
        /// Thrown away so far.
        bytes: u32,
    },
    /// Close was submitted; `Closed` is to come.
    Closing,
}

/// Unfinished HTTP input; holds no memory between requests.
#[derive(Debug, Default)]
pub(crate) struct Http {
    pub(crate) pending: Vec<u8>,
    /// Bytes of `pending` in which the end of the head was already looked for.
    pub(crate) searched: usize,
    pub(crate) continue_sent: bool,
}

/// A WebSocket: its protocol state and its application.
pub(crate) struct Stream<R: Role> {
    pub(crate) protocol: Connection<R>,
    /// `None` once its `close` was called.
    pub(crate) handler: Option<Box<dyn Handler>>,
}

impl<R: Role> Stream<R> {
    pub(crate) fn new(protocol: Connection<R>, handler: Box<dyn Handler>) -> Self {
        Self { protocol, handler: Some(handler) }
    }
}

/// See [`Session::lend`].
pub(crate) struct Lent<'a> {
    pub(crate) conn: Conn<'a>,
    pub(crate) phase: &'a mut Phase,
    pub(crate) clock: &'a mut Clock,
}

impl Phase {
    /// The handler that is still to be told of things.
    pub(crate) fn handler(&mut self) -> Option<&mut Box<dyn Handler>> {
        self.handler_slot()?.as_mut()
    }

    /// Takes the handler: nothing is told to it any more.
    pub(crate) fn take_handler(&mut self) -> Option<Box<dyn Handler>> {
        self.handler_slot()?.take()
    }

    fn handler_slot(&mut self) -> Option<&mut Option<Box<dyn Handler>>> {
        match self {
            Self::Server(stream) => Some(&mut stream.handler),
            Self::Client(stream) => Some(&mut stream.handler),
            Self::Events(handler) => Some(handler),
            _ => None,
        }
    }

    /// Our own Close is among the output.
    pub(crate) fn sent_close(&mut self) {
        match self {
            Self::Server(stream) => stream.protocol.sent_close(),
            Self::Client(stream) => stream.protocol.sent_close(),
            _ => {}
        }
    }
}

/// When things happened, in ticks of the shard's wheel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// Accepted or connected.
    pub(crate) opened: Tick,
    /// Last sign of life from the peer: a byte from it, or room for output that had waited.
    pub(crate) heard: Tick,
    /// Last message from the peer.
    pub(crate) message: Tick,
    /// Our Ping that has not been followed by a sign of life; 0: none.
    pub(crate) ping: Tick,
    /// What the present phase must be over by, where it has a limit; 0: none.
    pub(crate) limit: Tick,
}

const _: () = assert!(
    size_of::<Session>() + 32 + 12 <= IDLE_BYTES_MAX,
    "session, the driver's slot (at most 32) and the wheel's node (12) exceed the budget"
);

impl Session {
    pub(crate) fn new(socket: Socket, phase: Phase, now: Tick) -> Self {
        Self {
            socket,
            output: 0,
            phase,
            transport: Transport::Plain,
            flow: Flow::default(),
            clock: Clock { opened: now, heard: now, message: now, ..Clock::default() },
            topics: Circle::default(),
            timer: Tick(0),
            held: false,
            ending: Ending::No,
        }
    }

    /// The connection as its handler sees it, and apart from it what the handler does not: where it stands,
    /// and its clock. `answers`: what it sends now answers what the peer has sent.
    #[inline]
    pub(crate) fn lend<'a>(
        &'a mut self,
        output: &'a mut Output,
        local: &'a mut Local,
        answers: bool,
    ) -> Lent<'a> {
        let wire = match self.phase {
            Phase::Client(_) => Wire::Client,
            Phase::Events(_) => Wire::Events,
            _ => Wire::Server,
        };
        let conn = Conn {
            id: ConnectionId { shard: local.shard as u32, socket: self.socket },
            wire,
            answers,
            flow: &mut self.flow,
            topics: &mut self.topics,
            timer: &mut self.timer,
            output,
            local,
        };
        Lent { conn, phase: &mut self.phase, clock: &mut self.clock }
    }

    /// Whether messages from logs can be sent to it in this turn: it waits for nothing, and is not in the
    /// middle of a message of its own.
    #[inline]
    pub(crate) fn takes_messages(&self) -> bool {
        self.is_open_stream() && !self.flow.is_blocked() && !self.flow.fragmenting
    }

    /// Whether its Close was submitted: nothing may be asked of its socket any more, since `Closed`
    /// may be among the completions that are being acted on.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Whether frames can still be sent to it.
    pub(crate) fn is_open_stream(&self) -> bool {
        let open = match &self.phase {
            Phase::Server(stream) => stream.handler.is_some(),
            Phase::Client(stream) => stream.handler.is_some(),
            Phase::Events(handler) => handler.is_some(),
            _ => false,
        };
        open && !self.flow.close_sent && self.ending == Ending::No
    }
}
