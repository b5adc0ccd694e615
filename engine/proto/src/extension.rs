//! Where extensions take hold of frames (RFC 6455 section 9): permessage-deflate, or none.
//!
//! An extension says which reserved bits it defines, and frames that set others fail the connection.

use crate::deflate::{COMPRESSED, Deflate};

/// The extension that a connection has negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extension {
    /// Frames carry the application's bytes as they are.
    #[default]
    None,
    /// Messages may be compressed (RFC 7692).
    Deflate(Deflate),
}

impl Extension {
    /// RSV1 to RSV3 (as bits 2 to 0) that this extension defines for the first frame of a message; for
    /// others there are none (RFC 7692 section 6.1).
    pub fn reserved_bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Deflate(_) => COMPRESSED,
        }
    }
}
