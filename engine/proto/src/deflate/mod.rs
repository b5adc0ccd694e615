//! permessage-deflate (RFC 7692): what both ends agree on, and the messages that go in and out compressed.
//!
//! Owns the negotiation of all four parameters for both roles, the compressors that one thread has for all
//! its connections, and what a receiving connection needs to inflate. It never sends: what it makes is
//! appended to a vector.
//!
//! Read [`DeflateOptions`] first, which a server's [`accept`](DeflateOptions::accept) and a client's
//! [`offer`](DeflateOptions::offer) turn into a [`Deflate`]; then [`Compressors`] for the way out. The way in
//! is [`Connection::with_deflate`](crate::Connection::with_deflate).

mod agreed;
mod compressor;
mod compressors;
mod contexts;
mod history;
mod inflater;
mod negotiation;
mod options;

pub use agreed::Deflate;
pub use compressor::{Compressor, append_shared};
pub use compressors::{Compressors, DeflateFigures, Sending};
pub use contexts::ContextRoom;
pub(crate) use contexts::{ContextId, Contexts};
pub(crate) use inflater::{Inflater, Stop};
pub use options::{DeflateOptions, InvalidDeflateOptions};

/// The extension's name (RFC 7692 section 7).
pub const NAME: &str = "permessage-deflate";

/// Smallest and largest window, as the exponent of its bytes (RFC 7692 section 7.1.2).
pub const WINDOW_BITS_MIN: u8 = 8;
/// See [`WINDOW_BITS_MIN`].
pub const WINDOW_BITS_MAX: u8 = 15;

/// What a message's last block ends with after a flush, and what is taken off and put back again
/// (RFC 7692 sections 7.2.1 and 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// RSV1 of the first frame says that the message is compressed (RFC 7692 section 6).
pub const COMPRESSED: u8 = 0b100;
