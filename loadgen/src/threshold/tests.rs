//! Thresholds, held against a report whose figures are known.

use super::*;
use crate::model::{Opening, Rates};
use hdrhistogram::Histogram;

/// 10,000 response times of 1 us to 10 ms, 1000 service times of half of that for the healthy ones.
fn report() -> Report {
    let histogram = |count: u64, step: u64| {
        let mut histogram = Histogram::new(3).unwrap();
        (1..=count).for_each(|value| histogram.record(value * step).unwrap());
        histogram
    };
    Report {
        opening: Opening::new(100, 90, 2.0),
        latencies: vec![
            Latency::of("response", &histogram(10_000, 1000)),
            Latency::of("service", &histogram(1000, 500)).tagged("healthy"),
            Latency::of("schedule_lag", &histogram(0, 1)),
        ],
        rates: Rates { offered: Some(1000.0), sent: 990.0, answered: 980.0, ..Rates::default() },
        counts: [("sent", 9900), ("answered", 9700), ("unanswered", 20), ("corrupt", 10), ("late", 5)]
            .map(|(name, count)| (String::from(name), count))
            .into(),
        errors: [(String::from("connection refused"), 10)].into(),
        ..Report::default()
    }
}

#[test]
fn thresholds_are_measured() {
    let table = [
        ("p99<10ms", Some("9.90 ms"), true),
        ("p99 <= 9ms", Some("9.90 ms"), false),
        ("p99.5<9.96ms", Some("9.95 ms"), true),
        ("p99.99<1s", None, false),
        ("max>9.9ms", Some("10.0 ms"), true),
        ("min==1000ns", Some("1.00 us"), true),
        ("mean<5us", Some("5.00 ms"), false),
        ("response.p50<0.01m", Some("5.00 ms"), true),
        ("service:healthy.p50<300us", Some("250 us"), true),
        ("service.p50<300us", None, false),
        ("schedule_lag.p50<1ms", None, false),
        ("rate>=0.98k", Some("980 per second"), true),
        ("sent_rate>1M", Some("990 per second"), false),
        ("offered_share>=99%", Some("99.000 %"), true),
        ("open_rate==45", Some("45 per second"), true),
        ("error_rate<0.1%", Some("0.400 %"), false),
        ("error_rate<=0.004", Some("0.400 %"), true),
        ("unanswered==0", Some("20"), false),
        ("duplicate==0", Some("0"), true),
        ("server_cores<2", None, false),
    ];
    let report = report();
    for (text, measured, met) in table {
        let result = text.parse::<Threshold>().unwrap().check(&report);
        assert_eq!((result.measured.as_deref(), result.met), (measured, met), "{text}");
    }
}

#[test]
fn what_is_not_met_is_in_the_verdict() {
    let mut report = report();
    let thresholds = ["p99<10ms", "rate>1k"].map(|text| text.parse().unwrap());
    apply(&thresholds, &mut report);
    assert_eq!(report.verdict.exit_code(), 3);
    assert_eq!(report.reasons, ["rate>1k was not met: 980 per second"]);
    assert_eq!(report.thresholds.iter().map(|each| each.met).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn what_clocks_cannot_tell_is_no_certain_outcome() {
    let table = [
        ("p50<10ms", "5.00 ms", true, false),
        ("p50<5.1ms", "5.00 ms", true, true),
        ("p50<4.9ms", "5.00 ms", false, true),
        ("min<1ms", "< 200 us", true, false),
        ("min<100us", "< 200 us", true, true),
        ("service:healthy.p50<251us", "250 us", true, false),
    ];
    for (text, measured, met, is_doubted) in table {
        let mut report = report();
        report.latencies[0].uncertainty = Some(200_000);
        apply(&[text.parse().unwrap()], &mut report);
        let result = &report.thresholds[0];
        assert_eq!((result.measured.as_deref(), result.met), (Some(measured), met), "{text}");
        let warning = format!("{text} may be otherwise: the clocks are known to within 200 us");
        assert_eq!(report.warnings, if is_doubted { vec![warning] } else { vec![] }, "{text}");
    }
}

#[test]
fn mistakes_are_refused() {
    let table = [
        ("", "it compares nothing"),
        ("p99", "it compares nothing"),
        ("p99=10ms", "it compares nothing"),
        ("p99<", "\"\" is no number"),
        ("p99<ten", "\"ten\" is no number"),
        ("p99<10", "a time has a unit"),
        ("p99<10%", "a time has a unit"),
        ("p100<10ms", "\"p100\""),
        ("px<10ms", "\"px\""),
        (".p99<10ms", "\".p99\""),
        ("rate>50ms", "\"ms\" is no unit of it"),
        ("unanswerd==0", "\"unanswerd\""),
        ("p99<+5%", "wsload compare"),
    ];
    for (text, why) in table {
        let refused = text.parse::<Threshold>().unwrap_err();
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

#[test]
fn changes_have_a_sign_and_are_in_per_cent() {
    let table = [
        ("p99<+5%", Some((Relation::Below, 0.05))),
        ("rate>=-2.5%", Some((Relation::AtLeast, -0.025))),
        ("p99<5%", None),
        ("p99<+5ms", None),
        ("p99<+%", None),
        ("p99<+inf%", None),
        ("size<+5%", None),
    ];
    for (text, expected) in table {
        let change = text.parse::<Change>().ok().map(|change| (change.relation, change.bound));
        assert_eq!(change, expected, "{text}");
    }
}

#[test]
fn times_have_three_digits() {
    let table = [
        (0.0, "0 ns"),
        (999.0, "999 ns"),
        (999.7, "1.00 us"),
        (17_400.0, "17.4 us"),
        (1_500_000.0, "1.50 ms"),
        (999_600_000.0, "1.00 s"),
        (75e9, "75.0 s"),
        (-2500.0, "-2.50 us"),
    ];
    for (value, text) in table {
        assert_eq!(Nanos(value).to_string(), text);
    }
}

#[test]
fn the_error_rate_is_a_share_of_what_was_due() {
    type Counts = &'static [(&'static str, u64)];
    let table: [(&str, Counts, &str); 6] = [
        ("deliveries of a fan-out", &[("sent", 10), ("answered", 9890), ("missed", 10)], "0.200 %"),
        ("sent", &[("sent", 890), ("answered", 890), ("corrupt", 8)], "1.818 %"),
        ("held back", &[("sent", 6), ("unanswered", 6), ("blocked", 24)], "30.769 %"),
        ("not taken", &[("sent", 6), ("answered", 6), ("refused", 4)], "12.727 %"),
        ("not published", &[("sent", 6), ("answered", 6), ("unpublished", 4)], "12.727 %"),
        ("unbidden", &[("sent", 10), ("answered", 10), ("duplicate", 20), ("unasked", 60)], "47.368 %"),
    ];
    for (what, counts, expected) in table {
        let mut report = report();
        report.counts = counts.iter().map(|(name, count)| ((*name).into(), *count)).collect();
        let result = "error_rate<1%".parse::<Threshold>().unwrap().check(&report);
        assert_eq!(result.measured.as_deref(), Some(expected), "{what}");
    }
}

#[test]
fn counts_of_every_workload_are_known() {
    for count in ["sent", "missed", "rounds_missed", "unpublished", "pongs", "late"] {
        assert!(format!("{count}==0").parse::<Threshold>().is_ok(), "{count}");
    }
    // That no workload keeps.
    assert!("pings>=1".parse::<Threshold>().is_err());
}
