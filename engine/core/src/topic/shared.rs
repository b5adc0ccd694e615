//! How the deflated variants of topics are made: one compression for all who are subscribed.

use crate::error::Error;

/// Shared compression: a message of a topic is deflated once, by whoever publishes it, for all subscribers that
/// have agreed on permessage-deflate with a window of at least this size. The others get it plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedDeflate {
    /// The window, in bits, from 8 to 15: 12, since some clients ask for no more (Python's `websockets`), and
    /// a message is deflated on its own, so that only what is longer than the window misses anything.
    pub window_bits: u8,
    /// Effort, from 1 (fast) to 9 (thorough): 6, more than for one connection, since it is made once for many.
    pub level: u8,
    /// Shorter payloads are not deflated: 128.
    pub bytes_min: usize,
}

impl Default for SharedDeflate {
    fn default() -> Self {
        Self { window_bits: 12, level: 6, bytes_min: 128 }
    }
}

impl SharedDeflate {
    /// Checks it as [`Settings::check`](crate::Settings::check) does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong =
            |setting, value: u8, allowed| Err(Error::Setting { setting, value: value.to_string(), allowed });
        match (self.window_bits, self.level) {
            (0..8 | 16.., _) => wrong("SharedDeflate::window_bits", self.window_bits, "8 to 15"),
            (_, 0 | 10..) => wrong("SharedDeflate::level", self.level, "1 to 9"),
            _ => Ok(()),
        }
    }

    /// In one word: `bytes_min:32 | level:8 | window_bits:8`, read by every publisher without a lock.
    pub(super) fn pack(self) -> u64 {
        let bytes_min = u32::try_from(self.bytes_min).unwrap_or(u32::MAX);
        u64::from(bytes_min) << 32 | u64::from(self.level) << 8 | u64::from(self.window_bits)
    }

    pub(super) fn unpack(word: u64) -> Self {
        Self { window_bits: word as u8, level: (word >> 8) as u8, bytes_min: (word >> 32) as usize }
    }
}

/// What deflating for all subscribers has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deflated {
    /// Messages that were deflated, each once in each form, whether that made them shorter or not.
    pub messages: u64,
    /// Bytes of their frames before.
    pub bytes_in: u64,
    /// Bytes of their frames after, of the plain ones where those are shorter.
    pub bytes_out: u64,
    /// Time that it took.
    pub nanoseconds: u64,
    /// Bytes that need not be sent because of it: what a message became shorter by, for each who was subscribed
    /// in its deflated variant when it was published.
    pub saved_bytes: u64,
}
