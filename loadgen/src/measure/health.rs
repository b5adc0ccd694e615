//! Whether the generator was the limit of a run, and by what that can be told.
//!
//! A run in which it was says something about the generator and nothing about the server, so that it is INVALID,
//! whatever its figures are. Every sign is shown with its value and its limit, those that are well too.

use super::cpu::{Reading, Usage};
use super::kernel::{Counters, Risen};
use super::meter::Meter;
use crate::model::{Evidence, Health};
use hdrhistogram::Histogram;
use std::fs;
use std::time::Duration;
use wsring::ShardFigures;

/// Share of a core from which a shard's thread counts as a bottleneck.
const BUSY_MAX: f64 = 0.85;
/// Share of the time for which a shard's thread may have waited for a core.
const WAITING_MAX: f64 = 0.10;
/// Share of the time that the hypervisor may have kept for others.
const STEAL_MAX: f64 = 0.05;
/// By how much the generator may falsify a latency: this share of it, where that is more than [`DELAY_MIN`].
const DELAY_SHARE: f64 = 0.1;
const DELAY_MIN: Duration = Duration::from_millis(1);
/// Receives that may have found no buffer, of all messages.
const EXHAUSTED_MAX: f64 = 0.01;

/// What the generator's state is at a moment.
#[derive(Debug)]
pub(crate) struct Vitals {
    cpu: Reading,
    figures: ShardFigures,
    /// Time of all cores that was stolen, and all time, in ticks.
    steal: Option<(u64, u64)>,
    kernel: Counters,
}

/// What was used between two moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strain {
    /// `None` where the kernel keeps no account.
    pub(crate) usage: Option<Usage>,
    figures: ShardFigures,
    steal: Option<f64>,
    kernel: Vec<Risen>,
}

impl Vitals {
    /// Takes them, with the figures of the engine's shards.
    pub(crate) fn take(shards: &[ShardFigures]) -> Self {
        let figures = shards.iter().fold(ShardFigures::default(), |sum, each| ShardFigures {
            messages_received: sum.messages_received + each.messages_received,
            bytes_sent: sum.bytes_sent + each.bytes_sent,
            bytes_received: sum.bytes_received + each.bytes_received,
            sends: sum.sends + each.sends,
            sends_blocked: sum.sends_blocked + each.sends_blocked,
            turns: sum.turns + each.turns,
            enters: sum.enters + each.enters,
            completions: sum.completions + each.completions,
            buffers_exhausted: sum.buffers_exhausted + each.buffers_exhausted,
            overflows: sum.overflows + each.overflows,
            ..sum
        });
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self { cpu: Reading::take(), figures, steal: stolen(&stat), kernel: Counters::read() }
    }

    /// What was used since earlier ones.
    pub(crate) fn since(&self, earlier: &Self) -> Strain {
        let (now, before) = (&self.figures, &earlier.figures);
        let steal = self.steal.zip(earlier.steal).map(|(now, before)| {
            let all = now.1.saturating_sub(before.1);
            if all == 0 { 0.0 } else { now.0.saturating_sub(before.0) as f64 / all as f64 }
        });
        let figures = ShardFigures {
            messages_received: now.messages_received - before.messages_received,
            bytes_sent: now.bytes_sent - before.bytes_sent,
            bytes_received: now.bytes_received - before.bytes_received,
            sends: now.sends - before.sends,
            sends_blocked: now.sends_blocked - before.sends_blocked,
            turns: now.turns - before.turns,
            enters: now.enters - before.enters,
            completions: now.completions - before.completions,
            buffers_exhausted: now.buffers_exhausted - before.buffers_exhausted,
            overflows: now.overflows - before.overflows,
            ..ShardFigures::default()
        };
        let kernel = self.kernel.risen_since(&earlier.kernel);
        Strain { usage: self.cpu.since(&earlier.cpu), figures, steal, kernel }
    }
}

/// Time of all cores that was stolen, and all of it, from the first line of /proc/stat.
fn stolen(stat: &str) -> Option<(u64, u64)> {
    let first = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests had is among user and nice.
    let times: Vec<u64> = first.split_whitespace().take(8).map_while(|time| time.parse().ok()).collect();
    Some((*times.get(7)?, times.iter().sum()))
}

impl Strain {
    /// Judges a load by what it did to the generator. `lag_max`: the lag that was allowed, where one was named.
    pub(crate) fn judge(&self, meter: &Meter, sent: u64, lag_max: Option<Duration>) -> Health {
        let delay = |name: &str, histogram: &Histogram<u64>, most: Option<Duration>| {
            let limit = most.map_or_else(|| delay_max(&meter.response), |most| most.as_nanos() as u64);
            let value = histogram.value_at_percentile(99.0);
            evidence(name, time(value), time(limit), value > limit)
        };
        let mut found = Vec::new();
        if !meter.lag.is_empty() {
            found.push(delay("schedule lag, p99", &meter.lag, lag_max));
        }
        if !meter.turns.is_empty() {
            found.push(delay("handling of what arrived together, p99", &meter.turns, None));
        }
        found.extend(self.shares());
        let (figures, received) = (&self.figures, self.figures.messages_received.max(1));
        let exhausted = figures.buffers_exhausted as f64 / received as f64;
        found.push(share("receives without a buffer", exhausted, EXHAUSTED_MAX));
        let overflows = figures.overflows;
        found.push(evidence("overflows of the ring", overflows.to_string(), "0".into(), overflows > 0));
        let per = |count: u64, calls: u64| (calls > 0).then(|| count as f64 / calls as f64);
        Health {
            valid: found.iter().all(|evidence| !evidence.exceeded),
            evidence: found,
            cores: self.usage.map(|usage| usage.cores),
            busiest: self.usage.map(|usage| usage.busiest),
            messages_per_send: per(sent, figures.sends),
            messages_per_receive: per(figures.messages_received, figures.enters),
            steal: self.steal,
            counters: self.counters(),
            kernel: self.kernel.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect(),
        }
    }

