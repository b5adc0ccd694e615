//! How evenly connections come to lie on shards, and what accepting costs: hand-over against
//! SO_REUSEPORT. `cargo run --release -p wsring-benches --bin placement`; the outcome stands in
//! `docs/decisions/0001-placement.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wsring::{Client, Conn, ConnectOptions, Drain, Error, Handler, Message, Placement, Server, Settings};

const SHARDS: usize = 4;
const ROUNDS: usize = 5;
const CONNECTIONS: [usize; 3] = [16, 200, 10_000];

/// Counts the connections that have opened.
struct Counts(Arc<AtomicUsize>);

impl Handler for Counts {
    fn open(&mut self, _conn: &mut Conn<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}
}

fn main() -> Result<(), Error> {
    println!("{SHARDS} shards; medians of {ROUNDS} rounds; client and server in one process");
    println!("placement   connections   fewest   most   spread   connections/s");
    for connections in CONNECTIONS {
        for placement in [Placement::HandOver, Placement::ReusePort] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(round(placement, connections)?);
            }
            rounds.sort_by(|one, other| one.rate.total_cmp(&other.rate));
            let median = &rounds[ROUNDS / 2];
            let fewest = rounds.iter().map(|round| round.fewest).min().unwrap_or(0);
            let most = rounds.iter().map(|round| round.most).max().unwrap_or(0);
            let mean = connections as f64 / SHARDS as f64;
            let spread = (most - fewest) as f64 / mean * 100.0;
            println!(
                "{placement:<11?} {connections:>11}   {fewest:>6}   {most:>4}   {spread:>5.0} %   {:>13.0}",
                median.rate
            );
        }
    }
    Ok(())
}

struct Round {
    fewest: u32,
    most: u32,
    rate: f64,
}

/// Opens the connections as fast as they go and looks where they are.
fn round(placement: Placement, connections: usize) -> Result<Round, Error> {
    let settings = Settings { placement, shards: Some(SHARDS), ..Settings::default() };
    let server = Server::new()
        .listen("127.0.0.1:0")
        .settings(settings)
        .websocket("/", |upgrade| upgrade.accept(|_: &mut Conn<'_>, _: Message<'_>| {}))
        .start()?;
    let address = server.addresses()[0];
    let client = Client::start(Settings { shards: Some(1), ..Settings::default() })?;
    let options = ConnectOptions::new(&format!("ws://{address}/"))?.to(address);
    let opened = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    for _ in 0..connections {
        client.connect(&options, Counts(Arc::clone(&opened)))?;
    }
    while opened.load(Ordering::Relaxed) < connections {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {connections}",
            opened.load(Ordering::Relaxed)
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let rate = connections as f64 / began.elapsed().as_secs_f64();
    let counts = server.connections();
    let at_once = Drain { window: Duration::ZERO, deadline: Duration::from_secs(10) };
    client.stop(at_once)?;
    server.stop(at_once)?;
    let fewest = counts.iter().copied().min().unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(0);
    Ok(Round { fewest, most, rate })
}
