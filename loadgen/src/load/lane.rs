//! What the handlers of a shard share with its driver: their connections' messages, and the meter.

use super::message::Messages;
use super::phases::Plan;
use super::schedule::Model;
use super::verify::{Arrival, Flight, Pipe};
use crate::measure::meter::{self, Meter};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use wsring::{Conn, ConnectionId, Message, Sent, Time};

/// One shard's part of a load. Handlers and driver run on the same thread, one after the other.
pub(crate) struct Lane {
    messages: Arc<Messages>,
    fragments: usize,
    pub(super) seats: Vec<Seat>,
    pub(super) plan: Option<Plan>,
    pub(super) meters: Meters,
    /// Messages that may still be answered, on connections that are open and read what comes.
    pub(super) pending: u64,
    /// Where the next message is written before it is sent; kept to spare the allocation.
    scratch: Vec<u8>,
}

/// One connection in its lane.
pub(crate) struct Seat {
    /// Its number in the fleet.
    pub(super) number: u32,
    pub(super) id: ConnectionId,
    pub(super) pipe: Pipe,
    is_open: bool,
    /// Whether it reads slowly: nobody waits for its answers.
    is_slow: bool,
}

/// What is measured of the connections that read what comes, and of those that read slowly.
pub(super) struct Meters {
    pub(super) healthy: Meter,
    pub(super) slow: Meter,
}

impl Meters {
    #[inline]
    fn of(&mut self, is_slow: bool) -> &mut Meter {
        if is_slow { &mut self.slow } else { &mut self.healthy }
    }
}

/// A lane in the hands of its handlers and its driver.
#[derive(Clone)]
pub(crate) struct Shared(Rc<RefCell<Lane>>);

thread_local! {
    /// The lane of this thread's shard. A shard belongs to one run for all its life.
    static HERE: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

impl Shared {
    /// The lane of the shard on whose thread this is called.
    pub(crate) fn here(messages: &Arc<Messages>, fragments: usize) -> Self {
        HERE.with_borrow_mut(|here| {
            here.get_or_insert_with(|| Self::new(Arc::clone(messages), fragments)).clone()
        })
    }

    fn new(messages: Arc<Messages>, fragments: usize) -> Self {
        Self(Rc::new(RefCell::new(Lane {
            messages,
            fragments,
            seats: Vec::new(),
            plan: None,
            meters: Meters { healthy: Meter::new(), slow: Meter::new() },
            pending: 0,
            scratch: Vec::new(),
        })))
    }

    /// The lane itself, for the length of a handler's or the driver's call.
    #[inline]
    pub(crate) fn borrow(&self) -> RefMut<'_, Lane> {
        self.0.borrow_mut()
    }
}

impl Lane {
    /// A connection has opened; says at which place.
    pub(crate) fn opened(&mut self, number: u32, id: ConnectionId, is_slow: bool) -> usize {
        self.seats.push(Seat { number, id, pipe: Pipe::new(number), is_open: true, is_slow });
        self.seats.len() - 1
    }

    /// What the connection at a place is measured with.
    #[inline]
    pub(super) fn meter_of(&mut self, place: usize) -> &mut Meter {
        self.meters.of(self.seats[place].is_slow)
    }

    /// A connection is over. Its messages are not waited for any more, and count as unanswered in the end.
    pub(crate) fn closed(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        if std::mem::take(&mut seat.is_open) && !seat.is_slow {
            self.pending -= seat.pipe.pending() as u64;
        }
    }

    /// A message has arrived; in a closed loop it is followed by the next one.
    #[inline]
    pub(crate) fn arrived(&mut self, place: usize, conn: &mut Conn<'_>, message: &Message<'_>) {
        let now = conn.now();
        let seat = &mut self.seats[place];
        let before = seat.pipe.pending();
        let arrival = seat.pipe.arrived(&self.messages, message.kind(), message.payload());
        if !seat.is_slow {
            self.pending -= (before - seat.pipe.pending()) as u64;
        }
        self.meter_of(place).counts.bytes_received += message.payload().len() as u64;
        self.count(place, arrival, now);
        if let Some(Plan { model: Model::Closed { depth }, end, .. }) = self.plan
            && now < end
        {
            self.fill(place, conn, depth, now);
        }
    }

