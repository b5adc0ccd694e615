//! permessage-deflate as a client needs it to judge a server (RFC 7692 section 7): what was agreed on, zlib to
//! send, and a reader that sees every fault.

use super::answer::shown;
use super::inflate::Stream;
use flate2::{Compress, Compression, FlushCompress, Status};

/// The extension's name.
pub(super) const NAME: &str = "permessage-deflate";

/// What a sync flush ends in and a message leaves out (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Longest message that is inflated.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Whether the server may refer to its earlier messages.
    pub(super) server_takeover: bool,
    /// Whether the client may.
    pub(super) client_takeover: bool,
    /// Size of the window that the server compresses with, as a power of two.
    pub(super) server_bits: u8,
    /// And the client.
    pub(super) client_bits: u8,
}

/// One element of Sec-WebSocket-Extensions: a name and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) params: Vec<(String, Option<String>)>,
}

impl Element {
    /// Takes a header's value apart (RFC 6455 section 9.1).
    pub(super) fn parse_list(value: &str) -> Vec<Self> {
        let elements = value.split(',').map(str::trim).filter(|element| !element.is_empty());
        elements.map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        let param = |part: &str| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().trim_matches('"').to_owned())),
            None => (part.to_owned(), None),
        };
        Self { name, params: parts.map(param).collect() }
    }

    fn has(&self, name: &str) -> bool {
        self.params.iter().any(|(found, _)| found == name)
    }

    /// The most window bits that an offer allows.
    fn bits(&self, name: &str) -> u8 {
        let param = self.params.iter().find(|(found, _)| found == name);
        param.and_then(|(_, value)| value.as_deref()?.parse().ok()).unwrap_or(15)
    }
}

impl Agreed {
    /// What the answer means, given the one offer it answers; `None`: the extension was declined.
    ///
    /// # Errors
    /// The server's fault, in words: the answer does not fit the offer (sections 5.1 and 7.1).
    pub(super) fn of(answer: Option<&str>, offer: &str) -> Result<Option<Self>, String> {
        let offered = Element::parse(offer);
        let elements = Element::parse_list(answer.unwrap_or_default());
        let Some(first) = elements.first() else { return Ok(None) };
        if let Some(other) = elements.iter().find(|element| element.name != NAME) {
            return Err(format!("the answer has {}, which was not offered", other.name));
        }
        if elements.len() > 1 {
            return Err(format!("the answer has {NAME} {} times", elements.len()));
        }
        // What a client announces of itself it keeps to, whatever the answer says (section 7.1.1.2).
        let mut agreed = Self {
            server_takeover: true,
            client_takeover: !offered.has("client_no_context_takeover"),
            server_bits: 15,
            client_bits: offered.bits("client_max_window_bits"),
        };
        for (at, (name, value)) in first.params.iter().enumerate() {
            if first.params[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("the answer has {name} twice"));
            }
            agreed.apply(name, value.as_deref(), &offered)?;
        }
        agreed.check_promises(&offered)
    }

    fn apply(&mut self, name: &str, value: Option<&str>, offered: &Element) -> Result<(), String> {
        match (name, value) {
            ("server_no_context_takeover", None) => self.server_takeover = false,
            ("client_no_context_takeover", None) => self.client_takeover = false,
            ("server_max_window_bits", value) => self.server_bits = window_bits(name, value)?,
            // Section 7.1.2.2: only when the client said that it can.
            ("client_max_window_bits", _) if !offered.has(name) => {
                return Err(format!("the answer has {name}, which the offer had not"));
            }
            ("client_max_window_bits", value) => {
                // Section 7.1.2.2: the server may ignore the offered value, to which the client keeps.
                self.client_bits = window_bits(name, value)?.min(offered.bits(name));
            }
            ("server_no_context_takeover" | "client_no_context_takeover", Some(value)) => {
                return Err(format!("the answer has {name}={value}, which takes no value"));
            }
            _ => return Err(format!("the answer has the parameter {name}, which nothing defines")),
        }
        Ok(())
    }

    /// Sections 7.1.1.1 and 7.1.2.1: a server that accepts an offer accepts what it asks of the server.
    fn check_promises(self, offered: &Element) -> Result<Option<Self>, String> {
        if offered.has("server_no_context_takeover") && self.server_takeover {
            return Err("the offer asked for server_no_context_takeover and the answer lacks it".into());
        }
        let asked_bits = offered.bits("server_max_window_bits");
        if self.server_bits > asked_bits {
            let found = self.server_bits;
            return Err(format!(
                "the offer asked for server_max_window_bits={asked_bits}, the answer means {found}"
            ));
        }
        Ok(Some(self))
    }
}

