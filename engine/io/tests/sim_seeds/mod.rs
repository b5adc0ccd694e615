//! Which seeds a test runs.

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
