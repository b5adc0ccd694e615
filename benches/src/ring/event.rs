//! What a ring reports, and what its user data mean.

#[cfg(doc)]
use super::Ring;

/// A received buffer: whoever has it, alone, may read and change its bytes ([`Ring::bytes`]) until it
/// goes back by [`Ring::release`] or [`Ring::send`].
#[derive(Debug)]
#[must_use = "a buffer that is dropped is lost to the kernel"]
pub struct Buffer {
    pub(super) id: u16,
    pub(super) len: u32,
}

impl Buffer {
    /// How many bytes were received into it.
    #[expect(clippy::len_without_is_empty, reason = "the kernel delivers no empty buffer")]
    pub fn len(&self) -> usize {
        self.len as usize
    }
}

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// A connection was accepted into this slot.
    Accepted {
        /// Its direct descriptor.
        slot: u32,
    },
    /// Bytes came in.
    Received {
        /// From whom.
        slot: u32,
        /// The bytes.
        buffer: Buffer,
    },
    /// Nothing more is received: end of stream, an error of the connection, or [`Ring::receive_stop`].
    Ended {
        /// Who.
        slot: u32,
    },
    /// A [`Ring::send`], or one of a [`Ring::send_all`], went out in part only; this is the rest, for [`Ring::send_owned`].
    SendShort {
        /// To whom.
        slot: u32,
        /// What has not been sent.
        rest: Vec<u8>,
    },
    /// A [`Ring::send_owned`] went out whole.
    SendDone {
        /// To whom.
        slot: u32,
    },
    /// A send failed: the connection is dead, its [`Event::Ended`] has come or will come.
    SendFailed {
        /// To whom.
        slot: u32,
    },
    /// [`Ring::tick_start`]'s clock.
    Tick,
}

/// What an operation was, in the low byte of its user data; 24 bits of index and 32 of slot follow.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Accept,
    Receive,
    Send,
    SendOwned,
    SendPart,
    Close,
    Cancel,
    Tick,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Accept,
        Self::Receive,
        Self::Send,
        Self::SendOwned,
        Self::SendPart,
        Self::Close,
        Self::Cancel,
        Self::Tick,
    ];

    pub(super) fn token(self, slot: u32, index: u32) -> u64 {
        u64::from(slot) << 32 | u64::from(index) << 8 | self as u64
    }
}
