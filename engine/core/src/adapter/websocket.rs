//! An open WebSocket.

use super::session::{Arrival, End, Session};
use super::transport::{Finish, Transport};
use super::{Error, Options, Outbox, OwnedMessage};
use crate::Closed;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use wsring_proto::{CloseCode, CloseReason, Kind, Role};

/// An open WebSocket in the role `R`; it comes from [`accept`](super::accept),
/// [`Upgrade::accept`](super::Upgrade::accept), [`connect`](super::connect()) or
/// [`Connect::connect`](super::Connect::connect).
///
/// Call [`next`](Self::next) until it returns `None`: that also answers Pings and the peer's Close, and
/// moves output along. What `feed` methods add leaves with the next wait of `next`, so that the
/// answers to everything that one read brought leave as one write; `send` methods wait until it is out.
///
/// No method loses anything when its future is dropped while it waits: it can stand in `select!`, and
/// within `tokio::time::timeout` (which makes an idle timeout, or the interval of a
/// [`feed_ping`](Self::feed_ping)). Two ends that both send more than the sockets' buffers hold, and
/// wait for it without reading, wait for each other: use `feed` and `next` there.
pub struct WebSocket<R: Role> {
    transport: Transport,
    session: Session<R>,
    options: Options,
    stage: Stage,
    subprotocol: Option<String>,
    ended: Option<Ended>,
    heard: bool,
}

enum Stage {
    Open,
    /// Our Close is among the output; the peer's has yet to come.
    Closing,
    /// Nothing more is delivered; what is left is to end the connection so that the peer can read why.
    Finishing {
        finish: Finish,
        error: Option<Error>,
    },
    Over,
}

/// How the connection ended, with a reason of its own.
struct Ended {
    code: Option<CloseCode>,
    reason: String,
    clean: bool,
}

impl<R: Role> WebSocket<R> {
    /// Takes over after the opening handshake: sends `head`, what is left of it, and takes `rest`, what
    /// the peer sent right behind its own.
    pub(super) async fn open(
        mut transport: Transport,
        options: Options,
        mut head: Vec<u8>,
        mut rest: Vec<u8>,
        subprotocol: Option<String>,
    ) -> Result<Self, Error> {
        let mut session = Session::new(options.limits, Outbox::new()?);
        if let Err(cause) = poll_fn(|cx| transport.poll_write(&mut head, cx)).await {
            return Err(lost(&transport, Some(cause)));
        }
        transport.clear_deadline();
        session.take(&mut rest);
        Ok(Self { transport, session, options, stage: Stage::Open, subprotocol, ended: None, heard: true })
    }

    /// The subprotocol that both ends agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The next message. `None` after a closing handshake, whichever end began it:
    /// [`closed`](Self::closed) then tells the code.
    ///
    /// # Errors
    /// Once, and then `None`: the peer broke the protocol (it was sent a Close that says so), went away
    /// without a closing handshake, or did not answer our Close in time.
    pub async fn next(&mut self) -> Option<Result<OwnedMessage, Error>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Hands every message to `handler` until the connection ends: the fast way for programs that
    /// answer at once, because the payload is borrowed from the read buffer. The handler puts its
    /// answers into the [`Outbox`]; those to one read leave as one write.
    ///
    /// ```no_run
    /// # async fn echo(mut socket: wsring::adapter::WebSocket<wsring::adapter::Server>) -> Result<(), wsring::adapter::Error> {
    /// socket.for_each(|kind, payload, outbox| outbox.message(kind, payload)).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`next`](Self::next), and the handler's, with which it stops; the rest of the messages is
    /// there for the next call.
    pub async fn for_each(
        &mut self,
        mut handler: impl FnMut(Kind, &[u8], &mut Outbox<R>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            let take =
                &mut |session: &mut Session<R>, input: &mut [u8]| session.take_each(input, &mut handler);
            match poll_fn(|cx| self.poll_step(take, cx)).await {
                // One that came behind the handshake, or was left by an earlier call.
                Some(Ok(message)) => handler(message.kind(), message.payload(), &mut self.session.outbox)?,
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }

    /// Sends a message: [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As those.
    pub async fn send(&mut self, message: OwnedMessage) -> Result<(), Error> {
        self.feed(&message)?;
        self.flush().await
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.outbox().text(text)?;
        self.flush().await
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_binary(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.outbox().binary(payload)?;
        self.flush().await
    }

    /// Adds a message to the output, which leaves with the next [`next`](Self::next) that has to wait,
    /// or [`flush`](Self::flush).
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn feed(&mut self, message: &OwnedMessage) -> Result<(), Error> {
        self.outbox().message(message.kind(), message.payload())
    }

    /// Adds a Ping to the output; [`has_heard`](Self::has_heard) is false until something arrives.
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn feed_ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.heard = false;
        self.outbox().ping(payload)
    }

    /// Whether any byte has arrived since the last [`feed_ping`](Self::feed_ping). A peer that is there
    /// answers with a Pong (RFC 6455 section 5.5.2), unless it has something else to send.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// What is to be sent next, to add to it by other means.
    pub fn outbox(&mut self) -> &mut Outbox<R> {
        &mut self.session.outbox
    }

    /// Bytes that the kernel has not taken yet.
    pub fn unsent_bytes(&self) -> usize {
        self.session.outbox.len() + self.transport.unsent_bytes()
    }

    /// Waits until the kernel has taken all output.
    ///
    /// # Errors
    /// [`Error::Lost`]: the peer went away. What it sent before is still there for [`next`](Self::next).
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| {
            self.note_close();
            self.transport.poll_write(self.session.outbox.bytes_mut(), cx)
        })
        .await
        .map_err(|cause| lost(&self.transport, Some(cause)))
    }

