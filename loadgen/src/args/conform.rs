//! The options of `conform`.

use super::PeerOptions;
use clap::Args;
use std::path::PathBuf;

/// Durations are written as in 30s, 500ms, 2m. Exit codes: 0 nothing fails, 1 there is no WebSocket server,
/// 2 a mistake on the command line, 3 something fails.
#[derive(Debug, Args)]
pub(crate) struct ConformOptions {
    /// The server, as ws://HOST:PORT/PATH (TLS, wss://, is not spoken yet)
    #[arg(required_unless_present = "list")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
    /// The server does something else than send messages back: leave out what needs an echo.
    #[arg(long)]
    pub(crate) no_echo: bool,
    /// Only these probes: names, sections such as 5.5, or 7692; separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Not these probes, named in the same way.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Print the probes with their sections and what they send, and end.
    #[arg(long)]
    pub(crate) list: bool,
    /// Say of every probe what was sent and expected, and not only of those that fail.
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Also write the report to this file, as JSON; `-` prints it in place of the table.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
