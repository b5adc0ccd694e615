//! What all shards and peers of a network share: the clock, the events ahead, the doors.

use super::faults::Faults;
use super::link::{End, Link, Owner};
use super::random::{Random, Trace};
use crate::Wake;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct State {
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) random: Random,
    pub(super) trace: Trace,
    pub(super) now: u64,
    pub(super) links: Vec<Option<Link>>,
    pub(super) links_free: Vec<usize>,
    pub(super) listeners: Vec<Listener>,
    pub(super) doors: Vec<Door>,
    /// How many peers were given an address by their number.
    pub(super) peers: u64,
    events: BinaryHeap<Reverse<Event>>,
    events_posted: u64,
}

/// Whom an event wakes. The order means nothing; a heap asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    End(End),
    Listener(usize),
    Shard(usize),
}

/// Ordered by time, then by when it was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    due: u64,
    posted: u64,
    target: Target,
}

/// Where connections wait until they are accepted.
pub(super) struct Listener {
    /// `None`: a test peer's.
    pub(super) shard: Option<usize>,
    pub(super) is_open: bool,
    pub(super) backlog: VecDeque<Waiting>,
}

/// A connection on its way to a listener.
pub(super) struct Waiting {
    pub(super) due: u64,
    pub(super) end: End,
}

/// A connection on its way to a shard.
pub(super) struct Handed {
    pub(super) due: u64,
    pub(super) end: End,
    pub(super) from: Origin,
}

/// The place that a connection on its way to a shard comes from, which it has until it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) shard: usize,
    pub(super) slot: u32,
}

/// What the network knows of a shard.
pub(super) struct Door {
    pub(super) listener: usize,
    /// Handed over by shards, itself included.
    pub(super) handed: VecDeque<Handed>,
    /// Shards that did not take what this one handed to them, to be told.
    pub(super) refused: Vec<usize>,
    /// Places here whose connections have arrived where they were handed to.
    pub(super) vacated: Vec<u32>,
    /// Slots at which something may have happened.
    pub(super) ready: BTreeSet<u32>,
    pub(super) phase: Phase,
    pub(super) flag: Arc<Flag>,
}

/// See the clock's rules in the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Awake,
    Asleep { deadline: Option<u64> },
    Gone,
}

