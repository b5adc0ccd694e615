//! What one shard has measured of the messages with one tag.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies are kept with three digits from 1 ns on; beyond this a histogram grows.
const EXPECTED_MAX: Duration = Duration::from_secs(60);
const DIGITS: u8 = 3;

/// A histogram of nanoseconds that takes any value.
pub(crate) fn histogram() -> Histogram<u64> {
    let most = EXPECTED_MAX.as_nanos() as u64;
    let mut histogram = Histogram::new_with_bounds(1, most, DIGITS).expect("the bounds are valid");
    histogram.auto(true);
    histogram
}

/// Adds to a histogram of [`histogram`]'s kind.
#[inline]
pub(crate) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    record_many(histogram, time, 1);
}

/// As [`record`], so many times.
#[inline]
pub(crate) fn record_many(histogram: &mut Histogram<u64>, time: Duration, count: u64) {
    let recorded = histogram.record_n((time.as_nanos() as u64).max(1), count);
    debug_assert!(recorded.is_ok(), "a histogram that grows takes any value");
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often things happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Counts {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl Counts {
            /// Adds others.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// Each with its name.
            pub(crate) fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counts! {
    /// Messages given to the engine.
    sent,
    /// Answers that were right, those out of order and those that came late included.
    answered,
    /// Messages that were due, or sent, in the window.
    window_sent,
    /// Right answers to any message that came in the window.
    window_answered,
    /// Bytes of the payloads sent.
    bytes_sent,
    /// Bytes of the payloads received.
    bytes_received,
    /// Messages that the engine did not take, because their connection was over or closing.
    refused,
    /// Messages that were due while their connection had as many on their way as it may have.
    blocked,
    /// Second answers.
    duplicate,
    /// Answers to messages that a later one had overtaken.
    out_of_order,
    /// Messages that are like one that was sent, and are not it.
    corrupt,
    /// Messages that were given up, because their answer had not come in time.
    given_up,
    /// Answers to messages that had been given up.
    late,
    /// Messages that were never sent, or on another connection.
    unasked,
    /// Messages without an answer at the end.
    unanswered,
    /// Those of them which a later one had overtaken.
    lost,
    /// Pongs that came.
    pongs,
}

/// Histograms and counts. Each shard has one for each tag, which it gives away at the end of each interval; those
/// of all shards are added up, so that shards share nothing while they run.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// From the intended time to the answer. In a closed loop a message is intended when it is sent.
    pub(crate) response: Histogram<u64>,
    /// From the sending to the answer, where that differs.
    pub(crate) service: Histogram<u64>,
    /// From the intended time to the sending.
    pub(crate) lag: Histogram<u64>,
    /// Time from collecting what had arrived in a turn to the end of its handling.
    pub(crate) turns: Histogram<u64>,
    pub(crate) counts: Counts,
}

impl Meter {
    /// One that has measured nothing.
    pub(crate) fn new() -> Self {
        Self {
            response: histogram(),
            service: histogram(),
            lag: histogram(),
            turns: histogram(),
            counts: Counts::default(),
        }
    }

    /// Adds what another has measured.
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |to: &mut Histogram<u64>, from: &Histogram<u64>| {
            // An empty one has all its counts looked at too.
            if !from.is_empty() {
                to.add(from).expect("a histogram that grows takes any other");
            }
        };
        add(&mut self.response, &other.response);
        add(&mut self.service, &other.service);
        add(&mut self.lag, &other.lag);
        add(&mut self.turns, &other.turns);
        self.counts.add(&other.counts);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        for histogram in [&mut self.response, &mut self.service, &mut self.lag, &mut self.turns] {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
        self.counts = Counts::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_add_up() {
        let (mut one, mut other) = (Meter::new(), Meter::new());
        for milliseconds in 1..=10 {
            record(&mut one.response, Duration::from_millis(milliseconds));
            record(&mut other.response, Duration::from_millis(10 * milliseconds));
            record(&mut other.lag, Duration::ZERO);
        }
        one.counts.sent = 3;
        other.counts = Counts { sent: 4, late: 1, ..Counts::default() };
        // Longer than what it was made for.
        record(&mut other.response, Duration::from_secs(3600));
        one.add(&other);
        assert_eq!((one.response.len(), one.lag.len(), one.service.len()), (21, 10, 0));
        assert!(one.response.max() >= 3_600_000_000_000 && one.lag.max() == 1);
        assert_eq!(one.counts, Counts { sent: 7, late: 1, ..Counts::default() });
        assert_eq!(one.counts.named()[0], ("sent", 7));
        one.clear();
        assert_eq!((one.response.len(), one.counts), (0, Counts::default()));
    }
}
