//! The opening handshake, both roles (RFC 6455 section 4).
//!
//! Owns what both ends say to turn an HTTP/1.1 connection into a WebSocket, and every check of it. It
//! never reads a socket, makes no random numbers (the client's key is an argument), and sends nothing
//! back that it has received: what it answers with comes from the server's own list.
//!
//! The server's order of use: [`Request::parse`](crate::http::Request::parse), [`Offer::check`], then
//! [`write_switching`]. The client's: [`Opening`], whose [`check`](Opening::check) ends in an
//! [`Agreement`]. Read [`Offer`] and [`Opening`] first.

mod agreement;
mod extension;
mod key;
mod offer;
mod opening;
mod switching;
mod url;

pub use agreement::{Agreement, OpeningError};
pub use extension::ExtensionOffer;
pub use key::accept_key;
pub use offer::Offer;
pub use opening::Opening;
pub use switching::{NO_HEADERS, write_switching};
pub use url::{Scheme, Url, UrlError};

/// The most subprotocols that one handshake may name. RFC 6455 sets no bound; finding doubles takes
/// quadratic time, so there is one.
pub const SUBPROTOCOLS_MAX: usize = 64;

/// The most extension offers in one handshake, and the most parameters in one offer.
pub const EXTENSIONS_MAX: usize = 32;

/// Header names that belong to the handshake and to HTTP's framing: nobody else writes them.
const RESERVED: &[&str] = &[
    "Connection",
    "Content-Length",
    "Host",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];
