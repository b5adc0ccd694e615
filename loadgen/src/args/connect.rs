//! `wsload connect`, `wsload churn` and `wsload storm`.

use super::load::{HealthOptions, positive};
use super::slow::share;
use super::{Common, Retry};
use crate::units::time;
use clap::{Args, ValueEnum};
use std::time::Duration;
use wsring::CloseHow;

/// How a connection is ended from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ending {
    /// By the closing handshake of WebSocket; the server closes TCP.
    Ws,
    /// By FIN, as a program does that exits.
    Fin,
    /// By RST, as a program does that crashes, or a host that has lost its state.
    Rst,
}

impl Ending {
    /// What it means for TCP; `None`: a Close frame comes first.
    pub(crate) fn how(self) -> Option<CloseHow> {
        match self {
            Self::Ws => None,
            Self::Fin => Some(CloseHow::Fin),
            Self::Rst => Some(CloseHow::Reset),
        }
    }

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Fin => "fin",
            Self::Rst => "rst",
        }
    }
}

/// Durations are written as in 30s, 500ms, 2m.
#[derive(Debug, Args)]
pub(crate) struct ConnectOptions {
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Open all at once instead of at --rate.
    #[arg(long)]
    pub(crate) storm: bool,
    /// How long to hold them once all are open.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    pub(crate) hold: Duration,
    /// How they are ended.
    #[arg(long, value_enum, default_value_t = Ending::Ws)]
    pub(crate) close: Ending,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) health: HealthOptions,
}

/// Durations are written as in 30s, 500ms, 2m.
#[derive(Debug, Args)]
pub(crate) struct ChurnOptions {
    /// How long connections keep coming, --rate of them a second.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) duration: Duration,
    /// How long each of them stays, to within a tenth of a second; 0: not at all.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(crate) lifetime: Duration,
    /// How they are ended; several, with commas, take turns.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ws")]
    pub(crate) close: Vec<Ending>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) health: HealthOptions,
}

/// Durations are written as in 30s, 500ms, 2m.
#[derive(Debug, Args)]
pub(crate) struct StormOptions {
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Share of the connections that is dropped at once, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    pub(crate) drop: f64,
    /// How they are dropped.
    #[arg(long, value_enum, default_value_t = Ending::Rst)]
    pub(crate) close: Ending,
    /// Spread the reconnects evenly at random over so long; 0: all at once.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    pub(crate) jitter: Duration,
    /// When a connection that is refused, or fails otherwise, is tried again: waits begin at the first of these
    /// times and double up to the second, each at random between half and all of it; or none, for one attempt only.
    #[arg(long, value_name = "TIME-TIME", default_value = "500ms-10s")]
    pub(crate) retry: Retry,
    /// A connection that is not back so long after the drop is not tried again.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) retry_for: Duration,
    /// How often to drop and connect them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Rest before each round.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(crate) settle: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}
