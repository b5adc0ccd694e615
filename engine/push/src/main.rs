//! The ready-to-run wsring push server.

mod args;
mod logs;
mod routes;
mod serve;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let command = arguments.command.unwrap_or_else(Command::serve_with_defaults);
    let Command::Serve(serve) = command;
    logs::start(serve.log);
    match serve::serve(&serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wsring: {error}");
            ExitCode::FAILURE
        }
    }
}
