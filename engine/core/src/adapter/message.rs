//! A message that outlives the buffer it came in.

use crate::limits::GATHERED_COPY_BYTES_MAX;
use bytes::Bytes;
use bytestring::ByteString;
use wsring_proto::{Framed, Kind, Masking, Message, Server};

/// A whole message with its own, shared memory; clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedMessage {
    /// UTF-8, checked when it was received; dereferences to `str`.
    Text(ByteString),
    /// Any bytes.
    Binary(Bytes),
}

impl OwnedMessage {
    /// Text or binary.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The application's bytes.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Takes a message out of the receive buffer. One that was gathered in a vector of its own keeps
    /// it when it is long; anything else is copied, once.
    pub(super) fn take(message: Message<'_>, masking: &mut Masking) -> Self {
        let kind = message.kind();
        let length = message.payload().len();
        let payload = if message.is_gathered() && length >= GATHERED_COPY_BYTES_MAX {
            // A server's header is the one that leaves the payload unmasked; it is not looked at.
            match message.frame_in_place::<Server>(masking) {
                Ok(Framed::Owned { bytes, .. }) => {
                    let start = bytes.len() - length;
                    Bytes::from(bytes).slice(start..)
                }
                Ok(Framed::Input(_)) | Err(_) => unreachable!("a gathered message has room for any header"),
            }
        } else {
            Bytes::copy_from_slice(message.payload())
        };
        match kind {
            Kind::Text => Self::Text(
                ByteString::try_from(payload)
                    .expect("the protocol core lets no text through that is not UTF-8"),
            ),
            Kind::Binary => Self::Binary(payload),
        }
    }
}

impl From<&str> for OwnedMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for OwnedMessage {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<ByteString> for OwnedMessage {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for OwnedMessage {
    fn from(payload: Bytes) -> Self {
        Self::Binary(payload)
    }
}

impl From<Vec<u8>> for OwnedMessage {
    fn from(payload: Vec<u8>) -> Self {
        Self::Binary(payload.into())
    }
}
