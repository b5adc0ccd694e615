//! The command line: one file for each subcommand, and one for what several have in common.

mod common;
mod compare;
mod doctor;
mod echo;
mod fanout;
mod idle;
pub(crate) mod load;
mod merge;
mod output;
mod report;

pub(crate) use common::{Common, KindChoice};
pub(crate) use compare::CompareOptions;
pub(crate) use doctor::DoctorOptions;
pub(crate) use echo::EchoOptions;
pub(crate) use fanout::{FanoutOptions, Way};
pub(crate) use idle::IdleOptions;
pub(crate) use merge::MergeOptions;
pub(crate) use output::OutputOptions;
pub(crate) use report::ReportOptions;

use clap::{Parser, Subcommand};

/// A load generator for WebSocket servers, on io_uring.
///
/// Exit codes: 0 everything was answered, 1 the run failed to start, 2 a mistake on the command line,
/// 3 a requirement was not met: connections or messages were lost or came back wrong, or a threshold was
/// exceeded, 4 the run is invalid, because the generator and not the server was the limit.
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
    /// Open many connections and hold them, answering pings.
    Idle(IdleOptions),
    /// Check whether this machine can hold so many connections, and say what mends it.
    Doctor(DoctorOptions),
    /// Show reports that were written with --json, and write one of them in any other form.
    Report(ReportOptions),
    /// Compare two runs: by how much each figure changed, how sure that is, and whether it is a regression.
    Compare(CompareOptions),
    /// Add up the reports of several processes or hosts that ran at the same time.
    Merge(MergeOptions),
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
            "wsload fanout ws://localhost --publish command",
        ];
        for line in table {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
