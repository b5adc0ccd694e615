//! The ready-to-run wsring push server.

mod args;
mod auth;
mod config;
mod events;
mod logs;
mod metrics;
mod names;
mod protocol;
mod rate;
mod routes;
mod serve;

use args::Arguments;
use auth::Access;
use std::fmt::Display;
use std::process::ExitCode;

/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let resolved = match config::load(arguments.file, arguments.flags) {
        Ok(resolved) => resolved,
        Err(faults) => return refuse(&faults),
    };
    let config = match resolved.config() {
        Ok(config) => config,
        Err(error) => return refuse(&[error]),
    };
    let access = match Access::new(&config.auth) {
        Ok(access) => access,
        Err(fault) => return refuse(&[resolved.auth_fault(fault)]),
    };
    if arguments.print_config {
        print!("{}", resolved.print());
        return ExitCode::SUCCESS;
    }
    if let Err(fault) = serve::refuse_to_be_open(&config, &access) {
        return refuse(&[fault]);
    }
    logs::start(config.log);
    match serve::serve(&config, access) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_usage(&*error) => refuse(&[error]),
        Err(error) => {
            eprintln!("wsring: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the engine could not use what it was given, rather than the machine not give what it takes.
fn is_usage(error: &(dyn std::error::Error + 'static)) -> bool {
    use wsring::Error::{Address, NoListener, Setting, TooFewShards};
    let error = error.downcast_ref::<wsring::Error>();
    error.is_some_and(|error| {
        matches!(error, Address { .. } | NoListener | Setting { .. } | TooFewShards { .. })
    })
}

fn refuse(faults: &[impl Display]) -> ExitCode {
    faults.iter().for_each(|fault| eprintln!("wsring: {fault}"));
    ExitCode::from(USAGE)
}
