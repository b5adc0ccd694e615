//! A report for tests: an open loop of thirty seconds with a stall in the middle. Everything in it is computed, so
//! that it is the same everywhere.

use super::random::Random;
use crate::model::{
    Arrivals, Calibration, Closing, CostPoint, Curve, Environment, Evidence, Half, Health, Interval, Latency,
    Line, Load, Model, Opening, Phase, Rates, Report, SCHEMA, Section, ServerCost, Steady, Value, encode,
    percentile,
};
use crate::threshold;
use hdrhistogram::Histogram;

const SECONDS: u64 = 30;
const PER_SECOND: u64 = 2000;
/// In which the server stands still for 150 ms.
const STALLED: u64 = 17;
/// Messages of the last second that are answered after it, one every 5 ms.
const DRAINED: u64 = 20;

/// Service times: some 100 us, now and then much more. No logarithms, which may differ in the last bit.
pub(super) fn service(random: &mut Random) -> u64 {
    let uniform = random.next() >> 44;
    40_000 + (uniform >> 6) + 4_000_000_000 / ((uniform >> 4) + 1_000)
}

struct Second {
    response: Histogram<u64>,
    service: Histogram<u64>,
    lag: Histogram<u64>,
}

fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are valid")
}

/// A server that takes `percent` of the usual time.
fn second(number: u64, random: &mut Random, percent: u64) -> Second {
    let mut second = Second { response: empty(), service: empty(), lag: empty() };
    for index in 0..PER_SECOND {
        let (service, lag) = (service(random) * percent / 100, 1000 + random.next() % 9000);
        let stalled_us = if number == STALLED { 150_000_u64.saturating_sub(index * 500) } else { 0 };
        second.service.record(service + stalled_us * 200).expect("it is in range");
        second.lag.record(lag).expect("it is in range");
        second.response.record(service + lag + stalled_us * 1000).expect("it is in range");
    }
    second
}

/// What came after the last second.
fn drain() -> Second {
    let mut drain = Second { response: empty(), service: empty(), lag: empty() };
    for number in 1..=DRAINED {
        drain.service.record(number * 5_000_000).expect("it is in range");
        drain.lag.record(1000).expect("it is in range");
        drain.response.record(number * 5_000_000 + 1000).expect("it is in range");
    }
    drain
}

/// The report.
pub(super) fn report() -> Report {
    of(7, 100)
}

/// The report of a server that has become slower.
pub(super) fn slower() -> Report {
    let mut report = of(11, 115);
    report.started_unix_ms += 3_600_000;
    report.environment.kernel = String::from("6.18.1");
    report.rates.answered = 1930.0;
    report.series.iter_mut().for_each(|interval| interval.answered = interval.answered * 97 / 100);
    report
}

fn of(seed: u64, percent: u64) -> Report {
    let mut random = Random(seed);
    let seconds: Vec<Second> = (0..SECONDS).map(|number| second(number, &mut random, percent)).collect();
    let sum = |part: &dyn Fn(&Second) -> &Histogram<u64>| {
        let mut sum = part(&drain()).clone();
        seconds.iter().for_each(|second| sum.add(part(second)).expect("it grows"));
        sum
    };
    let mut report = frame();
    report.latencies = vec![
        Latency::of("response", &sum(&|second| &second.response)),
        Latency::of("service", &sum(&|second| &second.service)),
        Latency::of("schedule_lag", &sum(&|second| &second.lag)),
    ];
    report.latencies.extend(handshakes(&mut random));
    report.series = (0..).zip(&seconds).map(|(number, second)| interval(number, second)).collect();
    let thresholds =
        ["p50<100us", "p99.9<10ms", "error_rate<0.1%"].map(|text| text.parse().expect("it is valid"));
    threshold::apply(&thresholds, &mut report);
    report
}

/// TCP, upgrade and both together, of 200 connections.
fn handshakes(random: &mut Random) -> [Latency; 3] {
    let (mut tcp, mut upgrade, mut open) = (empty(), empty(), empty());
    for _ in 0..200 {
        let (first, second) = (20_000 + random.next() % 30_000, 60_000 + random.next() % 200_000);
        tcp.record(first).expect("it is in range");
        upgrade.record(second).expect("it is in range");
        open.record(first + second).expect("it is in range");
    }
    [Latency::of("tcp", &tcp), Latency::of("upgrade", &upgrade), Latency::of("open", &open)]
}

fn interval(number: u64, second: &Second) -> Interval {
    let is_stalled = number == STALLED;
    Interval {
        from_s: 3.0 + number as f64,
        seconds: 1.0,
        sent: PER_SECOND,
        answered: if is_stalled { PER_SECOND - 300 } else { PER_SECOND },
        errors: if is_stalled { 3 } else { 0 },
        connections: None,
        p50: percentile(&second.response, 50.0),
        p99: percentile(&second.response, 99.0),
        max: Some(second.response.max()),
        schedule_lag_p99: percentile(&second.lag, 99.0),
        client_cores: Some(0.30 + (number % 5) as f64 * 0.01),
        server_cores: Some(if is_stalled { 0.31 } else { 0.40 + (number % 3) as f64 * 0.02 }),
        server_bytes: Some((40 << 20) + number * (1 << 18)),
        client_bytes: Some(24 << 20),
        histogram: Some(encode(&second.response)),
    }
}

