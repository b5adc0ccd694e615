//! Bytes on their way in and out, each with one owner.

use crate::Segment;
use crate::sync::Arc;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// A filled receive buffer: a lease, not the bytes. Read it with [`Io::bytes`](crate::Io::bytes) and
/// give it back exactly once. It cannot be copied; one that is dropped is lost to its ring.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a receive buffer has to go back to its ring"]
pub struct Received {
    pub(crate) id: u16,
    pub(crate) length: u32,
}

impl Received {
    /// How many bytes were received.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Never true of a lease that a completion carried.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// A segment as one shard holds it. Counted within the shard, so that shards that send alike do not all
/// write to one count.
pub type LocalSegment = Rc<Arc<Segment>>;

/// Bytes to send. They belong to the speaker until they are out.
#[derive(Debug)]
pub enum Outgoing {
    /// Part of a receive buffer, changed in place (an echo); the buffer goes back by itself.
    Received {
        /// The lease.
        buffer: Received,
        /// Which bytes of it.
        range: Range<usize>,
    },
    /// A vector from [`Io::spare`](crate::Io::spare) or anywhere; from `start` to its end.
    Buffer {
        /// The bytes.
        bytes: Vec<u8>,
        /// How many at the front not to send.
        start: usize,
    },
    /// Bytes that others send too.
    Shared(Bytes),
    /// Part of a segment, which all shards send from. What does not go out at once is not kept:
    /// [`SendShort`](crate::Completion::SendShort) says how much that is. So nothing may follow it in
    /// the same turn: behind a short one that would leave a gap in the stream.
    Segment {
        /// The memory.
        segment: LocalSegment,
        /// Which bytes of it; they were appended.
        range: Range<u32>,
        /// Repeated in `SendShort`.
        tag: u32,
    },
}

const _: () = assert!(size_of::<Outgoing>() <= 40, "one is moved for each send");

impl Outgoing {
    /// How many bytes will be sent.
    pub fn len(&self) -> usize {
        match self {
            Self::Received { range, .. } => range.len(),
            Self::Buffer { bytes, start } => bytes.len() - start,
            Self::Shared(bytes) => bytes.len(),
            Self::Segment { range, .. } => range.len(),
        }
    }

    /// True when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
