//! What is sent, and how it is recognised when it comes back.
//!
//! A message begins with its name (the number of its connection and its own), as much of it as fits,
//! and goes on with random content from a place that depends on the name. So no two messages in a row
//! are alike, an echo of another message is not taken for the right one, and a check costs a
//! comparison with memory. Messages from a file are sent as they are, and are known by their content alone.

use super::size::{SizeChoice, Sizes};
use crate::args::KindChoice;
use crate::failure::Failure;
use std::path::Path;
use wsring::Kind;

/// Where content may begin: this many places, by the highest bits of a product, on which all bits of a name bear.
const PLACES: usize = 4096;
const PLACE_SHIFT: u32 = u64::BITS - PLACES.trailing_zeros();
/// Bytes of a name in a binary message, and digits of it in a text.
const NAME_BYTES: usize = 8;
const NAME_DIGITS: usize = 16;
/// What stands around name and content in JSON.
const JSON_BEFORE: &[u8] = b"{\"id\":\"";
const JSON_BETWEEN: &[u8] = b"\",\"data\":\"";
const JSON_AFTER: &[u8] = b"\"}";
const JSON_HEAD: usize = JSON_BEFORE.len() + NAME_DIGITS + JSON_BETWEEN.len();
/// The shortest message in JSON.
pub(crate) const JSON_MIN: usize = JSON_HEAD + JSON_AFTER.len();
/// The content is the same in each run, so that runs compare.
const SEED: u64 = 0x5745_4253_4f43_4b45;

/// All messages of a run.
#[derive(Debug)]
pub(crate) struct Messages {
    form: Form,
    sizes: Sizes,
    content: Vec<u8>,
}

/// What messages look like.
#[derive(Debug)]
enum Form {
    Binary,
    Text,
    Json,
    /// Given messages, in turn.
    Given(Kind, Vec<Vec<u8>>),
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
    /// Messages that are made up.
    ///
    /// # Errors
    /// The caller's fault: JSON that is too short for its name.
    pub(crate) fn new(kind: KindChoice, size: &SizeChoice) -> Result<Self, Failure> {
        let sizes = Sizes::new(size);
        if kind == KindChoice::Json && sizes.shortest() < JSON_MIN {
            return Err(Failure::Usage(format!(
                "--kind json needs at least {JSON_MIN} bytes for the id; --size {size} has messages of {}",
                sizes.shortest()
            )));
        }
        let mut random = SplitMix(SEED);
        let count = PLACES + sizes.longest();
        let (form, content) = match kind {
            KindChoice::Binary => (Form::Binary, (0..count).map(|_| random.next() as u8).collect()),
            KindChoice::Text => (Form::Text, (0..count).map(|_| letter(random.next())).collect()),
            KindChoice::Json => (Form::Json, (0..count).map(|_| letter(random.next())).collect()),
        };
        Ok(Self { form, sizes, content })
    }

    /// The lines of a file, or the whole of it as one message.
    ///
    /// # Errors
    /// The caller's fault: a file that cannot be read, has nothing in it, or is no text where text is to be sent.
    pub(crate) fn from_file(kind: KindChoice, path: &Path, whole: bool) -> Result<Self, Failure> {
        let wrong = |cause: String| Failure::Usage(format!("--file {}: {cause}", path.display()));
        let bytes = std::fs::read(path).map_err(|cause| wrong(cause.to_string()))?;
        let kind = if kind == KindChoice::Binary { Kind::Binary } else { Kind::Text };
        if kind == Kind::Text && std::str::from_utf8(&bytes).is_err() {
            return Err(wrong("it is not UTF-8; --kind binary sends any bytes".into()));
        }
        let given: Vec<Vec<u8>> = if whole {
            vec![bytes]
        } else {
            let lines =
                bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        };
        if given.is_empty() {
            return Err(wrong("it has no line to send".into()));
        }
        // So that they have a shortest and a longest.
        let mut lengths: Vec<usize> = given.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        Ok(Self { form: Form::Given(kind, given), sizes: Sizes::of(lengths), content: Vec::new() })
    }

