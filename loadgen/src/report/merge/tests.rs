//! Sums of reports whose parts are known.

use super::*;
use crate::report::fixture;

/// The report of another host that began so much later.
fn other(later_ms: u64) -> Report {
    let mut report = fixture::report();
    report.environment.host = String::from("bench-2");
    report.started_unix_ms += later_ms;
    report
}

#[test]
fn what_ran_together_is_added() {
    let (one, two) = (fixture::report(), other(20));
    let sum = merge(&[one.clone(), two]).unwrap();
    assert_eq!((sum.load.connections, sum.opening.opened, sum.closing.cut_off), (400, 400, 6));
    assert_eq!(sum.rates.answered, 2.0 * one.rates.answered);
    assert_eq!(sum.load.model, Model::Open { rate: 4000.0, arrivals: crate::model::Arrivals::Poisson });
    assert_eq!(sum.count("unanswered"), 6);
    assert_eq!(sum.errors.values().sum::<u64>(), 6);
    for (sum, one) in sum.latencies.iter().zip(&one.latencies) {
        assert_eq!((sum.count, sum.max, sum.title()), (2 * one.count, one.max, one.title()));
        // Twice the same is distributed as once.
        assert_eq!(sum.at(50.0), one.at(50.0));
    }
    assert_eq!(sum.series.len(), one.series.len());
    let (first, expected) = (&sum.series[0], &one.series[0]);
    assert_eq!(
        (first.sent, first.answered, first.p99),
        (2 * expected.sent, 2 * expected.answered, expected.p99)
    );
    assert_eq!(first.server_cores, expected.server_cores);
    assert_eq!(first.client_cores, expected.client_cores.map(|cores| 2.0 * cores));
    assert_eq!(sum.merged_from, ["bench-1 (ws://127.0.0.1:8080/echo)", "bench-2 (ws://127.0.0.1:8080/echo)"]);
    assert_eq!(sum.warnings.len(), 2, "{:?}", sum.warnings);
}

#[test]
fn the_verdict_is_found_anew() {
    let (mut one, mut two) = (fixture::report(), other(0));
    let sum = merge(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(sum.reasons, ["p50<100us was not met: 173 us", "p99.9<10ms was not met: 121 ms"]);
    assert_eq!((sum.verdict, sum.thresholds.len()), (Verdict::NotMet, 3));
    one.not_met(String::from("3 connections were lost"));
    two.invalid(String::from("the schedule was late"));
    let sum = merge(&[one, two]).unwrap();
    assert_eq!(sum.verdict, Verdict::Invalid);
    assert_eq!(sum.reasons[0], "bench-1: 3 connections were lost");
    assert!(sum.reasons.contains(&String::from("bench-2: the schedule was late")), "{:?}", sum.reasons);
}

#[test]
fn what_did_not_run_together_is_told() {
    let warns = |change: &dyn Fn(&mut Report), text: &str| {
        let mut two = other(0);
        change(&mut two);
        let sum = merge(&[fixture::report(), two]).unwrap();
        assert!(sum.warnings.iter().any(|warning| warning.contains(text)), "{text}: {:?}", sum.warnings);
    };
    warns(&|two| two.started_unix_ms += 10_000, "only 20.0 s of 30.0 s were measured by all at once");
    warns(&|two| two.started_unix_ms += 3_600_000, "only 0.0 s of 30.0 s");
    warns(&|two| two.url.push('2'), "different addresses");
    warns(&|two| two.load.size = String::from("1 KiB"), "bench-2 sent another load than bench-1");
    warns(&|two| two.environment.kernel = String::from("6.1"), "different kernels");
    let mut two = other(0);
    two.workload = String::from("idle");
    assert_eq!(merge(&[fixture::report(), two]).unwrap_err().exit_code(), 2);
}

#[test]
fn intervals_are_laid_over_each_other_by_the_clock() {
    let sum = merge(&[fixture::report(), other(5_000)]).unwrap();
    assert_eq!(sum.series.len(), 35);
    let sent: Vec<u64> = sum.series.iter().map(|interval| interval.sent).collect();
    assert_eq!(
        (sent[0], sent[4], sent[5], sent[29], sent[30], sent[34]),
        (2000, 2000, 4000, 4000, 2000, 2000)
    );
    let phase = sum.phase("measure").unwrap();
    assert_eq!((phase.from_s, phase.seconds), (3.0, 35.0));
}
