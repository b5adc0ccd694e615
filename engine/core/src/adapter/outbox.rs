//! What is to be sent next.

use super::Error;
use std::fmt;
use std::marker::PhantomData;
use wsring_proto::frame::{self, Opcode};
use wsring_proto::{CloseCode, CloseReason, Kind, Masking, Role};

/// Frames that leave together, in the order in which they were added.
///
/// A [`WebSocket`](super::WebSocket) has one; [`WebSocket::for_each`](super::WebSocket::for_each) lends
/// it to its handler.
pub struct Outbox<R: Role> {
    bytes: Vec<u8>,
    masking: Masking,
    open: bool,
    role: PhantomData<R>,
}

impl<R: Role> Outbox<R> {
    pub(super) fn new() -> Result<Self, Error> {
        let mut seed = [0; 32];
        // A server's masking is never asked for a key (RFC 6455 section 5.1).
        if R::MASKS {
            getrandom::fill(&mut seed).map_err(Error::Entropy)?;
        }
        Ok(Self { bytes: Vec::new(), masking: Masking::new(seed), open: true, role: PhantomData })
    }

    /// Adds a text message.
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        self.message(Kind::Text, text.as_bytes())
    }

    /// Adds a binary message.
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn binary(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.message(Kind::Binary, payload)
    }

    /// Adds a message of either kind. A text's payload has to be UTF-8: the peer fails the connection
    /// otherwise (RFC 6455 section 8.1).
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn message(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Error> {
        self.frame(kind.opcode(), payload)
    }

    /// Adds a Ping with at most 125 bytes of payload; what is beyond them is cut (RFC 6455 section 5.5).
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        let payload = &payload[..payload.len().min(wsring_proto::limits::CONTROL_BYTES_MAX)];
        self.frame(Opcode::Ping, payload)
    }

    /// Adds a Close, after which nothing can be added (RFC 6455 section 5.5.1). A reason beyond 123
    /// bytes is cut at a character.
    ///
    /// # Errors
    /// The caller's fault: [`Error::NotOpen`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        if !self.open {
            return Err(Error::NotOpen);
        }
        self.end(CloseReason { code: Some(code), reason });
        Ok(())
    }

    /// Whether anything can still be added.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Answers a Ping; after a Close of ours there is nobody who needs it.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.open {
            frame::append::<R>(&mut self.bytes, Opcode::Pong, true, payload, &mut self.masking);
        }
    }

    /// Adds the one Close of this connection, unless it was sent before.
    pub(super) fn end(&mut self, reason: CloseReason<'_>) {
        if self.open {
            frame::append_close::<R>(&mut self.bytes, reason, &mut self.masking);
            self.open = false;
        }
    }

    /// The transport is gone: what is here will not be sent, and nothing is added.
    pub(super) fn lost(&mut self) {
        self.open = false;
        self.bytes = Vec::new();
    }

    /// Finished bytes, for the transport to take and the handshake to begin with.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn masking(&mut self) -> &mut Masking {
        &mut self.masking
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        if !self.open {
            return Err(Error::NotOpen);
        }
        frame::append::<R>(&mut self.bytes, opcode, true, payload, &mut self.masking);
        Ok(())
    }
}

impl<R: Role> fmt::Debug for Outbox<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("bytes", &self.bytes.len())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
