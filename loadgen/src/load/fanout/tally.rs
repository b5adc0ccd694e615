//! What became of each published message, added up.
//!
//! For each message that was due in the window: its first, median and last delivery, and how many it had. All of it
//! is known twice: from the time at which the schedule wanted it published, which is what its readers wait for, and
//! from the time at which it was. Where another machine publishes, both are times of its clock, and a message is added
//! once it is settled when that was here. In rounds both are the same, and only some messages come here; the others
//! are counted where they arrive.

use super::deliveries::{Deliveries, count};
use super::publish::{Campaign, Published};
use super::subscriber::{FanCounts, Farewell, Runs, Told};
use super::window::{Publisher, Window};
use crate::measure::meter::{Meter, histogram, record, record_many};
use crate::model::{Interval, Latency, Section, encode, percentile};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;
use wsring::Time;

/// A piece of the window.
struct Piece {
    sent: u64,
    delivered: u64,
    delivery: Histogram<u64>,
}

/// Adds up.
pub(crate) struct Tally {
    window: Window,
    /// When it has ended before its time: what is due later is not waited for.
    cut: Option<Time>,
    publisher: Publisher,
    /// Deliveries that a message is to have.
    expected: u64,
    coming: BTreeMap<u64, Runs>,
    published: BTreeMap<u64, Published>,
    intended: Deliveries,
    actual: Deliveries,
    /// Deliveries in the window, the lag of the schedule, and how long shards took for what arrived together.
    pub(crate) meter: Meter,
    /// How long rounds took.
    pub(crate) rounds: Histogram<u64>,
    pub(crate) counts: FanCounts,
    /// Shards that have nothing more to say.
    pub(crate) ended: usize,
    /// Messages of the window that were published; deliveries of them; the fewest of one.
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    fewest: Option<u64>,
    complete: u64,
    pieces: Vec<Piece>,
}

impl Tally {
    /// Of messages that are due in the window, each to be delivered so often. How many intervals that has is for the
    /// publisher's clock to say: by another it is a hair longer or shorter.
    pub(crate) fn new(window: Window, publisher: Publisher, expected: u64) -> Self {
        let measured = publisher.end.since(publisher.start);
        let interval = window.interval.min(measured).max(Duration::from_nanos(1));
        let window = Window { interval, ..window };
        let pieces = measured.as_nanos().div_ceil(window.interval.as_nanos());
        let piece = |_| Piece { sent: 0, delivered: 0, delivery: histogram() };
        Self {
            window,
            cut: None,
            publisher,
            expected,
            coming: BTreeMap::new(),
            published: BTreeMap::new(),
            intended: Deliveries::new(),
            actual: Deliveries::new(),
            meter: Meter::new(),
            rounds: histogram(),
            counts: FanCounts::default(),
            ended: 0,
            messages: 0,
            deliveries: 0,
            fewest: None,
            complete: 0,
            pieces: (0..pieces).map(piece).collect(),
        }
    }

    /// Takes what shards have told, and what was published since the last time.
    pub(crate) fn take(&mut self, told: Vec<Told>, published: Vec<Published>) {
        for told in told {
            match told {
                Told::Deliveries(number, runs) => self.coming.entry(number).or_default().extend(runs),
                Told::Published(published) => drop(self.published.insert(published.number, published)),
                Told::Piece(index, sent, delivered) => self.add_to_piece(index, sent, delivered),
                Told::End(farewell) => self.end(&farewell),
            }
        }
        self.published.extend(published.into_iter().map(|published| (published.number, published)));
        // All shards are beyond a round when the second one after it has begun.
        let latest = self.published.last_key_value().map_or(0, |(number, _)| *number);
        let is_past = |number: u64| self.window.round.is_some_and(|round| number + 2 * round < latest);
        let is_over = |published: &Published| {
            is_past(published.number)
                || (self.has_all(published.number) && self.publisher.is_settled(published))
        };
        let over = self.published.values().filter(|published| is_over(published));
        let over: Vec<u64> = over.map(|published| published.number).collect();
        over.into_iter().for_each(|number| self.close(number));
    }

    fn has_all(&self, number: u64) -> bool {
        self.coming.get(&number).map_or(0, |runs| count(runs)) >= self.expected
    }