    /// Text or binary.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self.form {
            Form::Binary => Kind::Binary,
            Form::Text | Form::Json => Kind::Text,
            Form::Given(kind, _) => kind,
        }
    }

    /// Bytes of the longest payload.
    pub(crate) fn longest(&self) -> usize {
        self.sizes.longest()
    }

    /// Writes the payload of a message over what `payload` holds.
    #[inline]
    pub(crate) fn write(&self, name: Name, payload: &mut Vec<u8>) {
        payload.clear();
        self.with_parts(name, |parts| parts.iter().for_each(|part| payload.extend_from_slice(part)));
    }

    /// Whether this is the payload of that message, to the last bit.
    #[inline]
    pub(crate) fn matches(&self, name: Name, kind: Kind, payload: &[u8]) -> bool {
        kind == self.kind()
            && self.with_parts(name, |parts| {
                let length: usize = parts.iter().map(|part| part.len()).sum();
                let mut rest = payload;
                length == payload.len()
                    && parts.iter().all(|part| {
                        let (found, after) = rest.split_at(part.len());
                        rest = after;
                        found == *part
                    })
            })
    }

    /// The name that a payload says it has; `None` when it has no room for one.
    pub(crate) fn name_in(&self, payload: &[u8]) -> Option<Name> {
        let number = match self.form {
            Form::Binary => u64::from_le_bytes(*payload.first_chunk::<NAME_BYTES>()?),
            Form::Text => number(payload.first_chunk::<NAME_DIGITS>()?)?,
            Form::Json => number(payload.get(JSON_BEFORE.len()..)?.first_chunk::<NAME_DIGITS>()?)?,
            Form::Given(..) => return None,
        };
        Some(Name { connection: (number >> 32) as u32, sequence: number as u32 })
    }

    #[inline]
    fn with_parts<T>(&self, name: Name, act: impl FnOnce(&[&[u8]]) -> T) -> T {
        // The sequence comes first and its low part first of all, so that short messages, which hold
        // only the beginning of it, differ from those next to them.
        let number = u64::from(name.connection) << 32 | u64::from(name.sequence);
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let size = self.sizes.draw(random.rotate_left(PLACES.trailing_zeros()));
        let content = &self.content[self.content.len().min((random >> PLACE_SHIFT) as usize)..];
        match &self.form {
            Form::Binary => {
                let head = &number.to_le_bytes()[..NAME_BYTES.min(size)];
                act(&[head, &content[..size - head.len()]])
            }
            Form::Text => {
                let head = &digits(number)[..NAME_DIGITS.min(size)];
                act(&[head, &content[..size - head.len()]])
            }
            Form::Json => {
                let content = &content[..size - JSON_MIN];
                act(&[JSON_BEFORE, &digits(number), JSON_BETWEEN, content, JSON_AFTER])
            }
            Form::Given(_, given) => {
                let turn = name.connection as usize + name.sequence as usize;
                act(&[&given[turn % given.len()]])
            }
        }
    }
}

impl Name {
    /// How many messages of the same connection lie between an earlier one and this.
    #[inline]
    pub(crate) fn since(self, earlier: u32) -> u32 {
        self.sequence.wrapping_sub(earlier)
    }
}

/// The lowest first.
fn digits(number: u64) -> [u8; NAME_DIGITS] {
    std::array::from_fn(|index| b"0123456789abcdef"[(number >> (4 * index)) as usize % 16])
}

