//! `wsload`: a load generator for WebSocket servers.
//!
//! ```text
//!   args       the command line, one file for each subcommand
//!   target     what is connected to, and what each connection says of itself (template)
//!   sources    from which addresses and ports
//!   interrupt  Ctrl-C: what there is so far is reported
//!   fleet      opens the connections of a run and keeps account of them
//!   limits     of this machine, of this program and of servers
//!   load       the workloads: a handler for each connection, phases, a result
//!   model      what a run has to say: the report as data
//!   measure    what was measured, and whether the generator was the limit
//!   threshold  requirements such as `p99<10ms`
//!   report     what is written: text, JSON and other forms
//!   probe      `conform` and `inspect`: one connection at a time, without the engine
//! ```
//!
//! It runs on the engine's own client, one thread and one ring per shard. Read `fleet` first, then
//! `load::echo`: a workload is a handler, and a function that walks through its phases.

mod args;
mod clock;
mod environment;
mod failure;
mod fleet;
mod interrupt;
mod limits;
mod load;
mod measure;
mod model;
mod pace;
mod probe;
mod report;
mod sources;
mod target;
mod template;
mod threshold;
mod units;

use args::{Arguments, Command, Common, EchoOptions};
use clap::Parser;
use clap::error::ErrorKind;
use failure::Failure;
use model::{Report, Verdict};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // What was asked for: help, or the version.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        Err(error) => {
            let command = std::env::args().nth(1).filter(|_| error.kind() != ErrorKind::InvalidSubcommand);
            let command =
                command.filter(|word| !word.starts_with('-')).map_or_else(String::new, |word| word + " ");
            eprintln!("wsload: {}; see wsload {command}--help", args::in_one_line(&error));
            return ExitCode::from(Failure::Usage(String::new()).exit_code());
        }
    };
    match run(&arguments.command) {
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
        Command::Echo(options) => finish(&options.common, || echo(options)),
        Command::Fanout(options) => finish(&options.common, || load::fanout::run(options)),
        Command::Connect(options) => finish(&options.common, || load::connect::run(options)),
        Command::Churn(options) => finish(&options.common, || load::churn::run(options)),
        Command::Storm(options) => finish(&options.common, || load::storm::run(options)),
        Command::Idle(options) => finish(&options.common, || load::idle::run(options)),
        Command::Doctor(options) => limits::doctor::run(options),
        Command::Report(options) => report::show(options),
        Command::Compare(options) => report::compare::run(options),
        Command::Merge(options) => report::merge::run(options),
        Command::Conform(options) => probe::conform::run(options),
        Command::Inspect(options) => probe::inspect::run(options),
        Command::Capacity(options) => {
            report::check(&options.output)?;
            interrupt::watch().map_err(Failure::Signals)?;
            let report = limits::capacity::run(options, &mut trial)?;
            report::write(&report, &options.output)?;
            Ok(report.verdict)
        }
        Command::Calibrate(options) => limits::calibrate::run(options, load::echo::run),
        Command::NullServer(options) => limits::calibrate::serve(options.shards, options.pin),
    }
}

/// Runs a workload, adds what it cost the server, holds the report against the thresholds and writes it.
fn finish(common: &Common, run: impl FnOnce() -> Result<Report, Failure>) -> Result<Verdict, Failure> {
    report::check(&common.output)?;
    interrupt::watch().map_err(Failure::Signals)?;
    let mut report = limits::cost::measured(&common.server, run)?;
    report::finish(&mut report, &common.output)
}

/// Runs the echo and says what share of the generator's ceiling it has used; that is one of messages that are not
/// compressed.
fn echo(options: &EchoOptions) -> Result<Report, Failure> {
    let ceilings = limits::calibrate::ceilings(&options.ceiling)?;
    let mut report = load::echo::run(options)?;
    if options.common.connection.compression.offer().is_none() {
        limits::calibrate::apply(&ceilings, &mut report);
    }
    Ok(report)
}

/// Runs a workload as a trial of a search.
fn trial(command: &Command) -> Result<Report, Failure> {
    match command {
        Command::Echo(options) => limits::cost::measured(&options.common.server, || echo(options)),
        Command::Fanout(options) => {
            limits::cost::measured(&options.common.server, || load::fanout::run(options))
        }
        Command::Churn(options) => {
            limits::cost::measured(&options.common.server, || load::churn::run(options))
        }
        _ => Err(Failure::Usage("a search can raise the load of echo, fanout and churn only".into())),
    }
}
