//! Sums of reports whose parts are known.

use super::*;
use crate::model::{ClockOffset, Value};
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
    let sum = merge(vec![one.clone(), two]).unwrap();
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
    let warning = format!("all: {}", one.warnings[0]);
    assert_eq!(sum.warnings, [warning], "what is the same of all is said once");
}

#[test]
fn what_a_message_costs_the_server_is_found_anew() {
    let (mut one, mut two) = (fixture::report(), other(0));
    one.server = None;
    (one.rates.answered, two.rates.answered) = (3000.0, 1000.0);
    let server = merge(vec![one, two.clone()]).unwrap().server.unwrap();
    let cores = two.server.clone().unwrap().cores;
    assert_eq!((server.cores, server.cpu_ns_per_message), (cores, Some(0.42e9 / 4000.0)));
    // It held the connections of all, and memory was read at those of one.
    assert_eq!((server.points, server.user_bytes_per_connection), (vec![], None));
    two.rates.answered = 0.0;
    assert_eq!(merge(vec![two]).unwrap().server.unwrap().cpu_ns_per_message, None);
}

#[test]
fn the_verdict_is_found_anew() {
    let (mut one, mut two) = (fixture::report(), other(0));
    let sum = merge(vec![one.clone(), two.clone()]).unwrap();
    assert_eq!(sum.reasons, ["p50<100us was not met: 173 us", "p99.9<10ms was not met: 121 ms"]);
    assert_eq!((sum.verdict, sum.thresholds.len()), (Verdict::NotMet, 3));
    let mut allowed = two.clone();
    allowed.health.valid = false;
    assert_eq!(merge(vec![one.clone(), allowed]).unwrap().verdict, Verdict::NotMet);
    one.not_met(String::from("3 connections were lost"));
    two.invalid(String::from("the schedule was late"));
    let sum = merge(vec![one, two]).unwrap();
    assert_eq!(sum.verdict, Verdict::Invalid);
    assert_eq!(sum.reasons[0], "bench-1: 3 connections were lost");
    assert!(sum.reasons.contains(&String::from("bench-2: the schedule was late")), "{:?}", sum.reasons);
}

#[test]
fn what_did_not_run_together_is_told() {
    let warns = |change: &dyn Fn(&mut Report), text: &str| {
        let mut two = other(0);
        change(&mut two);
        let sum = merge(vec![fixture::report(), two]).unwrap();
        assert!(sum.warnings.iter().any(|warning| warning.contains(text)), "{text}: {:?}", sum.warnings);
    };
    warns(&|two| two.started_unix_ms += 10_000, "only 20.0 s of 30.0 s were measured by all at once");
    warns(&|two| two.started_unix_ms += 3_600_000, "only 0.0 s of 30.0 s");
    warns(&|two| two.url.push('2'), "different addresses");
    warns(&|two| two.load.size = String::from("1 KiB"), "bench-2 sent another load than bench-1");
    warns(&|two| two.environment.kernel = String::from("6.1"), "different kernels");
    warns(&|two| two.phases.clear(), "when bench-2 measured is not known");
    // Without a measured time, what counts is when they ran.
    let connect = |later_ms| {
        let phase = |name: &str, from_s| Phase { name: String::from(name), from_s, seconds: 5.0 };
        Report { phases: vec![phase("connect", 0.0), phase("hold", 5.0)], ..other(later_ms) }
    };
    for (later_ms, expected) in [(10, None), (3_600_000, Some("only 0.0 s of 10.0 s"))] {
        let sum = merge(vec![connect(0), connect(later_ms)]).unwrap();
        let found = sum.warnings.iter().find(|warning| warning.contains("at once"));
        assert_eq!(found.is_some(), expected.is_some(), "{:?}", sum.warnings);
        assert!(found.is_none_or(|found| found.contains(expected.unwrap_or_default())), "{found:?}");
    }
    let mut two = other(0);
    two.workload = String::from("idle");
    assert_eq!(merge(vec![fixture::report(), two]).unwrap_err().exit_code(), 2);
}

#[test]
fn intervals_are_laid_over_each_other_by_the_clock() {
    let sum = merge(vec![fixture::report(), other(5_000)]).unwrap();
    assert_eq!(sum.series.len(), 35);
    let sent: Vec<u64> = sum.series.iter().map(|interval| interval.sent).collect();
    assert_eq!(
        (sent[0], sent[4], sent[5], sent[29], sent[30], sent[34]),
        (2000, 2000, 4000, 4000, 2000, 2000)
    );
    let phase = sum.phase("measure").unwrap();
    assert_eq!((phase.from_s, phase.seconds), (3.0, 35.0));
    // Intervals begin where the measured time does, between whole seconds too.
    let (mut one, mut two) = (fixture::report(), other(5_000));
    for report in [&mut one, &mut two] {
        report.series.iter_mut().for_each(|interval| interval.from_s += 0.3);
    }
    let sum = merge(vec![one, two]).unwrap();
    assert_eq!((sum.series.len(), sum.series[0].from_s, sum.series[5].sent), (35, 3.3, 4000));
}

