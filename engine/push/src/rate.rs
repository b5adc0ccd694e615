//! How fast one connection may publish: a bucket that fills with time and that each message takes from.

use std::time::Duration;

/// Messages per second and how many at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u64,
    burst: u64,
}

/// What one connection has left. It holds one number, and no clock: time comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// The time, in nanoseconds since the clock's start, at which it is full again.
    full_at: u64,
}

impl Rate {
    /// `None` when `per_second` is 0: not limited. A burst of 0 is the messages of one second.
    pub(crate) fn new(per_second: u64, burst: u64) -> Option<Self> {
        let burst = if burst == 0 { per_second } else { burst };
        (per_second > 0).then_some(Self { per_second, burst })
    }

    fn nanoseconds_of(self, messages: u64) -> u64 {
        let nanoseconds = u128::from(messages) * 1_000_000_000 / u128::from(self.per_second);
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }
}

impl Bucket {
    /// A full one.
    pub(crate) const FULL: Self = Self { full_at: 0 };

    /// Takes what a message costs.
    ///
    /// # Errors
    /// When there is not as much: after which time there will be. Nothing is taken then.
    pub(crate) fn take(&mut self, rate: Rate, now_nanoseconds: u64) -> Result<(), Duration> {
        let after = self.full_at.max(now_nanoseconds).saturating_add(rate.nanoseconds_of(1));
        let allowed = now_nanoseconds.saturating_add(rate.nanoseconds_of(rate.burst));
        if after > allowed {
            return Err(Duration::from_nanos(after - allowed));
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
        // (at ms, taken, or ms to wait)
        let table: [(u64, Result<(), u64>); 13] = [
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Err(100)),
            (1050, Err(50)),
            (1100, Ok(())),
            (1100, Err(100)),
            (1300, Ok(())),
            (1300, Ok(())),
            (1300, Err(100)),
            (9000, Ok(())),
            (9000, Ok(())),
            (9000, Ok(())),
        ];
        for (row, (at, expected)) in table.into_iter().enumerate() {
            let taken = bucket.take(rate, at * 1_000_000);
            assert_eq!(taken, expected.map_err(Duration::from_millis), "row {row}: at {at} ms");
        }
    }

    #[test]
    fn over_a_long_time_it_is_the_rate() {
        let rate = Rate::new(1000, 0).unwrap();
        let mut bucket = Bucket::FULL;
        let taken = (0..10_000).filter(|step| bucket.take(rate, step * 333_000).is_ok()).count();
        assert!((4320..=4340).contains(&taken), "{taken}: 3330 in 3.33 s and a burst of 1000");
        assert_eq!(Rate::new(0, 5), None);
    }
}
