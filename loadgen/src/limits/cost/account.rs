//! Readings over time, and what they say about the parts of a run.

use super::reading::Reading;
use crate::model::{CostPoint, Report};

/// All readings of a run.
#[derive(Debug)]
pub(crate) struct Account {
    who: String,
    /// By rising time, in seconds of the wall clock; there is always the first, from before the run.
    readings: Vec<(f64, Reading)>,
    /// Whether the server was gone before the run had ended.
    is_gone: bool,
}

impl Account {
    /// An account that begins with this reading.
    pub(crate) fn begin(who: String, reading: Reading, now: f64) -> Self {
        Self { who, readings: vec![(now, reading)], is_gone: false }
    }

    /// Notes a reading; `None`: there is nothing to read any more.
    pub(crate) fn note(&mut self, now: f64, reading: Option<Reading>) {
        match reading {
            Some(reading) => self.readings.push((now, reading)),
            None => self.is_gone = true,
        }
    }

    /// Writes it into the report of the run.
    pub(crate) fn fill(&self, report: &mut Report) {
        let origin = report.started_unix_ms as f64 / 1000.0;
        for interval in &mut report.series {
            let from = origin + interval.from_s;
            interval.server_cores = self.cores(from, from + interval.seconds);
            interval.server_bytes = self.at(from + interval.seconds).map(|reading| reading.resident);
        }
        let whole = (0.0, self.readings.last().map_or(0.0, |(at, _)| at - origin));
        let (from, seconds) = report.phase("measure").map_or(whole, |phase| (phase.from_s, phase.seconds));
        let (from, until) = (origin + from, origin + from + seconds);
        let cores = self.cores(from, until);
        let messages = report.rates.answered * seconds;
        // A workload that went in steps knows the slopes already.
        let mut server = report.server.take().unwrap_or_default();
        server.who.clone_from(&self.who);
        server.cores = cores;
        server.cpu_ns_per_message =
            cores.filter(|_| messages > 0.0).map(|cores| cores * seconds * 1e9 / messages);
        if server.points.is_empty() {
            server.points = self.points(held(report).map(|at| (origin + at, report.opening.opened)));
        }
        report.server = Some(server);
        if self.is_gone {
            report.warnings.push(format!("{} was gone before the run had ended", self.who));
        }
        if cores.is_none() {
            report.warnings.push(format!("{} was not there to be measured in the measured time", self.who));
        }
    }

    /// Memory before the run, and while connections were held: at which moment, and how many. That is no slope: what a
    /// server takes with its first connection is in it.
    fn points(&self, held: Option<(f64, u64)>) -> Vec<CostPoint> {
        let first = self.readings.first().map(|(_, reading)| (0, reading));
        let last = held.and_then(|(at, connections)| Some((connections, self.at(at)?)));
        // Of both the resident set, which every reading has.
        let point = |(connections, reading): (u64, &Reading)| CostPoint {
            connections,
            user_bytes: reading.resident,
            kernel_bytes: Some(reading.kernel),
        };
        first.into_iter().chain(last).map(point).collect()
    }

    /// The reading that is next to a moment.
    fn at(&self, moment: f64) -> Option<&Reading> {
        let distance = |at: f64| (at - moment).abs();
        let nearest = self.readings.iter().min_by(|a, b| distance(a.0).total_cmp(&distance(b.0)));
        nearest.map(|(_, reading)| reading)
    }

    /// CPU time in cores between two moments; `None` where no readings lie around them.
    fn cores(&self, from: f64, until: f64) -> Option<f64> {
        let (before, after) = (self.cpu_at(from)?, self.cpu_at(until)?);
        (until > from).then(|| (after - before).max(0.0) / 1e9 / (until - from))
    }

    /// CPU time at a moment, between the readings around it; a moment that is not quite covered counts as the nearest.
    fn cpu_at(&self, moment: f64) -> Option<f64> {
        const NEAR: f64 = 1.0;
        let later = self.readings.iter().position(|(at, _)| *at >= moment);
        let cpu = |reading: &(f64, Reading)| reading.1.cpu as f64;
        match later {
            Some(0) => self.readings.first().filter(|(at, _)| at - moment < NEAR).map(cpu),
            Some(later) => {
                let (a, b) = (&self.readings[later - 1], &self.readings[later]);
                let share = (moment - a.0) / (b.0 - a.0).max(f64::EPSILON);
                Some(cpu(a) + (cpu(b) - cpu(a)) * share)
            }
            None => self.readings.last().filter(|(at, _)| moment - at < NEAR).map(cpu),
        }
    }
}