fn number(digits: &[u8; NAME_DIGITS]) -> Option<u64> {
    digits.iter().rev().try_fold(0, |number, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

fn letter(value: u64) -> u8 {
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(value % 64) as usize]
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    /// The next number, all bits random.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number from 0 to 1, without either.
    pub(crate) fn next_share(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name { connection: 7, sequence: 1_000_003 };
    const KINDS: [KindChoice; 3] = [KindChoice::Binary, KindChoice::Text, KindChoice::Json];

    fn written(messages: &Messages, name: Name) -> Vec<u8> {
        let mut payload = b"what was there before".to_vec();
        messages.write(name, &mut payload);
        payload
    }

    fn following(name: Name) -> Name {
        Name { sequence: name.sequence + 1, ..name }
    }

    #[test]
    fn a_message_matches_itself_and_no_other() {
        for kind in KINDS {
            for size in [0, 1, 2, 7, 8, 9, 15, 16, 17, 35, 36, 64, 5000, 100_000] {
                let Ok(messages) = Messages::new(kind, &SizeChoice::Fixed(size)) else {
                    assert!(kind == KindChoice::Json && size < JSON_MIN, "{kind:?} {size}");
                    continue;
                };
                let (payload, kind) = (written(&messages, NAME), messages.kind());
                assert_eq!(payload.len(), size);
                assert!(messages.matches(NAME, kind, &payload), "{kind:?} {size}");
                assert!(kind == Kind::Binary || std::str::from_utf8(&payload).is_ok());
                let other_kind = if kind == Kind::Text { Kind::Binary } else { Kind::Text };
                assert!(!messages.matches(NAME, other_kind, &payload), "{kind:?} {size}");
                assert_eq!(messages.matches(following(NAME), kind, &payload), size == 0, "{kind:?} {size}");
                let elsewhere = Name { connection: 8, ..NAME };
                assert!(size < 16 || !messages.matches(elsewhere, kind, &payload), "{kind:?} {size}");
                let name = messages.name_in(&payload);
                assert!(
                    name.is_none_or(|name| name == NAME) && (size < 16 || name.is_some()),
                    "{kind:?} {size}"
                );
            }
        }
    }

    #[test]
    fn any_change_is_seen() {
        for kind in KINDS {
            let messages = Messages::new(kind, &SizeChoice::Fixed(40)).unwrap();
            let (payload, kind) = (written(&messages, NAME), messages.kind());
            for position in 0..payload.len() {
                let mut changed = payload.clone();
                changed[position] ^= 1;
                assert!(!messages.matches(NAME, kind, &changed), "{kind:?} {position}");
            }
            assert!(!messages.matches(NAME, kind, &payload[..39]));
            assert!(!messages.matches(NAME, kind, &[payload.as_slice(), b"x"].concat()));
        }
    }

    #[test]
    fn lengths_vary_and_are_known_again() {
        let size: SizeChoice = "uniform:40-80".parse().unwrap();
        for kind in KINDS {
            let messages = Messages::new(kind, &size).unwrap();
            let names = (0..500).map(|sequence| Name { connection: 3, sequence });
            let lengths: Vec<usize> = names
                .map(|name| {
                    let payload = written(&messages, name);
                    assert!(messages.matches(name, messages.kind(), &payload));
                    payload.len()
                })
                .collect();
            let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
            assert!((40..44).contains(least) && (77..=80).contains(most), "{least} to {most}");
        }
    }

    #[test]
    fn json_is_json() {
        let messages = Messages::new(KindChoice::Json, &SizeChoice::Fixed(60)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&written(&messages, NAME)).unwrap();
        assert_eq!(value["id"].as_str().unwrap().len(), NAME_DIGITS);
        assert_eq!(value["data"].as_str().unwrap().len(), 60 - JSON_MIN);
    }

    #[test]
    fn lines_of_a_file_take_turns() {
        let path = std::env::temp_dir().join(format!("wsload-lines-{}", std::process::id()));
        std::fs::write(&path, "one\r\n\nthree\n").unwrap();
        let lines = Messages::from_file(KindChoice::Text, &path, false).unwrap();
        let whole = Messages::from_file(KindChoice::Binary, &path, true).unwrap();
        std::fs::remove_file(&path).unwrap();
        let texts: Vec<Vec<u8>> =
            (0..3).map(|sequence| written(&lines, Name { connection: 0, sequence })).collect();
        assert_eq!(texts, [b"one".to_vec(), b"three".to_vec(), b"one".to_vec()]);
        assert_eq!(written(&whole, NAME), b"one\r\n\nthree\n");
        assert_eq!((lines.longest(), whole.longest()), (5, 12));
        assert!(Messages::from_file(KindChoice::Text, &path, false).is_err());
    }
}