/// A report of so many subscribers to 100 messages, of which one did not reach all, of a host whose clock was known so well.
fn subscriber(host: &str, subscribers: u64, uncertainty_ns: u64) -> Report {
    let mut report = fixture::report();
    report.environment.host = String::from(host);
    report.workload = String::from("fanout");
    report.campaign = Some(String::from("0000beef"));
    report.clocks = vec![ClockOffset { here: String::from(host), uncertainty_ns, ..ClockOffset::default() }];
    report.latencies.truncate(3);
    report.latencies[0].uncertainty = Some(uncertainty_ns);
    report.counts = [("sent", 100), ("answered", 100 * subscribers - 1), ("missed", 1)]
        .map(|(name, count)| (String::from(name), count))
        .into();
    report.rates =
        Rates { offered: Some(50.0), sent: 50.0, answered: 50.0 * subscribers as f64, ..Rates::default() };
    report.load.model = Model::Open { rate: 50.0, arrivals: crate::model::Arrivals::Fixed };
    report.load.connections = subscribers;
    let reach = 100.0 - 1.0 / subscribers as f64;
    let section =
        Section::new("reach", "Reach").fact("messages", 100, "").fact("subscribers", subscribers, "");
    report.sections = vec![section.fact("reach", reach, "%")];
    report
}

#[test]
fn what_was_published_once_is_not_added() {
    let mut publisher = subscriber("bench-3", 1, 0);
    publisher.clocks.clear();
    publisher.sections.clear();
    publisher.latencies.drain(..2);
    publisher.counts = [(String::from("sent"), 100)].into();
    publisher.load.size = String::from("64 B, published by WebSocket,");
    let (one, two) = (subscriber("bench-1", 100, 50_000), subscriber("bench-2", 300, 80_000));
    let sum = merge(vec![publisher, one.clone(), two.clone()]).unwrap();
    assert_eq!((sum.count("sent"), sum.count("answered"), sum.count("missed")), (100, 39_998, 2));
    assert_eq!((sum.rates.offered, sum.rates.sent, sum.rates.answered), (Some(50.0), 50.0, 20_050.0));
    assert_eq!(sum.load.model, one.load.model);
    // Deliveries first, though the publisher was named first; known as well as in the worse of both.
    let found: Vec<_> =
        sum.latencies.iter().map(|each| (each.name.as_str(), each.count, each.uncertainty)).collect();
    let count = one.latencies[0].count;
    let expected =
        [("response", 2 * count, Some(80_000)), ("service", 2 * count, None), ("schedule_lag", count, None)];
    assert_eq!(found, expected);
    assert_eq!(sum.series[0].sent, one.series[0].sent);
    assert_eq!(sum.clocks, [one.clocks[0].clone(), two.clocks[0].clone()]);
    let reach: Vec<_> = sum.sections[0].facts.iter().map(|fact| fact.value.clone()).collect();
    assert_eq!(reach, [Value::Count(100), Value::Count(400), Value::Number(99.995)]);
    let text = crate::report::text::of(&sum);
    assert!(text.contains("Deliveries are known to within 80.0 us"), "{text}");
    assert!(!sum.warnings.iter().any(|warning| warning.contains("another load")), "{:?}", sum.warnings);

    let same_host = merge(vec![one.clone(), subscriber("bench-1", 10, 0)]).unwrap();
    let here: Vec<_> = same_host.clocks.iter().map(|clock| clock.here.as_str()).collect();
    assert_eq!(here, ["bench-1 #1", "bench-1 #2"]);
    let mut other = two;
    other.campaign = None;
    let sum = merge(vec![one, other]).unwrap();
    assert_eq!((sum.count("sent"), &sum.campaign), (200, &None));
    assert!(
        sum.warnings.iter().any(|warning| warning.contains("what was sent is added")),
        "{:?}",
        sum.warnings
    );
}

#[test]
fn processes_of_one_host_are_numbered() {
    let mut late = fixture::report();
    late.reasons.push(String::from("3 connections were lost"));
    let sum = merge(vec![fixture::report(), other(0), late]).unwrap();
    let at = "(ws://127.0.0.1:8080/echo)";
    assert_eq!(
        sum.merged_from,
        [format!("bench-1 #1 {at}"), format!("bench-2 {at}"), format!("bench-1 #2 {at}")]
    );
    assert!(sum.reasons.contains(&String::from("bench-1 #2: 3 connections were lost")), "{:?}", sum.reasons);
    assert_eq!(sum.environment.host, "bench-1");
}
