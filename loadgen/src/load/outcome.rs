//! What came of a load, added up from what the shards have handed over.

use super::phases::Plan;
use crate::measure::exchange::{Exchange, Handed};
use crate::measure::health::Strain;
use crate::measure::meter::{Counts, Meter};
use crate::model::{Half, Interval, Latency, Steady, encode, percentile};
use std::collections::BTreeMap;
use std::time::Duration;
use wsring::Time;

/// By how much the halves of a steady window may differ, as shares of the first.
const RATE_CHANGE_MAX: f64 = 0.10;
const MEDIAN_CHANGE_MAX: f64 = 0.25;
const TAIL_CHANGE_MAX: f64 = 0.50;

/// A load that is over.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    /// Everything; the histograms hold what was due in the window.
    pub(crate) meter: Meter,
    /// The same of connections that read slowly, which are not in it.
    pub(crate) slow: Meter,
    pub(crate) series: Vec<Interval>,
    pub(crate) steady: Option<Steady>,
    /// On the generator, in the window.
    pub(crate) strain: Strain,
    /// When the last answer was there, or was not waited for any more.
    pub(crate) over: Time,
    /// Why it was ended before its time as the trial of a search.
    pub(crate) ended_early: Option<String>,
}

/// Adds up.
pub(crate) struct Collector<'a> {
    plan: Plan,
    /// The start of the run, from which the series counts.
    origin: Time,
    exchange: &'a Exchange,
    shards: usize,
    /// Intervals that some shards have not handed over yet, and how many have.
    partial: BTreeMap<usize, (usize, Meter)>,
    /// Shards that are over.
    over: usize,
    meter: Meter,
    slow: Meter,
    halves: [Meter; 2],
    series: Vec<Interval>,
    /// Messages of the window that were sent up to the end of each of its intervals.
    sent: Vec<u64>,
    /// Whether it has lasted as long as it was to.
    is_whole: bool,
}

impl<'a> Collector<'a> {
    /// Adds up what so many shards hand over.
    pub(crate) fn new(plan: Plan, origin: Time, exchange: &'a Exchange, shards: usize) -> Self {
        Self {
            plan,
            origin,
            exchange,
            shards,
            partial: BTreeMap::new(),
            over: 0,
            meter: Meter::new(),
            slow: Meter::new(),
            halves: [Meter::new(), Meter::new()],
            series: Vec::new(),
            sent: Vec::new(),
            is_whole: true,
        }
    }

    /// Takes what is there; says which intervals are complete by that.
    pub(crate) fn collect(&mut self) -> Vec<Interval> {
        let before = self.series.len();
        for handed in self.exchange.take() {
            self.add(handed);
        }
        self.series[before..].to_vec()
    }

    /// What has come so far.
    pub(crate) fn so_far(&self) -> &Meter {
        &self.meter
    }

    /// The load ends before its time.
    pub(crate) fn cut(&mut self, at: Time) {
        self.is_whole = self.plan.end <= at;
        self.plan.cut(at);
    }

    /// How many messages of the window have waited so long and had no answer when the latest interval ended: so many
    /// at least, since answers to later ones may be among those that came.
    pub(crate) fn waiting(&self, bound: Duration) -> u64 {
        let now = self.plan.interval_end(self.series.len());
        let are_due = |interval: &usize| self.plan.interval_end(*interval).after(bound) <= now;
        let due = (1..=self.sent.len()).take_while(are_due).count();
        let sent = due.checked_sub(1).map_or(0, |index| self.sent[index]);
        sent.saturating_sub(self.meter.response.len())
    }

    /// Whether all shards are over.
    pub(crate) fn is_over(&self) -> bool {
        self.over == self.shards
    }

    /// Notes how busy the generator was in an interval.
    pub(crate) fn set_cores(&mut self, interval: usize, cores: Option<f64>) {
        if let Some(row) = interval.checked_sub(1).and_then(|index| self.series.get_mut(index)) {
            row.client_cores = cores;
        }
    }

    /// The sum.
    pub(crate) fn finish(self, strain: Strain, over: Time) -> Outcome {
        let steady = steady(&self.halves, self.half_seconds()).filter(|_| self.is_whole);
        Outcome {
            plan: self.plan,
            meter: self.meter,
            slow: self.slow,
            series: self.series,
            steady,
            strain,
            over,
            ended_early: None,
        }
    }

