//! The compressors of one thread.

use super::{Compressor, Deflate};
use crate::frame::{self, Opcode};
use crate::limits::SPARE_COMPRESSORS_MAX;
use crate::{Masking, Role};
use std::collections::{BTreeMap, HashMap};

/// Whose frame it is and how it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The connection's slot.
    pub slot: u32,
    /// What it has agreed on.
    pub agreed: Deflate,
    /// How hard to compress, 1 to 9; see [`DeflateOptions::level`](super::DeflateOptions::level).
    pub level: u8,
    /// Whole messages shorter than this go out as they are.
    pub bytes_min: usize,
    /// The peer has received compressed messages that were made elsewhere since the last one made here, so
    /// that the connection's window does not match any more and starts anew.
    pub fresh: bool,
}

/// What compressing or inflating has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateFigures {
    /// Messages that went out or came in compressed.
    pub messages: u64,
    /// Bytes of their payloads as the application has them.
    pub plain_bytes: u64,
    /// Bytes of their payloads as they are on the wire.
    pub wire_bytes: u64,
    /// By how many bytes messages and fragments got shorter; what got longer takes nothing off.
    pub saved_bytes: u64,
}

impl DeflateFigures {
    pub(crate) fn add(&mut self, plain_bytes: usize, wire_bytes: usize, is_whole: bool) {
        self.messages += u64::from(is_whole);
        self.plain_bytes += plain_bytes as u64;
        self.wire_bytes += wire_bytes as u64;
        self.saved_bytes += plain_bytes.saturating_sub(wire_bytes) as u64;
    }
}

/// Compressors of a thread, by the slot of their connection.
///
/// A compressor may start afresh before any message, as nothing says that a message has to refer to an
/// earlier one; so those that keep a connection's window are a cache: of a bounded size, where the one that
/// was not used for longest goes first. Connections without takeover need none of their own, messages in
/// fragments apart: those are held on to until they are finished.
///
/// Whoever owns the connections calls [`forget`](Self::forget) when one ends.
pub struct Compressors {
    bytes_max: usize,
    /// Of those in `own`.
    own_bytes: usize,
    /// One per size of window, for messages that refer to nothing.
    shared: Vec<Compressor>,
    /// Those that nobody has at present.
    spare: Vec<Compressor>,
    own: HashMap<u32, Own>,
    /// The slots of those that may go, by when they were used last.
    by_use: BTreeMap<u64, u32>,
    uses: u64,
    figures: DeflateFigures,
}

/// What a connection has of its own.
struct Own {
    compressor: Compressor,
    /// The use after which it was put into [`Compressors::by_use`].
    used: u64,
    /// Within a message in fragments, during which it may not go.
    in_message: bool,
}

/// What a frame is made with.
enum Choice {
    /// Nothing: it goes out as it is.
    Plain,
    /// The shared compressor of this index, reset.
    Shared(usize),
    /// The connection's own.
    Own,
}

