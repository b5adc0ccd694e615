//! All histograms as a V2 interval log of HdrHistogram, which its log processors and analyzers read.
//!
//! The intervals of the main latency come first, under its name as their tag, and then what came after the last of
//! them, or never; what is known for the whole measured time alone follows, as one interval each, under name and tag
//! (`service:healthy`).
//! Values are nanoseconds, times are seconds from the start of the run.

use crate::model::{Latency, Phase, Report, decode, encode};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// The maximum of an interval is written in milliseconds, as the tools of that family expect.
const NANOS_PER_MILLISECOND: f64 = 1e6;

/// The whole log.
///
/// # Errors
/// A histogram is damaged.
pub(crate) fn of(report: &Report) -> Result<String, String> {
    let entries = entries(report)?;
    let mut bytes = Vec::new();
    write_log(report, &entries, &mut bytes)?;
    String::from_utf8(bytes).map_err(|cause| cause.to_string())
}

/// A line of the log.
struct Entry<'a> {
    tag: String,
    from: Duration,
    length: Duration,
    histogram: Cow<'a, str>,
}

fn entries(report: &Report) -> Result<Vec<Entry<'_>>, String> {
    let main = report.main_latency().map(tag).unwrap_or_default();
    let mut entries: Vec<_> = report
        .series
        .iter()
        .filter_map(|interval| {
            let histogram = interval.histogram.as_deref()?;
            Some(Entry {
                tag: main.clone(),
                from: seconds(interval.from_s),
                length: seconds(interval.seconds),
                histogram: histogram.into(),
            })
        })
        .collect();
    let known_by_interval = !entries.is_empty();
    if let Some(rest) = report.after_the_series()?.filter(|_| known_by_interval) {
        let (from, length) = span(report, "drain");
        entries.push(Entry { tag: main, from, length, histogram: encode(&rest).into() });
    }
    let (from, length) = span(report, "measure");
    let whole = report.latencies.iter().filter(|latency| latency.count > 0);
    entries.extend(whole.skip(usize::from(known_by_interval)).map(|latency| Entry {
        tag: tag(latency),
        from,
        length,
        histogram: latency.histogram.as_str().into(),
    }));
    Ok(entries)
}

fn write_log(report: &Report, entries: &[Entry<'_>], out: &mut impl Write) -> Result<(), String> {
    let start = UNIX_EPOCH + Duration::from_millis(report.started_unix_ms);
    let mut serializer = V2DeflateSerializer::new();
    let about = format!("wsload {} {} {}", report.wsload, report.workload, report.url);
    let failed = |cause: io::Error| cause.to_string();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&about)
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(NANOS_PER_MILLISECOND)
        .begin_log_with(out, &mut serializer)
        .map_err(failed)?;
    for entry in entries {
        let histogram = decode(&entry.histogram)?;
        log.write_histogram(&histogram, entry.from, entry.length, Tag::new(&entry.tag))
            .map_err(|cause| format!("the log cannot be written: {cause:?}"))?;
    }
    Ok(())
}

/// Name and tag in one word: the format ends a tag at a comma, a space or a line.
fn tag(latency: &Latency) -> String {
    let tag = latency.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("{}{tag}", latency.name).replace([',', ' ', '\n', '\r'], "_")
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// When a phase began, and how long it was.
fn span(report: &Report, name: &str) -> (Duration, Duration) {
    let span = |phase: &Phase| (seconds(phase.from_s), seconds(phase.seconds));
    report.phase(name).map_or_else(Default::default, span)
}
