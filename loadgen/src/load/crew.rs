//! Connections that are open and ready for a load, or for several loads one after the other.

use super::drive::{LaneDriver, NOTICE, Task};
use super::lane::Shared;
use super::message::Messages;
use super::outcome::{self, Collector, Outcome};
use super::phases::Plan;
use super::schedule::Model;
use super::slow::{self, Fates, Reader};
use crate::args::{Common, SlowOptions};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member, Needs};
use crate::interrupt;
use crate::measure::exchange::Exchange;
use crate::measure::health::{Strain, Vitals};
use crate::measure::meter::Meter;
use crate::model::{Interval, Opening, Report};
use crate::report::{Moment, Progress};
use std::sync::Arc;
use std::time::Duration;
use wsring::{Closed, Conn, ConnectionId, Handler, Message, OpenFailure, Time};

/// How often it is looked for what shards have handed over.
const LOOK: Duration = Duration::from_millis(20);
/// How much longer than the load a shard may take to say that it is over.
const GRACE: Duration = Duration::from_secs(10);

/// The connections of a load.
pub(crate) struct Crew<'a> {
    pub(crate) fleet: Fleet<'a>,
    pub(crate) opening: Opening,
    messages: Arc<Messages>,
    fragments: usize,
    /// For each shard: where each of its connections stands among all that are open, and its number.
    members: Vec<Vec<(u32, u32)>>,
    connections: u32,
    /// The start of the run.
    pub(crate) origin: Time,
    /// Which of them read slowly, and what becomes of those.
    slow: slow::Plan,
    fates: Arc<Fates>,
}

/// What a load is to be, beside its [`Model`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) answer_timeout: Duration,
}

impl<'a> Crew<'a> {
    /// Opens the connections. `in_flight` is how many messages each may have on its way; `None`: any number.
    ///
    /// # Errors
    /// As [`Fleet::open_with`].
    pub(crate) fn open(
        common: &'a Common,
        connections: u32,
        messages: Messages,
        fragments: u32,
        in_flight: Option<u32>,
        slow: &SlowOptions,
    ) -> Result<Self, Failure> {
        let origin = clock::now();
        let longest = messages.longest();
        let queue_bytes =
            in_flight.map_or(UNBOUNDED, |count| longest.saturating_add(16).saturating_mul(count as usize));
        let (plan, fates) = (slow::Plan::of(slow), Arc::new(Fates::new(slow)));
        let needs = Needs {
            connections,
            message_bytes: longest,
            queue_bytes,
            sends: true,
            slow: plan,
            ..Needs::default()
        };
        let fleet = Fleet::start_with(common, needs)?;
        let (messages, fragments) = (Arc::new(messages), fragments as usize);
        let opening = fleet.open_with(|member, _| {
            let messages = Arc::clone(&messages);
            let slow = plan.is_slow(member.number).then(|| Box::new(Reader::new(&plan, &fates)));
            move || Echo { member, lane: Shared::here(&messages, fragments), place: 0, slow }
        })?;
        let shards = fleet.shards();
        let mut numbers: Vec<u32> = fleet.remotes().iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let mut members = vec![Vec::new(); shards];
        for (position, number) in (0..).zip(&numbers) {
            members[*number as usize % shards].push((position, *number));
        }
        let connections = numbers.len() as u32;
        Ok(Self { fleet, opening, messages, fragments, members, connections, origin, slow: plan, fates })
    }

    /// Whether some of them read slowly, or it was said how they would: a run with a share of none, to compare with, has
    /// its latencies under the same names.
    pub(crate) fn has_slow(&self) -> bool {
        self.slow != slow::Plan::default()
    }

    /// Writes down what became of those that read slowly.
    pub(crate) fn report_slow(&self, report: &mut Report, meter: &Meter) {
        self.fates.report(&self.slow, report, Some(&meter.counts));
    }

