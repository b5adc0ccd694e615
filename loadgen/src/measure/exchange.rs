//! How meters get from the shards to whoever adds them up.
//!
//! A shard fills a meter for one interval, gives it away whole and goes on with an empty one: it neither copies nor
//! adds anything, and takes a lock once in each interval.

use super::meter::Meter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use wsring::Time;

/// Meters that are full, and meters that may be filled again.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    full: Mutex<Vec<Handed>>,
    empty: Mutex<Vec<Meter>>,
    /// When the load ends, if it ends before its time, in nanoseconds of the clock; 0: it does not.
    cut: AtomicU64,
}

/// What a shard has measured in an interval.
#[derive(Debug)]
pub(crate) struct Handed {
    /// 0 is the warm-up, the others are those of the window, and the one after them is the drain.
    pub(crate) interval: usize,
    pub(crate) meter: Meter,
    /// Nothing more comes from that shard: what it has measured all the time of connections that read slowly.
    pub(crate) last: Option<Box<Meter>>,
}

impl Exchange {
    /// Gives away what was measured in an interval; leaves an empty meter.
    pub(crate) fn hand_over(&self, meter: &mut Meter, interval: usize) {
        let meter = self.swap(meter);
        lock(&self.full).push(Handed { interval, meter, last: None });
    }

    /// The same for the last time, with what was measured of slow connections.
    pub(crate) fn hand_over_last(&self, meter: &mut Meter, slow: &mut Meter, interval: usize) {
        let (meter, slow) = (self.swap(meter), self.swap(slow));
        lock(&self.full).push(Handed { interval, meter, last: Some(Box::new(slow)) });
    }

    /// Takes a meter; leaves an empty one.
    fn swap(&self, meter: &mut Meter) -> Meter {
        let empty = lock(&self.empty).pop().unwrap_or_else(Meter::new);
        std::mem::replace(meter, empty)
    }

    /// Has the shards end the load at a time; one that is so far ahead that they look meanwhile.
    pub(crate) fn end_at(&self, time: Time) {
        self.cut.store(time.0, Ordering::Release);
    }

    /// When the load is to end before its time, if so.
    #[inline]
    pub(crate) fn early_end(&self) -> Option<Time> {
        Some(self.cut.load(Ordering::Acquire)).filter(|time| *time > 0).map(Time)
    }

    /// Takes everything that was handed over.
    pub(crate) fn take(&self) -> Vec<Handed> {
        std::mem::take(&mut lock(&self.full))
    }

    /// Gives a meter back that has been added up.
    pub(crate) fn give_back(&self, mut meter: Meter) {
        meter.clear();
        lock(&self.empty).push(meter);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_goes_round() {
        let exchange = Exchange::default();
        let mut meter = Meter::new();
        for interval in 0..3 {
            meter.counts.sent += 5;
            let mut slow = Meter::new();
            slow.counts.sent = 7;
            match interval {
                2 => exchange.hand_over_last(&mut meter, &mut slow, interval),
                _ => exchange.hand_over(&mut meter, interval),
            }
            assert_eq!(meter.counts.sent, 0);
            let handed = exchange.take();
            let last = handed[0].last.as_ref().map(|slow| slow.counts.sent);
            assert_eq!((handed.len(), handed[0].interval, last), (1, interval, (interval == 2).then_some(7)));
            assert_eq!(handed[0].meter.counts.sent, 5);
            handed.into_iter().for_each(|handed| exchange.give_back(handed.meter));
        }
        assert!(exchange.take().is_empty());
    }
}
