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
    receivers: Vec<Vec<u8>>,
    content: Content,
    payload_bytes: usize,
    first: u8,
    verify: bool,
    inflater: Decompress,
    /// What every receiver is to get.
    expected: Vec<u8>,
    round: u64,
    errors: u64,
}

impl Deflated {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            receivers: vec![Vec::new(); target.receivers as usize],
            content: target.content,
            payload_bytes: target.payload,
            first: target.first | COMPRESSED,
            verify: target.verify,
            inflater: Decompress::new(false),
            expected: Vec::new(),
            round: 0,
            errors: 0,
        }
    }

    /// Another round; the last one has come whole.
    pub(super) fn begin(&mut self, round: u64) {
        self.round = round;
        self.receivers.iter_mut().for_each(Vec::clear);
        if self.verify {
            self.expected = payload(self.content, 0, round, self.payload_bytes);
        }
    }

    /// What a receiver gets next; whether its message is whole with it.
    ///
    /// # Errors
    /// More came than the message has.
    pub(super) fn received(&mut self, receiver: usize, bytes: &[u8]) -> io::Result<bool> {
        let got = &mut self.receivers[receiver];
        got.extend_from_slice(bytes);
        let Some((header, length)) = frame(got) else { return Ok(false) };
        let more = got.len().saturating_sub(header + length);
        if more > 0 {
            let round = self.round;
            return Err(io::Error::other(format!(
                "connection {receiver} got {more} bytes more than round {round} has"
            )));
        }
        let is_whole = got.len() == header + length;
        if is_whole {
            let is_right = got[0] == self.first && (!self.verify || self.is_sound(receiver, header));
            self.errors += u64::from(!is_right);
        }
        Ok(is_whole)
    }

    /// How many messages were wrong since the last call; one that is not compressed is.
    pub(super) fn take_errors(&mut self) -> u64 {
        std::mem::take(&mut self.errors)
    }

    /// Whether it inflates to what was sent, with no message before it in mind.
    fn is_sound(&mut self, receiver: usize, header: usize) -> bool {
        self.inflater.reset(false);
        let body = [&self.receivers[receiver][header..], &TAIL].concat();
        // Room for one byte more than is right.
        let mut inflated = Vec::with_capacity(self.payload_bytes + 1);
        let done = self.inflater.decompress_vec(&body, &mut inflated, FlushDecompress::Sync);
        done.is_ok() && inflated == self.expected
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
        let right = payload(Content::Json, 0, 5, 1024);
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
            for split in 1..frame.len() {
                let mut deflated = Deflated::new(&target());
                deflated.begin(5);
                assert!(!deflated.received(0, &frame[..split]).unwrap(), "{case}, split at {split}");
                assert!(deflated.received(0, &frame[split..]).unwrap(), "{case}, split at {split}");
                assert_eq!(deflated.take_errors(), errors, "{case}, split at {split}");
                let error = deflated.received(0, b"x").unwrap_err().to_string();
                assert!(error.contains("1 bytes more than round 5"), "{error}");
            }
        }
    }
}
