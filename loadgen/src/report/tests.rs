//! Every output of one report, held against files that people have looked at.
//!
//! Those files are written anew with `WSLOAD_WRITE_FIXTURES=1 cargo test -p wsload report`; look at what changed.

use super::*;
use crate::model::{Latency, decode};
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::BTreeSet;
use std::env;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Compares a text with a file, line by line so that a difference can be read.
pub(super) fn check(name: &str, text: &str) {
    let path = path(name);
    if env::var_os("WSLOAD_WRITE_FIXTURES").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in text.lines().zip(expected.lines()).enumerate() {
        assert!(same(found, expected), "{name}, line {}: {found} is not {expected}", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "lines of {name}");
}

/// Histograms are compressed, by a library that may be another one tomorrow: what counts is what is in them.
fn same(line: &str, other: &str) -> bool {
    let histogram = |line: &str| {
        let (_, text) = line.split_once("\"histogram\": \"")?;
        decode(text.trim_end_matches(',').trim_end_matches('"')).ok()
    };
    match (histogram(line), histogram(other)) {
        (Some(one), Some(other)) => one == other,
        _ => line == other,
    }
}

#[test]
fn every_form_is_as_it_was() {
    let report = fixture::report();
    check("echo.json", &(json(&report) + "\n"));
    check("echo-slower.json", &(json(&fixture::slower()) + "\n"));
    check("echo.txt", &text::of(&report));
    check("echo.md", &markdown::of(&report));
    check("echo-series.csv", &csv::series(&report));
    check("echo-percentiles.csv", &csv::percentiles(&report).unwrap());
    check("echo-response.hgrm", &hgrm::of(&report.latencies[0]).unwrap());
}

#[test]
fn a_report_comes_back_from_its_file() {
    check("echo.json", &(json(&read::file(&path("echo.json")).unwrap()) + "\n"));
}

#[test]
fn what_is_no_report_is_refused() {
    let folder = env::temp_dir().join(format!("wsload-read-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let table = [
        ("", "no report that"),
        ("{}", "it has no schema"),
        ("{\"schema\": 1, \"shards\": \"two\"}", "invalid type"),
        (
            "{\"schema\": 99, \"wsload\": \"9.9.9\"}",
            "its schema is 99, this program knows 1: use wsload 9.9.9",
        ),
    ];
    for (text, why) in table {
        let file = folder.join("report.json");
        fs::write(&file, text).unwrap();
        let refused = read::file(&file).unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains("report.json"), "{text}: {refused}");
    }
    fs::remove_file(folder.join("report.json")).unwrap();
    let refused = read::file_or_folder(&folder).unwrap_err().to_string();
    assert!(refused.contains("no .json file"), "{refused}");
    fs::remove_dir(&folder).unwrap();
}

#[test]
fn an_interval_log_is_read_back_by_the_library_of_that_format() {
    let report = fixture::report();
    let log = hlog::of(&report).unwrap();
    let (mut tags, mut starts, mut samples) = (BTreeSet::new(), Vec::new(), 0);
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        match entry.unwrap() {
            LogEntry::Interval(interval) => {
                let tag = interval.tag().unwrap().as_str().to_owned();
                let histogram = decode(interval.encoded_histogram()).unwrap();
                // In milliseconds, to three decimals.
                assert!((interval.max() - histogram.max() as f64 / 1e6).abs() < 0.001, "{}", interval.max());
                if tag == "response" {
                    samples += histogram.len();
                    starts.push(interval.start_timestamp().as_secs());
                }
                tags.insert(tag);
            }
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => {
                assert_eq!(time.as_millis() as u64, report.started_unix_ms);
            }
        }
    }
    assert_eq!(samples, report.latencies[0].count);
    // A second each, and what came after the last.
    assert_eq!(starts, (3..=33).collect::<Vec<_>>());
    let names: Vec<_> = report.latencies.iter().map(|latency| latency.name.as_str()).collect();
    assert_eq!(tags, names.into_iter().map(String::from).collect());
}

#[test]
fn a_log_without_intervals_has_each_latency_once() {
    let mut report = fixture::report();
    report.series.clear();
    report.latencies[1] = report.latencies[1].clone().tagged("slow, or not");
    let log = hlog::of(&report).unwrap();
    for tag in ["Tag=response,3.000,30.000", "Tag=service:slow__or_not,3.000,30.000"] {
        assert_eq!(log.matches(tag).count(), 1, "{tag} in {log}");
    }
}

#[test]
fn the_page_is_well_formed() {
    let page = html::of(&fixture::report());
    well_formed(&page);
    for heading in [
        "Latency by percentile",
        "Handshake by percentile",
        "Rate over time",
        "Latency over time",
        "CPU over time",
        "Memory over time",
        "Errors over time",
        "p99 by rate",
    ] {
        assert_eq!(page.matches(&format!("<figcaption>{heading}</figcaption>")).count(), 1, "{heading}");
    }
    // What a server said stands there as text.
    assert!(page.contains("closed with 1001: going &lt;away&gt; &amp; &quot;back&quot; | soon"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
    well_formed(&html::of(&Report { url: String::from("</title><script>"), ..Report::default() }));
}

/// Every element that is opened is closed, in order.
pub(super) fn well_formed(page: &str) {
    const EMPTY: [&str; 4] = ["meta", "link", "path", "!DOCTYPE"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        rest = &rest[end + 1..];
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed: {name}");
        } else if !EMPTY.contains(&name) {
            open.push(name.to_owned());
        }
        // What stands in them is no markup.
        if !tag.starts_with('/') && (name == "script" || name == "style") {
            rest = &rest[rest.find(&format!("</{name}")).expect("it is closed")..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn few_samples_have_no_percentiles_and_no_line() {
    let mut histogram = hdrhistogram::Histogram::new(3).unwrap();
    (1..=12).for_each(|value| histogram.record(value * 1000).unwrap());
    let report = Report { latencies: vec![Latency::of("response", &histogram)], ..Report::default() };
    assert!(!html::of(&report).contains("<figure"));
    assert!(text::of(&report).contains("- stands for fewer than ten samples above that percentile"));
}
