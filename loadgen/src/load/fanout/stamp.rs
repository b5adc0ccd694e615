//! What is published, and how it is known in what arrives.
//!
//! ```text
//!   wsload:RRRRNNNNNNNNcontent     from 20 bytes on: R names the run and N the message; content depends on N
//!   NNNNcontent                    shorter: as many digits as the numbers need, or half of the shortest
//! ```
//!
//! A long one is found wherever it stands. A short one has nothing to be found by: it ends what arrives, behind what
//! the server has put in front, if anything. Digits are those of base64url (RFC 4648 section 5), six bits each; with
//! the content's letters and one colon they are what JSON and HTTP leave as it is.

use crate::load::message::SplitMix;
use crate::load::size::{SizeChoice, Sizes};

const MARK: &[u8] = b"wsload:";
const RUN_DIGITS: usize = 4;
const DIGITS_MAX: usize = 8;
const DIGIT_BITS: u32 = 6;
/// The shortest message that can be found, with a byte of content.
pub(crate) const FOUND_BYTES: usize = MARK.len() + RUN_DIGITS + DIGITS_MAX + 1;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// In the place of what is no digit.
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();
/// Where content may begin.
const PLACES: usize = 1024;
const PLACE_SHIFT: u32 = u64::BITS - PLACES.trailing_zeros();

/// The messages of a run.
#[derive(Debug)]
pub(crate) struct Stamps {
    /// Mark and run; empty where messages are short.
    head: Vec<u8>,
    digits: usize,
    /// As it was asked for.
    size: SizeChoice,
    sizes: Sizes,
    content: Vec<u8>,
}

/// What something that has arrived is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The message with this number, as far as its digits hold it, at this place.
    Message(u64, usize),
    /// One that is damaged.
    Corrupt,
    /// None of this run.
    Nothing,
}

impl Stamps {
    /// Messages of these sizes, of the run that a number names. So many numbers should be told apart, as far as there is
    /// room for them.
    pub(crate) fn new(size: &SizeChoice, run: u32, numbers: u64) -> Self {
        let sizes = Sizes::new(size);
        let mut random = SplitMix(u64::from(run));
        let content = (0..PLACES + sizes.longest()).map(|_| b'a' + (random.next() % 26) as u8).collect();
        let shortest = sizes.shortest();
        // What is left of a short one is content, by which damage to a number shows.
        let needed = (1..DIGITS_MAX).find(|digits| numbers >> (DIGIT_BITS as usize * digits) == 0);
        let mut digits = needed.unwrap_or(DIGITS_MAX).max(shortest / 2).min(shortest).min(DIGITS_MAX);
        let mut head = Vec::new();
        if shortest >= FOUND_BYTES {
            head.extend_from_slice(MARK);
            write_digits(u64::from(run), RUN_DIGITS, &mut head);
            digits = DIGITS_MAX;
        }
        Self { head, digits, size: size.clone(), sizes, content }
    }

    /// How many numbers can be told apart: a power of two.
    pub(crate) fn numbers(&self) -> u64 {
        1 << (DIGIT_BITS * self.digits as u32)
    }

    /// Whether a message is found wherever it stands.
    pub(crate) fn can_be_found(&self) -> bool {
        !self.head.is_empty()
    }

    /// Bytes of the longest message.
    pub(crate) fn longest(&self) -> usize {
        self.sizes.longest()
    }

    /// The size that was asked for.
    pub(crate) fn size(&self) -> &SizeChoice {
        &self.size
    }

    /// Bytes of a message, on average.
    pub(crate) fn mean_bytes(&self) -> f64 {
        self.sizes.mean()
    }

    /// Adds the message with a number to what is there.
    #[inline]
    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        write_digits(number, self.digits, out);
        out.extend_from_slice(self.content(number & (self.numbers() - 1)));
    }

    /// Looks for a message in what has arrived, first where the one before it stood.
    #[inline]
    pub(crate) fn find(&self, arrived: &[u8], before: Option<usize>) -> Found {
        if self.head.is_empty() {
            return self.find_short(arrived, before);
        }
        let begins = |place: &usize| arrived.get(*place..).is_some_and(|rest| rest.starts_with(&self.head));
        let Some(place) = before.filter(begins).or_else(|| self.look(arrived)) else { return Found::Nothing };
        let (name, rest) =
            arrived[place + self.head.len()..].split_at_checked(self.digits).unwrap_or_default();
        match self.number(name) {
            Some(number) if rest.starts_with(self.content(number)) => Found::Message(number, place),
            _ => Found::Corrupt,
        }
    }

    #[cold]
    fn look(&self, arrived: &[u8]) -> Option<usize> {
        arrived.windows(self.head.len()).position(|window| window == self.head)
    }

    #[inline]
    fn find_short(&self, arrived: &[u8], before: Option<usize>) -> Found {
        if let Some(place) = before
            && let Some(number) = self.ends_with(arrived, place)
        {
            return Found::Message(number, place);
        }
        self.look_at_ends(arrived, before)
    }

    /// Where nothing stands in front, nothing is expected to: else what is damaged would be looked through for a
    /// message that it happens to end with.
    #[cold]
    fn look_at_ends(&self, arrived: &[u8], before: Option<usize>) -> Found {
        let places = if before == Some(0) { 0 } else { arrived.len() };
        for place in 0..places {
            if let Some(number) = self.ends_with(arrived, place) {
                return Found::Message(number, place);
            }
        }
        let length = arrived.len().saturating_sub(before.unwrap_or(0));
        let is_one = (self.sizes.shortest()..=self.sizes.longest()).contains(&length);
        if is_one { Found::Corrupt } else { Found::Nothing }
    }

    /// The number of the message that stands from a place to the end.
    #[inline]
    fn ends_with(&self, arrived: &[u8], place: usize) -> Option<u64> {
        let (name, rest) = arrived.get(place..)?.split_at_checked(self.digits)?;
        let number = self.number(name)?;
        (rest == self.content(number)).then_some(number)
    }

    #[inline]
    fn number(&self, digits: &[u8]) -> Option<u64> {
        let (mut number, mut all) = (0, 0);
        for digit in digits {
            let value = VALUES[usize::from(*digit)];
            number = number << DIGIT_BITS | u64::from(value);
            all |= value;
        }
        (all != NONE && digits.len() == self.digits).then_some(number)
    }

    #[inline]
    fn content(&self, number: u64) -> &[u8] {
        // The highest bits of a product, on which all of the number's bear.
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let length = self.sizes.draw(random) - self.head.len() - self.digits;
        let place = (random >> PLACE_SHIFT) as usize;
        &self.content[place..place + length]
    }
}

