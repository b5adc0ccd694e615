//! The limit of fan-out: a bare ring that sends each message to every connection that never sent one,
//! in one enter ([`wsring_benches::fan`]).

use clap::Parser;
use std::io;
use wsring_benches::fan::{Delivery, Options, Receivers, serve};

/// A bare ring that passes each message on to all: the least that a delivery can cost.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Deflate each message for each receiver anew
    #[arg(long)]
    deflate_each: bool,
}

fn main() -> io::Result<()> {
    let Arguments { options, deflate_each } = Arguments::parse();
    let delivery = if deflate_each { Delivery::DeflatedForEach } else { Delivery::AsItIs };
    serve("fanout-floor", &options, 1, Receivers::Silent, delivery)
}
