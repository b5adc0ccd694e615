//! The null server: an echo server that does nothing else.
//!
//! It is the engine's own, whose echo is sent from the buffer that it was received into, with a new header in front
//! and no copy: nothing leaner is at hand, and a server that waits in a system call for each message would itself be
//! the limit. It runs as a process of its own, so that its threads and its memory are not in the generator's account,
//! and ends when the generator does.

use crate::failure::Failure;
use crate::model::Verdict;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use wsring::{Conn, Limits, Message, Server, Settings};

/// Name of the hidden subcommand.
pub(crate) const COMMAND: &str = "null-server";

/// What it reports.
pub(crate) const DESCRIPTION: &str = "the engine's own server with an echo handler, as a process of its own";

/// A running null server; it ends when this goes out of scope.
#[derive(Debug)]
pub(crate) struct NullServer {
    child: Child,
    address: String,
}

impl NullServer {
    /// Starts this program once more, as a server with so many shards; pinned from a core on where one is given.
    ///
    /// # Errors
    /// The environment's fault: it does not start.
    pub(crate) fn start(shards: usize, pin: Option<usize>) -> Result<Self, Failure> {
        let wrong = |cause: String| Failure::NullServer { cause };
        let program = std::env::current_exe().map_err(|cause| wrong(cause.to_string()))?;
        let mut command = Command::new(program);
        command.arg(COMMAND).args(["--shards", &shards.to_string()]);
        if let Some(pin) = pin {
            command.args(["--pin", &pin.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| wrong(cause.to_string()))?;
        let mut address = String::new();
        let output = child.stdout.take().map(BufReader::new);
        let read = output.map(|mut output| output.read_line(&mut address));
        match read {
            Some(Ok(1..)) => Ok(Self { child, address: address.trim().to_owned() }),
            _ => {
                // What it said stands on standard error already.
                let _ = child.wait();
                Err(wrong("it ended at once".into()))
            }
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        // Its standard input ends, and with it the process.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until standard input ends; prints the address first.
///
/// # Errors
/// The engine does not start.
pub(crate) fn serve(shards: usize, pin: Option<usize>) -> Result<Verdict, Failure> {
    let limits = Limits {
        frame_bytes_max: 64 << 20,
        message_bytes_max: 64 << 20,
        held_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let settings = Settings { shards: Some(shards), pin, limits, ping_interval: None, ..Settings::default() };
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(settings)
        .websocket("/{*path}", |upgrade| upgrade.accept(echo))
        .websocket("/", |upgrade| upgrade.accept(echo))
        .start()?;
    println!("{}", running.addresses()[0]);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(Verdict::Met)
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}
