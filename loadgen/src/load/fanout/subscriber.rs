//! The subscribers of a shard: what each has got, and when the messages of all of them came.

use super::history::{History, Place};
use super::publish::{Published, lock};
use super::rounds::Part;
use super::stamp::{Found, Stamps};
use super::window::Window;
use crate::clock;
use crate::fleet::Member;
use crate::load::slow::{Fates, Plan, Reader};
use crate::measure::meter::{histogram, record};
use hdrhistogram::Histogram;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use wsring::{Again, Closed, Conn, ConnectionId, Driver, Handler, Message, OpenFailure, Time, Turn};

/// Times of deliveries, each with the number of those that came then: all of a turn have the same.
pub(crate) type Runs = Vec<(Time, u32)>;

/// What one shard gives away: deliveries of a message, or in the end what it has counted.
#[derive(Debug)]
pub(crate) enum Told {
    /// When a message came to the subscribers of a shard.
    Deliveries(u64, Runs),
    /// In rounds: a message whose deliveries are timed.
    Published(Published),
    /// In rounds: what a shard has sent and was delivered in a piece of the window.
    Piece(usize, u64, u64),
    /// All the rest.
    End(Box<Farewell>),
}

/// What a shard has to say in the end.
#[derive(Clone, Debug)]
pub(crate) struct Farewell {
    pub(crate) counts: FanCounts,
    /// How long the rounds took whose end it has seen first.
    pub(crate) rounds: Histogram<u64>,
    /// How long it took for what had arrived together.
    pub(crate) turns: Histogram<u64>,
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
    /// Notices of messages that were missed.
    pub(crate) gap_notices: u64,
    /// To those that read slowly; in no other count.
    pub(crate) slow: u64,
    /// In rounds: deliveries that did not come in time, and those of them that came after all.
    pub(crate) missed: u64,
    pub(crate) late: u64,
    /// Messages that could not be sent.
    pub(crate) refused: u64,
    /// Rounds that ended in the window, and rounds that were given up.
    pub(crate) rounds: u64,
    pub(crate) rounds_missed: u64,
}

/// What all subscribers of a run know.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) stamps: Arc<Stamps>,
    /// What each sends when it has opened.
    pub(crate) subscribe: Vec<String>,
    /// Messages of one publisher are this far from each other.
    pub(crate) publishers: AtomicU32,
    /// Messages by a schedule have numbers below this.
    pub(crate) count: AtomicU64,
    pub(crate) desk: Desk,
    pub(crate) slow: Plan,
    pub(crate) fates: Arc<Fates>,
}

/// What the subscribers of a shard share.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Those that do not read slowly, in the order of opening.
    pub(crate) seats: Vec<Seat>,
    /// Those of them that are open.
    subscribers: usize,
    /// The number of the first of `coming`.
    first: u64,
    /// How often each message came, and when, until it has come to all.
    coming: VecDeque<(usize, Runs)>,
    pub(crate) counts: FanCounts,
    /// How long it took for what had arrived together, where a [`Stopwatch`] looks.
    turns: Option<Histogram<u64>>,
    /// In rounds, from when they begin on.
    pub(crate) part: Option<Part>,
}

/// A subscriber in its lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// Its number in the fleet.
    pub(crate) number: u32,
    pub(crate) id: ConnectionId,
    pub(crate) is_open: bool,
}

/// A lane in the hands of its handlers and its drivers.
#[derive(Clone)]
pub(crate) struct Shared(Rc<RefCell<Lane>>);

thread_local! {
    /// The lane of this thread's shard. A shard belongs to one run for all its life.
    static LANE: Shared = Shared(Rc::default());
}

impl Shared {
    /// The lane of the shard on whose thread this is called.
    pub(crate) fn here() -> Self {
        LANE.with(Self::clone)
    }

    /// The lane itself, for the length of a handler's or the driver's call.
    #[inline]
    pub(crate) fn borrow(&self) -> RefMut<'_, Lane> {
        self.0.borrow_mut()
    }
}

/// One subscriber.
pub(crate) struct Subscriber {
    member: Member,
    audience: Arc<Audience>,
    lane: Shared,
    /// Where the last message stood in what arrived.
    place: Option<usize>,
    role: Role,
}

/// How a subscriber reads.
enum Role {
    /// As fast as it can. It has a seat in the lane from its opening on.
    Healthy(usize, History),
    Slow(Box<Reader>),
}

impl Subscriber {
    /// To be made on its shard.
    pub(crate) fn new(member: Member, audience: Arc<Audience>) -> Self {
        let role = if audience.slow.is_slow(member.number) {
            Role::Slow(Box::new(Reader::new(&audience.slow, &audience.fates)))
        } else {
            Role::Healthy(0, History::new(audience.publishers.load(Ordering::Relaxed)))
        };
        Self { member, audience, lane: Shared::here(), place: None, role }
    }
}

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        match &mut self.role {
            Role::Healthy(seat, _) => *seat = self.lane.borrow().take_seat(self.member.number, conn.id()),
            Role::Slow(reader) => reader.open(conn),
        }
        for text in &self.audience.subscribe {
            let _ = conn.send_text(text);
        }
        self.member.opened(conn);
    }

    #[inline]
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let found = self.audience.stamps.find(message.payload(), self.place);
        let lane = &mut *self.lane.borrow();
        if let Found::Message(_, place) = found {
            self.place = Some(place);
        }
        match (found, &mut self.role) {
            (found, Role::Slow(reader)) => {
                lane.counts.slow += u64::from(matches!(found, Found::Message(..)));
                reader.message(conn, &message);
            }
            (Found::Message(number, _), Role::Healthy(seat, history)) => match &mut lane.part {
                Some(part) => part.delivered(*seat, number, conn.now(), &mut lane.counts),
                // With so little content, damage to a number may not show otherwise.
                None if number >= self.audience.count.load(Ordering::Relaxed) => lane.counts.corrupt += 1,
                None => {
                    let publishers = self.audience.publishers.load(Ordering::Relaxed);
                    match history.note(number, publishers) {
                        Place::Fits => {}
                        Place::Overtaken => lane.counts.out_of_order += 1,
                        Place::Repeated => return lane.counts.duplicate += 1,
                    }
                    lane.delivered(number, conn.now(), &self.audience.desk);
                }
            },
            (Found::Corrupt, Role::Healthy(..)) => lane.counts.corrupt += 1,
            (Found::Nothing, Role::Healthy(..)) => {
                let is_notice = self.audience.fates.is_gap_notice(message.payload());
                lane.counts.gap_notices += u64::from(is_notice);
                lane.counts.other += u64::from(!is_notice);
            }
        }
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        if let Role::Slow(reader) = &mut self.role {
            reader.timer(conn);
        }
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        match &self.role {
            Role::Healthy(seat, _) => {
                self.lane.borrow().leave(*seat);
                self.member.closed(closed);
            }
            Role::Slow(reader) => {
                reader.close(closed);
                self.member.left();
            }
        }
    }
}

