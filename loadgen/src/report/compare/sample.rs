//! Runs as a bootstrap sees them: samples of the same thing, that can be drawn again and again.
//!
//! The unit that is drawn is a run where there are three or more, which is what repetition is for: runs differ from
//! each other more than the seconds of one run. Of a single run it is a block of intervals that follow each other,
//! because a slow second is seldom alone (Kuensch, "The jackknife and the bootstrap for general stationary
//! observations", 1989). What came after the last interval, or never, is part of every draw.

use crate::model::{Interval, Latency, Report, decode, is_known};
use crate::report::random::Random;
use crate::threshold::{Metric, Part};
use hdrhistogram::Histogram;

/// Runs from which drawing runs tells something.
pub(super) const RUNS_LEAST: usize = 3;
/// Intervals of a single run from which drawing blocks tells something.
const INTERVALS_LEAST: usize = 8;

/// One side of a comparison.
pub(super) struct Sample {
    /// Values that were measured, rising.
    values: Vec<u64>,
    units: Vec<Unit>,
    /// What is in every draw.
    rest: Vec<Unit>,
    /// Units that are drawn together.
    block: usize,
}

/// What can be drawn: a run or an interval.
struct Unit {
    /// Index of a value, and how often it was measured.
    counts: Vec<(u32, u64)>,
    answered: f64,
    seconds: f64,
}

/// Units added up.
pub(super) struct Drawn {
    /// By the index of the value.
    counts: Vec<u64>,
    answered: f64,
    seconds: f64,
}

/// How the confidence in a difference comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    Runs,
    Intervals,
    /// Too little of either: no interval can be given.
    Nothing,
}

impl Basis {
    /// Of two sides; both have to bear it.
    pub(super) fn of(before: &[Report], after: &[Report]) -> Self {
        let all = |holds: &dyn Fn(&[Report]) -> bool| holds(before) && holds(after);
        let intervals = |runs: &[Report]| {
            let intervals = runs.iter().flat_map(|run| &run.series);
            intervals.filter(|interval| interval.histogram.is_some()).count()
        };
        if all(&|runs| runs.len() >= RUNS_LEAST) {
            Self::Runs
        } else if all(&|runs| intervals(runs) >= INTERVALS_LEAST) {
            Self::Intervals
        } else {
            Self::Nothing
        }
    }
}

impl Sample {
    /// The units of a side, on this basis. For a latency that is not the main one only runs are units: intervals do
    /// not have it.
    ///
    /// # Errors
    /// A histogram is damaged.
    pub(super) fn of(runs: &[Report], metric: &Metric, basis: Basis) -> Result<Self, String> {
        let is_by_interval = basis == Basis::Intervals && is_main(runs, metric);
        let parts = if is_by_interval { intervals(runs)? } else { whole(runs, metric)? };
        let rest = if is_by_interval { after_intervals(runs)? } else { Vec::new() };
        let mut values: Vec<u64> = parts
            .iter()
            .chain(&rest)
            .flat_map(|part| &part.histogram)
            .flat_map(|each| each.iter_recorded().map(|step| step.value_iterated_to()))
            .collect();
        values.sort_unstable();
        values.dedup();
        let units = |pieces: &[Piece]| pieces.iter().map(|piece| piece.unit(&values)).collect::<Vec<_>>();
        let (units, rest) = (units(&parts), units(&rest));
        // Of intervals, the length of a block grows with the cube root of the whole.
        let block = if is_by_interval { (units.len() as f64).cbrt().ceil() as usize } else { 1 };
        Ok(Self { values, units, rest, block: block.max(1) })
    }

    /// How many units there are.
    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    /// Each unit once.
    pub(super) fn all(&self) -> Drawn {
        self.sum(0..self.units.len())
    }

    /// As many units as there are, drawn with replacement.
    pub(super) fn draw(&self, random: &mut Random) -> Drawn {
        self.sum(draw(self.units.len(), self.block, random).into_iter())
    }

    fn sum(&self, numbers: impl Iterator<Item = usize>) -> Drawn {
        let mut drawn = Drawn { counts: vec![0; self.values.len()], answered: 0.0, seconds: 0.0 };
        for unit in numbers.map(|number| &self.units[number]).chain(&self.rest) {
            for (index, count) in &unit.counts {
                drawn.counts[*index as usize] += count;
            }
            drawn.answered += unit.answered;
            drawn.seconds += unit.seconds;
        }
        drawn
    }

    /// What a metric is of units; `None` for too few samples, and for what is no distribution.
    pub(super) fn value(&self, metric: &Metric, drawn: &Drawn) -> Option<f64> {
        match metric {
            Metric::Latency { part, .. } => self.latency(*part, &drawn.counts),
            Metric::Rate => (drawn.seconds > 0.0).then(|| drawn.answered / drawn.seconds),
            _ => None,
        }
    }

