//! What both ends agreed on.

use super::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use crate::Role;

/// What both ends agreed on for one connection: one octet, since every connection has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Deflate(u8);

const SERVER_TAKEOVER: u8 = 0x80;
const CLIENT_TAKEOVER: u8 = 0x40;
/// A window is three bits: 0 stands for [`WINDOW_BITS_MIN`].
const WINDOW: u8 = 0x07;
const CLIENT_SHIFT: u32 = 3;

impl Deflate {
    /// Of windows from 8 to 15 bits; others are taken for the nearest of those.
    pub(super) fn new(
        server_takeover: bool,
        client_takeover: bool,
        server_window_bits: u8,
        client_window_bits: u8,
    ) -> Self {
        let window = |bits: u8| bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX) - WINDOW_BITS_MIN;
        let takeover = |has: bool, bit: u8| if has { bit } else { 0 };
        Self(
            takeover(server_takeover, SERVER_TAKEOVER)
                | takeover(client_takeover, CLIENT_TAKEOVER)
                | window(server_window_bits)
                | window(client_window_bits) << CLIENT_SHIFT,
        )
    }

    /// Whether the server's messages refer to its earlier ones (RFC 7692 section 7.1.1.1).
    pub fn server_takeover(self) -> bool {
        self.0 & SERVER_TAKEOVER != 0
    }

    /// Whether the client's messages refer to its earlier ones (RFC 7692 section 7.1.1.2).
    pub fn client_takeover(self) -> bool {
        self.0 & CLIENT_TAKEOVER != 0
    }

    /// The server's window is at most 2 to the power of this many bytes (RFC 7692 section 7.1.2.1).
    pub fn server_window_bits(self) -> u8 {
        (self.0 & WINDOW) + WINDOW_BITS_MIN
    }

    /// The client's window is at most 2 to the power of this many bytes (RFC 7692 section 7.1.2.2).
    pub fn client_window_bits(self) -> u8 {
        (self.0 >> CLIENT_SHIFT & WINDOW) + WINDOW_BITS_MIN
    }

    /// Whether what an end of role `R` sends refers to what it sent before.
    pub fn sends_with_takeover<R: Role>(self) -> bool {
        if R::MASKS { self.client_takeover() } else { self.server_takeover() }
    }

    /// The window of what an end of role `R` sends.
    pub fn send_window_bits<R: Role>(self) -> u8 {
        if R::MASKS { self.client_window_bits() } else { self.server_window_bits() }
    }

    /// Whether what an end of role `R` receives refers to what it received before.
    pub fn receives_with_takeover<R: Role>(self) -> bool {
        if R::MASKS { self.server_takeover() } else { self.client_takeover() }
    }

    /// The window of what an end of role `R` receives.
    pub fn receive_window_bits<R: Role>(self) -> u8 {
        if R::MASKS { self.server_window_bits() } else { self.client_window_bits() }
    }
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflate")
            .field("server_takeover", &self.server_takeover())
            .field("client_takeover", &self.client_takeover())
            .field("server_window_bits", &self.server_window_bits())
            .field("client_window_bits", &self.client_window_bits())
            .finish()
    }
}
