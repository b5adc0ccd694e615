//! What one message becomes: its record in each form, made when a log needs it, and once.
//!
//! The logs of a topic and of the patterns that stand for it, the plain variant of a form and the deflated one,
//! all take the same record. Publishing as it was published, to subscribers that all take it plain, makes none.

use super::form::{FORMS_MAX, Form, Publication, header};
use super::registry::Registry;
use super::shared::SharedDeflate;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use wsring_proto::Kind;
use wsring_proto::deflate::{Compressor, append_shared};
use wsring_proto::frame::Opcode;

/// A vector longer than this is not kept for the next message.
const KEPT_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    /// Where this thread makes them; away while it does.
    static WORKSHOP: Cell<Option<Box<Workshop>>> = const { Cell::new(None) };
}

/// The records of one message.
#[derive(Default)]
pub(super) struct Records {
    workshop: Option<Box<Workshop>>,
}

/// A message in one form, as a log takes it.
pub(super) struct Record<'a> {
    pub(super) parts: &'a [&'a [u8]],
    /// By how much it is shorter than the same record in plain.
    pub(super) saved_bytes: usize,
}

#[derive(Default)]
struct Workshop {
    made: [Made; FORMS_MAX],
    deflater: Deflater,
}

/// What was made in one form.
#[derive(Default)]
struct Made {
    payload: Vec<u8>,
    is_encoded: bool,
    /// The whole deflated frame.
    frame: Vec<u8>,
    /// Whether it was tried, and is shorter.
    is_shorter: Option<bool>,
}

impl Records {
    /// Makes what is published deflated already, for a log of which the lock is not held yet: neither its
    /// offset nor anything else that only the log knows goes into it.
    pub(super) fn deflate_ahead(&mut self, publication: &Publication<'_>, registry: &Registry) {
        self.make(Form::PUBLISHED.deflated(), publication, registry, |_| {});
    }

    /// Hands the record in a form to `append`.
    pub(super) fn make(
        &mut self,
        form: Form,
        publication: &Publication<'_>,
        registry: &Registry,
        append: impl FnOnce(Record<'_>),
    ) {
        let workshop = self.workshop.get_or_insert_with(|| WORKSHOP.take().unwrap_or_default());
        let Workshop { made, deflater } = &mut **workshop;
        let Some(made) = made.get_mut(usize::from(form.plain().0)) else { return };
        let (opcode, payload) = match registry.encoding(form) {
            None => (Some(publication.kind.opcode()), publication.payload),
            Some(encoding) => {
                if !made.is_encoded {
                    made.payload.clear();
                    encoding.encode(publication, &mut made.payload);
                    made.is_encoded = true;
                }
                (encoding.opcode(), &*made.payload)
            }
        };
        let Some(opcode) = opcode else { return append(Record { parts: &[payload], saved_bytes: 0 }) };
        let header = header(opcode, payload.len());
        if form.is_deflated() {
            let (frame, bytes) = (&mut made.frame, header.len() + payload.len());
            let deflate = || deflater.deflate(registry, (opcode, payload), bytes, frame);
            if *made.is_shorter.get_or_insert_with(deflate) {
                let saved_bytes = bytes.saturating_sub(made.frame.len());
                return append(Record { parts: &[&made.frame], saved_bytes });
            }
        }
        append(Record { parts: &[&header, payload], saved_bytes: 0 });
    }

    /// The next message's records follow.
    pub(super) fn clear(&mut self) {
        for made in self.workshop.iter_mut().flat_map(|workshop| &mut workshop.made) {
            (made.is_encoded, made.is_shorter) = (false, None);
            for bytes in [&mut made.payload, &mut made.frame] {
                if bytes.capacity() > KEPT_BYTES_MAX {
                    *bytes = Vec::new();
                }
            }
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if self.workshop.is_some() {
            self.clear();
            // A thread that ends may publish after its workshop has ended.
            let _ = WORKSHOP.try_with(|place| place.set(self.workshop.take()));
        }
    }
}

/// A thread's compressor for shared frames.
#[derive(Default)]
struct Deflater {
    compressor: Option<(SharedDeflate, Compressor)>,
}

impl Deflater {
    /// Makes the whole frame of a message, deflated; whether that is shorter than the plain one.
    fn deflate(
        &mut self,
        registry: &Registry,
        (opcode, payload): (Opcode, &[u8]),
        plain_bytes: usize,
        frame: &mut Vec<u8>,
    ) -> bool {
        let settings = registry.shared_deflate();
        if payload.len() < settings.bytes_min {
            return false;
        }
        let began = registry.now();
        frame.clear();
        let is_shorter =
            self.attempt(settings, |compressor| append_shared(compressor, opcode, payload, frame));
        let bytes_out = if is_shorter { frame.len() } else { plain_bytes };
        registry.deflated(plain_bytes, bytes_out, registry.now().since(began));
        is_shorter
    }

    /// Whether it has succeeded. What panics instead costs a compressor, never the message.
    fn attempt(&mut self, settings: SharedDeflate, deflate: impl FnOnce(&mut Compressor) -> bool) -> bool {
        let kept = self.compressor.take().filter(|(made_for, _)| *made_for == settings);
        let mut compressor = kept.map_or_else(
            || Compressor::new(settings.window_bits, settings.level),
            |(_, compressor)| compressor,
        );
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| deflate(&mut compressor)));
        if outcome.is_ok() {
            self.compressor = Some((settings, compressor));
        }
        outcome.unwrap_or(false)
    }
}

/// A frame of ours taken apart: whole, unmasked, and known to be right.
pub(super) fn parse(frame: &[u8]) -> (Kind, &[u8]) {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let kind = if frame[0] & 0x0f == Opcode::Text as u8 { Kind::Text } else { Kind::Binary };
    (kind, &frame[header..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::form::{Encoding, Framing};

    /// What panics is tried again with the next message, by another compressor.
    #[test]
    fn what_cannot_be_deflated_stays_plain() {
        let (mut deflater, settings) = (Deflater::default(), SharedDeflate::default());
        assert!(deflater.attempt(settings, |_| true) && deflater.compressor.is_some());
        assert!(!deflater.attempt(settings, |_| panic!("as a broken library might")));
        assert!(deflater.compressor.is_none(), "nothing is known of it any more");
        assert!(deflater.attempt(settings, |_| true));
        let other = SharedDeflate { level: 1, ..settings };
        assert!(!deflater.attempt(other, |_| false));
        assert_eq!(deflater.compressor.map(|(made_for, _)| made_for), Some(other));
    }

    #[test]
    fn long_vectors_are_not_kept() {
        let registry = Registry::default();
        let form = registry.add_form(Encoding::new(Framing::Text, |publication, out| {
            out.extend_from_slice(&publication.payload.repeat(10));
        }));
        for (length, is_kept) in [(1000, true), (KEPT_BYTES_MAX / 10 + 1, false)] {
            let payload = vec![b'x'; length];
            let publication =
                Publication { topic: "a", epoch: 0, offset: 0, kind: Kind::Text, payload: &payload };
            let mut records = Records::default();
            records
                .make(form, &publication, &registry, |record| assert_eq!(record.parts[1].len(), 10 * length));
            drop(records);
            let kept = WORKSHOP.take().expect("it is kept for the next message");
            let capacity = kept.made[usize::from(form.0)].payload.capacity();
            assert_eq!(capacity >= length, is_kept, "{capacity} bytes");
            WORKSHOP.set(Some(kept));
        }
    }
}
