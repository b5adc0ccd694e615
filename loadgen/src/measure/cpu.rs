//! How busy the generator itself was: a run in which it had no time left measures the generator.

use serde::Serialize;
use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// Share of a core from which a shard's thread counts as a likely bottleneck.
const BUSY_SHARE: f64 = 0.85;

/// CPU time of the shards' threads up to a moment.
#[derive(Debug)]
pub(crate) struct Reading {
    at: Instant,
    /// Nanoseconds by thread id.
    threads: HashMap<String, u64>,
}

/// How much of a core the shards' threads used between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// All of them together, in cores.
    pub(crate) cores: f64,
    /// The busiest, in cores: 1 at most.
    pub(crate) busiest: f64,
}

impl Reading {
    /// Reads the account of each shard's thread. Empty where the kernel keeps none.
    pub(crate) fn take() -> Self {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let threads = tasks.filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let account = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanoseconds = account.split_whitespace().next()?.parse().ok()?;
            let id = task.file_name().into_string().ok()?;
            // The engine names the threads of its shards so.
            name.starts_with("wsring-").then_some((id, nanoseconds))
        });
        Self { at: Instant::now(), threads: threads.collect() }
    }

    /// What was used since an earlier reading; `None` where the kernel keeps no account.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Usage> {
        let elapsed = self.at.duration_since(earlier.at).as_nanos() as f64;
        let used = |(id, now): (&String, &u64)| {
            let before = earlier.threads.get(id).copied().unwrap_or(0);
            now.saturating_sub(before) as f64 / elapsed
        };
        let shares: Vec<f64> = self.threads.iter().map(used).collect();
        (!shares.is_empty() && elapsed > 0.0).then(|| Usage {
            cores: shares.iter().sum(),
            busiest: shares.iter().copied().fold(0.0, f64::max),
        })
    }
}

impl Usage {
    /// Whether the generator may have been what limited the run.
    pub(crate) fn is_suspect(&self) -> bool {
        self.busiest >= BUSY_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reading(start: Instant, milliseconds: u64, threads: &[(&str, u64)]) -> Reading {
        let threads = threads.iter().map(|(id, used)| (String::from(*id), used * 1_000_000)).collect();
        Reading { at: start + Duration::from_millis(milliseconds), threads }
    }

    #[test]
    fn shares_of_a_core() {
        let start = Instant::now();
        let before = reading(start, 0, &[("1", 500), ("2", 0)]);
        let after = reading(start, 1000, &[("1", 600), ("2", 900)]);
        let usage = after.since(&before).unwrap();
        assert!((usage.cores - 1.0).abs() < 1e-9 && (usage.busiest - 0.9).abs() < 1e-9, "{usage:?}");
        assert!(usage.is_suspect());
        assert_eq!(reading(start, 1000, &[]).since(&before), None);
    }
}
