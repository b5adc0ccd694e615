//! Sends every message to every connection, its sender included, on every path:
//! `cargo run --release --example broadcast -- --listen 127.0.0.1:9001`.

use clap::Parser;
use wsring::{Conn, Handler, Message, Server, Settings, Topic};

/// Sends every message to every connection.
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
}

struct Member {
    everybody: Topic,
}

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.everybody);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish(&self.everybody, message.kind(), message.payload());
    }
}

fn main() -> Result<(), wsring::Error> {
    let arguments = Arguments::parse();
    let settings = Settings { shards: arguments.shards, pin: arguments.pin, ..Settings::default() };
    let server = Server::new().listen(arguments.listen).settings(settings);
    let everybody = server.topic("everybody")?;
    server.websocket("/{*path}", move |upgrade| upgrade.accept(Member { everybody: everybody.clone() })).run()
}
