//! What can go wrong, by who is at fault.

use std::io;
use thiserror::Error as ThisError;
use wsring_proto::Violation;
use wsring_proto::handshake::{OpeningError, UrlError};
use wsring_proto::http::{InvalidHeader, Refusal};

/// Why a connection was not opened, or ended without a closing handshake.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The peer broke RFC 6455 or a limit. It was sent a Close with
    /// [`Violation::close_code`]; the connection is over.
    #[error("the peer broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// The client's request is no valid opening handshake. It was answered with this refusal; the
    /// connection is over.
    #[error("the opening handshake was refused with {0}")]
    Refused(#[from] Refusal),
    /// The server did not open the WebSocket: its decision, or its fault.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The peer, or the network between, ended the connection without a closing handshake (1006).
    #[error("the connection was lost{}", because(.0.as_ref()))]
    Lost(Option<io::Error>),
    /// The peer did not do its part of a handshake in time; the socket was shut down.
    #[error("the peer did not complete the opening or closing handshake in time")]
    Timeout,
    /// The environment's fault: no TCP connection to the server.
    #[error("no TCP connection: {0}")]
    Connect(#[source] io::Error),
    /// The environment's fault: no randomness for the handshake's key and the masking keys.
    #[error("the system gave no random bytes: {0}")]
    Entropy(getrandom::Error),
    /// The caller's fault: not a WebSocket URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The caller's fault: the URL asks for TLS. Make the TLS stream elsewhere, or use `ws://`.
    #[error("wss:// is not supported by the adapter; use ws://")]
    Tls,
    /// The caller's fault: something that cannot stand in the head of a handshake.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// The caller's fault: something was to be sent after a Close was sent, or after the end.
    #[error("nothing can be sent: the connection is closing or over")]
    NotOpen,
}

fn because(cause: Option<&io::Error>) -> String {
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
}
