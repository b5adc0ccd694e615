//! A shard's sockets: the places, their generations, and what is under way at each.

use super::link::End;
use crate::{CloseHow, Outgoing, Socket};
use std::collections::BTreeSet;

/// The places, which grow up to a bound and are used lowest first.
pub(super) struct Table {
    places: Vec<Place>,
    free: BTreeSet<u32>,
    places_max: u32,
}

#[derive(Default)]
struct Place {
    generation: u32,
    entry: Option<Entry>,
}

/// One socket. Turns are counted by the shard; `until` is the first turn that is no longer part of it.
pub(super) struct Entry {
    pub(super) end: End,
    pub(super) phase: Phase,
    pub(super) receive: Receive,
    pub(super) pending: Option<Pending>,
    /// The last turn that carried out a send.
    pub(super) sent_in: Option<u64>,
    /// A receive or a send was asked for once.
    pub(super) is_used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting { request: u64, due: u64, answer: Result<(), i32> },
    Open,
    Closing { how: CloseHow, until: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    Off,
    On,
    /// Ends at the turn `until`, and is then what was asked for meanwhile.
    Stopping {
        until: u64,
        then: Rest,
    },
    /// Off until the connection ends.
    Paused,
}

/// What receiving is after it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Off,
    On,
    Paused,
}

impl From<Rest> for Receive {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Off => Self::Off,
            Rest::On => Self::On,
            Rest::Paused => Self::Paused,
        }
    }
}

/// A send of which part is still to go.
pub(super) struct Pending {
    pub(super) bytes: Outgoing,
    pub(super) sent: usize,
}

/// What an operation's socket is.
pub(super) enum Found<'a> {
    Open(&'a mut Entry),
    /// Asked to close and not closed yet: operations on it do nothing.
    Closing,
    /// Closed, handed over, never reported, or another shard's.
    Unknown,
}

impl Table {
    pub(super) fn new(places_max: u32) -> Self {
        Self { places: Vec::new(), free: BTreeSet::new(), places_max }
    }

    pub(super) fn places_max(&self) -> u32 {
        self.places_max
    }

    pub(super) fn places_free(&self) -> u32 {
        // Their number is bounded by `places_max`.
        self.places_max - (self.places.len() - self.free.len()) as u32
    }

    pub(super) fn is_full(&self) -> bool {
        self.places_free() == 0
    }

    /// Takes the lowest free place; `None` when the table is full.
    pub(super) fn reserve(&mut self) -> Option<Socket> {
        if self.is_full() {
            return None;
        }
        let slot = self.free.pop_first().unwrap_or_else(|| {
            self.places.push(Place::default());
            // Their number is bounded by `places_max`.
            (self.places.len() - 1) as u32
        });
        Some(Socket::new(slot, self.places[slot as usize].generation))
    }

    /// Fills a reserved place.
    pub(super) fn fill(&mut self, socket: Socket, end: End, phase: Phase) {
        self.places[socket.slot() as usize].entry =
            Some(Entry { end, phase, receive: Receive::Off, pending: None, sent_in: None, is_used: false });
    }

    /// Empties a place for its next use.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.detach(slot)?;
        self.release(slot);
        Some(entry)
    }

    /// Takes the socket out of a place that stays in use until it is released.
    pub(super) fn detach(&mut self, slot: u32) -> Option<Entry> {
        let place = &mut self.places[slot as usize];
        let entry = place.entry.take()?;
        place.generation = if place.generation == Socket::GENERATION_MAX { 0 } else { place.generation + 1 };
        Some(entry)
    }

    /// Gives back a place that was detached.
    pub(super) fn release(&mut self, slot: u32) {
        self.free.insert(slot);
    }

    /// The socket at `slot` with its name.
    pub(super) fn at(&mut self, slot: u32) -> Option<(Socket, &mut Entry)> {
        let place = self.places.get_mut(slot as usize)?;
        let socket = Socket::new(slot, place.generation);
        place.entry.as_mut().map(|entry| (socket, entry))
    }

    pub(super) fn find(&mut self, socket: Socket) -> Found<'_> {
        match self.at(socket.slot()) {
            Some((present, entry)) if present == socket => match entry.phase {
                Phase::Open => Found::Open(entry),
                Phase::Closing { .. } => Found::Closing,
                Phase::Connecting { .. } => Found::Unknown,
            },
            _ => Found::Unknown,
        }
    }

    /// How many places are in use.
    pub(super) fn used(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Every place in use.
    pub(super) fn slots(&self) -> Vec<u32> {
        (0..self.places.len() as u32).filter(|slot| !self.free.contains(slot)).collect()
    }
}
