//! A server of topics for measurements, led by lines on standard input ([`wsring_benches::topics`]).

use clap::Parser;
use std::io;
use wsring_benches::topics::{Options, serve};
use wsring_tests::heap::{Counting, bytes_in_use};

#[global_allocator]
static HEAP: Counting = Counting;

/// Serves topics and does what lines on standard input say, until they end.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> io::Result<()> {
    serve(&Arguments::parse().options, bytes_in_use)
}
