//! The client role for the Autobahn suite: asks its fuzzing server how many cases there are, echoes
//! every message of each, and has the reports written. `echo-client ws://127.0.0.1:PORT`

use clap::Parser;
use std::process;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, DeflateOptions, Drain, Handler, Message, OpenFailure,
    Settings,
};

const AGENT: &str = "wsring";
/// The suite ends its slowest cases after 120 s itself; a case without end is a failure.
const CASE_SECONDS_MAX: u64 = 300;

type Failure = Box<dyn std::error::Error>;

/// The client that the suite's fuzzing server is let loose on.
#[derive(Parser)]
struct Arguments {
    /// The fuzzing server, ws://HOST:PORT.
    url: String,
    /// Does not offer compression.
    #[arg(long)]
    no_deflate: bool,
    /// Asks the server not to refer to earlier messages, and promises the same.
    #[arg(long)]
    no_takeover: bool,
    /// The largest windows, 8 to 15.
    #[arg(long, default_value_t = 15)]
    window_bits: u8,
    /// Shorter messages go out as they are.
    #[arg(long, default_value_t = 0)]
    bytes_min: usize,
}

impl Arguments {
    fn deflate(&self) -> Option<DeflateOptions> {
        (!self.no_deflate).then(|| DeflateOptions {
            server_takeover: !self.no_takeover,
            client_takeover: !self.no_takeover,
            server_window_bits: self.window_bits,
            client_window_bits: self.window_bits,
            bytes_min: self.bytes_min,
            ..DeflateOptions::default()
        })
    }
}

fn main() {
    let arguments = Arguments::parse();
    if let Err(fault) = run(arguments.url.trim_end_matches('/'), arguments.deflate()) {
        eprintln!("{fault}");
        process::exit(1);
    }
}

fn run(url: &str, deflate: Option<DeflateOptions>) -> Result<(), Failure> {
    let client = Client::start(Settings { shards: Some(1), ..Settings::default() })?;
    let count: usize = visit(&client, &format!("{url}/getCaseCount"), None, false)?.trim().parse()?;
    for case in 1..=count {
        visit(&client, &format!("{url}/runCase?case={case}&agent={AGENT}"), deflate, true)?;
    }
    visit(&client, &format!("{url}/updateReports?agent={AGENT}"), None, false)?;
    client.stop(Drain { window: Duration::ZERO, deadline: Duration::from_secs(1) })?;
    Ok(())
}

/// Opens a connection and waits for its end; the answer is the text message that came last.
fn visit(client: &Client, url: &str, deflate: Option<DeflateOptions>, echo: bool) -> Result<String, Failure> {
    let (ended, end): (Sender<_>, Receiver<Result<String, String>>) = channel();
    let mut options = ConnectOptions::new(url)?;
    if let Some(deflate) = deflate {
        options = options.deflate(deflate);
    }
    client.connect(&options, Visit { echo, last: String::new(), ended })?;
    let outcome = end.recv_timeout(Duration::from_secs(CASE_SECONDS_MAX));
    Ok(outcome
        .map_err(|_| format!("{url}: no end after {CASE_SECONDS_MAX} s"))?
        .map_err(|why| format!("{url}: {why}"))?)
}

/// One connection to the fuzzing server.
struct Visit {
    echo: bool,
    last: String,
    ended: Sender<Result<String, String>>,
}

impl Handler for Visit {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if self.echo {
            let _ = conn.send(message);
        } else {
            self.last = String::from_utf8_lossy(message.payload()).into_owned();
        }
    }

    fn failed(&mut self, failure: &OpenFailure) {
        let _ = self.ended.send(Err(failure.to_string()));
    }

    fn close(&mut self, _: ConnectionId, _: &Closed<'_>) {
        let _ = self.ended.send(Ok(std::mem::take(&mut self.last)));
    }
}