/// Sections 7.1.2.1 and 7.1.2.2: a decimal number from 8 to 15 without leading zeros.
fn window_bits(name: &str, value: Option<&str>) -> Result<u8, String> {
    let value = value.ok_or_else(|| format!("the answer has {name} without a value"))?;
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits) && !value.starts_with(['0', '+']));
    bits.ok_or_else(|| format!("the answer has {name}={value}, allowed are 8 to 15"))
}

/// Compresses the messages of a client, one after the other.
#[derive(Debug)]
pub(super) struct Deflater {
    stream: Compress,
    takeover: bool,
}

impl Deflater {
    pub(super) fn new(agreed: Agreed) -> Self {
        // zlib has no window of 8 bits; without matches there is no distance that could be too far.
        let (level, bits) = match agreed.client_bits {
            ..9 => (Compression::none(), 9),
            bits => (Compression::default(), bits),
        };
        Self { stream: Compress::new_with_window_bits(level, false, bits), takeover: agreed.client_takeover }
    }

    /// The compressed payload of a message (section 7.2.1).
    pub(super) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            // Section 7.2.3.6: an empty block without its tail. zlib does not flush the same place twice.
            return vec![0x00];
        }
        if !self.takeover {
            self.stream.reset();
        }
        let mut out = self.flush(payload, FlushCompress::Sync);
        out.truncate(out.len().saturating_sub(TAIL.len()));
        out
    }

    /// The same in a block that is marked as the last of its stream (section 7.2.3.4).
    pub(super) fn message_with_final_block(&mut self, payload: &[u8]) -> Vec<u8> {
        self.stream.reset();
        let mut out = self.flush(payload, FlushCompress::Finish);
        self.stream.reset();
        // The tail that the receiver appends needs the header of the empty block that it belongs to.
        out.push(0x00);
        out
    }

    fn flush(&mut self, payload: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 64);
        let start = self.stream.total_in();
        loop {
            let taken = (self.stream.total_in() - start) as usize;
            let done = match self.stream.compress_vec(&payload[taken..], &mut out, flush) {
                Ok(Status::StreamEnd) | Err(_) => true,
                Ok(Status::Ok | Status::BufError) => out.len() < out.capacity(),
            };
            if done {
                return out;
            }
            out.reserve(out.capacity());
        }
    }
}

/// Inflates the messages of a server, one after the other.
#[derive(Debug)]
pub(super) struct Inflater {
    stream: Stream,
    takeover: bool,
}

impl Inflater {
    pub(super) fn new(agreed: Agreed) -> Self {
        Self { stream: Stream::new(agreed.server_bits, MESSAGE_BYTES_MAX), takeover: agreed.server_takeover }
    }

