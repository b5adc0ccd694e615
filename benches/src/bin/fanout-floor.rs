//! The limit of fan-out: a bare ring that sends each message to every connection that never sent one,
//! in one enter ([`wsring_benches::fan`]).

use clap::Parser;
use std::io;
use wsring_benches::fan::{Options, Receivers, serve};

/// A bare ring that passes each message on to all: the least that a delivery can cost.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> io::Result<()> {
    serve("fanout-floor", &Arguments::parse().options, 1, Receivers::Silent)
}
