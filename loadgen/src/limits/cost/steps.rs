//! What one more connection costs: the server's account at several numbers of connections.

use super::reading::{Look, Reading, Subject};
use super::slope::Slope;
use super::subject;
use crate::args::ServerOptions;
use crate::failure::Failure;
use crate::limits::host::Host;
use crate::model::{CostPoint, Report, Section, ServerCost, Value};
use crate::pace::sleep_until;
use crate::report::words;
use std::time::{Duration, Instant};

/// Numbers of connections when none are given, as shares of all in quarters.
const QUARTERS: [u64; 3] = [1, 2, 4];

/// How many connections are open when the account is taken: as asked for, or a quarter, half and all of them.
///
/// # Errors
/// The caller's fault: they do not rise to the number of connections.
pub(crate) fn steps(asked: &[u32], connections: u32) -> Result<Vec<u32>, Failure> {
    if asked.is_empty() {
        let part = |quarters: u64| (u64::from(connections) * quarters).div_ceil(4) as u32;
        let mut parts = QUARTERS.map(part).to_vec();
        parts.dedup();
        return Ok(parts);
    }
    let is_rising = asked[0] > 0 && asked.windows(2).all(|pair| pair[0] < pair[1]);
    if is_rising && asked.last() == Some(&connections) {
        return Ok(asked.to_vec());
    }
    Err(Failure::Usage(format!("--steps have to rise from 1 or more to the {connections} of --connections")))
}

/// The account of a server that is filled step by step.
#[derive(Debug)]
pub(crate) struct Steps {
    host: Host,
    subject: Subject,
    who: String,
    /// The most memory that the server ever had before.
    peak: u64,
    held: Vec<Step>,
}

/// One hold.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    connections: u64,
    reading: Reading,
    /// CPU time during the hold.
    cores: f64,
}

impl Step {
    fn point(&self) -> CostPoint {
        let (user_bytes, kernel_bytes) = (user_bytes(&self.reading), Some(self.reading.kernel));
        CostPoint { connections: self.connections, user_bytes, kernel_bytes }
    }
}

impl Steps {
    /// The account of the server that the options name, where they name one.
    ///
    /// # Errors
    /// The caller's fault: there is no such process or control group.
    pub(crate) fn start(options: &ServerOptions) -> Result<Option<Self>, Failure> {
        let host = Host::this();
        let found = subject(&host, options)?;
        Ok(found.map(|(subject, who)| {
            let peak = subject.read(&host, Look::Quick).map_or(0, |reading| reading.peak);
            Self { host, subject, who, peak, held: Vec::new() }
        }))
    }

    /// So many connections are open: holds them for a while, and takes the account.
    pub(crate) fn hold(&mut self, connections: u32, time: Duration) {
        let (since, before) = (Instant::now(), self.subject.read(&self.host, Look::Quick));
        sleep_until(since + time);
        let nanoseconds = since.elapsed().as_nanos().max(1) as f64;
        let Some((before, reading)) = before.zip(self.subject.read(&self.host, Look::Close)) else { return };
        let cores = reading.cpu.saturating_sub(before.cpu) as f64 / nanoseconds;
        self.held.push(Step { connections: connections.into(), reading, cores });
    }

    /// Writes the steps and their slopes into the report.
    pub(crate) fn fill(&self, report: &mut Report) {
        fill(&self.who, &self.held, report);
        report.warnings.extend(self.held.first().and_then(|step| hidden(step, self.peak)));
    }
}

/// A server that has had more memory before, and kept it, does not grow with its connections.
fn hidden(first: &Step, peak: u64) -> Option<String> {
    let (resident, connections) = (first.reading.resident, first.connections);
    // A tenth more than before is what connections that come into memory of earlier ones still add.
    (resident > 0 && resident <= peak + peak / 10).then(|| {
        format!(
            "with {connections} connections the server has hardly more memory than it had before the run ({}): what it \
             keeps of earlier ones, or had set aside, hides what these cost; measure one that was just started",
            words::bytes(peak as f64)
        )
    })
}

fn fill(who: &str, steps: &[Step], report: &mut Report) {
    let slope = |value: fn(&Step) -> f64| {
        let points: Vec<(f64, f64)> =
            steps.iter().map(|step| (step.connections as f64, value(step))).collect();
        Slope::through(&points)
    };
    // The generator's end of each connection is in the machine's kernel memory as well.
    let ends = if steps.iter().any(|step| step.reading.is_kernel_shared) { 2.0 } else { 1.0 };
    let user = slope(|step| user(&step.reading));
    let kernel = slope(|step| step.reading.kernel as f64);
    let cpu = slope(|step| step.cores * 1e6);
    let points: Vec<CostPoint> = steps.iter().map(Step::point).collect();
    report.server = Some(ServerCost {
        who: who.to_owned(),
        user_bytes_per_connection: user.map(|slope| slope.each),
        kernel_bytes_per_connection: kernel.map(|slope| slope.each / ends),
        cpu_us_per_idle_connection_second: cpu.filter(is_seen).map(|slope| slope.each),
        points,
        ..ServerCost::default()
    });
    if user.is_none() {
        report.warnings.push(
            "memory for each connection is a slope, which needs two numbers of connections: --steps".into(),
        );
    }
    let unit = |per_end: f64, slope: Option<Slope>| slope.map(|slope| words(slope, per_end));
    let mut section = Section::new("cost", "Cost of the server")
        .fact("server", who, "")
        .fact("user memory for each connection", unit(1.0, user), "")
        .fact("kernel memory for each connection, one end", unit(ends, kernel), "")
        .fact("CPU time for each idle connection", cpu.map(cpu_words), "");
    if ends > 1.0 {
        section = section.fact(
            "kernel memory is",
            "that of the whole machine, with both ends of each connection",
            "",
        );
    }
    section = section.columns(&["connections", "user memory (B)", "kernel memory (B)", "cores"]);
    for step in steps {
        let memory = user_bytes(&step.reading);
        let kernel = step.reading.kernel;
        section =
            section.row(vec![step.connections.into(), memory.into(), kernel.into(), Value::from(step.cores)]);
    }
    report.sections.push(section);
}