    /// Does the closing handshake (RFC 6455 section 7.1.2) and ends the connection: sends a Close unless
    /// one was sent, and waits for the peer's for at most [`Options::close_timeout`]. Messages that
    /// arrive meanwhile are thrown away; to read them, call [`Outbox::close`] and go on with
    /// [`next`](Self::next). [`closed`](Self::closed) tells what the peer answered.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.session.outbox.end(CloseReason { code: Some(code), reason });
        while let Some(message) = self.next().await {
            message?;
        }
        Ok(())
    }

    /// How the connection ended; `None` while it has not.
    pub fn closed(&self) -> Option<Closed<'_>> {
        let ended = self.ended.as_ref()?;
        Some(Closed { code: ended.code, reason: &ended.reason, clean: ended.clean })
    }

    /// [`next`](Self::next), for those who write futures by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<OwnedMessage, Error>>> {
        let take = &mut |session: &mut Session<R>, input: &mut [u8]| {
            session.take(input);
            Ok(())
        };
        self.poll_step(take, cx)
    }

    /// Goes on to the next message that was noted, or to the end; input is handed to `take`.
    fn poll_step(
        &mut self,
        take: &mut impl FnMut(&mut Session<R>, &mut [u8]) -> Result<(), Error>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<OwnedMessage, Error>>> {
        loop {
            match &mut self.stage {
                Stage::Open | Stage::Closing => match self.session.arrival() {
                    Some(Arrival::Message(message)) => return Poll::Ready(Some(Ok(message))),
                    Some(Arrival::Ping(payload)) => self.session.outbox.pong(&payload),
                    Some(Arrival::End(end)) => self.end(end),
                    None => match ready!(self.poll_input(cx)) {
                        Ok(()) => {
                            if let Err(error) = take(&mut self.session, self.transport.input()) {
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                        Err(error) => {
                            self.lose();
                            return Poll::Ready(Some(Err(error)));
                        }
                    },
                },
                Stage::Finishing { finish, error } => {
                    let output = self.session.outbox.bytes_mut();
                    // Section 7.1.1: it is the server that ends the transport first.
                    let linger = (!R::MASKS).then_some(self.options.linger_timeout);
                    ready!(self.transport.poll_finish(finish, output, linger, cx));
                    let error = error.take();
                    self.stage = Stage::Over;
                    self.session.lost();
                    if let Some(error) = error {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Stage::Over => return Poll::Ready(None),
            }
        }
    }

    /// Moves output along and reads once.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.note_close();
        // Where writing fails, what the peer sent before it went away is still to be read.
        let writing = self.transport.poll_write(self.session.outbox.bytes_mut(), cx);
        if writing.is_pending() && self.unsent_bytes() >= self.options.high_water_bytes {
            return Poll::Pending;
        }
        match ready!(self.transport.poll_read(cx)) {
            Ok(0) => Poll::Ready(Err(lost(&self.transport, None))),
            Ok(_) => {
                self.heard = true;
                Poll::Ready(Ok(()))
            }
            Err(cause) => Poll::Ready(Err(lost(&self.transport, Some(cause)))),
        }
    }

    /// Once a Close of ours is among the output, the closing handshake has a deadline.
    fn note_close(&mut self) {
        if matches!(self.stage, Stage::Open) && !self.session.outbox.is_open() {
            self.stage = Stage::Closing;
            self.transport.set_deadline(self.options.close_timeout);
        }
    }

    /// The peer's Close, or its fault, was reached: it is answered, and nothing follows.
    fn end(&mut self, end: End) {
        let (ended, error, timeout) = match end {
            End::Closed { code, reason } => {
                // Section 5.5.1: a Close is answered with a Close of the same code; of the same
                // reason as well, as the shards do it.
                self.session.outbox.end(CloseReason { code, reason: &reason });
                (Ended { code, reason, clean: true }, None, self.options.close_timeout)
            }
            End::Failed(violation) => {
                // Section 7.1.7: the peer is told why.
                let (code, reason) = (Some(violation.close_code()), violation.to_string());
                self.session.outbox.end(CloseReason { code, reason: &reason });
                let ended = Ended { code, reason, clean: false };
                (ended, Some(violation.into()), self.options.linger_timeout)
            }
        };
        self.ended = Some(ended);
        self.transport.set_deadline(timeout);
        self.stage = Stage::Finishing { finish: Finish::default(), error };
    }

    /// The connection went away without a Close.
    fn lose(&mut self) {
        self.ended = Some(Ended { code: None, reason: String::new(), clean: false });
        self.stage = Stage::Over;
        self.session.lost();
    }
}

impl<R: Role> fmt::Debug for WebSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("subprotocol", &self.subprotocol)
            .field("unsent_bytes", &self.unsent_bytes())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

/// What it means that the socket gave no more bytes, or took none.
fn lost(transport: &Transport, cause: Option<std::io::Error>) -> Error {
    if transport.is_expired() { Error::Timeout } else { Error::Lost(cause) }
}
