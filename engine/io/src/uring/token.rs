//! What a request carries through the kernel and back: whose it is, and what it was.

use crate::Socket;

/// The 64 bits of `user_data`, `slot:32 | generation:24 | kind:8`; packed and unpacked here alone.
///
/// `slot` is a place in the descriptor table for what belongs to a socket, otherwise an index into
/// the table that [`Kind`] names. The generation tells an earlier use of the place from the present
/// one: a completion may arrive after its place was used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) kind: Kind,
}

/// Which request a completion answers, and what `slot` of its token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Multishot accept; no slot.
    Accept,
    /// Multishot receive; the socket's slot.
    Receive,
    /// A send that does not wait; index of the turn's record, and the flush that submitted it.
    SendNow,
    /// A send that waits for room; the socket's slot.
    SendPending,
    /// Close of a descriptor; its slot.
    Close,
    /// A process descriptor for a socket that is to be half closed; the result is that descriptor.
    HalfClose,
    /// A process descriptor for a socket whose peer's address is asked for; the result is that descriptor.
    PeerAddress,
    /// A socket on its way to another ring; its slot here.
    HandOver,
    /// A socket that came from another ring; the result is its slot.
    HandedOver,
    /// Poll on the eventfd that ends a wait; no slot.
    Bell,
    /// Opening a socket to connect; index of the attempt.
    ConnectOpen,
    /// Binding it to the wanted address; index of the attempt.
    ConnectBind,
    /// Connecting it; index of the attempt.
    Connect,
    /// A request whose outcome changes nothing: cancels and socket options.
    Unheard,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Accept,
        Self::Receive,
        Self::SendNow,
        Self::SendPending,
        Self::Close,
        Self::HalfClose,
        Self::PeerAddress,
        Self::HandOver,
        Self::HandedOver,
        Self::Bell,
        Self::ConnectOpen,
        Self::ConnectBind,
        Self::Connect,
        Self::Unheard,
    ];
}

impl Token {
    /// A token that belongs to a socket.
    pub(super) fn of(socket: Socket, kind: Kind) -> Self {
        Self { slot: socket.slot(), generation: socket.generation(), kind }
    }

    /// A token of something of which there is one per ring.
    pub(super) fn single(kind: Kind) -> Self {
        Self { slot: 0, generation: 0, kind }
    }

    /// A token for entry `index` of a table, in that entry's `generation`-th use.
    pub(super) fn indexed(index: u32, generation: u32, kind: Kind) -> Self {
        Self { slot: index, generation: generation & Socket::GENERATION_MAX, kind }
    }

    /// The socket that the token belongs to, where its kind says that there is one.
    pub(super) fn socket(self) -> Socket {
        Socket::new(self.slot, self.generation)
    }

    /// As `user_data`.
    pub(super) fn pack(self) -> u64 {
        debug_assert!(self.generation <= Socket::GENERATION_MAX);
        u64::from(self.slot) << 32 | u64::from(self.generation) << 8 | self.kind as u64
    }

    /// From `user_data`; `None` when this file did not make it.
    pub(super) fn unpack(user_data: u64) -> Option<Self> {
        let kind = *Kind::ALL.get((user_data & 0xff) as usize)?;
        let generation = (user_data >> 8) as u32 & Socket::GENERATION_MAX;
        Some(Self { slot: (user_data >> 32) as u32, generation, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_round_trip() {
        for (index, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, index, "ALL is in the order of the discriminants");
            for slot in [0, 1, 19_999, u32::MAX] {
                for generation in [0, 1, Socket::GENERATION_MAX] {
                    let token = Token { slot, generation, kind };
                    assert_eq!(Token::unpack(token.pack()), Some(token));
                }
            }
        }
    }

    #[test]
    fn foreign_user_data_is_refused() {
        assert_eq!(Token::unpack(Kind::ALL.len() as u64), None);
        assert_eq!(Token::unpack(u64::MAX), None);
    }
}