/// Whether a slope is more than its uncertainty.
fn is_seen(slope: &Slope) -> bool {
    slope.each > 2.0 * slope.error.unwrap_or(0.0) && slope.each > 0.0
}

/// CPU time of so little that it may not be seen: then the most that it can be.
fn cpu_words(slope: Slope) -> String {
    if is_seen(&slope) {
        return format!("{:.3} us a second", slope.each);
    }
    match slope.error {
        Some(error) => {
            format!("less than {:.3} us a second: too little to be seen", slope.each.max(0.0) + 2.0 * error)
        }
        None => "too little to be seen".into(),
    }
}

/// A slope with its uncertainty.
fn words(slope: Slope, divisor: f64) -> String {
    let each = slope.each / divisor;
    match slope.error {
        Some(error) => format!("{each:.0} B, +- {:.0}, through {} points", error / divisor, slope.points),
        None => format!("{each:.0} B, through {} points", slope.points),
    }
}

fn user_bytes(reading: &Reading) -> u64 {
    reading.proportional.unwrap_or(reading.resident)
}

fn user(reading: &Reading) -> f64 {
    user_bytes(reading) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_connections() {
        type Row<'a> = (&'a [u32], u32, Option<&'a [u32]>);
        let table: [Row<'_>; 8] = [
            (&[], 1000, Some(&[250, 500, 1000])),
            (&[], 3, Some(&[1, 2, 3])),
            (&[], 1, Some(&[1])),
            (&[], u32::MAX, Some(&[1 << 30, 1 << 31, u32::MAX])),
            (&[1000, 5000, 20_000], 20_000, Some(&[1000, 5000, 20_000])),
            (&[1000, 5000], 20_000, None),
            (&[5, 5], 5, None),
            (&[0, 5], 5, None),
        ];
        for (asked, connections, expected) in table {
            assert_eq!(steps(asked, connections).ok().as_deref(), expected, "{asked:?} {connections}");
        }
    }

    fn step(connections: u64, user: u64, kernel: u64, is_kernel_shared: bool) -> Step {
        let reading = Reading { proportional: Some(user), kernel, is_kernel_shared, ..Reading::default() };
        Step { connections, reading, cores: connections as f64 * 2e-6 }
    }

    #[test]
    fn slopes_stand_in_the_report() {
        let shared = |connections| {
            step(connections, 9_000_000 + 250 * connections, 5_000_000 + 9000 * connections, true)
        };
        let own = |connections| step(connections, 9_000_000 + 250 * connections, 4500 * connections, false);
        type Row<'a> = (&'a [Step], Option<(f64, f64)>);
        let table: [Row<'_>; 4] = [
            (&[shared(1000), shared(5000), shared(20_000)], Some((250.0, 4500.0))),
            (&[own(1000), own(2000)], Some((250.0, 4500.0))),
            (&[own(1000)], None),
            (&[], None),
        ];
        for (steps, expected) in table {
            let mut report = Report::default();
            fill("process 7 (server)", steps, &mut report);
            let server = report.server.expect("it was filled");
            let found = server.user_bytes_per_connection.zip(server.kernel_bytes_per_connection);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
            match (found, expected) {
                (Some(found), Some(expected)) => {
                    assert!(near(found.0, expected.0) && near(found.1, expected.1), "{server:?}");
                    assert!(near(server.cpu_us_per_idle_connection_second.expect("a slope"), 2.0));
                }
                (found, expected) => assert_eq!(found, expected),
            }
            assert_eq!(report.warnings.is_empty(), expected.is_some(), "{:?}", report.warnings);
            assert_eq!((server.points.len(), report.sections[0].rows.len()), (steps.len(), steps.len()));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let slope = |each, error| Slope { each, at_none: 0.0, error, points: 3 };
        let table = [
            (slope(0.5, Some(0.1)), "0.500 us a second"),
            (slope(0.5, Some(0.4)), "less than 1.300 us a second: too little to be seen"),
            (slope(-0.5, Some(0.1)), "less than 0.200 us a second: too little to be seen"),
            (slope(-0.5, None), "too little to be seen"),
        ];
        for (slope, expected) in table {
            assert_eq!(cpu_words(slope), expected);
        }
        let resident = |resident| Step {
            connections: 500,
            reading: Reading { resident, ..Reading::default() },
            cores: 0.0,
        };
        assert_eq!(hidden(&resident(3 << 20), 2 << 20), None);
        let warning = hidden(&resident(3 << 20), 3 << 20).expect("it has not grown");
        assert!(warning.contains("500 connections") && warning.contains("(3 MiB)"), "{warning}");
    }

    #[test]
    fn a_process_is_measured() {
        let options = ServerOptions { pid: Some(std::process::id()), cgroup: None };
        let mut steps = Steps::start(&options).expect("it runs").expect("it is named");
        for connections in [10, 20] {
            steps.hold(connections, Duration::ZERO);
        }
        let mut report = Report::default();
        steps.fill(&mut report);
        let server = report.server.expect("it was filled");
        assert!(server.points.len() == 2 && server.points[0].user_bytes > 100_000, "{server:?}");
        let nobody = ServerOptions { pid: Some(u32::MAX), cgroup: None };
        assert_eq!(Steps::start(&nobody).expect_err("no such process").exit_code(), 2);
        assert!(Steps::start(&ServerOptions::default()).expect("none is named").is_none());
    }
}
