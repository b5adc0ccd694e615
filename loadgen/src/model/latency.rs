//! A histogram as it stands in a report.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Those that are written out in the JSON.
pub(crate) const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// Samples above a percentile that make it a statement rather than an accident.
const SAMPLES_ABOVE: f64 = 10.0;

/// Nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Latency {
    /// `response` (from the intended time), `service` (from the send), `schedule_lag` (from the intended
    /// time to the send), `tcp`, `tls`, `upgrade`, `open`, `first`, `median`, `last`, ...
    pub(crate) name: String,
    /// A part of the run that is measured by itself, `healthy` say. Absent: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// Between two clocks: how far each value may be from the truth. What is less is no figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncertainty: Option<u64>,
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) stddev: f64,
    pub(crate) max: u64,
    /// By name, `p99.9`; null while fewer than ten samples lie above it.
    pub(crate) percentiles: BTreeMap<String, Option<u64>>,
    /// The whole histogram: HdrHistogram V2, deflated, in base64. Every tool of that family reads it.
    pub(crate) histogram: String,
}

impl Latency {
    /// Of a histogram of nanoseconds, which may be empty.
    pub(crate) fn of(name: &str, histogram: &Histogram<u64>) -> Self {
        let percentiles =
            PERCENTILES.iter().map(|each| (percentile_name(*each), percentile(histogram, *each)));
        let is_empty = histogram.is_empty();
        Self {
            name: name.to_owned(),
            tag: None,
            uncertainty: None,
            count: histogram.len(),
            min: histogram.min(),
            mean: if is_empty { 0.0 } else { histogram.mean() },
            stddev: if is_empty { 0.0 } else { histogram.stdev() },
            max: histogram.max(),
            percentiles: percentiles.collect(),
            histogram: encode(histogram),
        }
    }

    /// The same, as a part of the run.
    #[must_use]
    pub(crate) fn tagged(self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), ..self }
    }

    /// The histogram that it was made of.
    ///
    /// # Errors
    /// The text is damaged: the file was edited, or not written by this program.
    pub(crate) fn histogram(&self) -> Result<Histogram<u64>, String> {
        decode(&self.histogram).map_err(|cause| format!("the histogram {:?} is damaged: {cause}", self.name))
    }

    /// A percentile of those that are written out.
    pub(crate) fn at(&self, percentile: f64) -> Option<u64> {
        self.percentiles.get(&percentile_name(percentile)).copied().flatten()
    }

    /// Whether a value is more than the clocks are uncertain by.
    pub(crate) fn can_tell(&self, value: f64) -> bool {
        self.uncertainty.is_none_or(|uncertainty| value >= uncertainty as f64)
    }

    /// Name and tag as people read them: `response, healthy`.
    pub(crate) fn title(&self) -> String {
        let name = self.name.replace('_', " ");
        self.tag.as_ref().map_or_else(|| name.clone(), |tag| format!("{name}, {tag}"))
    }
}

/// `p99.9`.
pub(crate) fn percentile_name(percentile: f64) -> String {
    format!("p{percentile}")
}

/// `None` while fewer than ten samples lie above it.
pub(crate) fn percentile(histogram: &Histogram<u64>, percentile: f64) -> Option<u64> {
    is_known(histogram.len(), percentile).then(|| histogram.value_at_percentile(percentile))
}

/// Whether enough of so many samples lie above a percentile.
pub(crate) fn is_known(count: u64, percentile: f64) -> bool {
    let above = count as f64 * (1.0 - percentile / 100.0);
    // A sliver for the rounding of 1 - 0.999.
    above + 1e-6 >= SAMPLES_ABOVE
}

/// How many nines the last percentile has that is known of so many samples: two are p99.
pub(crate) fn nines_known(count: u64) -> f64 {
    (count as f64 / SAMPLES_ABOVE).log10()
}

/// HdrHistogram V2, deflated, in base64.
pub(crate) fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("memory takes what is written to it");
    STANDARD.encode(bytes)
}

/// The reverse of [`encode`].
///
/// # Errors
/// The text is none of a histogram.
pub(crate) fn decode(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD.decode(text).map_err(|cause| cause.to_string())?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_samples(count: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        (1..=count).for_each(|value| histogram.record(value * 1000).unwrap());
        histogram
    }

    #[test]
    fn percentiles_need_samples() {
        let names = ["p50", "p90", "p99", "p99.9", "p99.99"];
        let table: [(u64, [bool; 5]); 5] = [
            (0, [false, false, false, false, false]),
            (19, [false, false, false, false, false]),
            (20, [true, false, false, false, false]),
            (1000, [true, true, true, false, false]),
            (10_000, [true, true, true, true, false]),
        ];
        for (count, known) in table {
            let latency = Latency::of("response", &of_samples(count));
            assert_eq!(names.map(|name| latency.percentiles[name].is_some()), known, "{count} samples");
        }
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let latency = Latency::of("response", &of_samples(1000));
        for (percentile, expected) in [(50.0, 500_000.0), (90.0, 900_000.0), (99.0, 990_000.0)] {
            let value = latency.at(percentile).unwrap() as f64;
            assert!((value - expected).abs() <= expected * 0.001, "p{percentile} is {value}");
        }
        assert!((latency.mean - 500_500.0).abs() <= 500.0, "{latency:?}");
    }

    #[test]
    fn the_histogram_comes_back_whole() {
        for count in [0, 1, 1000] {
            let histogram = of_samples(count);
            assert_eq!(Latency::of("response", &histogram).histogram().unwrap(), histogram);
        }
        for text in ["", "AAAA", "no base64!"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
