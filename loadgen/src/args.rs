//! The command line.

use crate::units::{size, time};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use wsring::Kind;

/// A load generator for WebSocket servers, on io_uring.
///
/// Exit codes: 0 everything was answered, 1 the run failed to start, 2 a mistake on the command line,
/// 3 connections or messages were lost or came back wrong.
#[derive(Debug, Parser)]
#[command(name = "wsload", version, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) workload: Workload,
}

/// What to do to the server.
#[derive(Debug, Subcommand)]
pub(crate) enum Workload {
    /// Send messages to an echo server and measure the round trips, as a closed loop: each echo is
    /// answered with the next message. Every echo is verified.
    Echo(EchoOptions),
    /// Open many connections and hold them, answering pings.
    Idle(IdleOptions),
}

impl Workload {
    /// What all workloads have in common.
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Echo(options) => &options.common,
            Self::Idle(options) => &options.common,
        }
    }
}

/// Durations are written as in 30s, 500ms, 2m; sizes as in 20, 64KiB, 1MiB.
#[derive(Debug, Args)]
pub(crate) struct EchoOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Messages that each connection has on their way at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) depth: u32,
    /// Payload of each message, up to 64MiB. It begins with the message's number, of which less than 4
    /// bytes (8 as text) hold a part.
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    pub(crate) size: usize,
    /// Type of the messages.
    #[arg(long, value_enum, default_value_t = KindChoice::Binary)]
    pub(crate) kind: KindChoice,
    /// Load before measuring begins.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) warm_up: Duration,
    /// How long to measure.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) duration: Duration,
    /// How long to wait for the last echoes after that.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(crate) drain_timeout: Duration,
}

/// Durations are written as in 30s, 500ms, 2m.
#[derive(Debug, Args)]
pub(crate) struct IdleOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// How long to hold them once all are open.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) hold: Duration,
    /// At the end, send one message on each connection (to an echo server) and verify what comes back.
    #[arg(long)]
    pub(crate) echo_at_end: bool,
    /// How long to wait for the last of these echoes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) echo_timeout: Duration,
}

/// What all workloads have in common.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// What to connect to: a URL such as ws://127.0.0.1:8080/echo
    pub(crate) url: String,
    /// Connections opened per second.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Source addresses to connect from in turn, 127.0.0.1 and those after it. One address has some
    /// 28,000 ports, and connects quickly up to half of them. Only towards a loopback address.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) sources: u32,
    /// Longest time from connecting to the answer of the opening handshake.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) connect_timeout: Duration,
    /// Shards, each a thread with a ring; one per core when not given, and more where the limit of
    /// open files allows one shard too few connections.
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<usize>,
    /// Bind shards to cores, the first to this one.
    #[arg(long, value_name = "CORE")]
    pub(crate) pin: Option<usize>,
    /// Also write the report to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Type of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KindChoice {
    /// Random bytes.
    Binary,
    /// Random letters and digits.
    Text,
}

impl From<KindChoice> for Kind {
    fn from(choice: KindChoice) -> Self {
        match choice {
            KindChoice::Binary => Self::Binary,
            KindChoice::Text => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn mistakes_are_refused() {
        let table = [
            "wsload",
            "wsload echo",
            "wsload echo ws://localhost --depth 0",
            "wsload echo ws://localhost --connections 0",
            "wsload idle ws://localhost --rate 0",
            "wsload idle ws://localhost --sources 0",
            "wsload fanout ws://localhost",
        ];
        for line in table {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
