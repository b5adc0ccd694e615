//! Where extensions take hold of frames (RFC 6455 section 9); none is negotiated so far.
//!
//! The layer exists so that a compressed message has one place to enter and leave: an extension says
//! which reserved bits it defines, and frames that set others fail the connection.

/// The extension that a connection has negotiated. Takes no room while there is only one variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extension {
    /// Frames carry the application's bytes as they are.
    #[default]
    None,
}

impl Extension {
    /// RSV1 to RSV3 (as bits 2 to 0) that this extension defines for a data frame.
    pub fn reserved_bits(self) -> u8 {
        match self {
            Self::None => 0,
        }
    }
}
