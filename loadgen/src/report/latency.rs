//! A histogram in a few numbers.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Samples above a percentile that make it a statement rather than an accident.
const SAMPLES_ABOVE: f64 = 10.0;

/// Microseconds. A percentile is `None` while fewer than ten samples lie above it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) samples: u64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) p99_9: Option<f64>,
    pub(crate) p99_99: Option<f64>,
    pub(crate) max: f64,
}

impl Latency {
    /// Of a histogram of nanoseconds; `None` when it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let samples = histogram.len();
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
        let at = |percentile: f64| {
            let above = samples as f64 * (1.0 - percentile / 100.0);
            // A sliver for the rounding of 1 - 0.999.
            let is_enough = above + 1e-6 >= SAMPLES_ABOVE;
            is_enough.then(|| microseconds(histogram.value_at_percentile(percentile)))
        };
        (samples > 0).then(|| Self {
            samples,
            min: microseconds(histogram.min()),
            mean: histogram.mean() / 1000.0,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: microseconds(histogram.max()),
        })
    }

    /// The percentiles by name.
    pub(crate) fn percentiles(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p99_9),
            ("p99.99", self.p99_99),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_samples(count: u64) -> Option<Latency> {
        let mut histogram = Histogram::new(3).unwrap();
        (1..=count).for_each(|value| histogram.record(value * 1000).unwrap());
        Latency::of(&histogram)
    }

    #[test]
    fn percentiles_need_samples() {
        assert_eq!(of_samples(0), None);
        let table: [(u64, &[bool]); 4] = [
            (19, &[false, false, false, false, false]),
            (20, &[true, false, false, false, false]),
            (1000, &[true, true, true, false, false]),
            (10_000, &[true, true, true, true, false]),
        ];
        for (count, known) in table {
            let latency = of_samples(count).unwrap();
            assert_eq!(latency.percentiles().map(|(_, value)| value.is_some()), known, "{count} samples");
        }
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let latency = of_samples(1000).unwrap();
        let near = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() <= expected * 0.001;
        assert!(
            near(latency.p50, 500.0) && near(latency.p90, 900.0) && near(latency.p99, 990.0),
            "{latency:?}"
        );
        assert!(near(Some(latency.mean), 500.5), "{latency:?}");
    }
}
