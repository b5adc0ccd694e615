//! What several subcommands have in common.

use super::{ConnectionOptions, OutputOptions, ServerOptions};
use crate::limits::capacity::Bounds;
use crate::units::time;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::time::Duration;

/// More threads than any machine has use for.
const SHARDS_MAX: u64 = 4096;

/// What all workloads have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// What to connect to: a URL such as ws://127.0.0.1:8080/echo
    pub(crate) url: String,
    /// Connections opened per second, at most.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Longest time from connecting to the answer of the opening handshake.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) connect_timeout: Duration,
    /// Shards, each a thread with a ring; one per core when not given, and more where the limit of
    /// open files allows one shard too few connections.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(..=SHARDS_MAX))]
    pub(crate) shards: Option<usize>,
    /// Bind shards to cores, the first to this one.
    #[arg(long, value_name = "CORE")]
    pub(crate) pin: Option<usize>,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    /// What the run may come to as the trial of a search, which sets it.
    #[arg(skip)]
    pub(crate) bounds: Option<Bounds>,
}

/// Type of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KindChoice {
    /// Random bytes.
    Binary,
    /// Random letters and digits.
    Text,
    /// As {"id":"...","data":"..."}.
    Json,
}

impl KindChoice {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
