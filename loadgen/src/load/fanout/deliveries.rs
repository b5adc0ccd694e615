//! How long deliveries took from one of two times on: that of the schedule, or that of the publishing.

use crate::measure::meter::{histogram, record, record_many};
use crate::model::Latency;
use hdrhistogram::Histogram;
use wsring::Time;

/// What they took.
pub(super) struct Deliveries {
    pub(super) all: Histogram<u64>,
    pub(super) first: Histogram<u64>,
    median: Histogram<u64>,
    last: Histogram<u64>,
    /// Deliveries before it: the clocks differ, or the publisher's had gone on.
    pub(super) negative: u64,
    /// By how many nanoseconds the earliest of them.
    pub(super) earliest: u64,
}

impl Deliveries {
    pub(super) fn new() -> Self {
        let [all, first, median, last] = std::array::from_fn(|_| histogram());
        Self { all, first, median, last, negative: 0, earliest: 0 }
    }

    /// Adds a message by its deliveries in ascending order.
    pub(super) fn add(&mut self, from: Time, runs: &[(Time, u32)]) {
        let earliest = runs.first().map_or(0, |(time, _)| from.since(*time).as_nanos() as u64);
        self.earliest = self.earliest.max(earliest);
        for (time, count) in runs {
            if *time < from {
                self.negative += u64::from(*count);
            } else {
                record_many(&mut self.all, time.since(from), u64::from(*count));
            }
        }
        let time = |run: Option<&(Time, u32)>| run.map(|(time, _)| *time);
        for (to, time) in [
            (&mut self.first, time(runs.first())),
            (&mut self.median, median(runs)),
            (&mut self.last, time(runs.last())),
        ] {
            if let Some(time) = time.filter(|time| *time >= from) {
                record(to, time.since(from));
            }
        }
    }

    pub(super) fn latencies(&self) -> [Latency; 4] {
        let of =
            [("delivery", &self.all), ("first", &self.first), ("median", &self.median), ("last", &self.last)];
        of.map(|(name, histogram)| Latency::of(name, histogram))
    }
}

/// The time of the delivery in the middle; of an even number the earlier one.
fn median(runs: &[(Time, u32)]) -> Option<Time> {
    let mut before = (count(runs).max(1) - 1) / 2;
    for (time, count) in runs {
        match before.checked_sub(u64::from(*count)) {
            Some(left) => before = left,
            None => return Some(*time),
        }
    }
    None
}

/// How many there are.
pub(super) fn count(runs: &[(Time, u32)]) -> u64 {
    runs.iter().map(|(_, count)| u64::from(*count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_is_found_in_runs() {
        type Times = &'static [(u64, u32)];
        let table: [(Times, Option<u64>); 6] = [
            (&[], None),
            (&[(5, 1)], Some(5)),
            (&[(5, 1), (6, 1)], Some(5)),
            (&[(5, 1), (6, 1), (7, 1)], Some(6)),
            (&[(5, 2), (6, 7)], Some(6)),
            (&[(5, 5), (6, 4), (9, 1)], Some(5)),
        ];
        for (runs, expected) in table {
            let runs: Vec<(Time, u32)> = runs.iter().map(|(time, count)| (Time(*time), *count)).collect();
            assert_eq!(median(&runs).map(|time| time.0), expected, "{runs:?}");
        }
    }
}
