//! What is sent: in every round one message of every sender, each unlike all others.

use crate::wire::{self, MASK_BYTES, MASKED};

/// Digits that say who sent a message.
pub(super) const SENDER_DIGITS: usize = 8;
/// Digits that say in which round.
pub(super) const ROUND_DIGITS: usize = 12;
/// Shorter messages could not be told apart.
pub const PAYLOAD_BYTES_MIN: usize = SENDER_DIGITS + ROUND_DIGITS;

/// Composes the requests of a round.
pub(super) struct Messages {
    /// Of the frames that come back.
    pub(super) header: Vec<u8>,
    /// Of the frames that are sent; to a floor, that of those which come back.
    request_header: Vec<u8>,
    raw: bool,
    /// By sender, as of the last round.
    payloads: Vec<Vec<u8>>,
    random: u64,
}

impl Messages {
    pub(super) fn new(first: u8, payload_bytes: usize, senders: usize, raw: bool) -> Self {
        let header = wire::header(first, payload_bytes);
        let mut request_header = header.clone();
        if !raw {
            request_header[1] |= MASKED;
        }
        let payload = |sender: usize| payload(sender, 0, payload_bytes);
        Self {
            header,
            request_header,
            raw,
            payloads: (0..senders).map(payload).collect(),
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()),
        }
    }

    pub(super) fn senders(&self) -> usize {
        self.payloads.len()
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.payloads[0].len()
    }

    /// Bytes of one message on its way to the server.
    pub(super) fn request_bytes(&self) -> usize {
        self.answer_bytes() + MASK_BYTES
    }

    /// Bytes of one message on its way to a receiver.
    pub(super) fn answer_bytes(&self) -> usize {
        self.header.len() + self.payload_bytes()
    }

    /// The requests of all senders, one after the other.
    pub(super) fn compose(&mut self, round: u64) -> Vec<u8> {
        let digits = format!("{round:0ROUND_DIGITS$}");
        let request_bytes = self.request_bytes();
        let mut requests = vec![0; request_bytes * self.senders()];
        for (place, payload) in requests.chunks_exact_mut(request_bytes).zip(&mut self.payloads) {
            payload[SENDER_DIGITS..PAYLOAD_BYTES_MIN].copy_from_slice(digits.as_bytes());
            // xorshift64: quality enough for keys that nobody attacks, at the price of three shifts.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let key = ((self.random >> 32) as u32).to_ne_bytes();
            if self.raw {
                // A floor drops four bytes and passes on the rest, which is therefore ready-made.
                place[..MASK_BYTES].copy_from_slice(&key);
                place[MASK_BYTES..][..self.request_header.len()].copy_from_slice(&self.request_header);
                place[request_bytes - payload.len()..].copy_from_slice(payload);
            } else {
                wire::masked_frame(place, &self.request_header, key, payload);
            }
        }
        requests
    }
}

/// The definition of a message.
pub(super) fn payload(sender: usize, round: u64, payload_bytes: usize) -> Vec<u8> {
    let mut payload = format!("{sender:0SENDER_DIGITS$}{round:0ROUND_DIGITS$}").into_bytes();
    payload.extend((b'a'..=b'z').cycle().take(payload_bytes - PAYLOAD_BYTES_MIN));
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FIN_TEXT;

    #[test]
    fn a_request_is_the_message_masked_or_after_four_bytes() {
        for payload_bytes in [PAYLOAD_BYTES_MIN, 100, 126, 70_000] {
            for raw in [false, true] {
                let mut messages = Messages::new(FIN_TEXT, payload_bytes, 3, raw);
                let requests = messages.compose(7);
                let cut = requests.chunks_exact(messages.request_bytes());
                assert_eq!(cut.len(), 3);
                for (sender, request) in cut.enumerate() {
                    let answer = answer(request, messages.header.len(), raw);
                    let expected = [messages.header.clone(), payload(sender, 7, payload_bytes)].concat();
                    assert!(answer == expected, "{payload_bytes} bytes, raw {raw}, sender {sender}");
                }
            }
        }
    }

    /// What a server makes of a request, or a floor.
    fn answer(request: &[u8], header_bytes: usize, raw: bool) -> Vec<u8> {
        if raw {
            return request[MASK_BYTES..].to_vec();
        }
        let (header, rest) = request.split_at(header_bytes);
        let (key, masked) = rest.split_at(MASK_BYTES);
        assert_eq!(header[1] & MASKED, MASKED);
        let mut answer = header.to_vec();
        answer[1] &= !MASKED;
        answer.extend(masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        answer
    }
}
