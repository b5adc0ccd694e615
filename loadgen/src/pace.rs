//! Doing things at a rate.

use crate::interrupt;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A schedule: the n-th thing is due at `start + n / rate`. That is computed, not counted, so that
/// what was late does not make everything after it late too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    rate: u32,
}

impl Pace {
    /// A schedule of `rate` things a second that begins now.
    pub(crate) fn begin(rate: u32) -> Self {
        Self { start: Instant::now(), rate }
    }

    /// Returns when the thing with this number is due; at once when it is late.
    pub(crate) fn wait(&self, number: u32) {
        sleep_until(self.due(number));
    }

    fn due(&self, number: u32) -> Instant {
        let nanoseconds = u64::from(number) * 1_000_000_000 / u64::from(self.rate);
        self.start + Duration::from_nanos(nanoseconds)
    }
}

/// Sleeps until a moment, which may be past; no longer once the run is to come to its end.
pub(crate) fn sleep_until(moment: Instant) {
    interrupt::sleep(|| moment.saturating_duration_since(Instant::now()));
}

/// Looks every few milliseconds whether something has come true; says whether it had at the deadline.
pub(crate) fn wait_for(deadline: Instant, mut come_true: impl FnMut() -> bool) -> bool {
    const LOOK: Duration = Duration::from_millis(2);
    loop {
        if come_true() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift() {
        let pace = Pace::begin(3);
        let second = |seconds| pace.start + Duration::from_secs(seconds);
        let table = [(0, second(0)), (3, second(1)), (3000, second(1000)), (u32::MAX, second(1_431_655_765))];
        for (number, due) in table {
            assert_eq!(pace.due(number), due, "{number}");
        }
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        assert!(!wait_for(Instant::now(), || false));
        assert!(wait_for(Instant::now(), || true));
    }
}
