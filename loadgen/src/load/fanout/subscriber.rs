//! The subscribers of a shard: what each has got, and when the messages of all of them came.

use super::publish::lock;
use super::stamp::{Found, Stamps};
use crate::fleet::Member;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use wsring::{Again, Closed, Conn, ConnectionId, Driver, Handler, Message, OpenFailure, Time, Turn};

/// What one shard gives away: deliveries of a message, or in the end what it has counted.
#[derive(Debug)]
pub(crate) enum Told {
    /// When a message came to the subscribers of a shard.
    Deliveries(u32, Vec<Time>),
    /// All the rest.
    End(FanCounts),
}

/// Where shards put what they give away.
pub(crate) type Desk = Arc<Mutex<Vec<Told>>>;

/// What subscribers got beside deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FanCounts {
    pub(crate) delivered: u64,
    pub(crate) duplicate: u64,
    pub(crate) out_of_order: u64,
    pub(crate) corrupt: u64,
    /// Answers, notices, and what others have published.
    pub(crate) other: u64,
}

/// What all subscribers of a run know.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) stamps: Stamps,
    /// What each sends when it has opened.
    pub(crate) subscribe: Vec<String>,
    /// Messages of one publisher are this far from each other.
    pub(crate) publishers: u32,
    pub(crate) desk: Desk,
}

/// What the subscribers of a shard share.
#[derive(Debug, Default)]
struct Lane {
    subscribers: usize,
    /// The number of the first of `coming`.
    first: u32,
    /// When each message came, until it has come to all.
    coming: VecDeque<Vec<Time>>,
    counts: FanCounts,
}

thread_local! {
    /// The lane of this thread's shard. A shard belongs to one run for all its life.
    static LANE: Rc<RefCell<Lane>> = Rc::default();
}

/// One subscriber.
pub(crate) struct Subscriber {
    member: Member,
    audience: Arc<Audience>,
    lane: Rc<RefCell<Lane>>,
    /// Where the last message stood in what arrived.
    place: usize,
    history: History,
}

/// Which messages a subscriber has got.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    /// One more than the highest.
    next: u32,
    /// A bit for each of the 64 before that, the highest in the lowest place.
    seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Fits,
    /// A later one of the same publisher has come before it.
    Overtaken,
    Repeated,
}

impl Subscriber {
    /// To be made on its shard.
    pub(crate) fn new(member: Member, audience: Arc<Audience>) -> Self {
        let lane = LANE.with(Rc::clone);
        Self { member, audience, lane, place: 0, history: History::default() }
    }
}

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.lane.borrow_mut().subscribers += 1;
        for text in &self.audience.subscribe {
            let _ = conn.send_text(text);
        }
        self.member.opened(conn);
    }

    #[inline]
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let lane = &mut *self.lane.borrow_mut();
        match self.audience.stamps.find(message.payload(), self.place) {
            Found::Message(number, place) => {
                self.place = place;
                match self.history.note(number, self.audience.publishers) {
                    Place::Fits => {}
                    Place::Overtaken => lane.counts.out_of_order += 1,
                    Place::Repeated => return lane.counts.duplicate += 1,
                }
                lane.delivered(number, conn.now(), &self.audience.desk);
            }
            Found::Corrupt => lane.counts.corrupt += 1,
            Found::Nothing => lane.counts.other += 1,
        }
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.lane.borrow_mut().subscribers -= 1;
        self.member.closed(closed);
    }
}

impl Lane {
    #[inline]
    fn delivered(&mut self, number: u32, now: Time, desk: &Desk) {
        self.counts.delivered += 1;
        if number < self.first {
            // It was given away as complete before a new subscriber or a late one got it.
            return put(desk, Told::Deliveries(number, vec![now]));
        }
        let index = (number - self.first) as usize;
        while self.coming.len() <= index {
            self.coming.push_back(Vec::new());
        }
        let times = &mut self.coming[index];
        if times.capacity() == 0 {
            times.reserve_exact(self.subscribers);
        }
        times.push(now);
        while self.coming.front().is_some_and(|times| times.len() >= self.subscribers) {
            self.give_first(desk);
        }
    }

    fn give_first(&mut self, desk: &Desk) {
        if let Some(times) = self.coming.pop_front() {
            if !times.is_empty() {
                put(desk, Told::Deliveries(self.first, times));
            }
            self.first += 1;
        }
    }
}

impl History {
    #[inline]
    fn note(&mut self, number: u32, publishers: u32) -> Place {
        if number >= self.next {
            let ahead = number - self.next + 1;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.next = number + 1;
            return Place::Fits;
        }
        let behind = self.next - 1 - number;
        if behind >= u64::BITS {
            return Place::Overtaken;
        }
        let bit = 1 << behind;
        if self.seen & bit != 0 {
            return Place::Repeated;
        }
        self.seen |= bit;
        let later = (0..behind).rev().filter(|place| (behind - place).is_multiple_of(publishers));
        let overtaken = later.into_iter().any(|place| self.seen & (1 << place) != 0);
        if overtaken { Place::Overtaken } else { Place::Fits }
    }
}

/// Gives away what a shard still has, and ends.
pub(crate) struct LastCall(pub(crate) Desk);

impl Driver for LastCall {
    fn turn(&mut self, _: &mut Turn<'_>) -> Again {
        LANE.with(|lane| {
            let lane = &mut *lane.borrow_mut();
            while !lane.coming.is_empty() {
                lane.give_first(&self.0);
            }
            put(&self.0, Told::End(std::mem::take(&mut lane.counts)));
        });
        Again::Never
    }
}

fn put(desk: &Desk, told: Told) {
    lock(desk).push(told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_each_publisher() {
        use Place::{Fits, Overtaken, Repeated};
        let table: [(u32, &[u32], &[Place]); 6] = [
            (1, &[0, 1, 2], &[Fits, Fits, Fits]),
            (1, &[0, 2, 1, 3], &[Fits, Fits, Overtaken, Fits]),
            (2, &[0, 2, 1, 3], &[Fits, Fits, Fits, Fits]),
            (2, &[2, 0, 0], &[Fits, Overtaken, Repeated]),
            (1, &[5, 5, 70, 5, 200, 6], &[Fits, Repeated, Fits, Overtaken, Fits, Overtaken]),
            (3, &[4, 3, 2, 1, 4], &[Fits, Fits, Fits, Overtaken, Repeated]),
        ];
        for (publishers, numbers, expected) in table {
            let mut history = History::default();
            let found: Vec<Place> = numbers.iter().map(|number| history.note(*number, publishers)).collect();
            assert_eq!(found, expected, "{numbers:?} of {publishers}");
        }
    }

    #[test]
    fn a_message_is_given_away_when_all_have_it() {
        let desk = Desk::default();
        let mut lane = Lane { subscribers: 2, ..Lane::default() };
        for (number, time) in [(0, 10), (1, 20), (1, 21), (0, 30), (3, 40), (0, 50)] {
            lane.delivered(number, Time(time), &desk);
        }
        while !lane.coming.is_empty() {
            lane.give_first(&desk);
        }
        let told: Vec<(u32, Vec<u64>)> = desk
            .lock()
            .unwrap()
            .drain(..)
            .map(|told| match told {
                Told::Deliveries(number, times) => (number, times.iter().map(|time| time.0).collect()),
                Told::End(_) => panic!("nobody has ended"),
            })
            .collect();
        assert_eq!(told, [(0, vec![10, 30]), (1, vec![20, 21]), (0, vec![50]), (3, vec![40])]);
        assert_eq!(lane.counts.delivered, 6);
    }
}