/// Everything but what was measured.
fn frame() -> Report {
    let command =
        "wsload echo ws://127.0.0.1:8080/echo --connections 200 --rate 2000 --duration 30s --seed 7";
    Report {
        schema: SCHEMA,
        wsload: String::from("0.1.0"),
        command: command.split(' ').map(String::from).chain([String::from("p99.9<10ms")]).collect(),
        seed: 7,
        started_unix_ms: 1_769_862_896_000,
        workload: String::from("echo"),
        url: String::from("ws://127.0.0.1:8080/echo"),
        io: String::from("io_uring"),
        shards: 1,
        sources: 1,
        environment: environment(),
        load: Load {
            model: Model::Open { rate: 2000.0, arrivals: Arrivals::Poisson },
            connections: 200,
            kind: String::from("binary"),
            size: String::from("64 B"),
            preset: None,
        },
        phases: [
            ("connect", 0.0, 0.5),
            ("settle", 0.5, 0.5),
            ("warm_up", 1.0, 2.0),
            ("measure", 3.0, 30.0),
            ("drain", 33.0, 0.1),
        ]
        .map(|(name, from_s, seconds)| Phase { name: String::from(name), from_s, seconds })
        .into(),
        opening: Opening::new(200, 200, 0.4),
        closing: Closing { in_order: 197, cut_off: 3 },
        rates: Rates {
            offered: Some(2000.0),
            sent: 2000.0,
            answered: 1990.0,
            bytes_sent: 128_000.0,
            bytes_received: 127_360.0,
        },
        counts: [("sent", 60_000), ("answered", 59_700), ("unanswered", 3), ("pongs", 12), ("lost", 3)]
            .map(|(name, count)| (String::from(name), count))
            .into(),
        errors: [(String::from("closed with 1001: going <away> & \"back\" | soon"), 3)].into(),
        health: health(),
        calibration: Some(Calibration { ceiling_per_second: 180_000.0, share_used: 0.011 }),
        server: Some(server()),
        steady: Some(Steady {
            steady: false,
            halves: vec![
                Half { rate: 2000.0, p50: Some(46_000), p99: Some(140_000) },
                Half { rate: 1980.0, p50: Some(46_000), p99: Some(83_000_000) },
            ],
            reasons: vec![String::from("p99 differs by more than 10 %")],
        }),
        warnings: vec![String::from("client and server share cores 0-1: figures are no more than relative")],
        sections: vec![trials()],
        ..Report::default()
    }
}

fn environment() -> Environment {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect()
    };
    Environment {
        host: String::from("bench-1"),
        kernel: String::from("6.18.0"),
        cpu: String::from("AMD EPYC 9354P 32-Core Processor"),
        cores: 2,
        affinity: String::from("0-1"),
        governor: String::from("performance"),
        memory_bytes: 16 << 30,
        sysctls: pairs(&[("net.core.somaxconn", "4096"), ("net.ipv4.ip_local_port_range", "32768 60999")]),
        limits: pairs(&[("Max open files", "20000")]),
        notes: vec![String::from("a virtual machine")],
    }
}

fn health() -> Health {
    let sign = |what: &str, value: &str, limit: &str| Evidence {
        what: String::from(what),
        value: String::from(value),
        limit: String::from(limit),
        exceeded: false,
    };
    Health {
        valid: true,
        evidence: vec![sign("schedule lag p99", "9.90 us", "1 ms"), sign("busiest thread", "34 %", "85 %")],
        cores: Some(0.32),
        busiest: Some(0.34),
        messages_per_send: Some(1.2),
        messages_per_receive: Some(1.1),
        steal: Some(0.001),
        counters: [(String::from("cq_overflows"), 0), (String::from("enobufs"), 2)].into(),
        kernel: [(String::from("RetransSegs"), 3)].into(),
    }
}

fn server() -> ServerCost {
    let point = |connections: u64, bytes: u64| CostPoint {
        connections,
        user_bytes: (30 << 20) + bytes,
        kernel_bytes: Some(connections * 2900),
    };
    ServerCost {
        who: String::from("4711 (wsring)"),
        cores: Some(0.42),
        cpu_ns_per_message: Some(2100.0),
        cpu_us_per_idle_connection_second: None,
        user_bytes_per_connection: Some(320.0),
        kernel_bytes_per_connection: Some(2900.0),
        points: vec![point(100, 32_000), point(200, 64_000)],
    }
}

fn trials() -> Section {
    let mut section = Section::new("trials", "Trials")
        .fact("limit", 2500.0, "1/s")
        .fact("longest stall", 150_000_000_u64, "ns")
        .fact("not known", Value::Unknown, "")
        .columns(&["rate", "p99", "met"])
        .row(vec![1000_u64.into(), "120 us".into(), "yes".into()])
        .row(vec![4000_u64.into(), None::<f64>.into(), "NO".into()]);
    section.curves.push(Curve {
        title: String::from("p99 by rate"),
        x: String::from("offered messages per second"),
        y: String::from("p99"),
        y_unit: String::from("ns"),
        lines: vec![Line {
            name: String::from("p99"),
            points: vec![(1000.0, 12e4), (2000.0, 14e4), (4000.0, 9e8)],
        }],
        ..Curve::default()
    });
    section
}
