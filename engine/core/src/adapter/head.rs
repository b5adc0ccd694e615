//! Collecting the head of the peer's handshake.

use super::Error;
use super::transport::Transport;
use std::future::poll_fn;
use wsring_proto::http::head_end;

/// A whole head and what came right behind it.
pub(super) struct Head {
    bytes: Vec<u8>,
    end: usize,
}

impl Head {
    /// Reads until the blank line; `check` looks at a head that has not ended yet.
    ///
    /// # Errors
    /// The peer's: what `check` finds, or that it went away ([`Error::Lost`], [`Error::Timeout`]).
    pub(super) async fn read(
        transport: &mut Transport,
        check: impl Fn(&[u8]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        loop {
            match poll_fn(|cx| transport.poll_read(cx)).await {
                Ok(1..) => {}
                _ if transport.is_expired() => return Err(Error::Timeout),
                Ok(0) => return Err(Error::Lost(None)),
                Err(cause) => return Err(Error::Lost(Some(cause))),
            }
            let searched = bytes.len();
            bytes.extend_from_slice(transport.input());
            if let Some(end) = head_end(&bytes, searched) {
                return Ok(Self { bytes, end });
            }
            check(&bytes)?;
        }
    }

    /// Up to and including the blank line.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// What follows are frames.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.end)
    }
}