    fn add_to_piece(&mut self, index: usize, sent: u64, delivered: u64) {
        if let Some(piece) = self.pieces.get_mut(index) {
            piece.sent += sent;
            piece.delivered += delivered;
            self.messages += sent;
            self.deliveries += delivered;
        }
    }

    fn end(&mut self, farewell: &Farewell) {
        self.ended += 1;
        self.counts.add(&farewell.counts);
        for (to, from) in [(&mut self.rounds, &farewell.rounds), (&mut self.meter.turns, &farewell.turns)] {
            to.add(from).expect("a histogram that grows takes any other");
        }
    }

    /// Whether every message that was published has come to everybody.
    pub(crate) fn is_complete(&self) -> bool {
        self.published.keys().all(|number| self.has_all(*number))
    }

    /// The window ends before its time.
    pub(crate) fn cut(&mut self, at: Time) {
        self.cut = Some(at);
        self.window.cut(at);
        let measured = self.window.end.since(self.window.start);
        self.pieces.truncate(measured.as_nanos().div_ceil(self.window.interval.as_nanos()) as usize);
    }

    /// Nothing more will come.
    pub(crate) fn finish(&mut self) {
        let left: Vec<u64> = self.published.keys().copied().collect();
        left.into_iter().for_each(|number| self.close(number));
    }

    fn close(&mut self, number: u64) {
        let mut runs = self.coming.remove(&number).unwrap_or_default();
        let Some(Published { due, at, .. }) = self.published.remove(&number) else { return };
        let is_beyond = self.cut.is_some_and(|cut| self.publisher.here(due) >= cut);
        let piece = self.publisher.piece(due, &self.window).filter(|piece| *piece < self.pieces.len());
        let Some(piece) = piece.filter(|_| !is_beyond) else { return };
        runs.sort_unstable();
        let due_here = self.publisher.here(due);
        self.intended.add(due_here, &runs);
        let delivery = &mut self.pieces[piece].delivery;
        for (time, count) in runs.iter().filter(|(time, _)| *time >= due_here) {
            record_many(delivery, time.since(due_here), u64::from(*count));
        }
        if self.window.round.is_some() {
            return;
        }
        self.actual.add(self.publisher.here(at), &runs);
        record(&mut self.meter.lag, at.since(due));
        let reached = count(&runs);
        self.add_to_piece(piece, 1, reached);
        self.complete += u64::from(reached >= self.expected);
        self.fewest = Some(self.fewest.map_or(reached, |fewest| fewest.min(reached)));
    }

    /// Messages of a schedule that were due and have not been published, nor tried to be. A run that was ended before its
    /// time leaves the rest undone on purpose.
    pub(crate) fn unpublished(&self, campaign: &Campaign) -> u64 {
        if self.cut.is_some() { 0 } else { campaign.count.saturating_sub(campaign.done()) }
    }

    /// Deliveries that did not come.
    pub(crate) fn missed(&self) -> u64 {
        match self.window.round {
            Some(_) => self.counts.missed,
            None => (self.messages * self.expected).saturating_sub(self.deliveries),
        }
    }

    /// Deliveries before their message was published, as far as clocks can tell.
    pub(crate) fn negative(&self) -> u64 {
        if self.window.round.is_some() { self.intended.negative } else { self.actual.negative }
    }

    /// By how many nanoseconds the earliest of them.
    pub(crate) fn earliest(&self) -> u64 {
        if self.window.round.is_some() { self.intended.earliest } else { self.actual.earliest }
    }

    /// Messages whose deliveries were timed.
    pub(crate) fn timed(&self) -> u64 {
        self.intended.first.len()
    }

