//! The engine in the fan-out scenario: what comes on `/publish` goes to everybody on `/subscribe`.

use clap::Parser;
use std::cell::RefCell;
use wsring::{
    Closed, Conn, ConnectionId, DeflateOptions, Handler, Message, Remote, Server, Settings, SharedDeflate,
    Topic,
};

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
    /// Compress for those who offer it
    #[arg(long)]
    deflate: bool,
    /// Without topics: send to each subscriber, so that a message is deflated for each; with one shard
    #[arg(long, requires = "deflate", conflicts_with = "shards")]
    each: bool,
}

struct Subscriber(Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}
}

thread_local! {
    /// The one shard's subscribers, when there are no topics.
    static LISTENERS: RefCell<Vec<Remote>> = const { RefCell::new(Vec::new()) };
}

/// A subscriber without topics.
struct Listener;

impl Handler for Listener {
    fn open(&mut self, conn: &mut Conn<'_>) {
        LISTENERS.with_borrow_mut(|all| all.push(conn.remote()));
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}

    fn close(&mut self, id: ConnectionId, _closed: &Closed<'_>) {
        LISTENERS.with_borrow_mut(|all| all.retain(|remote| remote.id() != id));
    }
}

fn send_to_each(message: &Message<'_>) {
    LISTENERS.with_borrow(|all| match message.text() {
        Some(text) => all.iter().for_each(|remote| remote.send_text(text)),
        None => all.iter().for_each(|remote| remote.send_binary(message.payload().to_vec())),
    });
}

fn main() -> Result<(), wsring::Error> {
    let Arguments { port, core, shards, deflate, each } = Arguments::parse();
    let settings = Settings { shards: Some(shards), pin: core, ..Settings::default() };
    let mut server = Server::new().listen(format!("127.0.0.1:{port}")).settings(settings);
    if deflate {
        server = server
            .deflate(DeflateOptions { level: SharedDeflate::default().level, ..DeflateOptions::default() });
    }
    let topic = server.topic("bench")?;
    let subscribed = topic.clone();
    let server = server.websocket("/subscribe", move |upgrade| match each {
        true => upgrade.accept(Listener),
        false => upgrade.accept(Subscriber(subscribed.clone())),
    });
    let server = server.websocket("/publish", move |upgrade| {
        let topic = topic.clone();
        upgrade.accept(move |conn: &mut Conn<'_>, message: Message<'_>| match each {
            true => send_to_each(&message),
            false => drop(conn.publish(&topic, message.kind(), message.payload())),
        })
    });
    let running = server.start()?;
    println!("wsring-fanout listening on {}", running.addresses()[0]);
    running.join().map(drop)
}
