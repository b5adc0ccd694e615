//! The network as a test sees it.

use super::faults::Faults;
use super::link::{End, LISTENERS, Owner};
use super::peer::{Peer, PeerListener};
use super::shard::{Config, SimIo};
use super::state::{Handed, Origin, Phase, State, Target};
use crate::{CloseHow, Time};
use std::cell::{RefCell, RefMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// A seeded network: all connections between shards and peers, their faults, and the clock. Clones
/// are handles to the same one. The module's documentation has the rules of the clock.
#[derive(Clone)]
pub struct Network(Rc<RefCell<State>>);

/// Listeners are `127.0.0.1`, from this port upwards in the order in which they were made.
const PORT_FIRST: u16 = 10_000;

impl Network {
    /// An empty network. The same seed, faults and calls give the same run.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self(Rc::new(RefCell::new(State::new(seed, faults))))
    }

    /// Adds a shard, with a listener that nothing is accepted from yet. Shards count from 0.
    ///
    /// # Panics
    /// When the configuration leaves it without a socket or a buffer.
    pub fn shard(&self, config: Config) -> SimIo {
        let (index, listener) = {
            let mut state = self.state();
            let index = state.enter();
            (index, state.doors[index].listener)
        };
        SimIo::new(self.clone(), index, listener, config)
    }

    /// Connects a peer to a shard's listener. When that is closed the peer finds itself reset. The
    /// first comes from 127.0.0.1, the second from 127.0.0.2, and after 254 round again.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn peer(&self, shard: usize) -> Peer {
        let number = {
            let mut state = self.state();
            state.peers += 1;
            state.peers - 1
        };
        // From 1 to 254.
        self.peer_from(shard, Ipv4Addr::new(127, 0, 0, 1 + (number % 254) as u8).into())
    }

    /// As [`peer`](Self::peer), from an address that the test chooses.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn peer_from(&self, shard: usize, address: IpAddr) -> Peer {
        let end = {
            let mut state = self.state();
            let Some(listener) = state.doors.get(shard).map(|door| door.listener) else {
                state.fail(&format!("a peer connects to shard {shard}, which does not exist"));
            };
            state.connect(Some(listener), Owner::Waiting, address).0
        };
        Peer::new(self.clone(), end)
    }

    /// Adds a listener whose connections the test takes and drives.
    pub fn listen(&self) -> PeerListener {
        let listener = self.state().listen(None);
        PeerListener::new(self.clone(), listener)
    }

    /// Where a shard listens, for others to connect to.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn address(&self, shard: usize) -> SocketAddr {
        let state = self.state();
        match state.doors.get(shard) {
            Some(door) => address_of(door.listener),
            None => state.fail(&format!("shard {shard} does not exist")),
        }
    }

    /// The present time.
    pub fn now(&self) -> Time {
        Time(self.state().now)
    }

    /// Moves the clock by force. What becomes ready meanwhile waits for its shard's next turn.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state();
        let until = Time(state.now).after(duration);
        state.move_to(until.0);
    }

    /// Replaces the faults from now on, to let a run with faults end without any. Windows of
    /// connections that exist stay as they are.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// What the network was made with; failures name it too.
    pub fn seed(&self) -> u64 {
        self.state().seed
    }

    /// A hash of everything that happened so far: bytes moved, completions reported, time passed.
    pub fn trace_hash(&self) -> u64 {
        self.state().trace.hash()
    }

    /// A seeded draw below `bound`, for a test that takes turns at random.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn draw(&self, bound: usize) -> usize {
        assert!(bound > 0, "there is nothing to draw from");
        self.state().random.index(bound)
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Network")
            .field("seed", &state.seed)
            .field("now", &state.now)
            .field("shards", &state.doors.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// The open or closed listener at an address.
    pub(super) fn listener_at(&self, address: SocketAddr) -> Option<usize> {
        (0..self.listeners.len()).find(|&listener| address_of(listener) == address)
    }

    /// Closes a listener and resets whoever waits there, as Linux does.
    pub(super) fn listener_close(&mut self, listener: usize) {
        self.listeners[listener].is_open = false;
        while let Some(waiting) = self.listeners[listener].backlog.pop_front() {
            self.close(waiting.end, CloseHow::Reset);
        }
    }

    /// Moves a connection from one shard to another, or to itself.
    pub(super) fn hand_over(&mut self, end: End, from: Origin, shard: usize) {
        let Some(phase) = self.doors.get(shard).map(|door| door.phase) else {
            self.fail(&format!("a connection is handed to shard {shard}, which does not exist"));
        };
        if phase == Phase::Gone {
            return self.refuse(end, from, shard);
        }
        self.set_owner(end, Owner::Waiting);
        // First in, first out: none arrives before the one handed over before it.
        let before = self.doors[shard].handed.back().map_or(0, |handed| handed.due);
        let due = self.later().max(before);
        self.doors[shard].handed.push_back(Handed { due, end, from });
        self.post(due, Target::Shard(shard));
    }

    /// Closes a connection that `shard` does not take, and tells the one that had it.
    pub(super) fn refuse(&mut self, end: End, from: Origin, shard: usize) {
        self.close(end, CloseHow::Reset);
        self.doors[from.shard].refused.push(shard);
        self.vacate(from);
    }

    /// A connection that was handed over has arrived: its old place is free, as its shard learns.
    pub(super) fn vacate(&mut self, from: Origin) {
        self.doors[from.shard].vacated.push(from.slot);
        self.rouse(from.shard);
    }
}

pub(super) fn address_of(listener: usize) -> SocketAddr {
    let port = u16::try_from(listener).ok().and_then(|listener| PORT_FIRST.checked_add(listener));
    match port {
        Some(port) => SocketAddr::new(LISTENERS, port),
        None => panic!("a network has fewer than 50,000 listeners"),
    }
}