    fn shares(&self) -> Vec<Evidence> {
        let mut found = Vec::new();
        if let Some(usage) = self.usage {
            found.push(share("busiest thread", usage.busiest, BUSY_MAX));
            found.push(share("thread ready without a core", usage.waiting, WAITING_MAX));
        }
        found.extend(self.steal.map(|steal| share("time stolen by the hypervisor", steal, STEAL_MAX)));
        found
    }

    fn counters(&self) -> std::collections::BTreeMap<String, u64> {
        let figures = &self.figures;
        let counters = [
            ("turns", figures.turns),
            ("enters", figures.enters),
            ("completions", figures.completions),
            ("sends", figures.sends),
            ("sends_blocked", figures.sends_blocked),
            ("bytes_sent", figures.bytes_sent),
            ("bytes_received", figures.bytes_received),
            ("buffers_exhausted", figures.buffers_exhausted),
            ("overflows", figures.overflows),
        ];
        counters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

/// The longest delay of the generator's own that leaves a latency worth something.
fn delay_max(response: &Histogram<u64>) -> u64 {
    let share = response.value_at_percentile(99.0) as f64 * DELAY_SHARE;
    (share as u64).max(DELAY_MIN.as_nanos() as u64)
}

fn share(what: &str, value: f64, limit: f64) -> Evidence {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    evidence(what, percent(value), percent(limit), value > limit)
}

fn evidence(what: &str, value: String, limit: String, exceeded: bool) -> Evidence {
    Evidence { what: what.to_owned(), value, limit, exceeded }
}

fn time(nanoseconds: u64) -> String {
    match nanoseconds as f64 / 1e3 {
        micros if micros < 1e3 => format!("{micros:.0} us"),
        micros if micros < 1e6 => format!("{:.2} ms", micros / 1e3),
        micros => format!("{:.2} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::meter::record;

    fn strain(busiest: f64, waiting: f64, steal: f64, exhausted: u64, overflows: u64) -> Strain {
        let usage = Some(Usage { cores: busiest, busiest, waiting });
        let figures = ShardFigures {
            messages_received: 1000,
            sends: 500,
            enters: 250,
            buffers_exhausted: exhausted,
            overflows,
            ..ShardFigures::default()
        };
        Strain { usage, figures, steal: Some(steal), kernel: vec![("RetransSegs", 3, "segments sent again")] }
    }

    fn meter(response: u64, lag: u64, turn: u64) -> Meter {
        let mut meter = Meter::new();
        for (histogram, milliseconds) in
            [(&mut meter.response, response), (&mut meter.lag, lag), (&mut meter.turns, turn)]
        {
            (0..100).for_each(|_| record(histogram, Duration::from_millis(milliseconds)));
        }
        meter
    }

    #[test]
    fn each_sign_makes_a_run_invalid() {
        let well = strain(0.5, 0.01, 0.0, 5, 0);
        let quick = meter(5, 0, 0);
        let table: [(&Strain, Meter, Option<u64>, &str); 10] = [
            (&well, quick.clone(), None, ""),
            (&well, meter(5, 2, 0), None, "schedule lag"),
            (&well, meter(500, 20, 0), None, ""),
            (&well, meter(500, 20, 0), Some(10), "schedule lag"),
            (&well, meter(5, 0, 2), None, "handling"),
            (&strain(0.9, 0.0, 0.0, 0, 0), quick.clone(), None, "busiest thread"),
            (&strain(0.5, 0.2, 0.0, 0, 0), quick.clone(), None, "without a core"),
            (&strain(0.5, 0.0, 0.1, 0, 0), quick.clone(), None, "hypervisor"),
            (&strain(0.5, 0.0, 0.0, 50, 0), quick.clone(), None, "buffer"),
            (&strain(0.5, 0.0, 0.0, 0, 1), quick, None, "overflows"),
        ];
        for (strain, meter, lag_max, sign) in table {
            let health = strain.judge(&meter, 1000, lag_max.map(Duration::from_millis));
            let exceeded: Vec<&str> = health
                .evidence
                .iter()
                .filter(|evidence| evidence.exceeded)
                .map(|evidence| evidence.what.as_str())
                .collect();
            assert_eq!(health.valid, sign.is_empty(), "{sign}: {exceeded:?}");
            assert_eq!(exceeded.len(), usize::from(!sign.is_empty()), "{sign}: {exceeded:?}");
            assert!(exceeded.iter().all(|what| what.contains(sign)), "{sign}: {exceeded:?}");
            assert_eq!(health.kernel, [(String::from("RetransSegs"), 3)].into());
            assert_eq!((health.messages_per_send, health.messages_per_receive), (Some(2.0), Some(4.0)));
        }
    }

    #[test]
    fn stolen_time_is_read() {
        let stat = "cpu  10 20 30 40 50 60 70 80 5 5\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        assert_eq!(stolen(stat), Some((80, 360)));
        assert_eq!(stolen(""), None);
        assert_eq!(stolen("cpu  1 2 3"), None);
    }
}
