//! What a connection reports, in the order in which the peer caused it.

use crate::frame::{Header, Opcode};
use crate::limits::HEADER_BYTES_MAX;
use crate::{CloseReason, Masking, Role, Violation};
use std::ops::Range;

/// One event of a [`Receiving`](crate::Receiving); it borrows the input that it was found in.
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole message.
    Message(Message<'a>),
    /// Answer with a Pong of the same payload as soon as is practical (section 5.5.2).
    Ping(&'a [u8]),
    /// Answers one of our Pings, or none (section 5.5.3).
    Pong(&'a [u8]),
    /// The peer closes. If we have not sent a Close, answer with one (section 5.5.1); a server then
    /// closes the transport at once, a client waits for the server to do so (section 7.1.1).
    Close(CloseReason<'a>),
    /// The peer broke a rule. Send a Close with [`Violation::close_code`] unless one was sent, keep
    /// receiving (what arrives is thrown away) until [`Finished`](Self::Finished), the end of the
    /// stream or a deadline, then close the transport: closing earlier may make the kernel reset the
    /// connection before the peer has read why. Finished may be the next event of the same walk,
    /// without further input: when the fault is in the peer's Close itself.
    Failed(Violation),
    /// After [`Failed`](Self::Failed): the peer's Close has arrived, nothing more is coming.
    Finished,
}

/// The type of a message (section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8, checked.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    /// The opcode that begins a message of this kind.
    pub fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// A whole message, unmasked, where it lies: in the receive buffer when one frame in one receive
/// carried it, else in a vector that gathered it.
#[derive(Debug)]
pub struct Message<'a> {
    kind: Kind,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    /// `room[payload..]` is the payload; before it lies the frame's header, done with.
    Input { room: &'a mut [u8], payload: usize, offset: usize },
    /// The payload begins at [`HEADER_BYTES_MAX`].
    Gathered(&'a mut Vec<u8>),
}

/// Where a message lies after it was made a frame in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// In the input handed to [`Connection::receive`](crate::Connection::receive), at these bytes of it.
    Input(Range<usize>),
    /// In a vector of its own, from `start` on.
    Owned {
        /// The vector.
        bytes: Vec<u8>,
        /// Where in it the frame begins.
        start: usize,
    },
}

impl<'a> Message<'a> {
    pub(crate) fn in_input(kind: Kind, room: &'a mut [u8], payload: usize, offset: usize) -> Self {
        Self { kind, place: Place::Input { room, payload, offset } }
    }

    pub(crate) fn gathered(kind: Kind, bytes: &'a mut Vec<u8>) -> Self {
        Self { kind, place: Place::Gathered(bytes) }
    }

    /// Text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The application's bytes.
    pub fn payload(&self) -> &[u8] {
        match &self.place {
            Place::Input { room, payload, .. } => &room[*payload..],
            Place::Gathered(bytes) => &bytes[HEADER_BYTES_MAX..],
        }
    }

    /// The application's bytes, to be changed in place. Text is not checked again: what goes back
    /// out as text has to be UTF-8.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        match &mut self.place {
            Place::Input { room, payload, .. } => &mut room[*payload..],
            Place::Gathered(bytes) => &mut bytes[HEADER_BYTES_MAX..],
        }
    }

    /// Whether the message was gathered from pieces, and so lies in a vector of its own.
    pub fn is_gathered(&self) -> bool {
        matches!(self.place, Place::Gathered(_))
    }

    /// The text, of a text message (checked once more, since [`payload_mut`](Self::payload_mut) may
    /// have changed it).
    pub fn text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => simdutf8::basic::from_utf8(self.payload()).ok(),
            Kind::Binary => None,
        }
    }

    /// Makes the message a frame to send, in place: the header is written into the bytes before the
    /// payload, and no payload byte moves.
    ///
    /// # Errors
    /// Gives the message back, unchanged, when the header does not fit before it; append it with
    /// [`frame::append`](crate::frame::append) then. A client sees this of every message that was not
    /// gathered: its header is four bytes longer than the one it received. A server sees it when part
    /// of the received header came with earlier input, and so is not before the payload.
    pub fn frame_in_place<R: Role>(self, masking: &mut Masking) -> Result<Framed, Self> {
        let mask = R::MASKS.then(|| masking.key());
        let length = self.payload().len() as u64;
        let header = Header { fin: true, reserved: 0, opcode: self.kind.opcode(), mask, length }.encode();
        match self.place {
            Place::Input { payload, .. } if payload < header.len() => Err(self),
            Place::Input { room, payload, offset } => {
                let start = write_frame(room, payload, &header, mask, masking);
                Ok(Framed::Input(offset + start..offset + room.len()))
            }
            Place::Gathered(bytes) => {
                let mut bytes = std::mem::take(bytes);
                let start = write_frame(&mut bytes, HEADER_BYTES_MAX, &header, mask, masking);
                Ok(Framed::Owned { bytes, start })
            }
        }
    }
}

/// Puts `header` right before `room[payload..]`, masks that, and says where the frame begins.
fn write_frame(
    room: &mut [u8],
    payload: usize,
    header: &[u8],
    mask: Option<[u8; 4]>,
    masking: &Masking,
) -> usize {
    let start = payload - header.len();
    room[start..payload].copy_from_slice(header);
    if let Some(key) = mask {
        masking.mask(&mut room[payload..], key);
    }
    start
}