impl Compressors {
    /// None yet. Those that connections have of their own will hold at most `bytes_max` together; beyond them
    /// there are the shared ones, one for each size of window in use, and a few that wait for their next use.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            own_bytes: 0,
            shared: Vec::new(),
            spare: Vec::new(),
            own: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            figures: DeflateFigures::default(),
        }
    }

    /// Appends one frame of a message to `out`; the frames of a message in the order in which they are sent,
    /// the first with its opcode, the others with [`Opcode::Continuation`]. The message goes out compressed
    /// (RSV1 set in its first frame) unless it is whole and shorter than [`Sending::bytes_min`], or whole, without
    /// takeover, and would not get shorter, or in fragments and there is no memory for a compressor of its own.
    pub fn append_frame<R: Role>(
        &mut self,
        sending: Sending,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        out: &mut Vec<u8>,
        masking: &mut Masking,
    ) {
        let start = out.len();
        let takeover = sending.agreed.sends_with_takeover::<R>();
        let window_bits = sending.agreed.send_window_bits::<R>();
        let choice = self.choose(&sending, takeover, window_bits, (opcode, fin, payload.len()));
        let (compressor, may_be_plain) = match &choice {
            Choice::Plain => (None, true),
            Choice::Shared(index) => (self.shared.get_mut(*index), true),
            Choice::Own => (self.own.get_mut(&sending.slot).map(|own| &mut own.compressor), false),
        };
        let Some(compressor) = compressor else {
            return frame::append::<R>(out, opcode, fin, payload, masking);
        };
        let shorter = compressor.append_frame(opcode, fin, payload, out, R::MASKS.then_some(&mut *masking));
        if may_be_plain && !shorter {
            out.truncate(start);
            return frame::append::<R>(out, opcode, fin, payload, masking);
        }
        let header_bytes = frame::header_bytes(out[start + 1]);
        self.figures.add(payload.len(), out.len() - start - header_bytes, fin);
        if matches!(choice, Choice::Own) && fin {
            self.end_message(sending.slot, takeover);
        }
    }

    /// Gives up what the connection in this slot has, when it ends.
    pub fn forget(&mut self, slot: u32) {
        if let Some(own) = self.own.remove(&slot) {
            self.by_use.remove(&own.used);
            self.own_bytes -= own.compressor.bytes();
            self.keep(own.compressor);
        }
    }

    /// Memory that all of them hold.
    pub fn bytes(&self) -> usize {
        self.own_bytes + self.shared.iter().chain(&self.spare).map(Compressor::bytes).sum::<usize>()
    }

    /// How many connections have one of their own at present.
    pub fn contexts(&self) -> usize {
        self.own.len()
    }

    /// What was sent compressed so far.
    pub fn figures(&self) -> DeflateFigures {
        self.figures
    }

    fn choose(
        &mut self,
        sending: &Sending,
        takeover: bool,
        window_bits: u8,
        (opcode, fin, length): (Opcode, bool, usize),
    ) -> Choice {
        match opcode {
            Opcode::Continuation => match self.own.get(&sending.slot) {
                Some(own) if own.in_message => Choice::Own,
                _ => Choice::Plain,
            },
            Opcode::Text | Opcode::Binary if !fin || length >= sending.bytes_min => {
                if (takeover || !fin) && self.begin_message(sending, takeover, window_bits) {
                    Choice::Own
                } else if fin {
                    Choice::Shared(self.shared(window_bits, sending.level))
                } else {
                    Choice::Plain
                }
            }
            _ => Choice::Plain,
        }
    }

    /// The connection gets a compressor of its own, or holds on to the one that it has; `false` when there is
    /// no memory for it.
    fn begin_message(&mut self, sending: &Sending, takeover: bool, window_bits: u8) -> bool {
        if let Some(own) = self.own.get_mut(&sending.slot) {
            self.by_use.remove(&own.used);
            own.in_message = true;
            if sending.fresh || !takeover {
                own.compressor.reset();
            }
            return true;
        }
        let bytes = Compressor::bytes_of(window_bits);
        while self.own_bytes + bytes > self.bytes_max {
            let Some((_, slot)) = self.by_use.first_key_value() else { return false };
            self.forget(*slot);
        }
        let compressor = self.take(window_bits, sending.level);
        self.own_bytes += bytes;
        self.own.insert(sending.slot, Own { compressor, used: 0, in_message: true });
        true
    }

    fn end_message(&mut self, slot: u32, takeover: bool) {
        if !takeover {
            return self.forget(slot);
        }
        if let Some(own) = self.own.get_mut(&slot) {
            self.uses += 1;
            own.used = self.uses;
            own.in_message = false;
            self.by_use.insert(own.used, slot);
        }
    }

    /// The index of the shared compressor of this window, which has forgotten what it had.
    fn shared(&mut self, window_bits: u8, level: u8) -> usize {
        let index = self.shared.iter().position(|shared| shared.window_bits() == window_bits);
        let index = index.unwrap_or_else(|| {
            self.shared.push(Compressor::new(window_bits, level));
            self.shared.len() - 1
        });
        self.shared[index].reset_to(level);
        index
    }

    /// One of this window with nothing in it.
    fn take(&mut self, window_bits: u8, level: u8) -> Compressor {
        match self.spare.iter().position(|spare| spare.window_bits() == window_bits) {
            Some(index) => {
                let mut compressor = self.spare.swap_remove(index);
                compressor.reset_to(level);
                compressor
            }
            None => Compressor::new(window_bits, level),
        }
    }

    /// Keeps one for its next use, instead of the one that has waited for longest.
    fn keep(&mut self, compressor: Compressor) {
        if self.spare.len() == SPARE_COMPRESSORS_MAX {
            self.spare.remove(0);
        }
        self.spare.push(compressor);
    }
}

impl std::fmt::Debug for Compressors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressors")
            .field("bytes_max", &self.bytes_max)
            .field("bytes", &self.bytes())
            .field("contexts", &self.contexts())
            .field("figures", &self.figures)
            .finish_non_exhaustive()
    }
}
