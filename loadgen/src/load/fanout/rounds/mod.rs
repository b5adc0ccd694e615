//! The closed load of a fan-out: members that send to each other in rounds.
//!
//! ```text
//!   send      some members, or all, send so many messages each
//!   deliver   the server delivers each of them to every member, its sender included
//!   next      the next round begins when all have got all of them, or when that has taken too long
//! ```
//!
//! ```text
//!   stage     which round it is, and how many shards still wait in it
//!   part      a shard's part of it: what each member has got, and what it sends
//!   got       what has come of a round, and when some of it did;  drive: calls the part in each turn
//! ```
//!
//! Shards share a word that says which round it is, and nothing else that is written more than once in it. A round's
//! messages have numbers in a row, so that a bit for each member and message says what has come: a delivery costs a
//! look at its digits, a comparison of its content, and a bit. The times of deliveries are kept for some messages only,
//! where there are many: which ones changes from round to round.

mod drive;
mod got;
mod part;
mod stage;

pub(crate) use drive::PartDriver;
pub(crate) use part::{Part, Place};
pub(crate) use stage::Stage;

use super::publish::Wording;
use super::stamp::Stamps;
use super::window::Window;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use wsring::{Kind, Remote, Time};

/// So many deliveries of a round are timed, or those of one message where it has more.
const TIMED_MAX: u64 = 4096;
/// Rounds that are told apart, where messages are long enough.
const ROUNDS_APART: u64 = 64;
/// Deliveries of a round.
const DELIVERIES_MAX: u64 = 1 << 32;

/// Who sends how much in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) members: u32,
    /// Members that send.
    pub(crate) senders: u32,
    /// Messages of each.
    pub(crate) burst: u32,
}

impl Shape {
    /// Of so many members.
    ///
    /// # Errors
    /// The caller's fault, in words: what cannot be told apart or counted.
    pub(crate) fn new(
        members: u32,
        (senders, burst): (Option<u32>, u32),
        stamps: &Stamps,
    ) -> Result<Self, String> {
        let senders = senders.unwrap_or(members).min(members);
        let shape = Self { members, senders, burst };
        // The round before has to be told apart, too.
        if shape.messages() * 2 > stamps.numbers() {
            return Err(format!(
                "a round has {} messages, and the shortest of --size can hold {} different numbers: name a longer one",
                shape.messages(),
                stamps.numbers()
            ));
        }
        if shape.deliveries() > DELIVERIES_MAX {
            return Err(format!(
                "a round has {} deliveries: take fewer --subscribers, --senders or a shorter --burst",
                shape.deliveries()
            ));
        }
        Ok(shape)
    }

    /// How many numbers the messages of so many rounds need that they may be taken for each other.
    pub(crate) fn numbers(members: u32, (senders, burst): (Option<u32>, u32)) -> u64 {
        ROUNDS_APART * u64::from(senders.unwrap_or(members).min(members)) * u64::from(burst)
    }

    /// Messages of a round.
    pub(crate) fn messages(&self) -> u64 {
        u64::from(self.senders) * u64::from(self.burst)
    }

    /// Deliveries of a round.
    pub(crate) fn deliveries(&self) -> u64 {
        self.messages().saturating_mul(u64::from(self.members))
    }

    /// Of how many messages one is timed: a power of two, so that each round has one at least.
    pub(crate) fn timed_of(&self) -> u64 {
        let wanted = self.deliveries().div_ceil(TIMED_MAX).next_power_of_two();
        let most = 1 << self.messages().max(1).ilog2();
        wanted.min(most)
    }

    /// Which of the round's senders a member is.
    fn sender(&self, round: u32, position: u32) -> Option<u32> {
        let (members, position) = (u64::from(self.members), u64::from(position));
        let ahead = (position + members - self.first_sender(round)) % members;
        (ahead < u64::from(self.senders)).then_some(ahead as u32)
    }

    /// The position of the first: they take turns.
    fn first_sender(&self, round: u32) -> u64 {
        u64::from(round) * u64::from(self.senders) % u64::from(self.members)
    }

    /// The positions of the round's senders.
    fn sending(&self, round: u32) -> impl Iterator<Item = usize> + use<> {
        let (first, members) = (self.first_sender(round), u64::from(self.members));
        (0..u64::from(self.senders)).map(move |ahead| ((first + ahead) % members) as usize)
    }
}

/// What all shards know of the rounds of a run.
pub(crate) struct Rounds {
    pub(crate) stamps: Arc<Stamps>,
    pub(crate) wording: Wording,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) begin: Time,
    pub(crate) window: Window,
    /// No round begins from here on, and from the second time on nothing is waited for: nanoseconds of the clock.
    pub(crate) end: AtomicU64,
    pub(crate) drained: AtomicU64,
    pub(crate) timeout: Duration,
    /// Each shard that has members, by one of them.
    pub(crate) homes: Vec<Remote>,
    /// The home of each member, by its position.
    pub(crate) home_of: Vec<u32>,
    pub(crate) members: Members,
    /// Shards whose part has begun to listen.
    pub(crate) ready: AtomicU32,
    pub(crate) stage: Stage,
    /// When the round began, in nanoseconds of the clock. Written by who has begun it, read by who ends it.
    pub(crate) began: AtomicU64,
}

