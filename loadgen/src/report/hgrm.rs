//! A histogram as the percentile distribution that HdrHistogram prints, which its plotter and others read.
//!
//! Values are in microseconds. Columns and footer are those of `outputPercentileDistribution` of the
//! Java implementation, with five steps for each halving of the distance to 100 %.

use crate::model::Latency;
use hdrhistogram::Histogram;
use std::fmt::Write;

const STEPS_PER_HALVING: u32 = 5;
const NANOS_PER_UNIT: f64 = 1000.0;

/// The whole file.
///
/// # Errors
/// The histogram is damaged.
pub(crate) fn of(latency: &Latency) -> Result<String, String> {
    let histogram = latency.histogram()?;
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        let value = step.value_iterated_to() as f64 / NANOS_PER_UNIT;
        let (quantile, count) = (step.quantile_iterated_to(), histogram_count(&histogram, &step));
        let _ = write!(text, "{value:12.3} {quantile:.12} {count:10}");
        if quantile < 1.0 {
            let _ = write!(text, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        text.push('\n');
    }
    write_footer(&mut text, latency, &histogram);
    Ok(text)
}

/// Samples up to and with this step.
fn histogram_count(histogram: &Histogram<u64>, step: &hdrhistogram::iterators::IterationValue<u64>) -> u64 {
    histogram.count_between(0, step.value_iterated_to())
}

fn write_footer(text: &mut String, latency: &Latency, histogram: &Histogram<u64>) {
    let (mean, deviation) = (latency.mean / NANOS_PER_UNIT, latency.stddev / NANOS_PER_UNIT);
    let (max, count) = (histogram.max() as f64 / NANOS_PER_UNIT, histogram.len());
    // Two for each digit that is kept, as a power of two: 2048 for three digits.
    let sub_buckets = (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let buckets = u64::from(histogram.buckets());
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {sub_buckets:12}]");
    let _ = writeln!(text, "# {}, in microseconds", latency.title());
}
