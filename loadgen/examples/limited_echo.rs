//! An echo server that answers so many messages a second and no more, to try `wsload capacity` on:
//! `cargo run --release -p wsload --example limited_echo -- --rate 20000`.

#[path = "../tests/support/limited.rs"]
mod limited;

use clap::Parser;

/// Answers so many messages a second and no more, on one thread.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:9002")]
    listen: String,
    /// Messages answered per second.
    #[arg(long, default_value_t = 20_000.0)]
    rate: f64,
}

fn main() {
    let arguments = Arguments::parse();
    let (_running, address) = limited::serve(&arguments.listen, arguments.rate);
    println!("{address} answers {} messages per second", arguments.rate);
    loop {
        std::thread::park();
    }
}