#[inline]
fn write_digits(number: u64, digits: usize, out: &mut Vec<u8>) {
    let digit = |index: usize| ALPHABET[(number >> (DIGIT_BITS as usize * index)) as usize % ALPHABET.len()];
    out.extend((0..digits).rev().map(digit));
}

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(size: &str, run: u32) -> Stamps {
        Stamps::new(&size.parse().expect(size), run, 10_000)
    }

    fn payload(stamps: &Stamps, number: u64) -> Vec<u8> {
        let mut payload = Vec::new();
        stamps.write(number, &mut payload);
        payload
    }

    #[test]
    fn messages_are_known_wherever_they_stand() {
        for size in ["20", "21", "64", "5000", "uniform:20-900"] {
            let stamps = stamps(size, 7);
            for number in [0, 1, 4000, stamps.numbers() - 1] {
                let payload = payload(&stamps, number);
                let text = String::from_utf8(payload.clone()).expect("it is text");
                let wrapped = format!(r#"{{"topic":"a","data":"{text}"}}"#).into_bytes();
                for (arrived, place) in [(&payload, 0), (&wrapped, 21)] {
                    for before in [None, Some(0), Some(21), Some(99_999)] {
                        assert_eq!(stamps.find(arrived, before), Found::Message(number, place), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn short_messages_end_what_arrives() {
        for (size, digits) in [("1", 1), ("3", 3), ("6", 3), ("12", 6), ("19", 8), ("uniform:3-28", 3)] {
            let stamps = stamps(size, 7);
            assert_eq!(stamps.numbers(), 1 << (6 * digits), "{size}");
            for number in [0, 1, 61, stamps.numbers() - 1] {
                let payload = payload(&stamps, number);
                let named = [b"Ada: ".as_slice(), &payload].concat();
                for (arrived, place, before) in
                    [(&payload, 0, None), (&payload, 0, Some(0)), (&named, 5, None), (&named, 5, Some(5))]
                {
                    assert_eq!(
                        stamps.find(arrived, before),
                        Found::Message(number, place),
                        "{size} {number}"
                    );
                }
            }
            // A number that is too large is known by what its digits hold.
            let large = payload(&stamps, stamps.numbers() + 5);
            assert_eq!(stamps.find(&large, None), Found::Message(5, 0), "{size}");
        }
    }

    #[test]
    fn sizes_are_those_that_were_asked_for() {
        let stamps = stamps("uniform:3-28", 1);
        let lengths: Vec<usize> = (0..10_000).map(|number| payload(&stamps, number).len()).collect();
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&3), Some(&28)));
        assert!((mean - 15.5).abs() < 0.2 && (stamps.mean_bytes() - 15.5).abs() < 0.1, "{mean}");
    }

    #[test]
    fn damage_and_strangers_are_told() {
        for size in ["40", "12"] {
            let stamps = stamps(size, 7);
            let before = Some(0);
            assert_eq!(stamps.find(b"", before), Found::Nothing);
            assert_eq!(stamps.find(br#"{"id":0,"ok":{}}"#, before), Found::Nothing);
            let payload = payload(&stamps, 5);
            assert_eq!(stamps.find(&payload[..payload.len() - 1], before) == Found::Corrupt, size == "40");
            // Not in the mark, without which it is a stranger.
            let first = if size == "40" { MARK.len() + RUN_DIGITS } else { 0 };
            for position in first..payload.len() {
                let mut damaged = payload.clone();
                damaged[position] ^= 1;
                assert_eq!(stamps.find(&damaged, before), Found::Corrupt, "{size} {position}");
            }
        }
        let other = payload(&stamps("40", 8), 5);
        assert_eq!(stamps("40", 7).find(&other, None), Found::Nothing);
    }
}
