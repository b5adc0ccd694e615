//! What may be set for one connection.

use crate::Settings;
use std::time::Duration;
use wsring_proto::Limits;
use wsring_proto::http::HeadLimits;

/// Much smaller than [`Settings::buffer_bytes`]: every connection keeps one of its own, idle or not.
const BUFFER_BYTES: usize = 4 << 10;

/// How one connection is treated. Every field has a default, the same as in [`Settings`] where it
/// exists there too, except for the size of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Frames and messages that the peer may send. [`Limits::held_bytes_max`] counts for this
    /// connection alone.
    pub limits: Limits,
    /// Size of the HTTP head of the peer's handshake: 8 KiB and 100 headers.
    pub head: HeadLimits,
    /// How long the opening handshake may take, a client's TCP connection included: 10 s.
    pub handshake_timeout: Duration,
    /// How long the closing handshake, and what is still to be sent, may take: 5 s.
    pub close_timeout: Duration,
    /// How long input is thrown away after a failure, so that the peer can still read why: 1 s.
    pub linger_timeout: Duration,
    /// Size of the read buffer, which exists as long as the connection: 4 KiB. Buffers for output
    /// that grew beyond this size are freed when the output is out.
    pub buffer_bytes: usize,
    /// Unsent bytes at which no more input is read until some have gone out: 1 MiB.
    pub high_water_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            limits: settings.limits,
            head: settings.head,
            handshake_timeout: settings.handshake_timeout,
            close_timeout: settings.close_timeout,
            linger_timeout: settings.linger_timeout,
            buffer_bytes: BUFFER_BYTES,
            high_water_bytes: settings.high_water_bytes,
        }
    }
}
