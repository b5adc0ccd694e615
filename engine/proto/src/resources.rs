//! What all connections of one thread share.

use crate::Limits;
use crate::assembly::{Assembly, Inflating};
use crate::deflate::{ContextRoom, Contexts, DeflateFigures};
use crate::limits::{LONG_SPARE_BYTES_MAX, LONG_SPARES_MAX, SPARE_ASSEMBLIES_MAX, SPARE_ASSEMBLY_BYTES_MAX};
use crate::simd::Level;

/// Limits and buffers for unfinished messages: one per thread, handed to every call that needs it,
/// so that an idle connection holds none of it.
pub struct Resources {
    limits: Limits,
    level: Level,
    #[expect(clippy::vec_box, reason = "connections hold them boxed, and boxes move between there and here")]
    spare: Vec<Box<Assembly>>,
    /// Vectors that gathered long messages before and may again.
    long: Vec<Vec<u8>>,
    held_bytes: usize,
    contexts: Contexts,
    #[expect(clippy::vec_box, reason = "assemblies hold them boxed, and boxes move between there and here")]
    inflating: Vec<Box<Inflating>>,
}

impl Resources {
    /// Nothing held yet, with the best kernels of this machine.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            level: Level::detect(),
            spare: Vec::new(),
            long: Vec::new(),
            held_bytes: 0,
            contexts: Contexts::new(limits.context_bytes_max),
            inflating: Vec::new(),
        }
    }

    /// Uses other kernels than the detected ones, for a test or a bench.
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The limits that apply.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The kernels in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Bytes of unfinished messages held at present.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether another connection's peer may refer to its earlier messages, which takes a window for as long as
    /// the connection lives. Ask before
    /// [`DeflateOptions::accept`](crate::deflate::DeflateOptions::accept); a window is counted from
    /// [`Connection::with_deflate`](crate::Connection::with_deflate) on.
    pub fn has_room_for_context(&self) -> bool {
        self.contexts.have_room()
    }

    /// Keeps room for a window until the answer to an offer says whether it is needed: drop it then, in front of
    /// [`Connection::with_deflate`](crate::Connection::with_deflate). `None` where there is no room.
    pub fn reserve_context(&self) -> Option<ContextRoom> {
        self.contexts.reserve()
    }

    /// Windows held for connections whose peer refers to its earlier messages.
    pub fn contexts(&self) -> usize {
        self.contexts.windows()
    }

    /// What counts against [`Limits::context_bytes_max`].
    pub fn context_bytes(&self) -> usize {
        self.contexts.bytes()
    }

    /// The compressed messages received so far.
    pub fn inflated(&self) -> DeflateFigures {
        self.contexts.figures()
    }

    pub(crate) fn contexts_mut(&mut self) -> &mut Contexts {
        &mut self.contexts
    }

    /// Gives a vector to gather a long message in, so that the next one allocates nothing: mostly one
    /// that such a message was sent from. It is dropped when there are enough.
    pub fn give(&mut self, mut long: Vec<u8>) {
        let fits = (SPARE_ASSEMBLY_BYTES_MAX + 1..=LONG_SPARE_BYTES_MAX).contains(&long.capacity());
        if fits && self.long.len() < LONG_SPARES_MAX {
            long.clear();
            self.long.push(long);
        }
    }

    /// One of those, if it holds `bytes` or more.
    pub(crate) fn take_longer(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let position = self.long.iter().rposition(|long| long.capacity() >= bytes)?;
        Some(self.long.swap_remove(position))
    }

    pub(crate) fn assembly(&mut self) -> Box<Assembly> {
        self.spare.pop().unwrap_or_default()
    }

    pub(crate) fn recycle(&mut self, mut assembly: Box<Assembly>) {
        assembly.clear(self);
        if self.spare.len() < SPARE_ASSEMBLIES_MAX {
            self.spare.push(assembly);
        }
    }

    pub(crate) fn inflating(&mut self) -> Box<Inflating> {
        self.inflating.pop().unwrap_or_default()
    }

    pub(crate) fn recycle_inflating(&mut self, mut inflating: Box<Inflating>) {
        inflating.clear(self);
        if self.inflating.len() < SPARE_ASSEMBLIES_MAX {
            self.inflating.push(inflating);
        }
    }

    /// Counts `bytes` more as held, if the limit allows.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.limits.held_bytes_max.saturating_sub(self.held_bytes);
        if fits {
            self.held_bytes += bytes;
        }
        fits
    }

    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.held_bytes -= bytes;
    }
}

impl std::fmt::Debug for Resources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resources")
            .field("limits", &self.limits)
            .field("level", &self.level)
            .field("spare", &self.spare.len())
            .field("held_bytes", &self.held_bytes)
            .finish_non_exhaustive()
    }
}
