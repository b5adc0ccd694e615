//! `wsload`: a load generator for WebSocket servers.
//!
//! ```text
//!   args       the command line, one file for each subcommand
//!   target     what is connected to, and from which addresses
//!   fleet      opens the connections of a run and keeps account of them
//!   limits     of this machine, of this program and of servers
//!   load       the workloads: a handler for each connection, phases, a result
//!   model      what a run has to say: the report as data
//!   measure    what was measured, and whether the generator was the limit
//!   threshold  requirements such as `p99<10ms`
//!   report     what is written: text, JSON and other forms
//! ```
//!
//! It runs on the engine's own client, one thread and one ring per shard. Read `fleet` first, then
//! `load::echo`: a workload is a handler, and a function that walks through its phases.

mod args;
mod clock;
mod environment;
mod failure;
mod fleet;
mod limits;
mod load;
mod measure;
#[allow(dead_code, unused_imports, reason = "workloads move to this model one by one")]
mod model;
mod pace;
mod report;
mod target;
#[allow(dead_code, reason = "workloads begin to use it one by one")]
mod threshold;
mod units;

use args::{Arguments, Command, Common};
use clap::Parser;
use failure::Failure;
use model::{Report, Verdict};
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
        Command::Echo(options) => finish(&options.common, load::echo::run(options)?),
        Command::Fanout(options) => finish(&options.common, load::fanout::run(options)?),
        Command::Idle(options) => finish(&options.common, load::idle::run(options)?),
        Command::Doctor(options) => limits::doctor::run(options),
        Command::Report(options) => report::show(options),
        Command::Compare(options) => report::compare::run(options),
        Command::Merge(options) => report::merge::run(options),
    }
}

/// Holds the report of a workload against its thresholds and writes it.
fn finish(common: &Common, mut report: Report) -> Result<Verdict, Failure> {
    report::finish(&mut report, &common.output)
}
