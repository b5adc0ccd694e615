//! The one clock: CLOCK_MONOTONIC, which all processes of a machine share and the engine reads too.

use crate::interrupt;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wsring::Time;

/// What it is now.
pub(crate) fn now() -> Time {
    let now = clock_gettime(ClockId::Monotonic);
    Time((now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64)
}

/// Seconds since 1970, by the wall clock.
pub(crate) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// What the wall clock showed at a time, in milliseconds since 1970, as far as it was not set since.
pub(crate) fn unix_ms(time: Time) -> u64 {
    let ago = now().since(time).as_secs_f64();
    ((unix_seconds() - ago) * 1e3).max(0.0) as u64
}

/// The time at which the wall clock says so many seconds since 1970, as far as it is not set meanwhile.
pub(crate) fn at_unix(seconds: f64) -> Time {
    let (now, ahead) = (now(), (seconds - unix_seconds()) * 1e9);
    Time(now.0.saturating_add_signed(ahead as i64))
}

/// How long it is until a time; zero when that has passed.
pub(crate) fn until(time: Time) -> Duration {
    time.since(now())
}

/// Sleeps until a time, which may have passed; no longer once the run is to come to its end.
pub(crate) fn sleep_until(time: Time) {
    interrupt::sleep(|| until(time));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_translated() {
        let wall = unix_seconds();
        let (ahead, behind) = (at_unix(wall + 100.0), at_unix(wall - 5.0));
        assert!(until(ahead) > Duration::from_secs(50) && until(ahead) <= Duration::from_secs(100));
        assert!(until(behind).is_zero() && ahead.since(behind) <= Duration::from_secs(106));
    }

    #[test]
    fn times_are_told_by_the_wall_clock() {
        let (time, wall) = (now(), unix_seconds() * 1e3);
        sleep_until(time.after(Duration::from_millis(20)));
        assert!((unix_ms(time) as f64 - wall).abs() <= 5.0, "{} is not {wall}", unix_ms(time));
    }

    #[test]
    fn sleeping_ends_no_sooner() {
        let wake = now().after(Duration::from_millis(3));
        assert!(until(wake) > Duration::ZERO);
        sleep_until(wake);
        assert_eq!(until(wake), Duration::ZERO);
        sleep_until(wake);
    }
}
