//! The server that independent clients and a browser are let loose on: an echo, one that compresses in
//! every way that there is, and routes that close, reject, decide late and tell what was agreed.
//!
//! It prints the address that it listens on and serves until it is killed.

use clap::Parser;
use std::time::Duration;
use std::{process, thread};
use wsring::{
    Answer, CloseCode, Conn, DeflateOptions, Error, Handler, Message, Response, Server, Settings, Upgrade,
};

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
        .websocket("/deflate", deflate)
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

/// Echoes with compression as the query has it; what it does not have is as permissive as can be:
/// `?takeover=both|server|client|none&server_bits=8..15&client_bits=8..15&level=1..9&bytes_min=0`.
fn deflate(upgrade: Upgrade<'_>) -> Answer {
    let upgrade = upgrade.subprotocol(&SUBPROTOCOLS);
    match deflate_options(&upgrade) {
        Some(options) => upgrade.deflate(options).accept(echo),
        None => upgrade.reject(Response::text(400, "no such way to compress\n")),
    }
}

fn deflate_options(upgrade: &Upgrade<'_>) -> Option<DeflateOptions> {
    let request = upgrade.request();
    let number = |name: &str, otherwise: usize| {
        request.query_value(name).map_or(Some(otherwise), |value| value.parse().ok())
    };
    let small = |name: &str, otherwise: usize| number(name, otherwise)?.try_into().ok();
    let takeover = request.query_value("takeover");
    let (server_takeover, client_takeover) = match takeover.as_deref().unwrap_or("both") {
        "both" => (true, true),
        "server" => (true, false),
        "client" => (false, true),
        "none" => (false, false),
        _ => return None,
    };
    let options = DeflateOptions {
        server_takeover,
        client_takeover,
        server_window_bits: small("server_bits", 15)?,
        client_window_bits: small("client_bits", 15)?,
        level: small("level", 6)?,
        bytes_min: number("bytes_min", 0)?,
    };
    options.check().is_ok().then_some(options)
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
