//! Messages that come compressed (RFC 7692), of which nobody knows the length before they are there.

use super::messages::payload;
use super::{Content, Target};
use crate::wire::COMPRESSED;
use flate2::{Decompress, FlushDecompress};
use std::io;

/// What a sender has taken off a message's end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What has come of the present round, by receiver.
pub(super) struct Deflated {
    receivers: Vec<Receiver>,
    /// Messages of a round.
    burst: usize,
    content: Content,
    payload_bytes: usize,
    first: u8,
    verify: bool,
    inflater: Decompress,
    round: u64,
    errors: u64,
}

/// What has come to one.
#[derive(Clone, Default)]
struct Receiver {
    bytes: Vec<u8>,
    /// Messages that have come whole, and where they end.
    messages: usize,
    at: usize,
}

impl Deflated {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            receivers: vec![Receiver::default(); target.receivers as usize],
            burst: target.burst,
            content: target.content,
            payload_bytes: target.payload,
            first: target.first | COMPRESSED,
            verify: target.verify,
            inflater: Decompress::new(false),
            round: 0,
            errors: 0,
        }
    }

    /// Another round; the last one has come whole.
    pub(super) fn begin(&mut self, round: u64) {
        self.round = round;
        for receiver in &mut self.receivers {
            receiver.bytes.clear();
            (receiver.messages, receiver.at) = (0, 0);
        }
    }

    /// What a receiver gets next; whether it has all messages of the round with it.
    ///
    /// # Errors
    /// More came than they have.
    pub(super) fn received(&mut self, number: usize, bytes: &[u8]) -> io::Result<bool> {
        let mut receiver = std::mem::take(&mut self.receivers[number]);
        receiver.bytes.extend_from_slice(bytes);
        while receiver.messages < self.burst
            && let Some((header, length)) = frame(&receiver.bytes[receiver.at..])
            && let Some(whole) = receiver.bytes[receiver.at..].get(..header + length)
        {
            let is_right = whole[0] == self.first
                && (!self.verify || self.is_sound(receiver.messages, &whole[header..]));
            self.errors += u64::from(!is_right);
            receiver.messages += 1;
            receiver.at += header + length;
        }
        let (is_whole, more) = (receiver.messages == self.burst, receiver.bytes.len() - receiver.at);
        self.receivers[number] = receiver;
        if is_whole && more > 0 {
            let round = self.round;
            return Err(io::Error::other(format!(
                "connection {number} got {more} bytes more than round {round} has"
            )));
        }
        Ok(is_whole)
    }

    /// How many messages were wrong since the last call; one that is not compressed is.
    pub(super) fn take_errors(&mut self) -> u64 {
        std::mem::take(&mut self.errors)
    }

    /// Whether a body inflates to the message of this number, with no message before it in mind.
    fn is_sound(&mut self, message: usize, body: &[u8]) -> bool {
        self.inflater.reset(false);
        // Room for one byte more than is right.
        let mut inflated = Vec::with_capacity(self.payload_bytes + 1);
        let body = [body, &TAIL].concat();
        let done = self.inflater.decompress_vec(&body, &mut inflated, FlushDecompress::Sync);
        done.is_ok() && inflated == payload(self.content, message, self.round, self.payload_bytes)
    }
}

/// The lengths of an unmasked frame's header and payload, once both are known (RFC 6455 section 5.2).
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    match (*bytes.get(1)?, bytes.get(2..10)) {
        (126, _) => {
            let length = bytes.get(2..4)?;
            Some((4, u16::from_be_bytes([length[0], length[1]]).into()))
        }
        (127, length) => Some((10, u64::from_be_bytes(length?.try_into().ok()?) as usize)),
        (length, _) => Some((2, length.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Senders, Tuning};
    use super::*;
    use crate::wire::{FIN_TEXT, header};
    use flate2::{Compress, Compression, FlushCompress};

    fn target() -> Target {
        let tuning = Tuning { copy: false, awake: false, batch: 1, buffers: 1, buffer_kib: 1 };
        let senders = Senders::Publisher { path: String::new() };
        Target {
            port: 0,
            path: String::new(),
            senders,
            burst: 2,
            receivers: 1,
            content: Content::Json,
            payload: 1024,
            first: FIN_TEXT,
            verify: true,
            raw: false,
            deflate: true,
            tuning,
        }
    }

    fn frame_of(payload: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(2 * payload.len());
        let mut compressor = Compress::new(Compression::new(6), false);
        compressor.compress_vec(payload, &mut body, FlushCompress::Sync).unwrap();
        body.truncate(body.len() - TAIL.len());
        [header(FIN_TEXT | COMPRESSED, body.len()), body].concat()
    }

    #[test]
    fn right_and_wrong_messages_in_every_split() {
        let right = payload(Content::Json, 1, 5, 1024);
        let first = frame_of(&payload(Content::Json, 0, 5, 1024));
        let mut wrong = right.clone();
        wrong[700] ^= 1;
        let longer = [&right[..], b"x"].concat();
        let plain = [header(FIN_TEXT, 1024), right.clone()].concat();
        let cases = [
            ("right", frame_of(&right), 0),
            ("another byte", frame_of(&wrong), 1),
            ("longer", frame_of(&longer), 1),
            ("shorter", frame_of(&right[..1023]), 1),
            ("plain", plain, 1),
            ("damaged", [header(FIN_TEXT | COMPRESSED, 300), vec![0xff; 300]].concat(), 1),
        ];
        for (case, frame, errors) in cases {
            let both = [&first[..], &frame].concat();
            for split in 1..both.len() {
                let mut deflated = Deflated::new(&target());
                deflated.begin(5);
                assert!(!deflated.received(0, &both[..split]).unwrap(), "{case}, split at {split}");
                assert!(deflated.received(0, &both[split..]).unwrap(), "{case}, split at {split}");
                assert_eq!(deflated.take_errors(), errors, "{case}, split at {split}");
                let error = deflated.received(0, b"x").unwrap_err().to_string();
                assert!(error.contains("1 bytes more than round 5"), "{error}");
            }
        }
    }
}
