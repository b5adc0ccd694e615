//! The report as tables for other programs (RFC 4180, with line feeds alone): the series, a row for each interval,
//! and the percentiles, a row for each latency and percentile. Times are in nanoseconds unless a heading says
//! otherwise; what was not measured is an empty field.

use crate::model::{Interval, Report, percentile_name};
use hdrhistogram::Histogram;
use std::fmt::{Display, Write};

const SERIES: &str = "from_s,seconds,sent,answered,errors,connections,p50_ns,p99_ns,max_ns,schedule_lag_p99_ns,\
    client_cores,server_cores,client_bytes,server_bytes";

/// Percentiles that have a row.
const PERCENTILES: [f64; 15] =
    [0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 99.999, 100.0];

/// A row for each interval.
pub(crate) fn series(report: &Report) -> String {
    let mut text = format!("{SERIES}\n");
    for interval in &report.series {
        let _ = writeln!(text, "{}", row(interval));
    }
    text
}

fn row(interval: &Interval) -> String {
    let fields = [
        format!("{:.3}", interval.from_s),
        format!("{:.3}", interval.seconds),
        interval.sent.to_string(),
        interval.answered.to_string(),
        interval.errors.to_string(),
        field(interval.connections),
        field(interval.p50),
        field(interval.p99),
        field(interval.max),
        field(interval.schedule_lag_p99),
        field(interval.client_cores),
        field(interval.server_cores),
        field(interval.client_bytes),
        field(interval.server_bytes),
    ];
    fields.join(",")
}

fn field(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A row for each latency and percentile, and how many samples lie above it: fewer than ten are no
/// statement.
///
/// # Errors
/// A histogram is damaged.
pub(crate) fn percentiles(report: &Report) -> Result<String, String> {
    let mut text = String::from("latency,tag,percentile,value_ns,samples_above\n");
    for latency in report.latencies.iter().filter(|latency| latency.count > 0) {
        let histogram = latency.histogram()?;
        let (name, tag) = (quoted(&latency.name), quoted(latency.tag.as_deref().unwrap_or_default()));
        for percentile in PERCENTILES {
            let value = histogram.value_at_percentile(percentile);
            let (name_of, above) = (percentile_name(percentile), above(&histogram, value));
            let _ = writeln!(text, "{name},{tag},{name_of},{value},{above}");
        }
    }
    Ok(text)
}

/// Samples above a value.
fn above(histogram: &Histogram<u64>, value: u64) -> u64 {
    histogram.len() - histogram.count_between(0, value)
}

/// A field, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, expected) in [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\"")] {
            assert_eq!(quoted(text), expected);
        }
    }
}
