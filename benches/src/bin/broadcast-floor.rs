//! The ceiling of the many-to-many load: a bare ring that gathers the messages of all clients and sends
//! each client all of them from one block ([`wsring_benches::fan`]).

use clap::Parser;
use std::io;
use wsring_benches::fan::{Delivery, Options, Receivers, serve};

/// A bare ring that broadcasts whole rounds: the most that `broadcast-load --raw` can see.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Clients: so many messages are a round
    #[arg(long)]
    clients: usize,
}

fn main() -> io::Result<()> {
    let Arguments { options, clients } = Arguments::parse();
    serve("broadcast-floor", &options, clients.max(1), Receivers::All, Delivery::AsItIs)
}