    fn add(&mut self, handed: Handed) {
        let Handed { interval, meter, last } = handed;
        if let Some(slow) = last {
            self.over += 1;
            self.slow.add(&slow);
        }
        let (count, sum) = self.partial.entry(interval).or_insert_with(|| (0, Meter::new()));
        *count += 1;
        sum.add(&meter);
        self.exchange.give_back(meter);
        // Shards hand their intervals over in order, so that these are complete in order too.
        while let Some(first) = self.partial.first_entry().filter(|first| first.get().0 == self.shards) {
            let (interval, (_, meter)) = first.remove_entry();
            self.complete(interval, &meter);
        }
    }

    fn complete(&mut self, interval: usize, meter: &Meter) {
        self.meter.add(meter);
        if !(1..=self.plan.intervals()).contains(&interval) {
            return;
        }
        // Of whole pieces alone, so that the halves are as long as each other.
        let (whole, half) = (self.plan.whole_intervals(), self.plan.whole_intervals() / 2);
        if interval <= half {
            self.halves[0].add(meter);
        } else if (whole - half + 1..=whole).contains(&interval) {
            self.halves[1].add(meter);
        }
        self.series.push(self.row(interval, meter));
        self.sent.push(self.meter.counts.window_sent);
    }

    fn row(&self, interval: usize, meter: &Meter) -> Interval {
        let (from, to) = (self.plan.interval_end(interval - 1), self.plan.interval_end(interval));
        let response = &meter.response;
        Interval {
            from_s: from.since(self.origin).as_secs_f64(),
            seconds: to.since(from).as_secs_f64(),
            sent: meter.counts.sent,
            answered: meter.counts.answered,
            errors: errors(&meter.counts),
            p50: percentile(response, 50.0),
            p99: percentile(response, 99.0),
            max: (!response.is_empty()).then(|| response.max()),
            schedule_lag_p99: percentile(&meter.lag, 99.0),
            histogram: (!response.is_empty()).then(|| encode(response)),
            ..Interval::default()
        }
    }

    fn half_seconds(&self) -> f64 {
        let pieces = u32::try_from(self.plan.whole_intervals() / 2).unwrap_or(u32::MAX);
        self.plan.interval.saturating_mul(pieces).as_secs_f64()
    }
}

impl Outcome {
    /// Seconds of the window; of one that was never reached, next to none.
    pub(crate) fn seconds(&self) -> f64 {
        self.plan.end.since(self.plan.start).as_secs_f64().max(1e-9)
    }

    /// Of all connections; but what is to be expected of those that read slowly is no fault.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.meter.counts;
        let expected = Counts {
            unanswered: 0,
            lost: 0,
            late: 0,
            given_up: 0,
            refused: 0,
            blocked: 0,
            ..self.slow.counts
        };
        counts.add(&expected);
        counts
    }

    /// Response first; in a closed loop, where a message is intended when it is sent, it is the only one. Where some
    /// connections read slowly, what is theirs has a tag of its own, and comes behind that of the others.
    pub(crate) fn latencies(&self, has_slow: bool) -> Vec<Latency> {
        let of = |meter: &Meter| {
            let mut all = vec![Latency::of("response", &meter.response)];
            if self.plan.is_open_loop() {
                all.push(Latency::of("service", &meter.service));
                all.push(Latency::of("schedule_lag", &meter.lag));
            }
            all
        };
        if !has_slow {
            return of(&self.meter);
        }
        let tagged = |meter, tag| of(meter).into_iter().map(move |latency| latency.tagged(tag));
        tagged(&self.meter, "healthy").chain(tagged(&self.slow, "slow")).collect()
    }
}

/// Everything that went wrong.
pub(crate) fn errors(counts: &Counts) -> u64 {
    counts.refused
        + counts.blocked
        + counts.duplicate
        + counts.out_of_order
        + counts.corrupt
        + counts.given_up
        + counts.unasked
}

