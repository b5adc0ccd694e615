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
    logs::start(config.log);
    match serve::serve(&config, access) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wsring: {error}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(faults: &[impl Display]) -> ExitCode {
    faults.iter().for_each(|fault| eprintln!("wsring: {fault}"));
    ExitCode::from(USAGE)
}
