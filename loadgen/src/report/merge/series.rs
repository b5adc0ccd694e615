//! Intervals of several reports, laid over each other.

use super::add;
use crate::model::{Interval, Report, decode, encode, percentile};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// The series of all by the wall clock, from the first beginning on.
///
/// # Errors
/// A histogram is damaged.
pub(super) fn of(
    reports: &[Report],
    started_unix_ms: u64,
    is_one_campaign: bool,
) -> Result<Vec<Interval>, String> {
    let later = |report: &Report| report.started_unix_ms.saturating_sub(started_unix_ms) as f64 / 1000.0;
    let starts = reports.iter().filter_map(|report| Some(later(report) + report.series.first()?.from_s));
    let start = starts.fold(f64::INFINITY, f64::min);
    let series = reports.iter().map(|report| (later(report) - start, report.series.as_slice()));
    let mut sums = laid_over(&series.collect::<Vec<_>>(), is_one_campaign)?;
    sums.iter_mut().for_each(|(sum, _)| sum.from_s += start);
    Ok(sums.into_iter().map(|(sum, _)| sum).collect())
}

/// Series, each of which is to be shifted by so many seconds, as one of intervals of the longest's length from 0 on: each
/// is the sum of what has its middle in it, and stands beside the seconds that all of that took.
///
/// # Errors
/// A histogram is damaged.
pub(in crate::report) fn laid_over(
    series: &[(f64, &[Interval])],
    is_one_campaign: bool,
) -> Result<Vec<(Interval, f64)>, String> {
    let length = series.iter().flat_map(|(_, series)| *series).map(|each| each.seconds).fold(0.0, f64::max);
    if length <= 0.0 {
        return Ok(Vec::new());
    }
    let mut slots: BTreeMap<u64, Slot> = BTreeMap::new();
    for (shift, series) in series {
        for interval in *series {
            // By its middle: a beginning that is a hair early would fall into the slot before.
            let middle = shift + interval.from_s + interval.seconds / 2.0;
            slots.entry((middle / length) as u64).or_default().add(interval, is_one_campaign)?;
        }
    }
    let sum = |(number, slot): (u64, Slot)| {
        let seconds = slot.sum.seconds;
        (slot.interval(number as f64 * length, length), seconds)
    };
    Ok(slots.into_iter().map(sum).collect())
}

/// What comes together in an interval.
#[derive(Default)]
struct Slot {
    sum: Interval,
    histogram: Option<Histogram<u64>>,
}

impl Slot {
    fn add(&mut self, other: &Interval, is_one_campaign: bool) -> Result<(), String> {
        let sum = &mut self.sum;
        sum.sent = if is_one_campaign { sum.sent.max(other.sent) } else { sum.sent + other.sent };
        sum.seconds += other.seconds;
        sum.answered += other.answered;
        sum.errors += other.errors;
        sum.connections = both(sum.connections, other.connections, |a, b| a + b);
        sum.client_bytes = both(sum.client_bytes, other.client_bytes, |a, b| a + b);
        sum.client_cores = both(sum.client_cores, other.client_cores, |a, b| a + b);
        // One server, whoever looked at it.
        sum.server_bytes = both(sum.server_bytes, other.server_bytes, u64::max);
        sum.server_cores = both(sum.server_cores, other.server_cores, f64::max);
        // The worst: there is no sum of percentiles. Where there are histograms, they say it better below.
        sum.schedule_lag_p99 = both(sum.schedule_lag_p99, other.schedule_lag_p99, u64::max);
        sum.p50 = both(sum.p50, other.p50, u64::max);
        sum.p99 = both(sum.p99, other.p99, u64::max);
        sum.max = both(sum.max, other.max, u64::max);
        let Some(histogram) = other.histogram.as_deref().map(decode).transpose()? else { return Ok(()) };
        match &mut self.histogram {
            Some(sum) => add(sum, &histogram),
            none => {
                *none = Some(histogram);
                Ok(())
            }
        }
    }

    fn interval(self, from_s: f64, seconds: f64) -> Interval {
        let mut interval = Interval { from_s, seconds, ..self.sum };
        if let Some(histogram) = &self.histogram {
            interval.p50 = percentile(histogram, 50.0);
            interval.p99 = percentile(histogram, 99.0);
            interval.max = (!histogram.is_empty()).then(|| histogram.max());
            interval.histogram = Some(encode(histogram));
        }
        interval
    }
}

/// Both together, or the one that is known.
fn both<T>(a: Option<T>, b: Option<T>, together: impl Fn(T, T) -> T) -> Option<T> {
    a.into_iter().chain(b).reduce(together)
}
