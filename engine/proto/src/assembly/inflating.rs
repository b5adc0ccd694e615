//! A compressed message on its way into an [`Assembly`] (RFC 7692 section 7.2.2).
//!
//! A short one is gathered as it came and inflated when it is whole, so that a connection which is waiting for
//! the rest holds no inflater. A longer one is inflated as it comes from then on, if there is memory for an
//! inflater, else gathered too. Either way the output is bounded while it is made: an inflater is never given
//! room for more than the limits allow.

use super::Assembly;
use crate::deflate::{ContextId, Inflater, Stop};
use crate::limits::{INFLATE_AFTER_BYTES, SPARE_GATHERED_BYTES_MAX, STREAM_END_BYTES_MIN, STREAM_ENDS_MIN};
use crate::{Kind, Limits, Resources, Violation};

/// The least memory to inflate into.
const OUTPUT_BYTES_MIN: usize = 256;

/// What a compressed message under way has beyond its output.
#[derive(Debug, Default)]
pub(crate) struct Inflating {
    /// The window of the connection, if its messages refer to earlier ones.
    context: Option<ContextId>,
    /// As it came, while there is no inflater.
    gathered: Vec<u8>,
    inflater: Option<Inflater>,
    /// Bytes that have come.
    wire_bytes: usize,
    /// Blocks with BFINAL in them.
    stream_ends: usize,
}

impl Assembly {
    /// The message that begins is compressed.
    pub(crate) fn begin_inflating(&mut self, context: Option<ContextId>, resources: &mut Resources) {
        let mut inflating = resources.inflating();
        inflating.context = context;
        self.inflating = Some(inflating);
    }

    /// Adds payload, unmasked; `last` if it is the end of the message.
    pub(super) fn push_compressed(
        &mut self,
        bytes: &[u8],
        last: bool,
        resources: &mut Resources,
    ) -> Result<(), Violation> {
        let Some(mut inflating) = self.inflating.take() else { return Ok(()) };
        let pushed = self.take_in(&mut inflating, bytes, last, resources);
        self.inflating = Some(inflating);
        pushed
    }

    fn take_in(
        &mut self,
        inflating: &mut Inflating,
        bytes: &[u8],
        last: bool,
        resources: &mut Resources,
    ) -> Result<(), Violation> {
        inflating.wire_bytes += bytes.len();
        let long = inflating.gathered.len() + bytes.len() > INFLATE_AFTER_BYTES;
        if inflating.inflater.is_none() && (last || long) {
            inflating.inflater = resources.contexts_mut().lend(inflating.context, last);
        }
        if inflating.inflater.is_none() {
            self.hold(bytes.len(), resources)?;
            inflating.gathered.extend_from_slice(bytes);
            return Ok(());
        }
        let gathered = std::mem::take(&mut inflating.gathered);
        let inflated = self.inflate(inflating, &gathered, resources);
        self.let_go(gathered.len(), resources);
        inflating.keep(gathered);
        inflated?;
        self.inflate(inflating, bytes, resources)?;
        if last { self.end_of_compressed(inflating, resources) } else { Ok(()) }
    }

    fn end_of_compressed(
        &mut self,
        inflating: &mut Inflating,
        resources: &mut Resources,
    ) -> Result<(), Violation> {
        if let Some(inflater) = &mut inflating.inflater {
            inflater.finish().map_err(|_| Violation::InvalidDeflate)?;
        }
        let contexts = resources.contexts_mut();
        contexts.remember(inflating.context, self.payload());
        contexts.count(inflating.wire_bytes, self.message_bytes());
        if let Some(inflater) = inflating.inflater.take() {
            contexts.give_back(inflater);
        }
        Ok(())
    }

    /// Inflates all of `input` behind what there is of the message.
    fn inflate(
        &mut self,
        inflating: &mut Inflating,
        mut input: &[u8],
        resources: &mut Resources,
    ) -> Result<(), Violation> {
        let Some(inflater) = inflating.inflater.as_mut().filter(|_| !input.is_empty()) else { return Ok(()) };
        loop {
            let room = self.room(resources);
            self.make_room(input.len(), room, resources);
            let start = self.message.len();
            let stop = inflater.step(&mut input, &mut self.message, room);
            self.hold(self.message.len() - start, resources)?;
            if self.kind == Some(Kind::Text) {
                self.text.push(&self.message[start..]).map_err(|_| Violation::InvalidUtf8)?;
            }
            match stop.map_err(|_| Violation::InvalidDeflate)? {
                Stop::Hungry => return Ok(()),
                Stop::Full => {}
                Stop::Over => return Err(self.too_long(resources)),
                Stop::StreamEnd => {
                    inflating.stream_ends += 1;
                    check_stream_ends(inflating.stream_ends, inflating.wire_bytes)?;
                    resources.contexts_mut().begin(inflater, inflating.context, self.payload());
                    if input.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// How many bytes the message may still get.
    fn room(&self, resources: &Resources) -> usize {
        let limits = resources.limits();
        let in_message = limits.message_bytes_max.saturating_sub(self.message_bytes());
        in_message.min(limits.held_bytes_max.saturating_sub(resources.held_bytes()))
    }

    /// Memory to inflate `input` bytes into, which grow to four times as many or to twice what there was.
    fn make_room(&mut self, input: usize, room: usize, resources: &mut Resources) {
        let spare = self.message.capacity() - self.message.len();
        if self.message.is_empty() || spare < input.min(room).max(1) {
            let wanted = input.saturating_mul(4).max(self.message.len()).max(OUTPUT_BYTES_MIN);
            self.grow(wanted.min(room), Some(0), resources);
        }
    }

    fn too_long(&self, resources: &Resources) -> Violation {
        let Limits { message_bytes_max: max, held_bytes_max, .. } = *resources.limits();
        if self.message_bytes() >= max {
            return Violation::MessageTooLong { length: max as u64 + 1, max };
        }
        Violation::HeldTooMuch { max: held_bytes_max }
    }
}

impl Inflating {
    /// Payload bytes that have come, compressed.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.wire_bytes
    }

    /// Gives back what it has; what is left has nothing of the message.
    pub(crate) fn clear(&mut self, resources: &mut Resources) {
        if let Some(inflater) = self.inflater.take() {
            resources.contexts_mut().give_back(inflater);
        }
        let gathered = std::mem::take(&mut self.gathered);
        *self = Self::default();
        self.keep(gathered);
    }

    fn keep(&mut self, mut gathered: Vec<u8>) {
        if gathered.capacity() <= SPARE_GATHERED_BYTES_MAX {
            gathered.clear();
            self.gathered = gathered;
        }
    }
}

/// RFC 7692 section 7.2.3.4 allows blocks with BFINAL. Behind each the window is put back, a copy of up to
/// 32 KiB for two bytes; so there may be some at once, and more only as the message gets longer.
fn check_stream_ends(stream_ends: usize, wire_bytes: usize) -> Result<(), Violation> {
    let most = STREAM_ENDS_MIN + wire_bytes / STREAM_END_BYTES_MIN;
    if stream_ends > most { Err(Violation::InvalidDeflate) } else { Ok(()) }
}
