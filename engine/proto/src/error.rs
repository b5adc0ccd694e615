//! What a peer can do wrong after the handshake, and the one mapping to close codes.

use crate::CloseCode;
use crate::limits::CONTROL_BYTES_MAX;
use thiserror::Error;

/// The peer broke a rule of RFC 6455 or one of our limits. It is terminal: the connection is failed
/// (section 7.1.7) with [`close_code`](Self::close_code), and nothing of the offending frame, nor
/// anything after it, reaches the application.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    /// Section 5.2: RSV1 to RSV3 are zero unless an extension defines them. RFC 7692 section 6.1 defines RSV1
    /// for the first frame of a message alone.
    #[error("reserved bits {bits:#05b} are set and no extension was negotiated that defines them here")]
    ReservedBits {
        /// RSV1, RSV2, RSV3 as the low three bits.
        bits: u8,
    },
    /// Section 5.2: opcodes 3 to 7 and 11 to 15 are reserved.
    #[error("opcode {opcode:#x} is reserved")]
    ReservedOpcode {
        /// As received.
        opcode: u8,
    },
    /// Section 5.1: a client masks every frame.
    #[error("a frame from the client was not masked")]
    NotMasked,
    /// Section 5.1: a server masks no frame.
    #[error("a frame from the server was masked")]
    Masked,
    /// Section 5.2: the shortest of the three length forms is used.
    #[error("payload length {length} was not written in its shortest form")]
    LengthNotMinimal {
        /// As received.
        length: u64,
    },
    /// Section 5.2: the most significant bit of a 64-bit length is zero.
    #[error("payload length {length:#x} has its most significant bit set")]
    LengthTooLarge {
        /// As received.
        length: u64,
    },
    /// Section 5.5: control frames are not fragmented.
    #[error("a control frame was fragmented")]
    ControlFragmented,
    /// Section 5.5: control frames have at most 125 bytes.
    #[error("a control frame announces {length} bytes, at most {CONTROL_BYTES_MAX} are allowed")]
    ControlTooLong {
        /// As announced.
        length: u64,
    },
    /// Section 5.4: a continuation continues something.
    #[error("a continuation frame arrived with no message to continue")]
    NothingToContinue,
    /// Section 5.4: messages are not interleaved.
    #[error("a new message began before the fragmented one was finished")]
    MessageUnfinished,
    /// Section 5.5.1: a Close payload is empty or begins with a two-byte code.
    #[error("a Close frame carried one byte where a two-byte code belongs")]
    CloseCodeCut,
    /// Section 7.4: only some codes may be sent.
    #[error("close code {code} may not be sent")]
    CloseCodeInvalid {
        /// As received.
        code: u16,
    },
    /// Section 8.1: text is UTF-8, and so is a close reason (5.5.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// RFC 7692 section 7.2.2: a compressed message is a deflate stream (RFC 1951) without its end.
    #[error("a compressed message is not a valid deflate stream")]
    InvalidDeflate,
    /// [`Limits::frame_bytes_max`](crate::Limits::frame_bytes_max).
    #[error("a frame of {length} bytes exceeds the limit of {max}")]
    FrameTooLong {
        /// As announced.
        length: u64,
        /// The limit.
        max: u64,
    },
    /// [`Limits::message_bytes_max`](crate::Limits::message_bytes_max).
    #[error("a message of at least {length} bytes exceeds the limit of {max}")]
    MessageTooLong {
        /// What the frames so far announce.
        length: u64,
        /// The limit.
        max: usize,
    },
    /// [`Limits::held_bytes_max`](crate::Limits::held_bytes_max): not this peer's fault alone.
    #[error("unfinished messages of all connections would hold more than {max} bytes")]
    HeldTooMuch {
        /// The limit.
        max: usize,
    },
}

impl Violation {
    /// The code with which the connection is failed (section 7.4.1).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::FrameTooLong { .. } | Self::MessageTooLong { .. } | Self::HeldTooMuch { .. } => {
                CloseCode::MESSAGE_TOO_BIG
            }
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
