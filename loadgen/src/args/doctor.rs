//! `wsload doctor`.

use clap::Args;
use std::net::{IpAddr, Ipv4Addr};

/// Prints each limit and setting that matters: what it is, what it has to be and why, and the line that mends it.
/// Exit codes: 0 everything is enough (there may be warnings), 3 something is too low.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DoctorOptions {
    /// Connections that are wanted.
    #[arg(short, long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) connections: u64,
    /// Address of the server. One on loopback means that this machine holds both ends.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) to: IpAddr,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
