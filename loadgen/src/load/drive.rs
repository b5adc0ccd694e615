//! The driver of a lane: what happens by the clock, and not because something has arrived.

use super::lane::{Lane, Shared};
use super::phases::Plan;
use super::schedule::{Model, Schedule};
use super::verify::Flight;
use crate::clock;
use crate::measure::exchange::Exchange;
use crate::measure::meter;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wsring::{Again, Driver, Time, Turn};

/// Messages that leave before what has arrived meanwhile is looked at.
const SENT_IN_A_TURN_MAX: usize = 512;
/// And before the clock is read again.
const SENT_BY_ONE_READING_MAX: usize = 8;
/// All connections are looked at for messages to give up in an eighth of the answer timeout, in so many steps. These are
/// not closer together than the second, so that it takes 80 ms at least.
const LOOKS: u32 = 16;
const LOOK_MIN: Duration = Duration::from_millis(5);
/// How often it is looked whether the load is to end before its time.
const LOOK_FOR_END: Duration = Duration::from_millis(50);
/// From the decision to that end: until all shards know of it.
pub(super) const NOTICE: Duration = Duration::from_millis(100);

/// Walks one shard through a load.
pub(crate) struct LaneDriver {
    lane: Shared,
    plan: Plan,
    exchange: Arc<Exchange>,
    /// Places in the lane, in the order of the schedule.
    places: Vec<usize>,
    /// The message that is due next, in an open loop.
    schedule: Option<Schedule>,
    /// In which the meter is.
    interval: usize,
    begun: bool,
    look: Look,
}

/// The next look at messages that have waited too long.
struct Look {
    due: Time,
    every: Duration,
    /// Among `places`.
    next: usize,
}

/// What the driver of a shard is made of.
pub(crate) struct Task {
    pub(crate) plan: Plan,
    pub(crate) exchange: Arc<Exchange>,
    /// Connections of the whole load.
    pub(crate) connections: u32,
    /// Those of this shard: where each stands among all, and its number in the fleet.
    pub(crate) members: Vec<(u32, u32)>,
    pub(crate) seed: u64,
}

impl LaneDriver {
    /// A driver for the lane of this thread. What was measured there before is forgotten.
    pub(crate) fn new(shared: Shared, task: Task) -> Self {
        let Task { plan, exchange, connections, members, seed } = task;
        let mut lane = shared.borrow();
        lane.meters.healthy.clear();
        lane.meters.slow.clear();
        lane.plan = Some(plan);
        let seats: HashMap<u32, usize> =
            lane.seats.iter().enumerate().map(|(place, seat)| (seat.number, place)).collect();
        drop(lane);
        let seated = members.iter().filter_map(|(position, number)| Some((*position, *seats.get(number)?)));
        let (positions, places): (Vec<u32>, Vec<usize>) = seated.unzip();
        let schedule = match plan.model {
            Model::Closed { .. } => None,
            Model::Open { rate, arrivals, .. } => {
                Some(Schedule::new(plan.begin, rate, arrivals, connections, positions, seed))
            }
        };
        let every = (plan.answer_timeout / (8 * LOOKS)).max(LOOK_MIN);
        let look = Look { due: plan.begin.after(every), every, next: 0 };
        Self { lane: shared, plan, exchange, places, schedule, interval: 0, begun: false, look }
    }

    /// The first messages of a closed loop.
    fn begin(&mut self, lane: &mut Lane, turn: &mut Turn<'_>) {
        self.begun = true;
        if let Model::Closed { .. } = self.plan.model {
            self.places.iter().for_each(|place| refill(&self.plan, lane, turn, *place));
        }
    }

    /// Sends what is due; says when the next message is.
    fn send_due(&mut self, lane: &mut Lane, turn: &mut Turn<'_>, mut now: Time) -> Option<Time> {
        let schedule = self.schedule.as_mut()?;
        for count in 1..=SENT_IN_A_TURN_MAX {
            let (place, intended) = schedule.next().filter(|(_, intended)| *intended < self.plan.end)?;
            if intended > now {
                return Some(intended);
            }
            schedule.advance();
            send_one(&self.plan, lane, turn, self.places[place], Flight { intended, sent: now });
            if count % SENT_BY_ONE_READING_MAX == 0 {
                now = clock::now();
            }
        }
        Some(now)
    }

