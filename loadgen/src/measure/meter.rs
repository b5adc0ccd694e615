//! What one shard has measured.

use hdrhistogram::Histogram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Round trips are kept with three digits from 1 ns on; beyond this the histogram grows.
const EXPECTED_MAX: Duration = Duration::from_secs(60);
const DIGITS: u8 = 3;

/// Histogram and counts. Each shard has one, and the meters of all shards are added up at the end, so
/// that shards share nothing while they run.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Nanoseconds from giving a message to the engine to its echo, of messages sent in the window.
    pub(crate) round_trips: Histogram<u64>,
    /// Messages given to the engine, those before the window included.
    pub(crate) sent: u64,
    /// Echoes that were right.
    pub(crate) answered: u64,
    /// Echoes that were right and came in the window.
    pub(crate) answered_in_window: u64,
    /// Messages that were no echo of the one whose turn it was.
    pub(crate) wrong: u64,
    /// Messages that the engine did not take, because the connection was closing or too far behind.
    pub(crate) refused: u64,
    /// Where the next message is written before it is sent; kept to spare the allocation.
    pub(crate) scratch: Vec<u8>,
}

/// The time in which echoes count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The end of the warm-up.
    pub(crate) start: Instant,
    /// Nothing is sent from here on.
    pub(crate) end: Instant,
}

/// A meter as its shard's handlers and the main thread hold it. The lock is contended only when the
/// main thread reads, which it does not do inside the window.
pub(crate) type Shared = Arc<Mutex<Meter>>;

impl Meter {
    /// One meter for each shard.
    pub(crate) fn for_shards(shards: usize) -> Vec<Shared> {
        (0..shards).map(|_| Arc::new(Mutex::new(Self::new()))).collect()
    }

    fn new() -> Self {
        let most = EXPECTED_MAX.as_nanos() as u64;
        let mut round_trips = Histogram::new_with_bounds(1, most, DIGITS).expect("the bounds are valid");
        round_trips.auto(true);
        Self {
            round_trips,
            sent: 0,
            answered: 0,
            answered_in_window: 0,
            wrong: 0,
            refused: 0,
            scratch: Vec::new(),
        }
    }

    /// Notes an echo that came at `now`. `sent` is when its message was sent, where that is known.
    pub(crate) fn answer(&mut self, window: &Window, sent: Option<Instant>, now: Instant) {
        self.answered += 1;
        if window.contains(now) {
            self.answered_in_window += 1;
        }
        if let Some(sent) = sent.filter(|sent| window.contains(*sent)) {
            let nanoseconds = now.duration_since(sent).as_nanos() as u64;
            // It grows as needed, so that nothing is too long for it.
            self.round_trips.saturating_record(nanoseconds.max(1));
        }
    }

    /// The sum over all shards.
    pub(crate) fn sum(meters: &[Shared]) -> Self {
        let mut sum = Self::new();
        for meter in meters {
            let meter = lock(meter);
            sum.round_trips.add(&meter.round_trips).expect("a histogram that grows takes any other");
            sum.sent += meter.sent;
            sum.answered += meter.answered;
            sum.answered_in_window += meter.answered_in_window;
            sum.wrong += meter.wrong;
            sum.refused += meter.refused;
        }
        sum
    }
}

impl Window {
    fn contains(&self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// The meter behind the lock. One that a panic left behind is still good for its counts.
pub(crate) fn lock(meter: &Shared) -> MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_window_counts() {
        let start = Instant::now() + Duration::from_secs(10);
        let window = Window { start, end: start + Duration::from_secs(5) };
        let at = |milliseconds: u64| start - Duration::from_secs(1) + Duration::from_millis(milliseconds);
        let meters = Meter::for_shards(2);
        // Sent and come: before, across the start, inside, across the end, and sent at an unknown time.
        let table = [(Some(0), 500), (Some(999), 1001), (Some(1000), 1100), (Some(5999), 8000), (None, 2000)];
        for (index, (sent, come)) in table.into_iter().enumerate() {
            lock(&meters[index % 2]).answer(&window, sent.map(at), at(come));
        }
        let sum = Meter::sum(&meters);
        assert_eq!((sum.answered, sum.answered_in_window), (5, 3));
        assert_eq!(sum.round_trips.len(), 2);
        assert!(sum.round_trips.equivalent(sum.round_trips.min(), 100_000_000));
        assert!(sum.round_trips.equivalent(sum.round_trips.max(), 2_001_000_000));
    }
}
