//! The client role for the Autobahn suite: asks its fuzzing server how many cases there are, echoes
//! every message of each, and has the reports written. `echo-client ws://127.0.0.1:PORT`

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use std::{env, process};
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, Drain, Handler, Message, OpenFailure, Settings,
};

const AGENT: &str = "wsring";
/// The slowest cases take some 10 s each way; a case without end is a failure.
const CASE_SECONDS_MAX: u64 = 120;

type Failure = Box<dyn std::error::Error>;

fn main() {
    let Some(url) = env::args().nth(1) else {
        eprintln!("usage: echo-client ws://HOST:PORT");
        process::exit(2);
    };
    if let Err(fault) = run(url.trim_end_matches('/')) {
        eprintln!("{fault}");
        process::exit(1);
    }
}

fn run(url: &str) -> Result<(), Failure> {
    let client = Client::start(Settings { shards: Some(1), ..Settings::default() })?;
    let count: usize = visit(&client, &format!("{url}/getCaseCount"), false)?.trim().parse()?;
    for case in 1..=count {
        visit(&client, &format!("{url}/runCase?case={case}&agent={AGENT}"), true)?;
    }
    visit(&client, &format!("{url}/updateReports?agent={AGENT}"), false)?;
    client.stop(Drain { window: Duration::ZERO, deadline: Duration::from_secs(1) })?;
    Ok(())
}

/// Opens a connection and waits for its end; the answer is the text message that came last.
fn visit(client: &Client, url: &str, echo: bool) -> Result<String, Failure> {
    let (ended, end): (Sender<_>, Receiver<Result<String, String>>) = channel();
    client.connect(&ConnectOptions::new(url)?, Visit { echo, last: String::new(), ended })?;
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