    /// Deliveries first; from the schedule's time, then from the publishing. They are known to within `uncertainty`.
    pub(crate) fn latencies(&mut self, uncertainty: Option<u64>) -> Vec<Latency> {
        self.meter.response.add(&self.intended.all).expect("a histogram that grows takes any other");
        let uncertainty = uncertainty.filter(|uncertainty| *uncertainty > 0);
        let within = |latency: Latency| Latency { uncertainty, ..latency };
        let mut all = self.intended.latencies().map(within).to_vec();
        if self.window.round.is_some() {
            all.push(Latency::of("round", &self.rounds));
            return all;
        }
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

    /// The latest piece that is over.
    pub(crate) fn latest(&self, now: Time) -> Option<Interval> {
        let over = now.since(self.window.start).as_nanos() / self.window.interval.as_nanos();
        let index = (over as usize).min(self.pieces.len()).checked_sub(1)?;
        // Shards hand a piece over within a turn; until all have, the one before it is shown.
        let index = if self.pieces[index].delivered == 0 { index.checked_sub(1)? } else { index };
        Some(self.row(index))
    }

    /// The window, piece by piece: by when messages were due, in rounds by when they were sent and delivered.
    pub(crate) fn series(&self) -> Vec<Interval> {
        (0..self.pieces.len()).map(|index| self.row(index)).collect()
    }

    fn row(&self, index: usize) -> Interval {
        let Piece { sent, delivered, delivery } = &self.pieces[index];
        let Window { origin, start, end, interval, .. } = self.window;
        let from = start.after(interval * index as u32);
        let to = from.after(interval).min(end);
        Interval {
            from_s: from.since(origin).as_secs_f64(),
            seconds: to.since(from).as_secs_f64(),
            sent: *sent,
            answered: *delivered,
            p50: percentile(delivery, 50.0),
            p99: percentile(delivery, 99.0),
            max: (!delivery.is_empty()).then(|| delivery.max()),
            histogram: (!delivery.is_empty()).then(|| encode(delivery)),
            ..Interval::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(round: Option<u64>) -> Window {
        Window {
            origin: Time(0),
            start: Time(100),
            end: Time(300),
            interval: Duration::from_nanos(50),
            round,
        }
    }

    fn tally(round: Option<u64>) -> Tally {
        let window = window(round);
        let publisher = Publisher { start: window.start, end: window.end, offsets: None };
        Tally::new(window, publisher, 3)
    }

    fn published(number: u64, due: u64, at: u64) -> Published {
        Published { number, due: Time(due), at: Time(at) }
    }

    #[test]
    fn messages_of_the_window_are_added_up() {
        let mut tally = tally(None);
        let deliveries = |number, times: &[u64]| {
            Told::Deliveries(number, times.iter().map(|time| (Time(*time), 1)).collect())
        };
        // Before the window, whole, from two shards, not whole, and not published.
        let published = vec![
            published(0, 99, 99),
            published(1, 100, 110),
            published(2, 160, 160),
            published(3, 250, 251),
        ];
        tally.take(vec![deliveries(0, &[101, 102, 103]), deliveries(1, &[150, 120])], published);
        assert!(!tally.is_complete());
        tally.take(
            vec![
                deliveries(1, &[105]),
                deliveries(2, &[170; 3]),
                deliveries(3, &[260]),
                deliveries(9, &[270]),
            ],
            Vec::new(),
        );
        tally.finish();
        assert_eq!((tally.messages, tally.deliveries, tally.missed(), tally.complete), (3, 7, 2, 2));
        // One was delivered before it was published, as far as these clocks can tell.
        assert_eq!((tally.negative(), tally.fewest), (1, Some(1)));
        let sent: Vec<(u64, u64)> = tally.series().iter().map(|row| (row.sent, row.answered)).collect();
        assert_eq!(sent, [(1, 3), (1, 3), (0, 0), (1, 1)]);
        let counts: Vec<u64> = tally.latencies(None).iter().map(|latency| latency.count).collect();
        assert_eq!(counts, [7, 3, 3, 3, 3, 6, 2, 3, 3]);
    }

    #[test]
    fn in_rounds_shards_count_what_comes() {
        let mut tally = tally(Some(2));
        let told = vec![
            Told::Published(published(2, 120, 120)),
            Told::Deliveries(2, vec![(Time(130), 2)]),
            Told::Piece(0, 4, 11),
            Told::Piece(7, 100, 100),
        ];
        tally.take(told, Vec::new());
        assert!(!tally.is_complete());
        assert_eq!(tally.latest(Time(149)), None);
        assert_eq!(tally.latest(Time(151)).map(|row| row.answered), Some(11));
        // Nothing more of it comes when there are others.
        tally.take(vec![Told::Published(published(7, 180, 180))], Vec::new());
        assert!(tally.published.len() == 1 && tally.timed() == 1);
        let counts = FanCounts { missed: 1, ..FanCounts::default() };
        tally.take(vec![Told::End(Box::new(Farewell { counts, ..Farewell::default() }))], Vec::new());
        tally.finish();
        assert_eq!((tally.messages, tally.deliveries, tally.missed(), tally.ended), (4, 11, 1, 1));
    }
}
