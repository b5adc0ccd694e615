//! `wsload idle`.

use super::{Common, SlowOptions};
use crate::units::time;
use clap::Args;
use std::time::Duration;

/// Durations are written as in 30s, 500ms, 2m.
#[derive(Debug, Args)]
pub(crate) struct IdleOptions {
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// How long to hold them once all are open.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) hold: Duration,
    /// Send a Ping on each connection that was silent for so long, and measure how long the Pong takes. Pings of
    /// the server are always answered.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) ping_interval: Option<Duration>,
    /// How long to wait for such a Pong before the connection is given up.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pub(crate) pong_timeout: Duration,
    /// At the end, send a Ping on each connection and wait for its Pong.
    #[arg(long)]
    pub(crate) ping_at_end: bool,
    /// At the end, send one message on each connection (to an echo server) and verify what comes back.
    #[arg(long)]
    pub(crate) echo_at_end: bool,
    /// How long to wait for the last of these answers.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) echo_timeout: Duration,
    /// With --pid or --cgroup: numbers of connections at which the server's memory is read on the way up, the last
    /// of them being all; a quarter, half and all of them when not given. Each connection's part is the slope.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    pub(crate) steps: Vec<u32>,
    /// How long each of them is held before.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) step_hold: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) slow: SlowOptions,
}