/// What a shard's waker raises.
#[derive(Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn lower(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Flag {
    fn wake(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The clock starts at a second, so that a difference taken the wrong way round shows.
const START: u64 = 1_000_000_000;

impl State {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            seed,
            faults,
            random: Random::new(seed),
            trace: Trace::new(seed),
            now: START,
            links: Vec::new(),
            links_free: Vec::new(),
            listeners: Vec::new(),
            doors: Vec::new(),
            peers: 0,
            events: BinaryHeap::new(),
            events_posted: 0,
        }
    }

    /// Ends the run because a shard or the test broke the contract.
    pub(super) fn fail(&self, what: &str) -> ! {
        panic!("simulation with seed {}, at {} ns: {what}", self.seed, self.now)
    }

    /// Adds a listener and says its index.
    pub(super) fn listen(&mut self, shard: Option<usize>) -> usize {
        self.listeners.push(Listener { shard, is_open: true, backlog: VecDeque::new() });
        self.listeners.len() - 1
    }

    /// Adds a shard and says its index.
    pub(super) fn enter(&mut self) -> usize {
        let shard = self.doors.len();
        let listener = self.listen(Some(shard));
        self.doors.push(Door {
            listener,
            handed: VecDeque::new(),
            refused: Vec::new(),
            vacated: Vec::new(),
            ready: BTreeSet::new(),
            phase: Phase::Awake,
            flag: Arc::default(),
        });
        shard
    }

    /// When something that happens now reaches the other end.
    pub(super) fn later(&mut self) -> u64 {
        let nanos = |duration: &std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (least, most) = (nanos(self.faults.delay.start()), nanos(self.faults.delay.end()));
        self.now.saturating_add(if most == 0 { 0 } else { self.random.within(least..=most) })
    }

    /// How many turns a stop or a close takes beyond the present one.
    pub(super) fn late_turns(&mut self) -> u64 {
        const LATE_TURNS_MAX: u64 = 3;
        if self.random.chance(self.faults.late_cancel) { self.random.within(1..=LATE_TURNS_MAX) } else { 0 }
    }

    /// Notifies `target` at `due`, or now when that is past.
    pub(super) fn post(&mut self, due: u64, target: Target) {
        if due <= self.now {
            return self.notify(target);
        }
        self.events_posted += 1;
        self.events.push(Reverse(Event { due, posted: self.events_posted, target }));
    }

    /// Tells whoever stands behind `target` to look.
    pub(super) fn notify(&mut self, target: Target) {
        match target {
            Target::End(end) => {
                if let Some(Owner::Slot { shard, slot }) = self.owner(end) {
                    self.doors[shard].ready.insert(slot);
                    self.rouse(shard);
                }
            }
            Target::Listener(listener) => {
                if let Some(shard) = self.listeners[listener].shard {
                    self.rouse(shard);
                }
            }
            Target::Shard(shard) => self.rouse(shard),
        }
    }

    /// Marks a shard as having something to do at the present time.
    pub(super) fn rouse(&mut self, shard: usize) {
        if self.doors[shard].phase != Phase::Gone {
            self.doors[shard].phase = Phase::Awake;
        }
    }

    /// Notes that a shard found nothing to do, and until when it waits.
    pub(super) fn sleep(&mut self, shard: usize, deadline: Option<u64>) {
        self.doors[shard].phase = Phase::Asleep { deadline };
    }

    /// Moves the clock to what comes next, if everybody is asleep; says whether it looked there.
    pub(super) fn step(&mut self) -> bool {
        if self.doors.iter().any(Door::holds_the_clock) {
            return false;
        }
        let event = self.events.peek().map(|Reverse(event)| event.due);
        let deadline = self.doors.iter().filter_map(|door| door.phase.deadline()).min();
        let Some(next) = event.into_iter().chain(deadline).min() else { return false };
        self.move_to(next);
        true
    }

    /// Moves the clock to `time`, unless that is past, and notifies everybody concerned on the way.
    pub(super) fn move_to(&mut self, time: u64) {
        while let Some(&Reverse(event)) = self.events.peek().filter(|Reverse(event)| event.due <= time) {
            self.events.pop();
            self.now = self.now.max(event.due);
            self.notify(event.target);
        }
        self.now = self.now.max(time);
        self.trace.word(self.now);
        for shard in 0..self.doors.len() {
            if self.doors[shard].phase.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.rouse(shard);
            }
        }
    }

    /// The next connection that has arrived at a listener.
    pub(super) fn accept(&mut self, listener: usize) -> Option<End> {
        let now = self.now;
        let arrived = self.listeners[listener].backlog.pop_front_if(|waiting| waiting.due <= now);
        arrived.map(|waiting| waiting.end)
    }

    /// The next connection that was handed to a shard.
    pub(super) fn take_over(&mut self, shard: usize) -> Option<Handed> {
        let now = self.now;
        self.doors[shard].handed.pop_front_if(|handed| handed.due <= now)
    }

    /// Whether a connection waits to be accepted.
    pub(super) fn has_waiting(&self, listener: usize) -> bool {
        self.listeners[listener].backlog.front().is_some_and(|waiting| waiting.due <= self.now)
    }
}

impl Door {
    fn holds_the_clock(&self) -> bool {
        match self.phase {
            Phase::Awake => true,
            Phase::Asleep { .. } => self.flag.is_up(),
            Phase::Gone => false,
        }
    }
}

impl Phase {
    fn deadline(self) -> Option<u64> {
        match self {
            Self::Asleep { deadline } => deadline,
            Self::Awake | Self::Gone => None,
        }
    }
}
