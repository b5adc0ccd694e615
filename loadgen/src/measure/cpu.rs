//! How busy the generator itself was: a run in which it had no time left measures the generator.

use serde::Serialize;
use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// CPU time of the shards' threads up to a moment.
#[derive(Debug)]
pub(crate) struct Reading {
    at: Instant,
    /// By thread id.
    threads: HashMap<String, Account>,
}

/// Of one thread, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// On a core.
    used: u64,
    /// Ready, but waiting for one.
    waited: u64,
}

/// How much of a core the shards' threads used between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// All of them together, in cores.
    pub(crate) cores: f64,
    /// The busiest, in cores: 1 at most.
    pub(crate) busiest: f64,
    /// The largest share of the time for which one of them was ready and had no core to run on.
    pub(crate) waiting: f64,
}

impl Reading {
    /// Reads the account of each shard's thread. Empty where the kernel keeps none.
    pub(crate) fn take() -> Self {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let threads = tasks.filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let account = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let mut nanoseconds = account.split_whitespace().map_while(|number| number.parse().ok());
            let account = Account { used: nanoseconds.next()?, waited: nanoseconds.next()? };
            let id = task.file_name().into_string().ok()?;
            // The engine names the threads of its shards so.
            name.starts_with("wsring-").then_some((id, account))
        });
        Self { at: Instant::now(), threads: threads.collect() }
    }

    /// What was used since an earlier reading; `None` where the kernel keeps no account.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Usage> {
        let elapsed = self.at.duration_since(earlier.at).as_nanos() as f64;
        let share = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed;
        let usage = self.threads.iter().fold(Usage::default(), |sum, (id, now)| {
            let before = earlier.threads.get(id).copied().unwrap_or_default();
            let (used, waited) = (share(now.used, before.used), share(now.waited, before.waited));
            Usage {
                cores: sum.cores + used,
                busiest: sum.busiest.max(used),
                waiting: sum.waiting.max(waited),
            }
        });
        (!self.threads.is_empty() && elapsed > 0.0).then_some(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reading(start: Instant, milliseconds: u64, threads: &[(&str, u64, u64)]) -> Reading {
        let account = |used: u64, waited: u64| Account { used: used * 1_000_000, waited: waited * 1_000_000 };
        let threads = threads.iter().map(|(id, used, waited)| (String::from(*id), account(*used, *waited)));
        Reading { at: start + Duration::from_millis(milliseconds), threads: threads.collect() }
    }

    #[test]
    fn shares_of_a_core() {
        let start = Instant::now();
        let before = reading(start, 0, &[("1", 500, 10), ("2", 0, 0)]);
        let after = reading(start, 1000, &[("1", 600, 30), ("2", 900, 100)]);
        let usage = after.since(&before).unwrap();
        let is = |value: f64, expected: f64| (value - expected).abs() < 1e-9;
        assert!(is(usage.cores, 1.0) && is(usage.busiest, 0.9) && is(usage.waiting, 0.1), "{usage:?}");
        assert_eq!(reading(start, 1000, &[]).since(&before), None);
    }
}
