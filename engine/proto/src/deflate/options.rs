//! What one end is willing to do.

use super::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};

/// What one side is willing to do; for a server's route or a client. A server turns it into an answer with
/// [`accept`](Self::accept), a client into an offer with [`offer`](Self::offer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOptions {
    /// Whether the server may keep its window from one message to the next. If not, it is asked (by a
    /// client) or promises (as the server) not to: `server_no_context_takeover`.
    pub server_takeover: bool,
    /// The same of the client, whose window costs the *receiving* server up to 32 KiB for as long as the
    /// connection lives: `client_no_context_takeover`.
    pub client_takeover: bool,
    /// The largest window of the server, as the exponent of its bytes, 8 to 15.
    pub server_window_bits: u8,
    /// The largest window of the client, 8 to 15.
    pub client_window_bits: u8,
    /// How hard to compress what is sent, 1 to 9.
    pub level: u8,
    /// Payloads shorter than this are sent as they are.
    pub bytes_min: usize,
}

/// Why [`DeflateOptions::check`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDeflateOptions {
    /// A window that RFC 7692 section 7.1.2 does not know.
    #[error(
        "the {side}'s window of {bits} bits does not exist, expected {WINDOW_BITS_MIN} to {WINDOW_BITS_MAX}"
    )]
    WindowBits {
        /// `server` or `client`.
        side: &'static str,
        /// As given.
        bits: u8,
    },
    /// A level that the compressor does not have.
    #[error("the level {level} does not exist, expected 1 (fast) to 9 (small)")]
    Level {
        /// As given.
        level: u8,
    },
}

impl Default for DeflateOptions {
    /// No takeover, so that an idle connection costs nothing, and the largest windows. Level 2: of 16 KiB of JSON
    /// it makes an eighth more than level 6 in two fifths of the time, of 1 KiB the twentieth part more. Nothing below
    /// 128 bytes, which would save a sixth at most; with takeover less may be worth it. Measured in
    /// `docs/dependencies.md`.
    fn default() -> Self {
        Self {
            server_takeover: false,
            client_takeover: false,
            server_window_bits: WINDOW_BITS_MAX,
            client_window_bits: WINDOW_BITS_MAX,
            level: 2,
            bytes_min: 128,
        }
    }
}

impl DeflateOptions {
    /// Whether these can be met; everything that takes options relies on it.
    ///
    /// # Errors
    /// The caller's fault: a window or level outside its range.
    pub fn check(&self) -> Result<(), InvalidDeflateOptions> {
        for (side, bits) in [("server", self.server_window_bits), ("client", self.client_window_bits)] {
            if !(WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits) {
                return Err(InvalidDeflateOptions::WindowBits { side, bits });
            }
        }
        match self.level {
            1..=9 => Ok(()),
            level => Err(InvalidDeflateOptions::Level { level }),
        }
    }
}
