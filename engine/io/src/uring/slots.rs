//! What this speaker remembers of each socket: twenty bytes.

use crate::{CloseHow, Socket};

/// How far a place of the descriptor table is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Empty.
    Free,
    /// A socket on its way to being connected; not yet shown to the shard.
    Connecting,
    /// The shard's.
    Open,
    /// To be closed as soon as nothing is under way on it.
    Draining(CloseHow),
    /// The close is submitted, and will be reported.
    Closing,
    /// On its way to another shard.
    HandedTo(u16),
    /// Gone to another shard, or never shown to this one: its end is not reported.
    Leaving,
}

/// Whether bytes are being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    /// No.
    Idle,
    /// The request is with the kernel.
    Armed,
    /// It ended for want of a buffer, and waits for one.
    Starved,
    /// A cancel is under way.
    Stopping,
    /// A cancel is under way, and the shard wants to receive again.
    Restarting,
    /// A cancel is under way, and then the end of the connection is watched for.
    Pausing,
    /// No; a poll that tells of the end of the connection is with the kernel.
    Watching,
    /// As `Watching`, but the poll is being cancelled, and the shard wants to receive again.
    Resuming,
}

/// One place of the descriptor table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    generation: u32,
    /// Index of the pending send.
    pub(super) pending: Option<PendingIndex>,
    /// The flush that the last send belongs to: two sends must not share one, or the second could
    /// go out although the first did not.
    pub(super) last_flush: u32,
    pub(super) life: Life,
    pub(super) receive: Receive,
    /// Whether the receive has brought something since it was last armed.
    pub(super) served: bool,
}

/// An index below `u32::MAX`, so that an `Option` of it is no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingIndex(std::num::NonZeroU32);

impl PendingIndex {
    /// # Panics
    /// When `index` is `u32::MAX`; there are not that many sockets.
    pub(super) fn new(index: u32) -> Self {
        let beyond = std::num::NonZeroU32::MIN.checked_add(index);
        Self(beyond.expect("fewer pending sends than 2^32 - 1"))
    }

    pub(super) fn index(self) -> u32 {
        self.0.get() - 1
    }
}

impl Slot {
    const EMPTY: Self = Self {
        generation: 0,
        pending: None,
        last_flush: 0,
        life: Life::Free,
        receive: Receive::Idle,
        served: false,
    };

    /// Whether the kernel holds no request on this socket.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.receive, Receive::Idle | Receive::Starved) && self.pending.is_none()
    }
}

const _: () = assert!(size_of::<Slot>() <= 32, "the bound on what an idle connection costs here");

const CHUNK_SLOTS: usize = 1024;

/// All places, in chunks that are made when first used and never move.
pub(super) struct Slots {
    chunks: Vec<Box<[Slot; CHUNK_SLOTS]>>,
    filled: u32,
    freed_since_rewind: u32,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), filled: 0, freed_since_rewind: 0 }
    }

    /// The place of `socket`, unless it is empty or in another use by now.
    pub(super) fn get(&mut self, socket: Socket) -> Option<&mut Slot> {
        let slot = self.place(socket.slot())?;
        (slot.generation == socket.generation() && slot.life != Life::Free).then_some(slot)
    }

    /// As [`get`](Self::get), and only while it is the shard's.
    pub(super) fn get_open(&mut self, socket: Socket) -> Option<&mut Slot> {
        self.get(socket).filter(|slot| slot.life == Life::Open)
    }

    /// Notes that the kernel has put a socket into an empty place.
    ///
    /// # Panics
    /// When the place is not known to be empty: the kernel posts the completion of a close before
    /// that of what fills the place again.
    pub(super) fn fill(&mut self, place: u32, life: Life) -> Socket {
        let chunk = place as usize / CHUNK_SLOTS;
        while self.chunks.len() <= chunk {
            self.chunks.push(Box::new([Slot::EMPTY; CHUNK_SLOTS]));
        }
        let slot = &mut self.chunks[chunk][place as usize % CHUNK_SLOTS];
        assert_eq!(slot.life, Life::Free, "the kernel filled place {place}, which is in use");
        slot.life = life;
        self.filled += 1;
        Socket::new(place, slot.generation)
    }

    /// Notes that a place is empty again; the next socket in it will be another one.
    pub(super) fn free(&mut self, socket: Socket) {
        if let Some(slot) = self.get(socket) {
            debug_assert!(slot.is_quiet(), "a place is emptied only when nothing is under way");
            *slot = Slot { generation: next_generation(slot.generation), ..Slot::EMPTY };
            self.filled -= 1;
            self.freed_since_rewind += 1;
        }
    }

    /// Gives the socket in a place another name, so that its old one is stale.
    pub(super) fn rename(&mut self, socket: Socket) -> Option<Socket> {
        let slot = self.get(socket)?;
        slot.generation = next_generation(slot.generation);
        Some(Socket::new(socket.slot(), slot.generation))
    }

    /// True once after every so many closes. The kernel looks for a free place from the one filled
    /// or freed last, so under churn the places in use would wander through the whole table, and
    /// every table that is indexed by them would grow; so now and then it is sent back to the start.
    pub(super) fn rewind_is_due(&mut self) -> bool {
        const FREED_BETWEEN_REWINDS: u32 = 64;
        let due = self.freed_since_rewind >= FREED_BETWEEN_REWINDS;
        if due {
            self.freed_since_rewind = 0;
        }
        due
    }

    /// How many places are not empty.
    pub(super) fn filled(&self) -> u32 {
        self.filled
    }

    /// Whether `test` holds for any place.
    pub(super) fn any(&self, test: impl Fn(&Slot) -> bool) -> bool {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).any(test)
    }

    /// Every socket that is there.
    pub(super) fn sockets(&self) -> impl Iterator<Item = Socket> {
        let places = self.chunks.iter().flat_map(|chunk| chunk.iter()).zip(0..);
        places
            .filter(|(slot, _)| slot.life != Life::Free)
            .map(|(slot, place)| Socket::new(place, slot.generation))
    }

    fn place(&mut self, place: u32) -> Option<&mut Slot> {
        let chunk = self.chunks.get_mut(place as usize / CHUNK_SLOTS)?;
        Some(&mut chunk[place as usize % CHUNK_SLOTS])
    }
}

fn next_generation(generation: u32) -> u32 {
    if generation == Socket::GENERATION_MAX { 0 } else { generation + 1 }
}