/// The last moment at which a run holds the connections that it has opened before: those that come and go in the
/// measured time are gone at its end.
fn held(report: &Report) -> Option<f64> {
    report.phase("connect")?;
    let phase = report.phase("measure").or_else(|| report.phase("hold"))?;
    Some(phase.from_s + phase.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interval, Opening, Phase, Rates};

    /// A server that uses a quarter of a core, and from second 10 on a whole one; it takes 1 KiB a second.
    fn account() -> Account {
        let reading = |tenths: u64| {
            let (slow, fast) = (tenths.min(100), tenths.saturating_sub(100));
            let cpu = slow * 25_000_000 + fast * 100_000_000;
            // Before the run shared pages may be told apart, and not later.
            let proportional = (tenths == 0).then_some(1);
            Reading { cpu, resident: 1000 + 102 * tenths, proportional, kernel: 7, ..Reading::default() }
        };
        let mut account = Account::begin("process 7 (server)".into(), reading(0), 1000.0);
        (1..=200).for_each(|tenths| account.note(1000.0 + tenths as f64 / 10.0, Some(reading(tenths))));
        account
    }

    fn phase(name: &str, from_s: f64, seconds: f64) -> Phase {
        Phase { name: name.into(), from_s, seconds }
    }

    fn report(from_s: f64, seconds: f64, answered: f64) -> Report {
        let interval = |from_s| Interval { from_s, seconds: 1.0, ..Interval::default() };
        Report {
            started_unix_ms: 1_001_000,
            phases: vec![phase("connect", 0.0, from_s), phase("measure", from_s, seconds)],
            opening: Opening { opened: 500, ..Opening::default() },
            rates: Rates { answered, ..Rates::default() },
            series: vec![interval(from_s), interval(from_s + seconds - 1.0)],
            ..Report::default()
        }
    }

    #[test]
    fn the_measured_time_is_what_counts() {
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * b.abs(),
            (a, b) => a == b,
        };
        let table = [
            // From, seconds, answered per second: cores, ns per message.
            (1.0, 4.0, 1000.0, 0.25, Some(250_000.0)),
            (10.05, 5.0, 4000.0, 1.0, Some(250_000.0)),
            (7.0, 4.0, 0.0, 0.625, None),
        ];
        for (from_s, seconds, answered, cores, per_message) in table {
            let mut report = report(from_s, seconds, answered);
            account().fill(&mut report);
            let server = report.server.expect("it was filled");
            assert!(near(server.cores, Some(cores)), "{from_s}: {server:?}");
            assert!(near(server.cpu_ns_per_message, per_message), "{from_s}: {server:?}");
            assert!(report.series[0].server_cores < Some(1.01) && report.series[1].server_bytes > Some(100));
            let at_end = 1000 + 102 * ((1.0 + from_s + seconds) * 10.0) as u64;
            let point =
                |connections, user_bytes| CostPoint { connections, user_bytes, kernel_bytes: Some(7) };
            assert_eq!(server.points, [point(0, 1000), point(500, at_end)]);
            assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        }
    }

    #[test]
    fn memory_is_paired_with_connections_that_are_held() {
        let table: [(&[Phase], &[u64]); 4] = [
            (
                &[phase("connect", 0.0, 1.0), phase("measure", 2.0, 3.0), phase("close", 5.0, 9.0)],
                &[1000, 7120],
            ),
            (&[phase("connect", 0.0, 1.0), phase("hold", 1.0, 1.0), phase("close", 2.0, 9.0)], &[1000, 4060]),
            // Connections that come and go, of which none is left in the end.
            (&[phase("measure", 0.0, 3.0), phase("close", 3.0, 1.0)], &[1000]),
            (&[], &[1000]),
        ];
        for (phases, expected) in table {
            let mut report = Report { phases: phases.to_vec(), ..report(1.0, 2.0, 5.0) };
            account().fill(&mut report);
            let server = report.server.expect("it was filled");
            let found: Vec<u64> = server.points.iter().map(|point| point.user_bytes).collect();
            assert_eq!(found, expected, "{phases:?}");
        }
    }

    #[test]
    fn a_server_that_goes_is_told() {
        let mut account = account();
        account.note(1030.0, None);
        let mut report = report(50.0, 5.0, 1.0);
        account.fill(&mut report);
        assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
        assert_eq!(report.series[0].server_cores, None);
        // Nothing is no zero, which a threshold would be met by.
        let server = report.server.expect("it was filled");
        assert_eq!((server.cores, server.cpu_ns_per_message), (None, None));
    }
}