impl Lane {
    fn take_seat(&mut self, number: u32, id: ConnectionId) -> usize {
        self.seats.push(Seat { number, id, is_open: true });
        self.subscribers += 1;
        self.seats.len() - 1
    }

    fn leave(&mut self, seat: usize) {
        self.subscribers -= 1;
        self.seats[seat].is_open = false;
        if let Some(part) = &mut self.part {
            part.left(seat, &mut self.counts);
        }
    }

    #[inline]
    fn delivered(&mut self, number: u64, now: Time, desk: &Desk) {
        self.counts.delivered += 1;
        if number < self.first {
            // It was given away as complete before a new subscriber or a late one got it.
            return put(desk, Told::Deliveries(number, vec![(now, 1)]));
        }
        let index = (number - self.first) as usize;
        while self.coming.len() <= index {
            self.coming.push_back((0, Runs::new()));
        }
        let (count, runs) = &mut self.coming[index];
        *count += 1;
        add(runs, now);
        while self.coming.front().is_some_and(|(count, _)| *count >= self.subscribers) {
            self.give_first(desk);
        }
    }

    fn give_first(&mut self, desk: &Desk) {
        if let Some((count, runs)) = self.coming.pop_front() {
            if count > 0 {
                put(desk, Told::Deliveries(self.first, runs));
            }
            self.first += 1;
        }
    }
}

/// Adds a delivery that came now.
#[inline]
pub(crate) fn add(runs: &mut Runs, now: Time) {
    match runs.last_mut() {
        Some((time, count)) if *time == now => *count += 1,
        _ => runs.push((now, 1)),
    }
}

/// Measures how long a shard takes for what has arrived together, as long as a window is open.
pub(crate) struct Stopwatch {
    lane: Shared,
    window: Window,
}

impl Stopwatch {
    /// To be made on its shard.
    pub(crate) fn new(window: Window) -> Self {
        let lane = Shared::here();
        lane.borrow().turns = Some(histogram());
        Self { lane, window }
    }
}

impl Driver for Stopwatch {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        match &mut self.lane.borrow().turns {
            Some(turns) => {
                if self.window.piece(turn.now()).is_some() {
                    record(turns, clock::now().since(turn.now()));
                }
                Again::NextTurn
            }
            None => Again::Never,
        }
    }
}

/// Gives away what a shard still has, and ends.
pub(crate) struct LastCall(pub(crate) Desk);

impl Driver for LastCall {
    fn turn(&mut self, _: &mut Turn<'_>) -> Again {
        let lane = Shared::here();
        let lane = &mut *lane.borrow();
        while !lane.coming.is_empty() {
            lane.give_first(&self.0);
        }
        let farewell = Farewell {
            counts: std::mem::take(&mut lane.counts),
            turns: lane.turns.take().unwrap_or_else(histogram),
            ..Farewell::default()
        };
        put(&self.0, Told::End(Box::new(farewell)));
        Again::Never
    }
}

fn put(desk: &Desk, told: Told) {
    lock(desk).push(told);
}

impl Default for Farewell {
    fn default() -> Self {
        Self { counts: FanCounts::default(), rounds: histogram(), turns: histogram() }
    }
}

impl FanCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.duplicate += other.duplicate;
        self.out_of_order += other.out_of_order;
        self.corrupt += other.corrupt;
        self.other += other.other;
        self.gap_notices += other.gap_notices;
        self.slow += other.slow;
        self.missed += other.missed;
        self.late += other.late;
        self.refused += other.refused;
        self.rounds += other.rounds;
        self.rounds_missed += other.rounds_missed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_given_away_when_all_have_it() {
        let desk = Desk::default();
        let mut lane = Lane { subscribers: 2, ..Lane::default() };
        for (number, time) in [(0, 10), (1, 20), (1, 20), (0, 30), (3, 40), (0, 50)] {
            lane.delivered(number, Time(time), &desk);
        }
        while !lane.coming.is_empty() {
            lane.give_first(&desk);
        }
        let told: Vec<(u64, Vec<(u64, u32)>)> = desk
            .lock()
            .unwrap()
            .drain(..)
            .map(|told| match told {
                Told::Deliveries(number, runs) => {
                    (number, runs.iter().map(|(time, count)| (time.0, *count)).collect())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            told,
            [(0, vec![(10, 1), (30, 1)]), (1, vec![(20, 2)]), (0, vec![(50, 1)]), (3, vec![(40, 1)])]
        );
        assert_eq!(lane.counts.delivered, 6);
    }
}