/// Which members are still there.
#[derive(Debug)]
pub(crate) struct Members {
    alive: Box<[AtomicBool]>,
    count: AtomicU32,
}

impl Members {
    pub(crate) fn new(count: u32) -> Self {
        let alive = (0..count).map(|_| AtomicBool::new(true)).collect();
        Self { alive, count: AtomicU32::new(count) }
    }

    fn lose(&self, position: u32) {
        if self.alive[position as usize].swap(false, Ordering::AcqRel) {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn has(&self, position: usize) -> bool {
        self.alive[position].load(Ordering::Acquire)
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }
}

impl Rounds {
    fn shards(&self) -> u32 {
        self.homes.len() as u32
    }

    /// Ends before its time.
    pub(crate) fn cut(&self, at: Time, drained: Time) {
        self.end.fetch_min(at.0, Ordering::AcqRel);
        self.drained.fetch_min(drained.0, Ordering::AcqRel);
        self.homes.iter().for_each(Remote::wake);
    }

    fn end(&self) -> Time {
        Time(self.end.load(Ordering::Acquire))
    }

    fn drained(&self) -> Time {
        Time(self.drained.load(Ordering::Acquire))
    }

    /// In which piece of the measured time it is, if that is not over.
    fn piece(&self, now: Time) -> Option<usize> {
        self.window.piece(now).filter(|_| now < self.end())
    }

    /// Messages that each member is to get in a round.
    fn expected(&self, round: u32) -> u32 {
        let shape = &self.shape;
        let senders = if shape.senders == shape.members {
            self.members.count()
        } else {
            shape.sending(round).filter(|position| self.members.has(*position)).count() as u32
        };
        senders * shape.burst
    }

    /// Wakes the other shards that have to do in a round, or all of them.
    fn wake(&self, round: u32, home: u32, all: bool) {
        if all || self.shape.senders == self.shape.members {
            let others = self.homes.iter().enumerate().filter(|(other, _)| *other != home as usize);
            return others.for_each(|(_, remote)| remote.wake());
        }
        let mut woken = home;
        for position in self.shape.sending(round) {
            let other = self.home_of[position];
            if other != home && other != woken {
                self.homes[other as usize].wake();
            }
            woken = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(members: u32, senders: Option<u32>, burst: u32, size: &str) -> Result<Shape, String> {
        let numbers = Shape::numbers(members, (senders, burst));
        let stamps = Stamps::new(&size.parse().expect(size), 1, numbers);
        Shape::new(members, (senders, burst), &stamps)
    }

    #[test]
    fn rounds_have_a_shape() {
        let table = [
            ((320, None, 1, "20"), 320, 102_400, 32),
            ((32, None, 1600, "3"), 51_200, 1_638_400, 512),
            ((1000, Some(4), 1, "200"), 4, 4000, 1),
            ((2, None, 1, "2"), 2, 4, 1),
            ((1, Some(7), 1, "1"), 1, 1, 1),
            ((20_000, None, 1, "20"), 20_000, 400_000_000, 16_384),
        ];
        for ((members, senders, burst, size), messages, deliveries, timed_of) in table {
            let shape = shape(members, senders, burst, size).expect(size);
            assert_eq!(
                (shape.messages(), shape.deliveries(), shape.timed_of()),
                (messages, deliveries, timed_of)
            );
        }
        let refused = [(33, None, 1, "1", "different numbers"), (100_000, None, 1, "20", "deliveries")];
        for (members, senders, burst, size, text) in refused {
            assert!(shape(members, senders, burst, size).expect_err(size).contains(text), "{members} {size}");
        }
    }

    #[test]
    fn members_take_turns_in_sending() {
        let shape = shape(5, Some(2), 1, "20").expect("it is one");
        let table = [(1, [2, 3]), (2, [4, 0]), (3, [1, 2]), (u32::MAX, [0, 1])];
        for (round, senders) in table {
            assert_eq!(shape.sending(round).collect::<Vec<_>>(), senders, "{round}");
            let found: Vec<Option<u32>> = (0..5).map(|position| shape.sender(round, position)).collect();
            for (place, position) in (0..).zip(senders) {
                assert_eq!(found[position], Some(place), "{round}");
            }
            assert_eq!(found.iter().flatten().count(), 2, "{round}");
        }
    }

    #[test]
    fn members_are_lost_once() {
        let members = Members::new(3);
        members.lose(1);
        members.lose(1);
        assert_eq!(
            (members.count(), [0, 1, 2].map(|position| members.has(position))),
            (2, [true, false, true])
        );
    }
}
