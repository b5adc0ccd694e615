//! What is sent: in every round one message of every sender, each unlike all others.

use crate::wire::{self, MASK_BYTES, MASKED};
use clap::ValueEnum;

/// Digits that say who sent a message.
pub(super) const SENDER_DIGITS: usize = 8;
/// Digits that say in which round.
pub(super) const ROUND_DIGITS: usize = 12;
/// Shorter messages could not be told apart.
pub const PAYLOAD_BYTES_MIN: usize = SENDER_DIGITS + ROUND_DIGITS;

/// What stands in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Content {
    /// Who sent it, in which round, and the alphabet again and again.
    #[default]
    Letters,
    /// The same in JSON, and prices that are others in each round: as compressible as what servers push.
    Json,
}

/// What a JSON message begins with.
const JSON_BEGIN: &str = "{\"from\":\"";
/// And, behind who sent it, goes on with.
const JSON_ROUND: &str = "\",\"round\":\"";
/// Room for both, the digits, and an end.
const JSON_BYTES_MIN: usize = 80;

impl Content {
    /// Bytes of the shortest message.
    pub fn bytes_min(self) -> usize {
        match self {
            Self::Letters => PAYLOAD_BYTES_MIN,
            Self::Json => JSON_BYTES_MIN,
        }
    }

    /// Where the digits of who sent it stand.
    pub(super) fn sender_at(self) -> usize {
        match self {
            Self::Letters => 0,
            Self::Json => JSON_BEGIN.len(),
        }
    }
}

/// Composes the requests of a round.
pub(super) struct Messages {
    pub(super) content: Content,
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
    pub(super) fn new(content: Content, first: u8, payload_bytes: usize, senders: usize, raw: bool) -> Self {
        let header = wire::header(first, payload_bytes);
        let mut request_header = header.clone();
        if !raw {
            request_header[1] |= MASKED;
        }
        let payload = |sender: usize| payload(content, sender, 0, payload_bytes);
        Self {
            content,
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
        let places = requests.chunks_exact_mut(request_bytes);
        for (sender, (place, payload)) in places.zip(&mut self.payloads).enumerate() {
            match self.content {
                Content::Letters => {
                    payload[SENDER_DIGITS..PAYLOAD_BYTES_MIN].copy_from_slice(digits.as_bytes())
                }
                Content::Json => *payload = json(sender, round, payload.len()),
            }
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
pub(super) fn payload(content: Content, sender: usize, round: u64, payload_bytes: usize) -> Vec<u8> {
    if content == Content::Json {
        return json(sender, round, payload_bytes);
    }
    let mut payload = format!("{sender:0SENDER_DIGITS$}{round:0ROUND_DIGITS$}").into_bytes();
    payload.extend((b'a'..=b'z').cycle().take(payload_bytes - PAYLOAD_BYTES_MIN));
    payload
}

/// Prices of some shares, as many as there is room for, and a remark as long as what is left.
fn json(sender: usize, round: u64, payload_bytes: usize) -> Vec<u8> {
    const SYMBOLS: [&str; 8] = ["ACME", "INIT", "UMBR", "HOOL", "STRK", "WAYN", "CYBD", "TYRL"];
    const REMARK: &str = "],\"remark\":\"";
    const END: &str = "\"}";
    let mut seed = (round << 20 ^ sender as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut text =
        format!("{JSON_BEGIN}{sender:0SENDER_DIGITS$}{JSON_ROUND}{round:0ROUND_DIGITS$}\",\"quotes\":[");
    let mut comma = "";
    loop {
        let (bid, cents) = (10 + random(900), random(100));
        let quote = format!(
            "{comma}{{\"symbol\":\"{}\",\"bid\":{bid}.{cents:02},\"ask\":{bid}.{:02},\"volume\":{},\"time\":{}}}",
            SYMBOLS[random(8) as usize],
            (cents + 1 + random(5)).min(99),
            random(1_000_000),
            1_764_000_000_000 + round * 250 + random(250),
        );
        if text.len() + quote.len() + REMARK.len() + END.len() > payload_bytes {
            break;
        }
        (text, comma) = (text + &quote, ",");
    }
    text += REMARK;
    let words = ["halted ", "open ", "late ", "auction ", "corrected ", "firm "];
    while text.len() + END.len() < payload_bytes {
        text += words[random(words.len() as u64) as usize];
    }
    text.truncate(payload_bytes - END.len());
    (text + END).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FIN_TEXT;

    #[test]
    fn a_request_is_the_message_masked_or_after_four_bytes() {
        for payload_bytes in [PAYLOAD_BYTES_MIN, 100, 126, 70_000] {
            for (raw, content) in
                [(false, Content::Letters), (true, Content::Letters), (false, Content::Json)]
            {
                let payload_bytes = payload_bytes.max(content.bytes_min());
                let mut messages = Messages::new(content, FIN_TEXT, payload_bytes, 3, raw);
                let requests = messages.compose(7);
                let cut = requests.chunks_exact(messages.request_bytes());
                assert_eq!(cut.len(), 3);
                for (sender, request) in cut.enumerate() {
                    let answer = answer(request, messages.header.len(), raw);
                    let expected =
                        [messages.header.clone(), payload(content, sender, 7, payload_bytes)].concat();
                    assert!(answer == expected, "{payload_bytes} bytes, raw {raw}, sender {sender}");
                }
            }
        }
    }

    #[test]
    fn json_is_json_of_any_length() {
        for payload_bytes in JSON_BYTES_MIN..1100 {
            let round = payload_bytes as u64;
            let text = payload(Content::Json, 3, round, payload_bytes);
            assert_eq!(text.len(), payload_bytes);
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(
                (&value["from"], &value["round"]),
                (&"00000003".into(), &format!("{round:012}").into())
            );
            assert_eq!(&text[Content::Json.sender_at()..][..SENDER_DIGITS], b"00000003");
        }
        let distinct = |round| payload(Content::Json, 0, round, 1024);
        let same = distinct(1).iter().zip(distinct(2)).filter(|(one, other)| **one == *other).count();
        assert!(same < 800, "{same} of 1024 bytes are the same in the next round");
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