    /// Walks through warm-up, window and drain, and returns when all of it is over. `progress` is
    /// told how it goes.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn load(
        &self,
        model: Model,
        times: &Times,
        begin: Time,
        seed: u64,
        progress: &mut Progress,
    ) -> Result<Outcome, Failure> {
        let start = begin.after(times.warm_up);
        let end = start.after(times.duration);
        let drained = end.after(times.drain_timeout);
        let (interval, answer_timeout) = (times.interval.min(times.duration), times.answer_timeout);
        let plan = Plan { model, begin, start, end, drained, interval, answer_timeout };
        let exchange = Arc::new(Exchange::default());
        let shards = self.drive(plan, &exchange, seed);
        let mut collector = Collector::new(plan, self.origin, &exchange, shards);
        let (strain, ended_early) = self.watch(plan, &exchange, &mut collector, progress)?;
        let outcome = collector.finish(strain, clock::now().min(drained));
        Ok(Outcome { ended_early, ..outcome })
    }

    /// Why this load cannot meet any more what is asked of it as the trial of a search, if so.
    fn is_hopeless(&self, whole: &Plan, collector: &Collector<'_>) -> Option<String> {
        let bounds = self.fleet.bounds()?;
        let meter = collector.so_far();
        let messages = |from: Time| match whole.model {
            Model::Open { rate, .. } => Some(rate * whole.end.since(from).as_secs_f64()),
            Model::Closed { .. } => None,
        };
        let all = messages(whole.begin).map(|messages| messages + f64::from(self.connections));
        let slow = |messages| bounds.slow(&meter.response, |bound| collector.waiting(bound), messages);
        let errors = self.fleet.is_hopeless(outcome::errors(&meter.counts), all);
        errors.or_else(|| messages(whole.start).and_then(slow))
    }

    /// Has each shard that has connections driven; says how many those are.
    fn drive(&self, plan: Plan, exchange: &Arc<Exchange>, seed: u64) -> usize {
        let busy = self.members.iter().enumerate().filter(|(_, members)| !members.is_empty());
        let tasks = busy.map(|(shard, members)| {
            let task = Task {
                plan,
                exchange: Arc::clone(exchange),
                connections: self.connections,
                members: members.clone(),
                seed: seed.wrapping_add(shard as u64),
            };
            let (messages, fragments) = (Arc::clone(&self.messages), self.fragments);
            self.fleet
                .client()
                .drive(shard, move || LaneDriver::new(Shared::here(&messages, fragments), task));
        });
        tasks.count()
    }

    /// How things stand.
    fn moment<'m>(&self, plan: &Plan, now: Time, interval: Option<&'m Interval>, errors: u64) -> Moment<'m> {
        let phases = [("warm_up", plan.start), ("measure", plan.end), ("drain", plan.drained)];
        let (phase, end) = phases.into_iter().find(|(_, end)| now < *end).unwrap_or(("drain", now));
        let connections = u64::from(self.fleet.alive());
        Moment { phase, remaining: Some(end.since(now)), connections, interval, errors }
    }

    /// Looks on until the load is over, and takes the generator's vitals at the edges of the window. Ends it before its
    /// time when that was asked for, or when there is no hope; says why.
    fn watch(
        &self,
        whole: Plan,
        exchange: &Exchange,
        collector: &mut Collector<'_>,
        progress: &mut Progress,
    ) -> Result<(Strain, Option<String>), Failure> {
        let mut plan = whole;
        let (mut hopeless, mut is_cut) = (None, false);
        let mut edges: Vec<Vitals> = Vec::new();
        let (mut latest, mut errors, mut shown) = (None, 0, Time(0));
        while !collector.is_over() {
            let now = clock::now();
            if !is_cut {
                hopeless = self.is_hopeless(&whole, collector);
                is_cut = hopeless.is_some() || interrupt::is_asked();
                if is_cut {
                    let end = now.after(NOTICE);
                    exchange.end_at(end);
                    plan.cut(end);
                    collector.cut(end);
                }
            }
            if now > plan.drained.after(GRACE) {
                return Err(Failure::Stuck);
            }
            while edges.len() <= plan.intervals() && now >= plan.interval_end(edges.len()) {
                edges.push(Vitals::take(&self.fleet.client().observer().shards()));
            }
            for interval in collector.collect() {
                errors += interval.errors;
                latest = Some(interval);
                shown = Time(0);
            }
            if now.since(shown) >= SHOWN_APART {
                progress.show(&self.moment(&plan, now, latest.as_ref(), errors));
                shown = now;
            }
            let edge = plan.interval_end(edges.len());
            let look = now.after(LOOK);
            clock::sleep_until(if edge > now { look.min(edge) } else { look });
        }
        for (interval, pair) in (1..).zip(edges.windows(2)) {
            let usage = pair[1].since(&pair[0]).usage;
            collector.set_cores(interval, usage.map(|usage| usage.cores));
        }
        let whole = edges.first().zip(edges.last()).map(|(first, last)| last.since(first));
        Ok((whole.unwrap_or_default(), hopeless))
    }
}

/// How often it is shown how things stand, where nothing new makes it sooner.
const SHOWN_APART: Duration = Duration::from_millis(500);

/// A queue that memory alone bounds: an open loop goes on sending to a server that does not read.
const UNBOUNDED: usize = 1 << 40;

/// One connection.
struct Echo {
    member: Member,
    lane: Shared,
    /// In the lane.
    place: usize,
    slow: Option<Box<Reader>>,
}

impl Handler for Echo {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.place = self.lane.borrow().opened(self.member.number, conn.id(), self.slow.is_some());
        self.member.opened(conn);
        if let Some(slow) = &mut self.slow {
            slow.open(conn);
        }
    }

    #[inline]
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.lane.borrow().arrived(self.place, conn, &message);
        if let Some(slow) = &mut self.slow {
            slow.message(conn, &message);
        }
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        if let Some(slow) = &mut self.slow {
            slow.timer(conn);
        }
    }

    fn pong(&mut self, _: &mut Conn<'_>, _: &[u8], _: Option<Duration>) {
        self.lane.borrow().meters.healthy.counts.pongs += 1;
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.lane.borrow().closed(self.place);
        match &self.slow {
            Some(slow) => {
                slow.close(closed);
                self.member.left();
            }
            None => self.member.closed(closed),
        }
    }
}
