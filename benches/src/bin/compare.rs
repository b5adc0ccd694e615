//! Runs servers in turn against the same client and says what one message costs each.
//!
//! In every round all servers are started afresh, each with a client, and driven in turn by slices of
//! half a second, so that what the machine does over seconds and minutes falls on all alike; figures are
//! compared within a round and the median of the rounds counts.
//! Scenarios (what the client does), servers and settings stand in `scenarios.toml`; how to read the figures, in the crate's README.

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wsring_benches::comparison::record::{Host, Record, Run};
use wsring_benches::comparison::run::{self, Plan};
use wsring_benches::comparison::scenario::{Case, Scenario, Scenarios, Server, Settings};
use wsring_benches::comparison::summary::{Line, doubts};
use wsring_benches::wire::Opcode;

/// CPU time per message, servers in turn.
#[derive(Parser)]
struct Options {
    /// The server that the others are measured against
    first: String,
    /// The others
    others: Vec<String>,
    /// What is measured; unless given, what the file has the first server for first
    #[arg(long)]
    scenario: Option<String>,
    /// Bytes of a message; several with commas
    #[arg(long, value_delimiter = ',')]
    payload: Vec<usize>,
    /// What the messages are
    #[arg(long, value_enum, default_value_t = Opcode::Binary)]
    opcode: Opcode,
    /// How often each server is started and measured
    #[arg(long)]
    rounds: Option<usize>,
    /// Connections that receive; several with commas
    #[arg(long, value_delimiter = ',')]
    connections: Vec<u32>,
    /// Seconds for which each server runs before a round is measured
    #[arg(long)]
    warmup: Option<f64>,
    /// Seconds for which each server is measured in a round
    #[arg(long)]
    seconds: Option<f64>,
    /// Seconds of one slice of that
    #[arg(long)]
    slice: Option<f64>,
    /// Core of the servers
    #[arg(long)]
    server_core: Option<usize>,
    /// Core of the client
    #[arg(long)]
    client_core: Option<usize>,
    /// Let the client check the content of everything that comes (costs the client time)
    #[arg(long)]
    verify: bool,
    /// A further argument for the clients, such as --client=--awake; may be repeated
    #[arg(long, allow_hyphen_values = true)]
    client: Vec<String>,
    /// Another file of servers and settings
    #[arg(long)]
    scenarios: Option<PathBuf>,
    /// Write OUT.json and OUT.csv
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("compare: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let scenarios = Scenarios::read(options.scenarios.as_deref())?;
    let scenario = scenario(scenarios.scenario(options.scenario.as_deref(), &options.first)?, options);
    let names: Vec<&String> = std::iter::once(&options.first).chain(&options.others).collect();
    let mut servers = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let mut server = scenarios.server(&scenario, name)?.clone();
        // A server beside itself tells how much of a ratio is noise.
        let earlier = names[..place].iter().filter(|earlier| *earlier == name).count();
        if earlier > 0 {
            server.name += &format!(" ({})", earlier + 1);
        }
        servers.push(server);
    }
    let settings = settings(scenarios.settings, options);
    if settings.server_core == settings.client_core {
        return Err("server and client need a core each".to_owned());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let bin = program.parent().unwrap_or_else(|| Path::new("."));
    let plan = Plan {
        settings: settings.clone(),
        client: &scenario.client,
        opcode: options.opcode,
        verify: options.verify,
        bin,
    };
    let mut record = Record {
        host: Host::here(),
        command: std::env::args().skip(1).fold("compare".to_owned(), |line, word| line + " " + &word),
        opcode: options.opcode.name().to_owned(),
        scenario: scenario.clone(),
        settings,
        runs: Vec::new(),
        summary: Vec::new(),
        doubts: Vec::new(),
    };
    println!("{}", record.host.line());
    for case in scenario.cases() {
        rounds(&mut record, &servers, case, &plan)?;
        sum_up(&mut record, &servers, case);
    }
    for doubt in &record.doubts {
        eprintln!("warning: {doubt}");
    }
    match &options.out {
        Some(stem) => record.write(stem).map_err(|error| format!("{}: {error}", stem.display())),
        None => Ok(()),
    }
}

/// The file's scenario with what the command line says over it.
fn scenario(file: &Scenario, options: &Options) -> Scenario {
    let mut scenario = file.clone();
    if !options.connections.is_empty() {
        scenario.connections.clone_from(&options.connections);
    }
    if !options.payload.is_empty() {
        scenario.payloads.clone_from(&options.payload);
    }
    scenario.client.extend_from_slice(&options.client);
    scenario
}

/// The file's settings with those of the command line over them.
fn settings(file: Settings, options: &Options) -> Settings {
    Settings {
        rounds: options.rounds.unwrap_or(file.rounds).max(1),
        warmup_seconds: options.warmup.unwrap_or(file.warmup_seconds),
        measure_seconds: options.seconds.unwrap_or(file.measure_seconds),
        slice_seconds: options.slice.unwrap_or(file.slice_seconds).max(0.05),
        server_core: options.server_core.unwrap_or(file.server_core),
        client_core: options.client_core.unwrap_or(file.client_core),
    }
}

/// All rounds of one case.
fn rounds(record: &mut Record, servers: &[Server], case: Case, plan: &Plan<'_>) -> Result<(), String> {
    let Case { connections, payload } = case;
    println!(
        "\n{}, {payload} B {}, {connections} connections: {}; {} s per round in slices of {} s",
        record.scenario.name,
        record.opcode,
        record.scenario.about,
        record.settings.measure_seconds,
        record.settings.slice_seconds
    );
    for round in 1..=record.settings.rounds {
        print!("round {round}:");
        // Rotated, so that no server is always started first.
        let first = (round - 1) % servers.len();
        let order: Vec<Server> = servers.iter().cycle().skip(first).take(servers.len()).cloned().collect();
        let mut windows = run::round(&order, case, plan)?;
        windows.rotate_right(first);
        for (server, window) in servers.iter().zip(windows) {
            print!("  {} {} ns", server.name, nanoseconds(window.cpu_ns_per_message()));
            record.runs.push(Run { connections, payload, round, server: server.name.clone(), window });
        }
        println!();
    }
    Ok(())
}

/// Adds the summary of one case to the record and prints it.
fn sum_up(record: &mut Record, servers: &[Server], case: Case) {
    println!(
        "{:<20} {:>9} {:>15} {:>7} {:>13} {:>9} {:>7} {:>8} {:>8} {:>6} {:>7}",
        "server",
        "CPU ns/msg",
        "(min-max)",
        "ratio",
        "(min-max)",
        "msg/s",
        "ratio",
        "p50 us",
        "p99 us",
        "busy",
        "client"
    );
    let first = record.rounds(case, &servers[0].name);
    for server in servers {
        let rounds = record.rounds(case, &server.name);
        let line = Line::of(case, &server.name, &rounds, &first);
        print_line(&line);
        record.doubts.extend(doubts(case, &server.name, &rounds));
        record.summary.push(line);
    }
}

fn print_line(line: &Line) {
    let (cpu, ratio) = (line.cpu_ns_per_message, line.ratio);
    println!(
        "{:<20} {:>10} {:>15} {:>7.3} {:>13} {:>9.0} {:>7.3} {:>8.0} {:>8.0} {:>5.0}% {:>6.0}%",
        line.server,
        nanoseconds(cpu.median),
        format!("({}-{})", nanoseconds(cpu.min), nanoseconds(cpu.max)),
        ratio.median,
        format!("({:.3}-{:.3})", ratio.min, ratio.max),
        line.rate.median,
        line.rate_ratio.median,
        line.latency_p50_us.median,
        line.latency_p99_us.median,
        line.server_use.median * 100.0,
        line.client_use.median * 100.0,
    );
}

/// Three digits: a delivery can cost a few nanoseconds, an echo thousands.
fn nanoseconds(figure: f64) -> String {
    let digits = if figure < 10.0 { 2 } else { usize::from(figure < 100.0) };
    format!("{figure:.digits$}")
}
