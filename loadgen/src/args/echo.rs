//! `wsload echo`.

use super::{Common, KindChoice};
use crate::limits::calibrate::CeilingChoice;
use crate::units::{size, time};
use clap::Args;
use std::time::Duration;

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
    /// What this generator can do at most, for the share that this run has used of it: a file that `wsload
    /// calibrate` wrote, or auto for what it last left on this host.
    #[arg(long, value_name = "FILE", default_value = "auto")]
    pub(crate) ceiling: CeilingChoice,
}
