//! The command line: one file for each subcommand, and one for what several have in common.

mod calibrate;
mod capacity;
mod common;
mod compare;
mod compression;
mod conform;
mod connect;
mod connection;
mod doctor;
mod echo;
mod fanout;
mod idle;
mod inspect;
pub(crate) mod load;
mod merge;
mod output;
mod peer;
mod report;
mod retry;
mod server;
mod slow;

pub(crate) use calibrate::{CalibrateOptions, NullServerOptions};
pub(crate) use capacity::CapacityOptions;
pub(crate) use common::{Common, KindChoice};
pub(crate) use compare::CompareOptions;
pub(crate) use compression::CompressionOptions;
pub(crate) use conform::ConformOptions;
pub(crate) use connect::{ChurnOptions, ConnectOptions, Ending, StormOptions};
pub(crate) use connection::ConnectionOptions;
pub(crate) use doctor::DoctorOptions;
pub(crate) use echo::EchoOptions;
pub(crate) use fanout::{FanoutOptions, Way};
pub(crate) use idle::IdleOptions;
pub(crate) use inspect::{Action, Close, InspectOptions, close, control, hex};
pub(crate) use merge::MergeOptions;
pub(crate) use output::OutputOptions;
pub(crate) use peer::PeerOptions;
pub(crate) use report::ReportOptions;
pub(crate) use retry::Retry;
pub(crate) use server::ServerOptions;
pub(crate) use slow::SlowOptions;

use crate::failure::Failure;
use clap::{Parser, Subcommand};

/// A load generator for WebSocket servers, on io_uring.
///
/// Exit codes:
///   0  everything was answered, and right
///   1  the run failed to start
///   2  a mistake on the command line
///   3  connections or messages were lost or came back wrong, or a threshold was not kept
///   4  the run is invalid: the generator and not the server was the limit
#[derive(Debug, Parser)]
#[command(name = "wsload", version, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do: workloads first, then what is asked about servers, this machine and reports.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub(crate) enum Command {
    /// Send messages to an echo server and measure how long the answers take, as a closed loop or at a rate. Every
    /// answer is verified.
    Echo(EchoOptions),
    /// Publish messages and measure when they reach how many of the subscribers.
    Fanout(FanoutOptions),
    /// Open connections and measure how that goes: TCP and the upgrade to WebSocket, each by itself.
    Connect(ConnectOptions),
    /// Open many connections and hold them, answering pings.
    Idle(IdleOptions),
    /// Have connections come and go at a rate.
    Churn(ChurnOptions),
    /// Drop a share of all connections at once and connect them again, as after a failure of the network.
    Storm(StormOptions),
    /// Check whether this machine can hold so many connections, and say what mends it.
    Doctor(DoctorOptions),
    /// Show reports that were written with --json, and write one of them in any other form.
    Report(ReportOptions),
    /// Compare two runs: by how much each figure changed, how sure that is, and whether it is a regression.
    Compare(CompareOptions),
    /// Add up the reports of several processes or hosts that ran at the same time.
    Merge(MergeOptions),
    /// Ask a server some sixty questions about RFC 6455, and RFC 7692 where it accepts compression: what
    /// was sent, what the RFC demands, and what the server did.
    Conform(ConformOptions),
    /// Show the opening handshake header by header, and frames byte by byte, in both directions.
    Inspect(InspectOptions),
    /// Find the largest load that a server holds under an objective.
    Capacity(CapacityOptions),
    /// Measure what this generator can do at most, against a null server on this machine.
    Calibrate(CalibrateOptions),
    /// The server for it.
    #[command(name = "null-server", hide = true)]
    NullServer(NullServerOptions),
}

impl Command {
    /// What these words stand for behind the program's name, as if they had been typed.
    ///
    /// # Errors
    /// The caller's fault, in one line.
    pub(crate) fn of_words(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let line = std::iter::once("wsload".to_owned()).chain(words);
        let parsed = Arguments::try_parse_from(line).map(|arguments| arguments.command);
        parsed.map_err(|error| Failure::Usage(in_one_line(&error)))
    }
}

/// What is wrong with a command line.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    // What is wrong, what that is about, and what may have been meant; usage and a hint at --help follow.
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let line = lines.collect::<Vec<_>>().join(" ");
    line.trim_start_matches("error: ").replace(" tip: ", "; ")
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
    fn what_is_wrong_with_words_is_one_line() {
        let table = [
            ("echo ws://localhost --deflate-level 9", "required arguments were not provided: --deflate"),
            ("echo ws://localhost --depth 0", "invalid value '0' for '--depth <N>'"),
        ];
        for (words, expected) in table {
            let failure = Command::of_words(words.split(' ').map(String::from)).expect_err(words);
            let text = failure.to_string();
            assert!(text.contains(expected) && !text.contains('\n'), "{words}: {text}");
        }
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
            "wsload nothing ws://localhost",
            "wsload fanout ws://localhost --publish command",
        ];
        for line in table {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
