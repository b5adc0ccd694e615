//! permessage-deflate (RFC 7692) in a shard: what its connections have agreed on, what it compresses their
//! messages with, and what that takes. Inflating is the protocol's own business.

use std::num::NonZeroU8;
use std::time::{Duration, Instant};
use wsring_proto::deflate::{Compressors, Deflate, DeflateFigures, DeflateOptions, Sending};
use wsring_proto::frame::Opcode;
use wsring_proto::{Masking, Role};

/// Settings that connections can have, by number: 0 stands for none.
const SETTINGS_MAX: usize = u8::MAX as usize;

/// What a connection has agreed on, and how it compresses: two bytes, since every connection has room for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compression {
    /// With its peer.
    pub(crate) agreed: Deflate,
    /// The place in [`Compressing::settings`], and one more.
    settings: NonZeroU8,
}

const _: () = assert!(size_of::<Option<Compression>>() == 2);

/// One frame of a message, and whose it is.
pub(crate) struct Frame<'a> {
    /// The place of its connection.
    pub(crate) slot: u32,
    pub(crate) compression: Compression,
    /// The connection's own window does not match its peer's any more.
    pub(crate) fresh: bool,
    pub(crate) opcode: Opcode,
    pub(crate) fin: bool,
    pub(crate) payload: &'a [u8],
}

/// How a route or client compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    level: u8,
    bytes_min: usize,
}

/// The compressors of a shard and the settings of its connections.
#[derive(Debug)]
pub(crate) struct Compressing {
    compressors: Compressors,
    /// Each that some connection has or had. Routes have few different ones.
    settings: Vec<Settings>,
    deflate_nanoseconds: u64,
    inflate_nanoseconds: u64,
}

impl Compressing {
    /// Nothing yet; what connections have of their own holds at most so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            compressors: Compressors::new(bytes_max),
            settings: Vec::new(),
            deflate_nanoseconds: 0,
            inflate_nanoseconds: 0,
        }
    }

    /// What a connection keeps that has agreed on something. Where there are as many different settings as
    /// can be told apart, it gets the last ones.
    pub(crate) fn agreed(&mut self, agreed: Deflate, options: &DeflateOptions) -> Compression {
        let wanted = Settings { level: options.level, bytes_min: options.bytes_min };
        let known = self.settings.iter().position(|settings| *settings == wanted);
        let place = known.unwrap_or_else(|| {
            if self.settings.len() < SETTINGS_MAX {
                self.settings.push(wanted);
            }
            self.settings.len() - 1
        });
        Compression { agreed, settings: NonZeroU8::MIN.saturating_add(place as u8) }
    }

    /// Payloads shorter than this are sent as they are.
    pub(crate) fn bytes_min(&self, compression: Compression) -> usize {
        self.settings_of(compression).bytes_min
    }

    /// Appends a frame to `out`, compressed where that makes sense.
    pub(crate) fn append_frame<R: Role>(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
        masking: &mut Masking,
    ) {
        let Frame { slot, compression: Compression { agreed, .. }, fresh, opcode, fin, payload } = *frame;
        let Settings { level, bytes_min } = self.settings_of(frame.compression);
        let sending = Sending { slot, agreed, level, bytes_min, fresh };
        let began = Instant::now();
        self.compressors.append_frame::<R>(sending, opcode, fin, payload, out, masking);
        self.deflate_nanoseconds += began.elapsed().as_nanos() as u64;
    }

    /// The connection in this slot compresses nothing more.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.compressors.forget(slot);
    }

    /// Connections that have a compressor of their own.
    pub(crate) fn contexts(&self) -> usize {
        self.compressors.contexts()
    }

    /// Memory of all compressors.
    pub(crate) fn bytes(&self) -> usize {
        self.compressors.bytes()
    }

    pub(crate) fn figures(&self) -> DeflateFigures {
        self.compressors.figures()
    }

    /// Spent compressing.
    pub(crate) fn deflate_nanoseconds(&self) -> u64 {
        self.deflate_nanoseconds
    }

    /// Counts time spent on what connections have received that have agreed on compression.
    pub(crate) fn spent_inflating(&mut self, time: Duration) {
        self.inflate_nanoseconds += time.as_nanos() as u64;
    }

    /// See [`spent_inflating`](Self::spent_inflating).
    pub(crate) fn inflate_nanoseconds(&self) -> u64 {
        self.inflate_nanoseconds
    }

    fn settings_of(&self, compression: Compression) -> Settings {
        self.settings[usize::from(compression.settings.get()) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wsring_proto::handshake::Offer;
    use wsring_proto::http::{HeadLimits, Request};

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

    fn agreed() -> Deflate {
        let request = Request::parse(REQUEST, &HeadLimits::default()).expect("a request");
        let offer = Offer::check(&request).expect("a handshake");
        DeflateOptions::default().accept(offer.extensions(), true).expect("an offer").0
    }

    #[test]
    fn settings_are_kept_once_and_within_a_byte() {
        let mut compressing = Compressing::new(0);
        let options = |bytes_min| DeflateOptions { bytes_min, ..DeflateOptions::default() };
        let agreed = agreed();
        for bytes_min in (0..300).chain(0..255) {
            let compression = compressing.agreed(agreed, &options(bytes_min));
            assert_eq!(compressing.bytes_min(compression), bytes_min.min(SETTINGS_MAX - 1));
        }
        assert_eq!(compressing.settings.len(), SETTINGS_MAX);
    }
}