/// Compares the halves of the window; `None` when it has only one piece. Percentiles that one of them has too few
/// samples for say nothing.
fn steady(halves: &[Meter; 2], seconds: f64) -> Option<Steady> {
    if seconds == 0.0 {
        return None;
    }
    let half = |meter: &Meter| Half {
        rate: meter.counts.window_answered as f64 / seconds,
        p50: percentile(&meter.response, 50.0),
        p99: percentile(&meter.response, 99.0),
    };
    let halves = [half(&halves[0]), half(&halves[1])];
    let [first, second] = &halves;
    let both = |first: Option<u64>, second: Option<u64>| Some((first? as f64, second? as f64));
    let compared = [
        ("rate", Some((first.rate, second.rate)), RATE_CHANGE_MAX),
        ("median", both(first.p50, second.p50), MEDIAN_CHANGE_MAX),
        ("99th percentile", both(first.p99, second.p99), TAIL_CHANGE_MAX),
    ];
    let reasons: Vec<String> = compared
        .into_iter()
        .filter_map(|(what, halves, most)| {
            let (first, second) = halves?;
            let change = (second / first - 1.0) * 100.0;
            ((second - first).abs() > first * most)
                .then(|| format!("the {what} changed by {change:+.0} % from the first half to the second"))
        })
        .collect();
    Some(Steady { steady: reasons.is_empty(), halves: halves.to_vec(), reasons })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::Model;
    use crate::measure::meter::record;

    /// A window that many milliseconds long.
    fn plan(window: u64) -> Plan {
        Plan {
            model: Model::Closed { depth: 1 },
            begin: Time(0),
            start: Time(1_000_000_000),
            end: Time(1_000_000_000).after(Duration::from_millis(window)),
            drained: Time(9_000_000_000),
            interval: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
        }
    }

    /// Two shards hand over a warm-up, some intervals and a drain; each has answered so many in the intervals.
    fn outcome(window: u64, answered: &[u64], milliseconds: &[u64]) -> Outcome {
        let exchange = Exchange::default();
        let mut collector = Collector::new(plan(window), Time(500_000_000), &exchange, 2);
        let mut complete = 0;
        for interval in 0..=answered.len() + 1 {
            for _ in 0..2 {
                assert!(!collector.is_over());
                let mut meter = Meter::new();
                if let Some(index) = interval.checked_sub(1).filter(|index| *index < answered.len()) {
                    meter.counts.window_answered = answered[index];
                    meter.counts.answered = answered[index];
                    let time = Duration::from_millis(milliseconds[index]);
                    (0..answered[index]).for_each(|_| record(&mut meter.response, time));
                }
                if interval > answered.len() {
                    exchange.hand_over_last(&mut meter, &mut Meter::new(), interval);
                } else {
                    exchange.hand_over(&mut meter, interval);
                }
                complete += collector.collect().len();
            }
        }
        assert!(collector.is_over() && complete == answered.len());
        collector.set_cores(2, Some(0.5));
        collector.finish(Strain::default(), Time(6_000_000_000))
    }

    #[test]
    fn shards_add_up() {
        let outcome = outcome(4000, &[50, 60, 50, 60], &[5; 4]);
        assert_eq!(outcome.meter.counts.answered, 440);
        assert_eq!(outcome.meter.response.len(), 440);
        let rows: Vec<(f64, u64, Option<f64>)> =
            outcome.series.iter().map(|row| (row.from_s, row.answered, row.client_cores)).collect();
        assert_eq!(rows, [(0.5, 100, None), (1.5, 120, Some(0.5)), (2.5, 100, None), (3.5, 120, None)]);
        assert_eq!((outcome.seconds(), outcome.over), (4.0, Time(6_000_000_000)));
        assert_eq!(outcome.latencies(false).len(), 1);
        let titles: Vec<String> = outcome.latencies(true).iter().map(Latency::title).collect();
        assert_eq!(titles, ["response, healthy", "response, slow"]);
    }

    #[test]
    fn what_is_not_steady_is_said() {
        type Row = (u64, &'static [u64], &'static [u64], &'static [&'static str]);
        let table: [Row; 8] = [
            (4000, &[500; 4], &[5; 4], &[]),
            (4000, &[500, 500, 500, 400], &[5; 4], &[]),
            (4000, &[500, 500, 300, 300], &[5; 4], &["rate"]),
            (4000, &[500; 4], &[5, 5, 9, 9], &["median", "99th"]),
            // A last piece that is shorter.
            (2500, &[500, 500, 250], &[5; 3], &[]),
            (4001, &[500, 500, 500, 500, 0], &[5; 5], &[]),
            // Too few samples for a percentile in one half, or in both.
            (2000, &[498, 502], &[5; 2], &[]),
            (2000, &[502, 498], &[5; 2], &[]),
        ];
        for (window, answered, milliseconds, expected) in table {
            let steady = outcome(window, answered, milliseconds).steady.expect("there are two halves");
            assert_eq!(steady.steady, expected.is_empty(), "{steady:?}");
            assert_eq!(steady.reasons.len(), expected.len(), "{steady:?}");
            for (reason, text) in steady.reasons.iter().zip(expected) {
                assert!(reason.contains(text), "{reason}");
            }
        }
    }
}
