//! How fast one connection may publish: a bucket that fills with time and that each message takes from.

use std::time::Duration;

/// Messages per second and how many at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u64,
    burst: u64,
}

/// What one connection has left. It holds two numbers, and no clock: time comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// The time, since the clock's start, at which it is full again.
    full_at: Duration,
}

impl Rate {
    /// `None` when `per_second` is 0: not limited. A burst of 0 is the messages of one second.
    pub(crate) fn new(per_second: u64, burst: u64) -> Option<Self> {
        let burst = if burst == 0 { per_second } else { burst };
        (per_second > 0).then_some(Self { per_second, burst })
    }

    fn time_of(self, messages: u64) -> Duration {
        Duration::from_nanos((u128::from(messages) * 1_000_000_000 / u128::from(self.per_second)) as u64)
    }
}

impl Bucket {
    /// A full one.
    pub(crate) const FULL: Self = Self { full_at: Duration::ZERO };

    /// Takes what these messages cost.
    ///
    /// # Errors
    /// When there is not as much: after which time there will be. Nothing is taken then.
    pub(crate) fn take(&mut self, rate: Rate, messages: u64, now: Duration) -> Result<(), Duration> {
        let after = self.full_at.max(now) + rate.time_of(messages);
        let allowed = now + rate.time_of(rate.burst.max(messages.min(1)));
        if after > allowed {
            return Err(after - allowed);
        }
        self.full_at = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::new(10, 3).unwrap();
        let mut bucket = Bucket::FULL;
        // (at ms, messages, taken, or ms to wait)
        let table: [(u64, u64, Result<(), u64>); 10] = [
            (1000, 1, Ok(())),
            (1000, 2, Ok(())),
            (1000, 1, Err(100)),
            (1050, 1, Err(50)),
            (1100, 1, Ok(())),
            (1100, 1, Err(100)),
            (1300, 2, Ok(())),
            (9000, 3, Ok(())),
            (9000, 1, Err(100)),
            (9100, 4, Err(300)),
        ];
        for (at, messages, expected) in table {
            let taken = bucket.take(rate, messages, Duration::from_millis(at));
            assert_eq!(taken, expected.map_err(Duration::from_millis), "{messages} at {at} ms");
        }
    }

    #[test]
    fn over_a_long_time_it_is_the_rate() {
        let rate = Rate::new(1000, 0).unwrap();
        let mut bucket = Bucket::FULL;
        let taken = (0..10_000)
            .filter(|step| bucket.take(rate, 1, Duration::from_micros(step * 333)).is_ok())
            .count();
        assert!((4320..=4340).contains(&taken), "{taken}: 3330 in 3.33 s and a burst of 1000");
        assert_eq!(Rate::new(0, 5), None);
    }
}
