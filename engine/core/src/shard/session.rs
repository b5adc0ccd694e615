//! One connection: a stack of layers, and where it stands in its life.
//!
//! ```text
//!   transport   plain today; TLS takes its place here
//!   phase       HTTP request -> WebSocket (protocol, extension, handler) -> gone
//!   flow        output that waits for a slow peer
//! ```

use super::wheel::Tick;
use crate::client::Opening;
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
    pub(crate) topics: Vec<u64>,
    /// Once all output is out the transport is closed.
    pub(crate) ending: bool,
    /// The peer has sent its last byte.
    pub(crate) peer_ended: bool,
    /// We have.
    pub(crate) half_closed: bool,
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
    pub(crate) fn new(handler: Box<dyn Handler>) -> Self {
        Self { protocol: Connection::new(), handler: Some(handler) }
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
            topics: Vec::new(),
            ending: false,
            peer_ended: false,
            half_closed: false,
        }
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
            _ => false,
        };
        open && !self.flow.close_sent && !self.ending
    }
}
