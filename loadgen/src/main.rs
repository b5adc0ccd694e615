//! `wsload`: a load generator for WebSocket servers.
//!
//! ```text
//!   args       the command line, one file for each subcommand
//!   target     what is connected to, and from which addresses
//!   fleet      opens the connections of a run and keeps account of them
//!   load       the workloads: a handler for each connection, phases, a result
//!   measure    what was measured, and whether the generator was the limit
//!   report     the result as text and as JSON, and whether it was met
//!   probe      `conform` and `inspect`: one connection at a time, without the engine
//! ```
//!
//! It runs on the engine's own client, one thread and one ring per shard. Read `fleet` first, then
//! `load::echo`: a workload is a handler, and a function that walks through its phases.

mod args;
mod failure;
mod fleet;
mod load;
mod measure;
mod pace;
mod probe;
mod report;
mod target;
mod units;

use args::{Arguments, Command, Common};
use clap::Parser;
use failure::Failure;
use report::{Report, Verdict};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(failure) => {
            eprintln!("wsload: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Does what was asked for.
fn run(command: &Command) -> Result<Verdict, Failure> {
    match command {
        Command::Echo(options) => finish(&options.common, &load::echo::run(options)?),
        Command::Idle(options) => finish(&options.common, &load::idle::run(options)?),
        Command::Conform(options) => probe::conform::run(options),
        Command::Inspect(options) => probe::inspect::run(options),
    }
}

/// Reports: text on standard output, and JSON where asked for.
fn finish(common: &Common, report: &Report) -> Result<Verdict, Failure> {
    print!("{report}");
    if let Some(path) = &common.json {
        report.write_json(path)?;
    }
    Ok(report.verdict)
}
