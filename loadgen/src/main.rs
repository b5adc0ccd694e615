//! `wsload`: a load generator for WebSocket servers.
//!
//! ```text
//!   args       the command line
//!   target     what is connected to, and from which addresses
//!   fleet      opens the connections of a run and keeps account of them
//!   echo idle  the workloads: a handler for each connection, phases, a result
//!   message    what is sent and how it is recognised when it comes back
//!   meter      what one shard has measured
//!   report     the result as text and as JSON, and whether it was met
//! ```
//!
//! It runs on the engine's own client, one thread and one ring per shard. Read `fleet` first, then
//! `echo`: a workload is a handler, and a function that walks through its phases.

mod args;
mod cpu;
mod echo;
mod failure;
mod fleet;
mod idle;
mod message;
mod meter;
mod pace;
mod report;
mod target;
mod units;

use args::{Arguments, Workload};
use clap::Parser;
use failure::Failure;
use report::Verdict;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.workload) {
        Ok(Verdict::Met) => ExitCode::SUCCESS,
        Ok(Verdict::NotMet) => ExitCode::from(3),
        Err(failure) => {
            eprintln!("wsload: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs the workload and reports: text on standard output, and JSON where asked for.
fn run(workload: &Workload) -> Result<Verdict, Failure> {
    let report = match workload {
        Workload::Echo(options) => echo::run(options)?,
        Workload::Idle(options) => idle::run(options)?,
    };
    print!("{report}");
    if let Some(path) = &workload.common().json {
        report.write_json(path)?;
    }
    Ok(report.verdict)
}