    /// Sends until `depth` messages are waited for.
    #[inline]
    pub(super) fn fill(&mut self, place: usize, conn: &mut Conn<'_>, depth: u32, now: Time) {
        while conn.is_open() && self.seats[place].pipe.waiting() < depth {
            if !self.send(place, conn, Flight { intended: now, sent: now }) {
                return;
            }
        }
    }

    /// Sends the next message of a connection; says whether the engine has taken it.
    #[inline]
    pub(super) fn send(&mut self, place: usize, conn: &mut Conn<'_>, flight: Flight) -> bool {
        let seat = &mut self.seats[place];
        self.messages.write(seat.pipe.next(), &mut self.scratch);
        let kind = self.messages.kind();
        let sent = match self.fragments {
            0 | 1 => conn.send_payload(kind, &self.scratch),
            count => send_fragments(conn, kind, &self.scratch, count),
        };
        let is_slow = seat.is_slow;
        let meter = self.meters.of(is_slow);
        if sent == Sent::Dropped {
            meter.counts.refused += 1;
            return false;
        }
        seat.pipe.sent(flight);
        self.pending += u64::from(!is_slow);
        meter.counts.sent += 1;
        meter.counts.bytes_sent += self.scratch.len() as u64;
        if let Some(plan) = &self.plan
            && plan.has(flight.intended)
        {
            meter.counts.window_sent += 1;
            if plan.is_open_loop() {
                meter::record(&mut meter.lag, flight.sent.since(flight.intended));
            }
        }
        true
    }

    /// Gives up what a connection has sent before a time.
    pub(super) fn give_up(&mut self, place: usize, before: Time) {
        let count = u64::from(self.seats[place].pipe.give_up(before));
        self.meter_of(place).counts.given_up += count;
    }

    /// The end: what has no answer by now counts as answered now at the earliest.
    pub(super) fn age_out(&mut self, now: Time) {
        for seat in &mut self.seats {
            let meter = self.meters.of(seat.is_slow);
            for (was_overtaken, flight) in seat.pipe.unanswered() {
                meter.counts.unanswered += 1;
                meter.counts.lost += u64::from(was_overtaken);
                if let Some(plan) = &self.plan {
                    plan.record(meter, flight, now);
                }
            }
        }
        self.pending = 0;
    }

    #[inline]
    fn count(&mut self, place: usize, arrival: Arrival, now: Time) {
        let meter = self.meters.of(self.seats[place].is_slow);
        let Some(plan) = &self.plan else {
            meter.counts.unasked += 1;
            return;
        };
        let counts = &mut meter.counts;
        let flight = match arrival {
            Arrival::Right(flight) => flight,
            Arrival::OutOfOrder(flight) => {
                counts.out_of_order += 1;
                flight
            }
            Arrival::Late(flight) => {
                counts.late += 1;
                flight
            }
            Arrival::Duplicate => return counts.duplicate += 1,
            Arrival::Corrupt => return counts.corrupt += 1,
            Arrival::Unasked => return counts.unasked += 1,
        };
        counts.answered += 1;
        counts.window_answered += u64::from(plan.has(now));
        plan.record(meter, flight, now);
    }
}

/// Sends a message in so many frames (RFC 6455 section 5.4); fewer when it is shorter than that.
fn send_fragments(conn: &mut Conn<'_>, kind: wsring::Kind, payload: &[u8], count: usize) -> Sent {
    let length = payload.len().div_ceil(count).max(1);
    let last = payload.chunks(length).len().saturating_sub(1);
    let mut sent = Sent::Dropped;
    for (number, part) in payload.chunks(length).enumerate() {
        sent = conn.send_fragment((number == 0).then_some(kind), number == last, part);
        if number == 0 && sent == Sent::Dropped {
            return sent;
        }
    }
    if payload.is_empty() { conn.send_payload(kind, payload) } else { sent }
}
