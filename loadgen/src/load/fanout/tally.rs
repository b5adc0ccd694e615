//! What became of each published message, added up.
//!
//! For each message that was due in the window: its first, median and last delivery, and how many it had. All of it
//! is known twice: from the time at which the schedule wanted it published, which is what its readers wait for, and
//! from the time at which it was. Where another machine publishes, both are times of its clock, and a message is added
//! once it is settled when that was here.

use super::Times;
use super::publish::Campaign;
use super::subscriber::{FanCounts, Told};
use crate::measure::meter::{Meter, histogram, record};
use crate::model::{Interval, Latency, Section, encode, percentile};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;
use wsring::Time;

/// Deliveries from one of the two times on.
struct Spread {
    all: Histogram<u64>,
    first: Histogram<u64>,
    median: Histogram<u64>,
    last: Histogram<u64>,
    /// Deliveries before it: the clocks differ, or the publisher's had gone on.
    negative: u64,
    /// By how many nanoseconds the earliest of them.
    earliest: u64,
}

/// Adds up.
pub(crate) struct Tally {
    start: Time,
    end: Time,
    origin: Time,
    /// When the window has ended before its time: what is due later is not waited for.
    cut: Option<Time>,
    interval: Duration,
    /// Deliveries that a message is to have.
    expected: u64,
    coming: BTreeMap<u32, Vec<Time>>,
    published: BTreeMap<u32, Time>,
    intended: Spread,
    actual: Spread,
    /// Deliveries in the window, and the lag of the schedule.
    pub(crate) meter: Meter,
    pub(crate) counts: FanCounts,
    /// Shards that have nothing more to say.
    pub(crate) ended: usize,
    /// Messages of the window that were published; deliveries of them; the fewest of one.
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    fewest: Option<u64>,
    complete: u64,
    pieces: Vec<(u64, u64, Histogram<u64>)>,
}

impl Spread {
    fn new() -> Self {
        let [all, first, median, last] = std::array::from_fn(|_| histogram());
        Self { all, first, median, last, negative: 0, earliest: 0 }
    }

    /// Adds a message by its deliveries in ascending order.
    fn add(&mut self, from: Time, times: &[Time]) {
        let take = |to: &mut Histogram<u64>, time: Time| {
            if time >= from {
                record(to, time.since(from));
            }
            u64::from(time < from)
        };
        let earliest = times.first().map_or(0, |time| from.since(*time).as_nanos() as u64);
        self.earliest = self.earliest.max(earliest);
        self.negative += times.iter().map(|time| take(&mut self.all, *time)).sum::<u64>();
        for (to, time) in [
            (&mut self.first, times.first()),
            (&mut self.median, times.get((times.len().max(1) - 1) / 2)),
            (&mut self.last, times.last()),
        ] {
            time.map(|time| take(to, *time));
        }
    }

    fn latencies(&self) -> [Latency; 4] {
        let of =
            [("delivery", &self.all), ("first", &self.first), ("median", &self.median), ("last", &self.last)];
        of.map(|(name, histogram)| Latency::of(name, histogram))
    }
}

impl Tally {
    /// Of messages that are due in the measured time, each to be delivered so often. How many intervals that has is
    /// for the publisher's clock to say: by another it is a hair longer or shorter.
    pub(super) fn new(times: &Times, campaign: &Campaign, interval: Duration, expected: u64) -> Self {
        let Times { origin, start, end, .. } = *times;
        let window = campaign.end.since(campaign.start);
        let interval = interval.min(window);
        let pieces = window.as_nanos().div_ceil(interval.as_nanos()) as usize;
        Self {
            start,
            end,
            origin,
            cut: None,
            interval,
            expected,
            coming: BTreeMap::new(),
            published: BTreeMap::new(),
            intended: Spread::new(),
            actual: Spread::new(),
            meter: Meter::new(),
            counts: FanCounts::default(),
            ended: 0,
            messages: 0,
            deliveries: 0,
            fewest: None,
            complete: 0,
            pieces: (0..pieces).map(|_| (0, 0, histogram())).collect(),
        }
    }

    /// Takes what shards have told, and what was published since the last time.
    pub(crate) fn take(&mut self, told: Vec<Told>, published: Vec<(u32, Time)>, campaign: &Campaign) {
        for told in told {
            match told {
                Told::Deliveries(number, times) => self.coming.entry(number).or_default().extend(times),
                Told::End(counts) => {
                    self.ended += 1;
                    self.counts.add(&counts);
                }
            }
        }
        self.published.extend(published);
        let is_whole = |(number, at): &(&u32, &Time)| {
            self.has_all(**number) && campaign.is_settled(**at) && campaign.is_settled(campaign.due(**number))
        };
        let whole: Vec<u32> = self.published.iter().filter(is_whole).map(|(number, _)| *number).collect();
        whole.into_iter().for_each(|number| self.close(number, campaign));
    }

    fn has_all(&self, number: u32) -> bool {
        self.coming.get(&number).map_or(0, Vec::len) as u64 >= self.expected
    }

