//! One publisher and N subscribers: the publisher sends one message (or a burst), each subscriber must get
//! it, and the next follows when all have ([`wsring_benches::rounds`]), so that a server has one message in each
//! of its turns.
//!
//! A delivery is one message at one subscriber. The publisher has a connection and a path of its own; to
//! `fanout-floor` (`--raw`) it is who sends.

use clap::Parser;
use std::io;
use wsring_benches::driven::{self, drive};
use wsring_benches::proc;
use wsring_benches::rounds::{Content, Rounds, Senders, Target, Tuning, report};

/// One publishes to N.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: driven::Options,
    #[command(flatten)]
    tuning: Tuning,
    /// Path of the subscribers' opening handshake
    #[arg(long, default_value = "/topics/bench")]
    path: String,
    /// Path of the publisher's opening handshake
    #[arg(long, default_value = "/publish")]
    publish_path: String,
    /// Subscribers
    #[arg(long, visible_alias = "connections", default_value_t = 1000)]
    subscribers: u32,
    /// Messages that the publisher sends at once; the next follow when all subscribers have all of them
    #[arg(long, default_value_t = 1)]
    burst: usize,
    /// What stands in a message
    #[arg(long, value_enum, default_value_t = Content::Letters)]
    content: Content,
    /// Subscribers offer compression, and have to get every message compressed
    #[arg(long)]
    deflate: bool,
    /// Bytes of a message, at least 20; in JSON 80
    #[arg(long, default_value_t = 100)]
    payload: usize,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> io::Result<()> {
    let Arguments { common, tuning, path, publish_path, subscribers, burst, content, deflate, payload, json } =
        Arguments::parse();
    if let Some(core) = common.core {
        proc::pin(core)?;
    }
    let target = Target {
        port: common.port,
        path,
        senders: Senders::Publisher { path: publish_path },
        burst,
        receivers: subscribers,
        content,
        payload,
        first: common.opcode.first(),
        verify: common.verify,
        raw: common.raw,
        deflate,
        tuning,
    };
    match drive(Rounds::connect(&target)?, common)? {
        Some(window) => report(&window, &target, json),
        None => Ok(()),
    }
}
