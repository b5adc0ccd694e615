//! Sends every message back, on every path: `cargo run --release --example echo -- --listen 127.0.0.1:9001`.

use clap::Parser;
use wsring::{Conn, DeflateOptions, Message, Server, Settings};

/// Sends every message back.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: String,
    /// Shards; one per core when not given.
    #[arg(long)]
    shards: Option<usize>,
    /// Core of the first shard.
    #[arg(long)]
    pin: Option<usize>,
    /// Compresses messages with clients that offer permessage-deflate.
    #[arg(long)]
    deflate: bool,
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

fn main() {
    let arguments = Arguments::parse();
    let settings = Settings { shards: arguments.shards, pin: arguments.pin, ..Settings::default() };
    let mut server = Server::new()
        .listen(arguments.listen)
        .settings(settings)
        .websocket("/{*path}", |upgrade| upgrade.accept(echo));
    if arguments.deflate {
        server = server.deflate(DeflateOptions::default());
    }
    if let Err(error) = server.run() {
        eprintln!("echo: {error}");
        std::process::exit(1);
    }
}
