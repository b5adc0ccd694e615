//! The whole subcommand over a server that is made up.

use super::judge::judge;
use super::*;
use crate::args::{Arguments, Command};
use crate::model::{Evidence, Latency, Opening, Rates};
use clap::Parser;
use hdrhistogram::Histogram;

/// The report of a run in which so many messages took so many milliseconds each.
fn run_of(count: u64, milliseconds: u64) -> Report {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    histogram.record_n(milliseconds * 1_000_000, count).expect("it grows");
    let mut report = Report { latencies: vec![Latency::of("response", &histogram)], ..Report::default() };
    report.rates = Rates { answered: count as f64, ..Rates::default() };
    report.health.valid = true;
    report
}

fn options(line: &str) -> CapacityOptions {
    let words = "wsload capacity".split(' ').chain(line.split_whitespace());
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Command::Capacity(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_a_trial_says() {
    let good = || run_of(5000, 3);
    let offered = |rate: f64| {
        let mut report = good();
        report.rates.offered = Some(rate);
        report
    };
    let not_met = {
        let mut report = good();
        report.not_met("7 messages were not answered".into());
        report
    };
    let invalid = |milliseconds| {
        let mut report = run_of(5000, milliseconds);
        report.health.evidence = vec![Evidence {
            what: "schedule lag p99".into(),
            value: "5 ms".into(),
            limit: "1 ms".into(),
            exceeded: true,
        }];
        report.judge_health(false);
        report
    };
    let ended = {
        let mut report = run_of(10, 3);
        report.end_early(Some("2 connections were lost".into()));
        report
    };
    let mut silent = run_of(0, 3);
    silent.rates.answered = 0.0;
    let table = [
        (good(), Outcome::Held, "for p99<10ms"),
        (run_of(5000, 12), Outcome::Missed, "not p99<10ms"),
        (offered(5000.0), Outcome::Held, ""),
        (offered(5200.0), Outcome::Missed, "96.2 % of the messages"),
        (not_met, Outcome::Missed, "7 messages were not answered"),
        (
            invalid(30),
            Outcome::Generator,
            "schedule lag p99 is 5 ms, allowed are 1 ms; 30.0 ms, not p99<10ms",
        ),
        // Late as it was, the answers came in time.
        (invalid(3), Outcome::Held, "for p99<10ms, although schedule lag p99 is 5 ms"),
        (ended, Outcome::Missed, "ended early: 2 connections were lost"),
        (silent, Outcome::Missed, "nothing was answered"),
    ];
    let objective = ["p99<10ms".parse().expect("a threshold")];
    for (report, outcome, text) in table {
        let (found, why) = judge(&report, &objective, None).expect("there are enough messages");
        assert_eq!(found, outcome, "{why}");
        assert!(why.contains(text), "no {text:?} in {why:?}");
    }
    // Begun is what the generator owes; whether they were opened is the server's part.
    for (begun, opened, outcome) in [
        (1990, 1990, Outcome::Held),
        (1960, 1960, Outcome::Generator),
        (2000, 1900, Outcome::Held),
        (1960, 1900, Outcome::Generator),
    ] {
        let churn = Report { opening: Opening::new(begun, opened, 2.0), ..good() };
        let (found, why) = judge(&churn, &objective, Some(1000.0)).expect("there are enough messages");
        assert_eq!(found, outcome, "{begun}, {opened}: {why}");
    }
    let failure = judge(&run_of(900, 3), &objective, None).expect_err("they are too few").to_string();
    assert!(failure.contains("900 samples") && failure.contains("--trial"), "{failure}");
}

#[test]
fn what_an_error_rate_allows_is_no_fault() {
    let mut report = run_of(5000, 3);
    report.not_met("3 connections were not opened".into());
    report.counts.insert("sent".into(), 5000);
    let rate = ["p99<10ms", "error_rate<1%"].map(|text| text.parse().expect("a threshold"));
    for (failed, outcome) in [(3, Outcome::Held), (60, Outcome::Missed)] {
        report.errors.insert("refused".into(), failed);
        let (found, why) = judge(&report, &rate, None).expect("there are enough messages");
        assert_eq!(found, outcome, "{why}");
    }
}

/// Runs the subcommand over a server that answers `limit` of the load in 1 ms and everything in 50 ms beyond it.
fn search_over(line: &str, limit: u32) -> Report {
    let options = options(line);
    let mut server = |command: &Command| {
        let Command::Echo(options) = command else { panic!("{command:?}") };
        Ok(run_of(5000, if options.connections() <= limit { 1 } else { 50 }))
    };
    run(&options, &mut server).expect("it runs")
}

const QUICK: &str = "--slo p99<10ms --of connections --settle 0";

#[test]
fn exit_codes_and_answers() {
    let table = [
        ("", 5000, 0, "5000 to ", "yes"),
        ("--most 3000", 5000, 0, "at least 3000 connections, the largest load", "yes"),
        ("--from 10000", 5000, 3, "less than 10000 connections", "yes"),
        ("--max-time 1ms", 5000, 3, "", "no"),
    ];
    for (more, limit, code, answer, confirmed) in table {
        let report = search_over(&format!("{QUICK} --within 0 {more} ws://127.0.0.1:1/"), limit);
        assert_eq!(report.verdict.exit_code(), code, "{more}: {:?}", report.reasons);
        let section = &report.sections[0];
        let fact =
            |name: &str| match section.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value) {
                Some(Value::Text(text)) => text.clone(),
                other => panic!("{more}: {name} is {other:?}"),
            };
        assert!(fact("limit").contains(answer), "{more}: {section:?}");
        assert!(fact("confirmed").starts_with(confirmed), "{more}: {section:?}");
        assert_eq!(section.rows.len() as u64, report_trials(&report));
        assert_eq!(report.workload, "capacity");
        assert_eq!(report.thresholds.len(), 1);
    }
}

fn report_trials(report: &Report) -> u64 {
    let trials = report.sections[0].facts.iter().find(|fact| fact.name == "trials");
    match trials.map(|fact| &fact.value) {
        Some(Value::Count(count)) => *count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_lets_nobody_in_any_more_has_had_too_much() {
    let options = options(&format!("{QUICK} ws://127.0.0.1:1/"));
    let mut server = |command: &Command| {
        let Command::Echo(options) = command else { panic!("{command:?}") };
        if options.connections() <= 700 {
            return Ok(run_of(5000, 1));
        }
        Err(Failure::Open { url: "ws://127.0.0.1:1/".into(), cause: "refused".into() })
    };
    let report = run(&options, &mut server).expect("it runs");
    assert_eq!(report.verdict, Verdict::Met, "{:?}", report.reasons);
    let mut nobody = |_: &Command| Err(Failure::Open { url: String::new(), cause: "refused".into() });
    assert_eq!(run(&options, &mut nobody).expect_err("nothing is held").exit_code(), 1);
}

#[test]
fn what_cannot_be_asked_for_is_the_generators_limit() {
    let options = options(&format!("{QUICK} --within 0 ws://127.0.0.1:1/"));
    let mut server = |command: &Command| {
        let Command::Echo(options) = command else { panic!("{command:?}") };
        if options.connections() <= 700 {
            return Ok(run_of(5000, 1));
        }
        Err(Failure::Usage("there are not enough ports".into()))
    };
    let report = run(&options, &mut server).expect("it runs");
    assert_eq!(report.verdict.exit_code(), 4, "{:?}", report.reasons);
    assert!(
        report.sections[0].facts[0].value
            == Value::from("at least 700 connections; the generator can do no more")
    );
}

#[test]
fn a_server_that_answers_too_little_has_had_too_much() {
    let run_over = |more: &str, invalid: bool| {
        let options = options(&format!("{QUICK} --within 0 {more} ws://127.0.0.1:1/"));
        let mut server = |command: &Command| {
            let Command::Echo(options) = command else { panic!("{command:?}") };
            let mut report = run_of(if options.connections() <= 700 { 5000 } else { 900 }, 1);
            if invalid && options.connections() > 700 {
                report.invalid("the schedule was late".into());
            }
            Ok(report)
        };
        run(&options, &mut server)
    };
    let report = run_over("", false).expect("it has held something");
    assert_eq!(report.verdict, Verdict::Met, "{:?}", report.reasons);
    assert_eq!(report.sections[0].facts[0].value, Value::from("700 to 701 connections"));
    assert!(format!("{:?}", report.sections[0].rows).contains("900 samples cannot tell p99<10ms"));
    // Where the generator was the limit, this too says nothing about the server.
    assert_eq!(run_over("", true).expect("it has held something").verdict.exit_code(), 4);
    // Before anything was held, the trials are too short.
    let failure = run_over("--from 800", false).expect_err("it has too few samples");
    assert!(failure.exit_code() == 2 && failure.to_string().contains("--trial"), "{failure}");
}

#[test]
fn mistakes_are_told_before_a_trial() {
    let table = [
        ("--from 10 --most 5 ws://127.0.0.1:1/", "--from 10 is more than --most 5"),
        ("--threshold p99<1s ws://127.0.0.1:1/", "--slo"),
        ("ws://127.0.0.1:1/ --hold 3s", "--hold"),
        ("ws://127.0.0.1:1/ --duration 3s", "--duration"),
        ("ws://127.0.0.1:1/ --connections 3", "--connections"),
        ("ws://127.0.0.1:1/ --shards 1 --json -", "before the URL"),
        ("ws://127.0.0.1:1/ --shards 1 --threshold p99<1s", "before the URL"),
    ];
    for (line, text) in table {
        let mut never = |command: &Command| panic!("{command:?}");
        let failure = run(&options(&format!("{QUICK} {line}")), &mut never).expect_err(line);
        assert_eq!(failure.exit_code(), 2, "{failure}");
        assert!(failure.to_string().contains(text), "no {text:?} in {failure}");
    }
}

#[test]
fn each_load_is_put_on_by_its_workload() {
    let table = [
        ("--of rate", "--connections 7 --depth 1", None),
        ("--of rate", "--connections 7", Some("echo")),
        ("--of connections", "--message-rate 20k", Some("echo")),
        ("--of subscribers", "--message-rate 5", Some("fanout")),
        ("--of churn", "--lifetime 0 --close rst", Some("churn")),
    ];
    for (of, more, workload) in table {
        let options = options(&format!("--slo p99<10ms {of} ws://127.0.0.1:1/ {more}"));
        let found = trials::command(&options, 1234).ok().map(|command| match command {
            Command::Echo(_) => "echo",
            Command::Fanout(options) if options.subscribers() == 1234 => "fanout",
            Command::Churn(options) if options.common.rate == 1234 => "churn",
            other => panic!("{other:?}"),
        });
        assert_eq!(found, workload, "{of} {more}");
    }
}
