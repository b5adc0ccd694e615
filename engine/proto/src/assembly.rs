//! What a connection keeps of a message or control frame that has not arrived whole.

mod inflating;

pub(crate) use inflating::Inflating;

use crate::frame::Opcode;
use crate::limits::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, SPARE_ASSEMBLY_BYTES_MAX};
use crate::simd;
use crate::utf8;
use crate::{Kind, Resources, Violation};

/// Smallest step in which a gathered message grows.
const GROWTH_BYTES_MIN: usize = 1024;

/// An unfinished message and an unfinished control frame; either may be absent. Its memory grows
/// with what has arrived, never with what a header announces.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// Of the message under way; `None` between messages.
    pub(crate) kind: Option<Kind>,
    /// Room for a frame header, then the payload so far. Empty until the first payload byte.
    message: Vec<u8>,
    text: utf8::Validator,
    /// Payload so far of the control frame under way.
    pub(crate) control: Vec<u8>,
    /// What counts against [`Limits::held_bytes_max`](crate::Limits::held_bytes_max).
    held_bytes: usize,
    /// Of a compressed message.
    inflating: Option<Box<Inflating>>,
}

impl Assembly {
    /// Payload bytes gathered so far.
    pub(crate) fn message_bytes(&self) -> usize {
        self.message.len().saturating_sub(HEADER_BYTES_MAX)
    }

    /// The payload of the message under way so far, as the application gets it.
    fn payload(&self) -> &[u8] {
        self.message.get(HEADER_BYTES_MAX..).unwrap_or_default()
    }

    /// Whether the message under way is compressed: what is pushed must be unmasked then.
    pub(crate) fn is_compressed(&self) -> bool {
        self.inflating.is_some()
    }

    /// Payload bytes of the message under way so far, as they came.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.inflating.as_ref().map_or_else(|| self.message_bytes(), |inflating| inflating.wire_bytes())
    }

    /// Adds payload of the message under way, unmasked with `key` on its way. `rest` is what the message still
    /// has to bring after it, where that is known (the frame is the last one): a hint against growing too far,
    /// and the end of the message when it is 0.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        key: Option<[u8; 4]>,
        rest: Option<u64>,
        resources: &mut Resources,
    ) -> Result<(), Violation> {
        if self.inflating.is_some() {
            return self.push_compressed(bytes, rest == Some(0), resources);
        }
        self.hold(bytes.len(), resources)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.grow(bytes.len(), rest, resources);
        let start = self.message.len();
        match key {
            Some(key) => {
                simd::unmask_append(resources.level(), bytes, &mut self.message, key);
            }
            None => self.message.extend_from_slice(bytes),
        }
        match self.kind {
            Some(Kind::Text) => self.text.push(&self.message[start..]).map_err(|_| Violation::InvalidUtf8),
            _ => Ok(()),
        }
    }

    /// The message is complete: a text must not end within a character (section 8.1).
    pub(crate) fn finish(&mut self) -> Result<(), Violation> {
        match self.kind {
            Some(Kind::Text) => self.text.finish().map_err(|_| Violation::InvalidUtf8),
            _ => Ok(()),
        }
    }

    /// The gathered message with the room before it.
    pub(crate) fn message_mut(&mut self) -> &mut Vec<u8> {
        self.with_room();
        &mut self.message
    }

    /// Adds payload of a control frame, whose length was checked.
    pub(crate) fn push_control(&mut self, bytes: &[u8]) {
        self.control.reserve_exact(CONTROL_BYTES_MAX - self.control.len());
        self.control.extend_from_slice(bytes);
    }

    /// Forgets the message, keeps a control frame under way.
    pub(crate) fn clear_message(&mut self, resources: &mut Resources) {
        self.let_go(self.held_bytes, resources);
        if let Some(inflating) = self.inflating.take() {
            resources.recycle_inflating(inflating);
        }
        self.kind = None;
        self.text = utf8::Validator::default();
        self.message.clear();
        if self.message.capacity() > SPARE_ASSEMBLY_BYTES_MAX {
            resources.give(std::mem::take(&mut self.message));
        }
    }

    pub(crate) fn clear(&mut self, resources: &mut Resources) {
        self.clear_message(resources);
        self.control.clear();
    }

    fn hold(&mut self, bytes: usize, resources: &mut Resources) -> Result<(), Violation> {
        if !resources.hold(bytes) {
            return Err(Violation::HeldTooMuch { max: resources.limits().held_bytes_max });
        }
        self.held_bytes += bytes;
        Ok(())
    }

    fn let_go(&mut self, bytes: usize, resources: &mut Resources) {
        resources.let_go(bytes);
        self.held_bytes -= bytes;
    }

    /// At least doubles, as amortised growth needs, but not beyond the end of the message.
    fn grow(&mut self, bytes: usize, rest: Option<u64>, resources: &mut Resources) {
        let room = if self.message.is_empty() { HEADER_BYTES_MAX } else { 0 };
        let needed = bytes.saturating_add(room);
        if self.message.capacity() - self.message.len() < needed {
            let length = self.message.len().saturating_add(needed);
            if length > SPARE_ASSEMBLY_BYTES_MAX
                && let Some(mut longer) = resources.take_longer(length)
            {
                longer.extend_from_slice(&self.message);
                self.message = longer;
                return self.with_room();
            }
            let rest = rest.and_then(|rest| usize::try_from(rest).ok()).unwrap_or(usize::MAX);
            let ahead = rest.min(self.message.len().max(GROWTH_BYTES_MIN));
            self.message.reserve_exact(needed.saturating_add(ahead));
        }
        self.with_room();
    }

    fn with_room(&mut self) {
        if self.message.is_empty() {
            self.message.resize(HEADER_BYTES_MAX, 0);
        }
    }
}

/// The kind of message that an opcode begins.
pub(crate) fn kind_of(opcode: Opcode) -> Option<Kind> {
    match opcode {
        Opcode::Text => Some(Kind::Text),
        Opcode::Binary => Some(Kind::Binary),
        _ => None,
    }
}