    fn latency(&self, part: Part, counts: &[u64]) -> Option<f64> {
        let all: u64 = counts.iter().sum();
        if all == 0 {
            return None;
        }
        let at = |index: usize| self.values[index] as f64;
        match part {
            Part::Min => counts.iter().position(|count| *count > 0).map(at),
            Part::Max => counts.iter().rposition(|count| *count > 0).map(at),
            Part::Mean => {
                let products =
                    counts.iter().zip(&self.values).map(|(count, value)| *count as f64 * *value as f64);
                Some(products.sum::<f64>() / all as f64)
            }
            Part::Percentile(percentile) => {
                if !is_known(all, percentile) {
                    return None;
                }
                let wanted = (percentile / 100.0 * all as f64).ceil().max(1.0) as u64;
                let mut passed = 0;
                let index = counts.iter().position(|count| {
                    passed += count;
                    passed >= wanted
                });
                index.map(at)
            }
        }
    }
}

/// What becomes a unit.
struct Piece {
    histogram: Option<Histogram<u64>>,
    answered: f64,
    seconds: f64,
}

impl Piece {
    fn unit(&self, values: &[u64]) -> Unit {
        let steps = self.histogram.iter().flat_map(|histogram| histogram.iter_recorded());
        let counts = steps.filter_map(|step| {
            let index = values.binary_search(&step.value_iterated_to()).ok()?;
            Some((index as u32, step.count_since_last_iteration()))
        });
        Unit { counts: counts.collect(), answered: self.answered, seconds: self.seconds }
    }
}

fn whole(runs: &[Report], metric: &Metric) -> Result<Vec<Piece>, String> {
    let piece = |run: &Report| {
        let histogram = metric.latency(run).map(Latency::histogram).transpose()?;
        // A rate is per second already: each run counts as one of them.
        Ok(Piece { histogram, answered: run.rates.answered, seconds: 1.0 })
    };
    runs.iter().map(piece).collect()
}

fn intervals(runs: &[Report]) -> Result<Vec<Piece>, String> {
    let intervals = runs.iter().flat_map(|run| &run.series);
    let piece = |interval: &Interval| {
        Ok(Piece {
            histogram: interval.histogram.as_deref().map(decode).transpose()?,
            answered: interval.answered as f64,
            seconds: interval.seconds,
        })
    };
    intervals.map(piece).collect()
}

fn after_intervals(runs: &[Report]) -> Result<Vec<Piece>, String> {
    let piece = |run: &Report| Ok(Piece { histogram: run.after_the_series()?, answered: 0.0, seconds: 0.0 });
    runs.iter().map(piece).collect()
}

/// Numbers below `count`, that many of them, in blocks that follow each other.
fn draw(count: usize, block: usize, random: &mut Random) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(count + block);
    while drawn.len() < count {
        let start = (random.next() % count as u64) as usize;
        drawn.extend((0..block).map(|offset| (start + offset) % count));
    }
    drawn.truncate(count);
    drawn
}

/// Whether intervals say something about a metric of these runs.
fn is_main(runs: &[Report], metric: &Metric) -> bool {
    *metric == Metric::Rate
        || runs.iter().all(|run| {
            let main = run.main_latency().map(|latency| (&latency.name, &latency.tag));
            main.is_some() && metric.latency(run).map(|latency| (&latency.name, &latency.tag)) == main
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn parts_are_those_of_the_histogram() {
        let report = fixture::report();
        let histogram = report.latencies[0].histogram().unwrap();
        let runs = [report];
        for basis in [Basis::Runs, Basis::Intervals] {
            let metric = |text: &str| text.parse::<Metric>().unwrap();
            let sample = Sample::of(&runs, &metric("p50"), basis).unwrap();
            assert_eq!(sample.len(), if basis == Basis::Runs { 1 } else { 30 });
            let value = |text: &str| sample.value(&metric(text), &sample.all());
            for percentile in ["1", "50", "90", "99", "99.9", "99.95"] {
                let expected = histogram.value_at_percentile(percentile.parse().unwrap());
                assert_eq!(value(&format!("p{percentile}")), Some(expected as f64), "p{percentile}");
            }
            assert_eq!(value("p99.99"), None);
            assert_eq!(value("max"), Some(histogram.max() as f64));
            let mean = value("mean").unwrap();
            assert!((mean / histogram.mean() - 1.0).abs() < 0.001, "{mean}");
        }
    }

    #[test]
    fn blocks_are_drawn_whole() {
        let mut random = Random(1);
        for _ in 0..100 {
            let drawn = draw(10, 3, &mut random);
            assert_eq!(drawn.len(), 10);
            for block in drawn.chunks(3) {
                assert!(block.windows(2).all(|pair| (pair[0] + 1) % 10 == pair[1]), "{drawn:?}");
            }
        }
    }
}
