//! Whether every receiver got every message of the round exactly once, all in the same order.
//!
//! Whoever is furthest writes down what it gets, and each message in there is checked as it becomes
//! whole: sender, round, length, content, and that it is the sender's first. All others must get the
//! very same bytes. As the count of bytes is checked by the caller, nothing can then be missing.

use super::messages::{Content, Messages, SENDER_DIGITS, payload};

pub(super) struct Check {
    content: Content,
    /// Of every message.
    header: Vec<u8>,
    payload_bytes: usize,
    round: u64,
    /// What the furthest receiver has got in this round.
    log: Vec<u8>,
    /// How much of it is whole messages that have been checked.
    checked: usize,
    /// By sender: its message is in the log.
    seen: Vec<bool>,
    /// By receiver: how far it is in the log.
    cursors: Vec<usize>,
    errors: u64,
}

impl Check {
    pub(super) fn new(messages: &Messages, receivers: usize) -> Self {
        Self {
            content: messages.content,
            header: messages.header.clone(),
            payload_bytes: messages.payload_bytes(),
            round: 0,
            log: Vec::new(),
            checked: 0,
            seen: vec![false; messages.senders()],
            cursors: vec![0; receivers],
            errors: 0,
        }
    }

    /// Another round; the last one has come whole.
    pub(super) fn begin(&mut self, round: u64) {
        self.round = round;
        self.checked = 0;
        self.log.clear();
        self.seen.fill(false);
        self.cursors.fill(0);
    }

    /// What a receiver gets next.
    pub(super) fn received(&mut self, receiver: usize, bytes: &[u8]) {
        let cursor = self.cursors[receiver];
        let (known, news) = bytes.split_at(bytes.len().min(self.log.len() - cursor));
        // A message that is split over two receives may count twice; zero is what matters.
        let frame_bytes = self.header.len() + self.payload_bytes;
        let log = self.log[cursor..].chunks(frame_bytes);
        self.errors +=
            known.chunks(frame_bytes).zip(log).filter(|(own, log)| !log.starts_with(own)).count() as u64;
        self.log.extend_from_slice(news);
        while self.checked + frame_bytes <= self.log.len() {
            self.errors += u64::from(!self.next_is_sound());
            self.checked += frame_bytes;
        }
        self.cursors[receiver] += bytes.len();
    }

    /// How many messages were wrong since the last call.
    pub(super) fn take_errors(&mut self) -> u64 {
        std::mem::take(&mut self.errors)
    }

    /// Whether the next whole message of the log is one of this round that was not there before.
    fn next_is_sound(&mut self) -> bool {
        let Some(message) = self.log[self.checked..].strip_prefix(self.header.as_slice()) else {
            return false;
        };
        let digits = str::from_utf8(&message[self.content.sender_at()..][..SENDER_DIGITS]).ok();
        let Some(sender) = digits.and_then(|digits| digits.parse::<usize>().ok()) else { return false };
        let fresh = self.seen.get_mut(sender).is_some_and(|seen| !std::mem::replace(seen, true));
        fresh
            && message[..self.payload_bytes] == payload(self.content, sender, self.round, self.payload_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PAYLOAD_BYTES_MIN;
    use super::*;
    use crate::wire::FIN_BINARY;

    const ROUND: u64 = 9;

    fn frame(sender: usize, round: u64) -> Vec<u8> {
        let payload = payload(Content::Letters, sender, round, PAYLOAD_BYTES_MIN);
        [crate::wire::header(FIN_BINARY, payload.len()), payload].concat()
    }

    fn log(senders: [usize; 3]) -> Vec<u8> {
        senders.map(|sender| frame(sender, ROUND)).concat()
    }

    /// What two receivers get in one round of three senders, each in two pieces cut anywhere, turn about.
    fn errors(first: &[u8], second: &[u8], split: usize) -> u64 {
        let mut check =
            Check::new(&Messages::new(Content::Letters, FIN_BINARY, PAYLOAD_BYTES_MIN, 3, false), 2);
        check.begin(ROUND);
        for (receiver, bytes) in [first, second].into_iter().enumerate() {
            check.received(receiver, &bytes[..split]);
        }
        for (receiver, bytes) in [first, second].into_iter().enumerate() {
            check.received(receiver, &bytes[split..]);
        }
        check.take_errors()
    }

    #[test]
    fn right_and_wrong_rounds_in_every_split() {
        let right = log([2, 0, 1]);
        let early = [frame(2, ROUND), frame(0, ROUND - 1), frame(1, ROUND)].concat();
        let mut text = right.clone();
        text[0] = crate::wire::FIN_TEXT;
        let cases: [(&str, &[u8], &[u8], bool); 7] = [
            ("the same for both", &right, &right, true),
            ("another order for the second", &right, &log([0, 2, 1]), false),
            ("one twice, one missing", &log([2, 2, 1]), &log([2, 2, 1]), false),
            ("one of the round before", &early, &early, false),
            ("a sender that does not exist", &log([2, 3, 1]), &log([2, 3, 1]), false),
            ("another opcode", &text, &text, false),
            ("another opcode for the second", &right, &text, false),
        ];
        for (case, first, second, sound) in cases {
            for split in 0..=first.len() {
                assert_eq!(errors(first, second, split) == 0, sound, "{case}, split at {split}");
            }
        }
    }

    #[test]
    fn rounds_follow_each_other() {
        let mut check =
            Check::new(&Messages::new(Content::Letters, FIN_BINARY, PAYLOAD_BYTES_MIN, 1, false), 2);
        for round in 1..5 {
            check.begin(round);
            check.received(1, &frame(0, round));
            check.received(0, &frame(0, round));
            assert_eq!(check.take_errors(), 0, "round {round}");
        }
    }
}