    /// The message of a compressed payload (section 7.2.2).
    ///
    /// # Errors
    /// The server's fault, in words: it does not inflate with what was agreed, or to too much.
    pub(super) fn message(&mut self, compressed: &[u8]) -> Result<Vec<u8>, String> {
        if !self.takeover {
            self.stream.reset();
        }
        let message = self.stream.read(&[compressed, &TAIL].concat());
        message.map_err(|why| format!("{} does not inflate: {why}", shown(compressed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Agreed =
        Agreed { server_takeover: true, client_takeover: true, server_bits: 15, client_bits: 15 };

    #[test]
    fn answers_that_fit_their_offer_and_answers_that_do_not() {
        let plain = "permessage-deflate";
        let bits = "permessage-deflate; client_max_window_bits";
        let strict = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9";
        let right = [
            (plain, plain, ALL),
            ("permessage-deflate; client_max_window_bits=10", bits, Agreed { client_bits: 10, ..ALL }),
            // The server may ignore the offered value; the client keeps to it all the same.
            (
                "permessage-deflate; client_max_window_bits=15",
                "permessage-deflate; client_max_window_bits=10",
                Agreed { client_bits: 10, ..ALL },
            ),
            (
                "permessage-deflate; client_no_context_takeover",
                plain,
                Agreed { client_takeover: false, ..ALL },
            ),
            ("permessage-deflate; server_max_window_bits=\"12\"", plain, Agreed { server_bits: 12, ..ALL }),
            (
                "permessage-deflate;server_no_context_takeover;server_max_window_bits=8",
                strict,
                Agreed { server_takeover: false, server_bits: 8, ..ALL },
            ),
        ];
        assert_eq!(Agreed::of(None, plain), Ok(None));
        for (answer, offer, expected) in right {
            assert_eq!(Agreed::of(Some(answer), offer), Ok(Some(expected)), "{answer}");
        }
        let wrong = [
            ("permessage-deflate; client_max_window_bits=10", plain, "which the offer had not"),
            ("permessage-deflate; client_max_window_bits", bits, "without a value"),
            ("permessage-deflate; server_max_window_bits=16", plain, "allowed are 8 to 15"),
            ("permessage-deflate; server_max_window_bits=09", plain, "allowed are 8 to 15"),
            ("permessage-deflate; server_no_context_takeover=1", plain, "takes no value"),
            ("permessage-deflate; x", plain, "nothing defines"),
            (
                "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
                plain,
                "client_no_context_takeover twice",
            ),
            ("permessage-deflate", strict, "lacks it"),
            ("permessage-deflate; server_no_context_takeover", strict, "the answer means 15"),
            ("permessage-deflate, permessage-deflate", plain, "2 times"),
            ("x-other", plain, "x-other, which was not offered"),
        ];
        for (answer, offer, expected) in wrong {
            let why = Agreed::of(Some(answer), offer).unwrap_err();
            assert!(why.contains(expected), "{answer}: {why}");
        }
    }

    #[test]
    fn messages_come_back_with_each_window_and_takeover() {
        let text: Vec<u8> = (0..20_000u32).map(|number| (number ^ number >> 7) as u8).collect();
        for client_takeover in [false, true] {
            for client_bits in 8..=15 {
                let agreed = Agreed { client_takeover, client_bits, ..ALL };
                let mut deflater = Deflater::new(agreed);
                // What the client compresses is inflated as if the server had done it.
                let mut inflater = Inflater::new(Agreed {
                    server_takeover: client_takeover,
                    server_bits: client_bits,
                    ..ALL
                });
                for payload in [&b"Hello"[..], b"Hello", b"", &text, b"Hello"] {
                    let compressed = deflater.message(payload);
                    assert_eq!(inflater.message(&compressed).as_deref(), Ok(payload), "{agreed:?}");
                }
            }
        }
    }

    #[test]
    fn examples_of_rfc_7692_section_7_2_3() {
        let mut inflater = Inflater::new(ALL);
        let table: [&[u8]; 4] = [
            // One block; with the shared window the same again; a block without compression.
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            // A block with BFINAL set.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        ];
        for compressed in table {
            assert_eq!(inflater.message(compressed).as_deref(), Ok(&b"Hello"[..]), "{compressed:02x?}");
        }
        let mut deflater = Deflater::new(ALL);
        assert_eq!(deflater.message(b"Hello"), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        assert_eq!(deflater.message(b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]);
        assert_eq!(
            deflater.message_with_final_block(b"Hello"),
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]
        );
    }

    #[test]
    fn a_reference_beyond_the_window_is_an_error() {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let block: Vec<u8> = (0..700).map(|_| byte()).collect();
        let text = block.repeat(3);
        let compressed = Deflater::new(ALL).message(&text);
        assert!(compressed.len() < 900, "the second block refers to the first: {}", compressed.len());
        for (server_bits, fits) in [(8, false), (9, false), (11, true), (15, true)] {
            let inflated = Inflater::new(Agreed { server_bits, ..ALL }).message(&compressed);
            assert_eq!(inflated.ok().as_ref() == Some(&text), fits, "{server_bits}");
        }
    }

    #[test]
    fn what_does_not_inflate_is_an_error() {
        for wrong in [&[0xff, 0xff, 0xff][..], &[0x07], &[0x00, 0x05, 0x00, 0x05, 0x00], &[0xf2, 0x48], &[]] {
            assert!(Inflater::new(ALL).message(wrong).is_err(), "{wrong:02x?}");
        }
    }
}
