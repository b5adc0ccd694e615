//! Which seeds a test runs, and how one that failed is run again.

use std::ops::Range;

/// Those from 0 up to `usual`; `SIM_SEEDS=1000` says how many instead, and `SIM_SEED=7`
/// asks for that one alone.
pub(crate) fn seeds(usual: u64) -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(usual),
    }
}

/// Whether so many seeds run that everything that can happen does.
pub(crate) fn is_many() -> bool {
    let seeds = seeds(150);
    seeds.end - seeds.start >= 150
}

/// While it lives, a panic prints the command that runs the seed again.
pub(crate) struct Replay {
    pub(crate) seed: u64,
    pub(crate) test: &'static str,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, test } = self;
            eprintln!("\nseed {seed} failed; to replay it:");
            eprintln!("  SIM_SEED={seed} cargo test --release -p wsring-tests --test simulation -- {test}\n");
        }
    }
}
