//! What is sent, and how it is recognised when it comes back.
//!
//! A message begins with its name (the number of its connection and its own), as much of it as fits,
//! and goes on with random content from a place that depends on the name. So no two messages in a row
//! are alike, an echo of another message is not taken for the right one, and a check costs a
//! comparison with memory.

use wsring::Kind;

/// Where content may begin: this many places.
const PLACES: usize = 4096;
/// Bytes of a name in a binary message, and digits of it in a text.
const NAME_BYTES: usize = 8;
const NAME_DIGITS: usize = 16;
/// The content is the same in each run, so that runs compare.
const SEED: u64 = 0x5745_4253_4f43_4b45;

/// All messages of a run: one kind, one size.
#[derive(Debug)]
pub(crate) struct Messages {
    kind: Kind,
    size: usize,
    content: Vec<u8>,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Number of the connection.
    pub(crate) connection: u32,
    /// Number of the message on its connection.
    pub(crate) sequence: u32,
}

impl Messages {
    /// Messages with payloads of `size` bytes.
    pub(crate) fn new(kind: Kind, size: usize) -> Self {
        let mut random = SplitMix(SEED);
        let content = match kind {
            Kind::Binary => (0..PLACES + size).map(|_| random.next() as u8).collect(),
            Kind::Text => (0..PLACES + size).map(|_| letter(random.next())).collect(),
        };
        Self { kind, size, content }
    }

    /// Text or binary.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of each payload.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Writes the payload of a message over what `payload` holds.
    pub(crate) fn write(&self, name: Name, payload: &mut Vec<u8>) {
        payload.clear();
        self.with_parts(name, |head, content| {
            payload.extend_from_slice(head);
            payload.extend_from_slice(content);
        });
    }

    /// Whether this is the payload of that message, to the last bit.
    pub(crate) fn matches(&self, name: Name, kind: Kind, payload: &[u8]) -> bool {
        kind == self.kind
            && payload.len() == self.size
            && self.with_parts(name, |head, content| {
                let (found_head, found_content) = payload.split_at(head.len());
                found_head == head && found_content == content
            })
    }

    fn with_parts<T>(&self, name: Name, act: impl FnOnce(&[u8], &[u8]) -> T) -> T {
        // The sequence comes first and its low part first of all, so that short messages, which hold
        // only the beginning of it, differ from those next to them.
        let number = u64::from(name.connection) << 32 | u64::from(name.sequence);
        let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize % PLACES;
        let binary: [u8; NAME_BYTES] = number.to_le_bytes();
        let digits: [u8; NAME_DIGITS] = std::array::from_fn(|index| hex_digit(number >> (4 * index)));
        let head: &[u8] = match self.kind {
            Kind::Binary => &binary,
            Kind::Text => &digits,
        };
        let head = &head[..head.len().min(self.size)];
        act(head, &self.content[place..place + self.size - head.len()])
    }
}

impl Name {
    /// The message of the same connection that comes after this one.
    pub(crate) fn next(self) -> Self {
        Self { sequence: self.sequence.wrapping_add(1), ..self }
    }

    /// How many messages of the same connection lie between an earlier one and this.
    pub(crate) fn since(self, earlier: Self) -> u32 {
        self.sequence.wrapping_sub(earlier.sequence)
    }
}

fn hex_digit(value: u64) -> u8 {
    b"0123456789abcdef"[(value % 16) as usize]
}

fn letter(value: u64) -> u8 {
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(value % 64) as usize]
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name { connection: 7, sequence: 1_000_003 };

    fn written(messages: &Messages, name: Name) -> Vec<u8> {
        let mut payload = b"what was there before".to_vec();
        messages.write(name, &mut payload);
        payload
    }

    #[test]
    fn a_message_matches_itself_and_no_other() {
        for kind in [Kind::Binary, Kind::Text] {
            for size in [0, 1, 2, 7, 8, 9, 15, 16, 17, 64, 5000, 100_000] {
                let messages = Messages::new(kind, size);
                let payload = written(&messages, NAME);
                assert_eq!(payload.len(), size);
                assert!(messages.matches(NAME, kind, &payload), "{kind:?} {size}");
                assert!(kind == Kind::Binary || std::str::from_utf8(&payload).is_ok());
                let other_kind = if kind == Kind::Text { Kind::Binary } else { Kind::Text };
                assert!(!messages.matches(NAME, other_kind, &payload), "{kind:?} {size}");
                assert_eq!(messages.matches(NAME.next(), kind, &payload), size == 0, "{kind:?} {size}");
                let elsewhere = Name { connection: 8, ..NAME };
                assert!(size < 16 || !messages.matches(elsewhere, kind, &payload), "{kind:?} {size}");
            }
        }
    }

    #[test]
    fn any_change_is_seen() {
        for kind in [Kind::Binary, Kind::Text] {
            let messages = Messages::new(kind, 40);
            let payload = written(&messages, NAME);
            for position in 0..payload.len() {
                let mut changed = payload.clone();
                changed[position] ^= 1;
                assert!(!messages.matches(NAME, kind, &changed), "{kind:?} {position}");
            }
            assert!(!messages.matches(NAME, kind, &payload[..39]));
            assert!(!messages.matches(NAME, kind, &[payload.as_slice(), b"x"].concat()));
        }
    }
}
