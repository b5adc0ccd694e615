//! What is published, and how it is known wherever it stands in what arrives.
//!
//! ```text
//!   wsload:RRRRRRRRSSSSSSSScontent     R names the run and S the message, in hexadecimal; content differs
//! ```
//!
//! All of it is letters, digits and one colon, which JSON and HTTP leave as they are.

use crate::load::message::SplitMix;

const MARK: &[u8] = b"wsload:";
const DIGITS: usize = 8;
/// The shortest message.
pub(crate) const STAMP_BYTES: usize = MARK.len() + 2 * DIGITS + 1;
/// Where content may begin.
const PLACES: usize = 1024;
const PLACE_SHIFT: u32 = u32::BITS - PLACES.trailing_zeros();

/// The messages of a run.
#[derive(Debug)]
pub(crate) struct Stamps {
    /// Mark and run.
    head: Vec<u8>,
    size: usize,
    content: Vec<u8>,
}

/// What something that has arrived is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The message with this number, at this place.
    Message(u32, usize),
    /// One that is damaged.
    Corrupt,
    /// None of this run.
    Nothing,
}

impl Stamps {
    /// Messages of so many bytes, of the run that a number names.
    pub(crate) fn new(size: usize, run: u32) -> Self {
        let mut random = SplitMix(u64::from(run));
        let content = (0..PLACES + size).map(|_| b'a' + (random.next() % 26) as u8).collect();
        let head = [MARK, format!("{run:08x}").as_bytes()].concat();
        Self { head, size: size.max(STAMP_BYTES), content }
    }

    /// Bytes of each.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The message with a number.
    pub(crate) fn payload(&self, number: u32) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        text += &format!("{number:08x}:");
        text += &String::from_utf8_lossy(self.content(number));
        text
    }

    /// Looks for a message in what has arrived, first where the one before it stood.
    #[inline]
    pub(crate) fn find(&self, arrived: &[u8], before: usize) -> Found {
        let is_there = arrived.get(before..).is_some_and(|rest| rest.starts_with(&self.head));
        let place = if is_there { Some(before) } else { self.look(arrived) };
        place.map_or(Found::Nothing, |place| self.read(&arrived[place..], place))
    }

    fn look(&self, arrived: &[u8]) -> Option<usize> {
        arrived.windows(self.head.len()).position(|window| window == self.head)
    }

    fn read(&self, text: &[u8], place: usize) -> Found {
        let (head, size) = (self.head.len(), self.size);
        let digits = text.get(head..head + DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (number, text.get(STAMP_BYTES - 1..size)) {
            (Some(number), Some([b':', content @ ..])) if content == self.content(number) => {
                Found::Message(number, place)
            }
            _ => Found::Corrupt,
        }
    }

    fn content(&self, number: u32) -> &[u8] {
        // The highest bits of a product, on which all of the number's bear.
        let place = (number.wrapping_mul(0x9e37_79b9) >> PLACE_SHIFT) as usize;
        &self.content[place..place + self.size - STAMP_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_known_wherever_they_stand() {
        for size in [0, 24, 25, 64, 5000] {
            let stamps = Stamps::new(size, 7);
            for number in [0, 1, 4000, u32::MAX] {
                let payload = stamps.payload(number);
                assert_eq!(payload.len(), size.max(STAMP_BYTES));
                let wrapped = format!(r#"{{"topic":"a","data":"{payload}"}}"#);
                for (text, place) in [(&payload, 0), (&wrapped, 21)] {
                    for hint in [0, 21, 99_999] {
                        assert_eq!(
                            stamps.find(text.as_bytes(), hint),
                            Found::Message(number, place),
                            "{text}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn damage_and_strangers_are_told() {
        let stamps = Stamps::new(40, 7);
        let payload = stamps.payload(5);
        assert_eq!(stamps.find(b"", 0), Found::Nothing);
        assert_eq!(stamps.find(br#"{"id":0,"ok":{}}"#, 3), Found::Nothing);
        assert_eq!(stamps.find(Stamps::new(40, 8).payload(5).as_bytes(), 0), Found::Nothing);
        assert_eq!(stamps.find(&payload.as_bytes()[..39], 0), Found::Corrupt);
        for position in 15..40 {
            let mut damaged = payload.clone().into_bytes();
            damaged[position] ^= 1;
            assert_eq!(stamps.find(&damaged, 0), Found::Corrupt, "{position}");
        }
    }
}
