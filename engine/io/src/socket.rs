//! The typed name of a socket.

/// One socket of one speaker: its place in the descriptor table, and how often that place was used.
///
/// Places are small numbers that are used again, lowest first, so a shard may index its own table by
/// [`slot`](Self::slot). A `Socket` of an earlier use of the place is never mistaken for the present
/// one: completions that arrive for it are dropped by the speaker, operations on it do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Socket {
    slot: u32,
    generation: u32,
}

impl Socket {
    /// Highest generation; the next one is 0 again. 24 bits, since it shares 64 with the place and
    /// the kind of operation.
    pub const GENERATION_MAX: u32 = (1 << 24) - 1;

    /// The socket at `slot` in its `generation`-th use.
    pub fn new(slot: u32, generation: u32) -> Self {
        debug_assert!(generation <= Self::GENERATION_MAX, "generation {generation} exceeds 24 bits");
        Self { slot, generation }
    }

    /// Place in the table.
    pub fn slot(self) -> u32 {
        self.slot
    }

    /// Which use of the place.
    pub fn generation(self) -> u32 {
        self.generation
    }
}
