//! What an application writes: the life of one connection.

use crate::{CloseCode, Conn, ConnectionId, Gap, OpenFailure, Steps};
use std::time::Duration;
use wsring_proto::Message;
use wsring_proto::handshake::Agreement;

/// One connection's state and reactions. A value is made when an upgrade is accepted (or a client
/// has connected), lives on one shard, and is dropped after [`close`](Self::close).
///
/// A closure `FnMut(&mut Conn<'_>, Message<'_>)` is a handler that only reacts to messages. Nothing
/// here may block: a shard serves all its connections on one thread.
pub trait Handler: 'static {
    /// The connection is open: both ends have shaken hands.
    fn open(&mut self, _conn: &mut Conn<'_>) {}

    /// A whole message has arrived; it borrows the receive buffer. To send it back as it is, hand it
    /// to [`Conn::send`]: that copies nothing.
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>);

    /// Output that had to wait has gone out: the connection takes messages at full speed again.
    fn drain(&mut self, _conn: &mut Conn<'_>) {}

    /// The connection has missed messages of a topic, because it was too slow for what that keeps. What is
    /// sent here goes out before the message that it goes on with.
    fn missed(&mut self, _conn: &mut Conn<'_>, _gap: &Gap<'_>) {}

    /// The time set with [`Conn::set_timer`] has come.
    fn timer(&mut self, _conn: &mut Conn<'_>) {}

    /// A Pong has arrived. `round_trip` is known when it answers the shard's own latest Ping.
    fn pong(&mut self, _conn: &mut Conn<'_>, _payload: &[u8], _round_trip: Option<Duration>) {}

    /// A client's TCP connection was made. Told with the outcome of the handshake, just before
    /// [`agreed`](Self::agreed) or [`failed`](Self::failed).
    fn connected(&mut self, _steps: &Steps) {}

    /// A client's connection was opened by the server: what was agreed. [`open`](Self::open) follows.
    fn agreed(&mut self, _agreement: &Agreement) {}

    /// A client's connection could not be opened; nothing else is called after it.
    fn failed(&mut self, _failure: &OpenFailure) {}

    /// The connection is over, or as good as: nothing can be sent any more. Called once for every
    /// handler that was opened, but for one that has panicked, which is dropped.
    fn close(&mut self, _connection: ConnectionId, _closed: &Closed<'_>) {}
}

impl<F> Handler for F
where
    F: FnMut(&mut Conn<'_>, Message<'_>) + 'static,
{
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self(conn, message);
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed<'a> {
    /// The code of the peer's Close, or of ours when the peer broke a rule. `None`: there was none;
    /// an API that needs a number reports 1005 after a clean close and 1006 otherwise.
    pub code: Option<CloseCode>,
    /// What came with the code.
    pub reason: &'a str,
    /// Whether the peer's Close was received: the closing handshake was done (RFC 6455 section 7.1.4).
    pub clean: bool,
}

impl Closed<'_> {
    /// The connection went away without a Close.
    pub(crate) const LOST: Self = Self { code: None, reason: "", clean: false };

    /// The number as the WebSocket API of browsers reports it.
    pub fn number(&self) -> u16 {
        match (self.code, self.clean) {
            (Some(code), _) => code.get(),
            (None, true) => 1005,
            (None, false) => 1006,
        }
    }
}