    /// Looks at some connections for messages that have waited too long; in a closed loop, others follow them.
    fn look(&mut self, lane: &mut Lane, turn: &mut Turn<'_>, now: Time) {
        if now < self.look.due {
            return;
        }
        let before = Time(now.0.saturating_sub(self.plan.answer_timeout.as_nanos() as u64));
        for _ in 0..self.places.len().div_ceil(LOOKS as usize) {
            let place = self.places[self.look.next % self.places.len()];
            self.look.next = (self.look.next + 1) % self.places.len();
            lane.give_up(place, before);
            if now < self.plan.end {
                refill(&self.plan, lane, turn, place);
            }
        }
        self.look.due = now.after(self.look.every);
    }

    /// Ends the load before its time where that was asked for.
    fn end_early(&mut self, lane: &mut Lane) {
        if let Some(time) = self.exchange.early_end() {
            self.plan.cut(time);
            self.interval = self.interval.min(self.plan.intervals() + 1);
            lane.plan = Some(self.plan);
        }
    }

    /// Gives away the meter at the end of each interval.
    fn hand_over(&mut self, lane: &mut Lane, now: Time) {
        while self.interval <= self.plan.intervals() && now >= self.plan.interval_end(self.interval) {
            self.exchange.hand_over(&mut lane.meters.healthy, self.interval);
            self.interval += 1;
        }
    }

    /// Whether nothing is to come any more, or is not waited for.
    fn is_over(&self, lane: &Lane, now: Time) -> bool {
        now >= self.plan.drained || (now >= self.plan.end && lane.pending == 0)
    }
}

impl Driver for LaneDriver {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let shared = self.lane.clone();
        let mut lane = shared.borrow();
        let lane = &mut *lane;
        let now = clock::now();
        self.end_early(lane);
        if self.plan.has(now) {
            meter::record(&mut lane.meters.healthy.turns, now.since(turn.now()));
        }
        self.hand_over(lane, turn.now());
        let look = turn.now().after(LOOK_FOR_END);
        if turn.now() < self.plan.begin {
            return Again::At(self.plan.begin.min(look));
        }
        if !self.begun && turn.now() < self.plan.end {
            self.begin(lane, turn);
        }
        let due = self.send_due(lane, turn, now);
        self.look(lane, turn, turn.now());
        if self.is_over(lane, turn.now()) {
            lane.age_out(turn.now());
            self.exchange.hand_over_last(&mut lane.meters.healthy, &mut lane.meters.slow, self.interval);
            lane.plan = None;
            return Again::Never;
        }
        let interval_end = self.plan.interval_end(self.interval);
        let edge = if turn.now() < self.plan.end { interval_end } else { self.plan.drained };
        Again::At(due.unwrap_or(edge).min(edge).min(self.look.due).min(look))
    }
}

/// In a closed loop, gives a connection as many messages as it may have on their way.
fn refill(plan: &Plan, lane: &mut Lane, turn: &mut Turn<'_>, place: usize) {
    if let Model::Closed { depth } = plan.model {
        let (id, now) = (lane.seats[place].id, turn.now());
        turn.with(id, |conn| lane.fill(place, conn, depth, now));
    }
}

/// Sends the message whose turn it is. What cannot be sent is counted.
fn send_one(plan: &Plan, lane: &mut Lane, turn: &mut Turn<'_>, place: usize, flight: Flight) {
    let seat = &lane.seats[place];
    if let Model::Open { in_flight_max: Some(most), .. } = plan.model
        && seat.pipe.waiting() >= most
    {
        lane.meter_of(place).counts.blocked += 1;
        return;
    }
    let id = seat.id;
    if turn.with(id, |conn| lane.send(place, conn, flight)).is_none() {
        // The connection is over.
        lane.meter_of(place).counts.refused += 1;
    }
}
