//! Forms: the encodings in which the messages of a topic leave, each made once per message.

use std::fmt;
use std::sync::Arc;
use wsring_proto::Kind;
use wsring_proto::frame::{Header, Opcode};

/// Forms there may be, the published one included.
pub(crate) const FORMS_MAX: usize = 8;

/// An encoding of messages, made with [`Server::form`](crate::Server::form). A message is encoded when it
/// is published, once for each form that some connection is subscribed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form(pub(crate) u8);

impl Form {
    /// As it was published: a text or binary message with the payload as it is.
    pub const PUBLISHED: Self = Self(0);

    /// Marks the variant of a form in which messages are deflated. Handlers never see it.
    const DEFLATED: u8 = 0x80;

    /// The same messages, deflated (RFC 7692) where that makes them shorter.
    pub(crate) fn deflated(self) -> Self {
        Self(self.0 | Self::DEFLATED)
    }

    /// The same messages as they are.
    pub(crate) fn plain(self) -> Self {
        Self(self.0 & !Self::DEFLATED)
    }

    pub(crate) fn is_deflated(self) -> bool {
        self.0 & Self::DEFLATED != 0
    }
}

const _: () = assert!(FORMS_MAX <= Form::DEFLATED as usize, "a form's number leaves the mark free");

/// How an encoded message is put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As a text message; the encoding has to be UTF-8.
    Text,
    /// As a binary message.
    Binary,
    /// As it is, without a frame: for [`Events`](crate::Events).
    Raw,
}

/// A message on its way into the log.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The topic it was published to, also for those that are subscribed to a pattern.
    pub topic: &'a str,
    /// Which life of the topic the offset belongs to.
    pub epoch: u64,
    /// Its number in the topic.
    pub offset: u64,
    /// Text or binary.
    pub kind: Kind,
    /// The payload.
    pub payload: &'a [u8],
}

type Encode = dyn Fn(&Publication<'_>, &mut Vec<u8>) + Send + Sync;

/// A form as it was made.
#[derive(Clone)]
pub(crate) struct Encoding {
    framing: Framing,
    encode: Arc<Encode>,
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoding").field("framing", &self.framing).finish_non_exhaustive()
    }
}

impl Encoding {
    pub(crate) fn new(
        framing: Framing,
        encode: impl Fn(&Publication<'_>, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        Self { framing, encode: Arc::new(encode) }
    }

    /// Whether it goes to WebSockets rather than to event streams.
    pub(crate) fn is_framed(&self) -> bool {
        self.framing != Framing::Raw
    }

    /// Encodes a message into `out`, which is empty.
    pub(super) fn encode(&self, publication: &Publication<'_>, out: &mut Vec<u8>) {
        (self.encode)(publication, out);
    }

    /// The frames that it goes out in, if any.
    pub(super) fn opcode(&self) -> Option<Opcode> {
        match self.framing {
            Framing::Raw => None,
            Framing::Text => Some(Opcode::Text),
            Framing::Binary => Some(Opcode::Binary),
        }
    }
}

/// The header of a whole message as a server sends it.
pub(crate) fn header(opcode: Opcode, length: usize) -> impl std::ops::Deref<Target = [u8]> {
    Header { fin: true, reserved: 0, opcode, mask: None, length: length as u64 }.encode()
}