    /// Whether every message that was published has come to everybody.
    pub(crate) fn is_complete(&self) -> bool {
        self.published.keys().all(|number| self.has_all(*number))
    }

    /// The window ends before its time.
    pub(crate) fn cut(&mut self, at: Time) {
        self.cut = Some(at);
        self.start = self.start.min(at);
        self.end = self.end.min(at);
        let pieces = self.end.since(self.start).as_nanos().div_ceil(self.interval.as_nanos());
        self.pieces.truncate(pieces as usize);
    }

    /// Nothing more will come.
    pub(crate) fn finish(&mut self, campaign: &Campaign) {
        let left: Vec<u32> = self.published.keys().copied().collect();
        left.into_iter().for_each(|number| self.close(number, campaign));
    }

    fn close(&mut self, number: u32, campaign: &Campaign) {
        let mut times = self.coming.remove(&number).unwrap_or_default();
        let (Some(actual), due) = (self.published.remove(&number), campaign.due(number)) else { return };
        let is_beyond = self.cut.is_some_and(|cut| campaign.here(due) >= cut);
        if due < campaign.start || due >= campaign.end || is_beyond {
            return;
        }
        times.sort_unstable();
        let due_here = campaign.here(due);
        self.intended.add(due_here, &times);
        self.actual.add(campaign.here(actual), &times);
        record(&mut self.meter.lag, actual.since(due));
        let reached = times.len() as u64;
        self.messages += 1;
        self.deliveries += reached;
        self.complete += u64::from(reached >= self.expected);
        self.fewest = Some(self.fewest.map_or(reached, |fewest| fewest.min(reached)));
        let piece = (due.since(campaign.start).as_nanos() / self.interval.as_nanos()) as usize;
        if let Some((sent, delivered, histogram)) = self.pieces.get_mut(piece) {
            *sent += 1;
            *delivered += reached;
            let after = times.iter().filter(|time| **time >= due_here);
            after.for_each(|time| record(histogram, time.since(due_here)));
        }
    }

    /// Deliveries that did not come.
    pub(crate) fn missed(&self) -> u64 {
        (self.messages * self.expected).saturating_sub(self.deliveries)
    }

    /// Deliveries before their message was published, as far as clocks can tell.
    pub(crate) fn negative(&self) -> u64 {
        self.actual.negative
    }

    /// By how many nanoseconds the earliest of them.
    pub(crate) fn earliest(&self) -> u64 {
        self.actual.earliest
    }

    /// Deliveries first; from the schedule's time, then from the publishing. They are known to within `uncertainty`.
    pub(crate) fn latencies(&mut self, uncertainty: Option<u64>) -> Vec<Latency> {
        self.meter.response.add(&self.intended.all).expect("a histogram that grows takes any other");
        let uncertainty = uncertainty.filter(|uncertainty| *uncertainty > 0);
        let within = |latency: Latency| Latency { uncertainty, ..latency };
        let mut all = self.intended.latencies().map(within).to_vec();
        all.push(self.lag());
        all.extend(self.actual.latencies().map(|latency| within(latency.tagged("from the publish"))));
        all
    }

    /// How late messages were published.
    pub(crate) fn lag(&self) -> Latency {
        Latency::of("schedule_lag", &self.meter.lag)
    }

    /// How far messages reached.
    pub(crate) fn section(&self) -> Section {
        let share = |count: f64, of: f64| if of > 0.0 { 100.0 * count / of } else { 0.0 };
        let reach = share(self.deliveries as f64, (self.messages * self.expected) as f64);
        let fewest = share(self.fewest.unwrap_or(0) as f64, self.expected as f64);
        Section::new("reach", "Reach")
            .fact("messages", self.messages, "")
            .fact("subscribers", self.expected, "")
            .fact("reached everybody", self.complete, "")
            .fact("reach", reach, "%")
            .fact("least reach of a message", fewest, "%")
    }

    /// The window, piece by piece, by when messages were due.
    pub(crate) fn series(&self) -> Vec<Interval> {
        let row = |(index, (sent, delivered, histogram)): (usize, &(u64, u64, Histogram<u64>))| {
            let from = self.start.after(self.interval * index as u32);
            let to = from.after(self.interval).min(self.end);
            Interval {
                from_s: from.since(self.origin).as_secs_f64(),
                seconds: to.since(from).as_secs_f64(),
                sent: *sent,
                answered: *delivered,
                p50: percentile(histogram, 50.0),
                p99: percentile(histogram, 99.0),
                max: (!histogram.is_empty()).then(|| histogram.max()),
                histogram: (!histogram.is_empty()).then(|| encode(histogram)),
                ..Interval::default()
            }
        };
        self.pieces.iter().enumerate().map(row).collect()
    }
}

impl FanCounts {
    fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.duplicate += other.duplicate;
        self.out_of_order += other.out_of_order;
        self.corrupt += other.corrupt;
        self.other += other.other;
    }
}
