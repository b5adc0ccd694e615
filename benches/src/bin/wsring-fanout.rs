//! The engine in the fan-out scenario: what comes on `/publish` goes to everybody on `/subscribe`.

use clap::Parser;
use wsring::{Conn, Handler, Message, Server, Settings, Topic};

/// One topic, published to over one path and subscribed to over another.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Core of the first shard
    #[arg(long)]
    core: Option<usize>,
    /// Shards, each on a core of its own
    #[arg(long, default_value_t = 1)]
    shards: usize,
}

struct Subscriber(Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}
}

fn main() -> Result<(), wsring::Error> {
    let arguments = Arguments::parse();
    let settings = Settings { shards: Some(arguments.shards), pin: arguments.core, ..Settings::default() };
    let server = Server::new().listen(format!("127.0.0.1:{}", arguments.port)).settings(settings);
    let topic = server.topic("bench")?;
    let subscribed = topic.clone();
    let running = server
        .websocket("/subscribe", move |upgrade| upgrade.accept(Subscriber(subscribed.clone())))
        .websocket("/publish", move |upgrade| {
            let topic = topic.clone();
            upgrade.accept(move |conn: &mut Conn<'_>, message: Message<'_>| {
                let _ = conn.publish(&topic, message.kind(), message.payload());
            })
        })
        .start()?;
    println!("wsring-fanout listening on {}", running.addresses()[0]);
    running.join().map(drop)
}
