//! The server that independent clients and a browser are let loose on: an echo, and routes that
//! close, reject, decide late and tell what was agreed.
//!
//! It prints the address that it listens on and serves until it is killed.

use clap::Parser;
use std::time::Duration;
use std::{process, thread};
use wsring::{Answer, CloseCode, Conn, Error, Handler, Message, Response, Server, Settings, Upgrade};

/// The subprotocols that every route knows, the preferred one first.
const SUBPROTOCOLS: [&str; 2] = ["echo", "wsring.test"];
const CLOSE_REASON: &str = "closed by the server";
const SLOW_ACCEPT: Duration = Duration::from_millis(200);

/// A server for the tests with independent clients.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Threads to serve with.
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// After this long without a byte from a peer it is sent a Ping.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    ping_interval: u64,
    /// How long after a Ping a silent peer is kept.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    pong_timeout: u64,
}

fn main() {
    if let Err(fault) = serve(&Options::parse()) {
        eprintln!("{fault}");
        process::exit(1);
    }
}

fn serve(options: &Options) -> Result<(), Error> {
    let settings = Settings {
        shards: Some(options.shards),
        ping_interval: Some(Duration::from_millis(options.ping_interval)),
        pong_timeout: Duration::from_millis(options.pong_timeout),
        ..Settings::default()
    };
    let running = Server::new()
        .listen(options.listen.as_str())
        .settings(settings)
        .websocket("/echo", |upgrade| upgrade.subprotocol(&SUBPROTOCOLS).accept(echo))
        .websocket("/close/{code}", close)
        .websocket("/protocol", protocol)
        .websocket("/slow-accept", slow_accept)
        .websocket("/reject", |upgrade| upgrade.reject(unauthorized()))
        .get("/healthz", |_| Response::text(200, "ok\n"))
        .start()?;
    println!("listening on {}", running.addresses()[0]);
    running.join().map(drop)
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

/// Closes at once, with the code of the path.
fn close(upgrade: Upgrade<'_>) -> Answer {
    let code = upgrade.param("code").and_then(|code| code.parse().ok()).and_then(CloseCode::new);
    match code {
        Some(code) => upgrade.accept(CloseAtOnce(code)),
        None => upgrade.reject(Response::text(400, "no code that may be sent\n")),
    }
}

struct CloseAtOnce(CloseCode);

impl Handler for CloseAtOnce {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.close(self.0, CLOSE_REASON);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// Sends the chosen subprotocol as its first message, then echoes.
fn protocol(upgrade: Upgrade<'_>) -> Answer {
    let upgrade = upgrade.subprotocol(&SUBPROTOCOLS);
    let chosen = upgrade.chosen_subprotocol().unwrap_or_default().to_owned();
    upgrade.accept(Greeting(chosen))
}

struct Greeting(String);

impl Handler for Greeting {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let _ = conn.send_text(&self.0);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        echo(conn, message);
    }
}

/// Accepts after a while, from another thread.
fn slow_accept(upgrade: Upgrade<'_>) -> Answer {
    let (answer, deferred) = upgrade.defer();
    thread::spawn(move || {
        thread::sleep(SLOW_ACCEPT);
        deferred.accept(echo);
    });
    answer
}

fn unauthorized() -> Response {
    Response::text(401, "not without a token\n")
        .header("WWW-Authenticate", "Bearer")
        .expect("the header is well-formed")
}
