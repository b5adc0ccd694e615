//! The one clock: CLOCK_MONOTONIC, which all processes of a machine share and the engine reads too.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use wsring::Time;

/// What it is now.
pub(crate) fn now() -> Time {
    let now = clock_gettime(ClockId::Monotonic);
    Time((now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64)
}

/// How long it is until a time; zero when that has passed.
pub(crate) fn until(time: Time) -> Duration {
    time.since(now())
}

/// Sleeps until a time, which may have passed.
pub(crate) fn sleep_until(time: Time) {
    let left = until(time);
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_no_sooner() {
        let wake = now().after(Duration::from_millis(3));
        assert!(until(wake) > Duration::ZERO);
        sleep_until(wake);
        assert_eq!(until(wake), Duration::ZERO);
        sleep_until(wake);
    }
}
