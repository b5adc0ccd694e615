//! How much this generator can do, and how much of that a run has used.

use crate::model::{Calibration, Load, Model, Report};
use serde::{Deserialize, Serialize};

/// What was found with a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) load: LoadKey,
    /// Messages a second at which the generator's shards would use all of their cores.
    pub(crate) per_second: f64,
    /// Messages for each second of CPU time of the generator.
    pub(crate) per_cpu_second: f64,
    /// What was reached, and the cores that the generator used for it.
    pub(crate) measured_per_second: f64,
    pub(crate) measured_cores: f64,
    /// Against what.
    pub(crate) server: String,
    pub(crate) kernel: String,
    pub(crate) unix_ms: u64,
}

/// What a message costs depends on these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadKey {
    pub(crate) connections: u64,
    pub(crate) kind: String,
    pub(crate) size: String,
    /// Messages under way on each connection; `None`: an open loop.
    pub(crate) depth: Option<u32>,
    pub(crate) shards: usize,
}

impl LoadKey {
    /// Of a load on so many shards.
    pub(crate) fn of(load: &Load, shards: usize) -> Self {
        let depth = match load.model {
            Model::Closed { depth } => Some(depth),
            _ => None,
        };
        Self {
            connections: load.connections,
            kind: load.kind.clone(),
            size: load.size.clone(),
            depth,
            shards,
        }
    }

    /// How they differ, in words; what weighs more comes first.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |is_equal: bool, text: String| {
            if !is_equal {
                found.push(text);
            }
        };
        compare(self.size == other.size, format!("messages of {}", self.size));
        compare(self.kind == other.kind, format!("{} messages", self.kind));
        compare(self.shards == other.shards, format!("{} shards", self.shards));
        let depth = self.depth.map_or_else(|| "an open loop".to_owned(), |depth| format!("depth {depth}"));
        compare(self.depth == other.depth, depth);
        compare(self.connections == other.connections, format!("{} connections", self.connections));
        found
    }
}

impl Ceiling {
    /// Out of the report of a run against the null server. `cores` is how many there are for the generator's shards.
    ///
    /// # Errors
    /// The run says nothing: no message was answered, or the kernel keeps no account of CPU time.
    pub(crate) fn of(report: &Report, server: &str, cores: usize) -> Result<Self, String> {
        let measured_per_second = report.rates.answered;
        let used = report.health.cores.filter(|cores| *cores > 0.0);
        let measured_cores =
            used.ok_or("the kernel keeps no account of CPU time by thread (CONFIG_SCHED_INFO)")?;
        if measured_per_second <= 0.0 {
            return Err("no message was answered".into());
        }
        let per_cpu_second = measured_per_second / measured_cores;
        Ok(Self {
            load: LoadKey::of(&report.load, report.shards),
            per_second: per_cpu_second * report.shards.min(cores) as f64,
            per_cpu_second,
            measured_per_second,
            measured_cores,
            server: server.to_owned(),
            kernel: report.environment.kernel.clone(),
            unix_ms: report.started_unix_ms,
        })
    }
}

/// Writes into a report what share of the ceiling it used; where there is none for its load, the nearest one, with a
/// warning of how that differs; where there is none at all, how to find it.
pub(crate) fn apply(ceilings: &[Ceiling], report: &mut Report) {
    let key = LoadKey::of(&report.load, report.shards);
    let nearest = ceilings.iter().min_by_key(|ceiling| ceiling.load.differences(&key).len());
    let Some(ceiling) = nearest else {
        report.warnings.push(
            "what this generator can do at most is not known: `wsload calibrate`, with the options of this run, \
             measures it"
                .into(),
        );
        return;
    };
    let share_used = report.rates.answered / ceiling.per_second;
    report.calibration = Some(Calibration { ceiling_per_second: ceiling.per_second, share_used });
    let mut differences = ceiling.load.differences(&key);
    if ceiling.kernel != report.environment.kernel {
        differences.push(format!("kernel {}", ceiling.kernel));
    }
    if !differences.is_empty() {
        let with = differences.join(", ");
        report
            .warnings
            .push(format!("the generator's ceiling was measured with {with}: calibrate with this load"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{Health, Rates};

    fn load(connections: u64, size: &str) -> Load {
        Load {
            model: Model::Closed { depth: 1 },
            connections,
            kind: "binary".into(),
            size: size.into(),
            preset: None,
        }
    }

    pub(crate) fn ceiling(connections: u64, size: &str, per_second: f64) -> Ceiling {
        Ceiling {
            load: LoadKey::of(&load(connections, size), 1),
            per_second,
            per_cpu_second: per_second,
            measured_per_second: per_second,
            measured_cores: 1.0,
            server: "null".into(),
            kernel: "6.18".into(),
            unix_ms: 0,
        }
    }

    fn report(load: Load, answered: f64) -> Report {
        let mut report = Report { load, shards: 1, ..Report::default() };
        report.rates = Rates { answered, ..Rates::default() };
        report.environment.kernel = "6.18".into();
        report
    }

    #[test]
    fn the_share_that_a_run_has_used() {
        let known =
            [ceiling(100, "64 B", 1000.0), ceiling(100, "20 B", 2000.0), ceiling(5000, "20 B", 500.0)];
        let table = [
            (&known[..], load(100, "64 B"), Some((1000.0, 0.25)), ""),
            (&known[..], load(5000, "20 B"), Some((500.0, 0.5)), ""),
            (&known[..], load(200, "20 B"), Some((2000.0, 0.125)), "with 100 connections:"),
            (
                &known[..1],
                load(200, "1 KiB"),
                Some((1000.0, 0.25)),
                "with messages of 64 B, 100 connections:",
            ),
            (&[], load(200, "20 B"), None, "wsload calibrate"),
        ];
        for (ceilings, load, expected, warning) in table {
            let mut report = report(load, 250.0);
            apply(ceilings, &mut report);
            let found = report.calibration.map(|found| (found.ceiling_per_second, found.share_used));
            assert_eq!(found, expected, "{:?}", report.load);
            let warnings = report.warnings.join("\n");
            assert!(warnings.contains(warning) && warning.is_empty() == warnings.is_empty(), "{warnings}");
        }
        let mut other = report(load(100, "64 B"), 250.0);
        other.environment.kernel = "7.0".into();
        apply(&known, &mut other);
        assert!(other.warnings[0].contains("kernel 6.18"), "{:?}", other.warnings);
    }

    #[test]
    fn a_ceiling_is_what_full_cores_would_do() {
        let table = [
            // Shards, cores, used, answered: for each CPU second, and with all of them.
            (1, 2, Some(1.0), 300.0, Some((300.0, 300.0))),
            (1, 2, Some(0.75), 300.0, Some((400.0, 400.0))),
            (2, 2, Some(1.5), 300.0, Some((200.0, 400.0))),
            (8, 2, Some(2.0), 300.0, Some((150.0, 300.0))),
            (1, 1, None, 300.0, None),
            (1, 1, Some(1.0), 0.0, None),
        ];
        for (shards, cores, used, answered, expected) in table {
            let mut report = report(load(100, "64 B"), answered);
            report.shards = shards;
            report.health = Health { cores: used, ..Health::default() };
            let found = Ceiling::of(&report, "null", cores).ok();
            assert_eq!(
                found.map(|found| (found.per_cpu_second, found.per_second)),
                expected,
                "{shards} shards"
            );
        }
    }
}
