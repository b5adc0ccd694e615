//! The many-to-many load: N clients on one path, each sends one message, each must get all N of the
//! round, its own included; the next round begins when all have ([`wsring_benches::rounds`]).
//!
//! A delivery is one message at one client: N times N in a round. `broadcast-floor` tells how many this
//! client can take (`--raw`).

use clap::Parser;
use std::io;
use wsring_benches::driven::{self, drive};
use wsring_benches::proc;
use wsring_benches::rounds::{Content, Rounds, Senders, Target, Tuning, report};

/// N clients broadcast to N.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: driven::Options,
    #[command(flatten)]
    tuning: Tuning,
    /// Path of the opening handshake
    #[arg(long, default_value = "/")]
    path: String,
    /// Clients, each of which sends and receives
    #[arg(long, visible_alias = "connections", default_value_t = 100)]
    clients: u32,
    /// Bytes of a message, at least 20
    #[arg(long, default_value_t = 20)]
    payload: usize,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> io::Result<()> {
    let Arguments { common, tuning, path, clients, payload, json } = Arguments::parse();
    if let Some(core) = common.core {
        proc::pin(core)?;
    }
    let target = Target {
        port: common.port,
        path,
        senders: Senders::Receivers,
        burst: 1,
        receivers: clients,
        content: Content::Letters,
        payload,
        first: common.opcode.first(),
        verify: common.verify,
        raw: common.raw,
        deflate: false,
        tuning,
    };
    match drive(Rounds::connect(&target)?, common)? {
        Some(window) => report(&window, &target, json),
        None => Ok(()),
    }
}
