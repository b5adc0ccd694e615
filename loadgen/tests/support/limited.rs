//! An echo server with a known limit: one thread, and a token bucket in front of its answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wsring::{Conn, Message, Running, Server, Settings};

/// So long tokens are saved up. Less, and a server that has to wait for a core loses some, so that its limit is lower
/// than what it was asked for; more, and a load beyond the limit is answered in time for the length of a trial.
const SAVED: Duration = Duration::from_millis(20);

/// Tokens come at a rate, and each answer takes one.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Seconds between two tokens.
    interval: f64,
    start: Instant,
    /// When the next token comes, in seconds since the start: a number, so that no interval is rounded.
    next: f64,
}

impl Bucket {
    /// A bucket of `rate` tokens a second.
    pub(crate) fn new(rate: f64) -> Self {
        Self { interval: 1.0 / rate, start: Instant::now(), next: 0.0 }
    }

    /// Takes a token; says how long it takes to come.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let now = now.duration_since(self.start).as_secs_f64();
        let due = self.next.max(now - SAVED.as_secs_f64());
        self.next = due + self.interval;
        Duration::from_secs_f64((due - now).max(0.0))
    }
}

/// Serves on every path, answering `rate` messages a second and no more; what comes faster waits.
///
/// # Panics
/// When it cannot listen there.
pub(crate) fn serve(listen: &str, rate: f64) -> (Running, SocketAddr) {
    let bucket = Arc::new(Mutex::new(Bucket::new(rate)));
    let running = Server::new()
        .listen(listen)
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/{*path}", move |upgrade| {
            let bucket = Arc::clone(&bucket);
            upgrade.accept(move |conn: &mut Conn<'_>, message: Message<'_>| {
                let wait = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
                // The one thread works on this message and on nothing else meanwhile.
                std::thread::sleep(wait);
                let _ = conn.send(message);
            })
        })
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}
