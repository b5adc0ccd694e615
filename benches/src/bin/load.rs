//! A lean closed-loop client on one thread: every connection has one message on its way.
//!
//! Each message is masked with a key of its own, as RFC 6455 section 5.3 wants, and every echo is
//! checked for opcode and length; with `--verify` for its content, which then differs from message to
//! message. The figures go to standard output as one line of JSON; `compare` leads it by lines on
//! standard input ([`wsring_benches::driven`]).

use clap::Parser;
use std::io;
use wsring_benches::client::{ClosedLoop, Target};
use wsring_benches::driven::{self, drive, say};
use wsring_benches::proc;

/// A closed-loop echo client on one thread.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: driven::Options,
    /// Path of the opening handshake
    #[arg(long, default_value = "/")]
    path: String,
    /// Connections, one message on its way on each
    #[arg(long, default_value_t = 200)]
    connections: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 20)]
    payload: usize,
}

fn main() -> io::Result<()> {
    let Arguments { common, path, connections, payload } = Arguments::parse();
    if let Some(core) = common.core {
        proc::pin(core)?;
    }
    let target = Target {
        port: common.port,
        path,
        connections,
        payload,
        first: common.opcode.first(),
        verify: common.verify,
        raw: common.raw,
    };
    match drive(ClosedLoop::connect(target)?, common)? {
        Some(window) => say(&serde_json::to_string(&window)?),
        None => Ok(()),
    }
}
