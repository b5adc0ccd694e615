//! What comes from the server and from standard input, one after the other.

use crate::probe::answer::{Answer, HEAD_BYTES_MAX, head_end, shown};
use std::io::{self, BufRead, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Something happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Bytes of the server.
    Bytes(Vec<u8>),
    /// The server's side is over: in order, or by this error.
    Ended(Option<io::Error>),
    /// A line of standard input.
    Line(String),
    /// Standard input is over.
    InputEnded,
    /// Nothing for as long as was waited.
    Nothing,
}

/// Threads that read, each from its source.
#[derive(Debug)]
pub(super) struct Feed {
    events: Receiver<Event>,
    sender: SyncSender<Event>,
}

impl Feed {
    /// Reads from the server from now on.
    pub(super) fn start(mut stream: TcpStream) -> io::Result<Self> {
        // Few at once: whoever does not read makes the server wait, as TCP does.
        let (sender, events) = sync_channel(16);
        // A connection may be silent for as long as it likes.
        stream.set_read_timeout(None)?;
        let server = sender.clone();
        thread::spawn(move || {
            let mut chunk = [0; 64 << 10];
            loop {
                let event = match stream.read(&mut chunk) {
                    Ok(0) => Event::Ended(None),
                    Ok(count) => Event::Bytes(chunk[..count].to_vec()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Event::Ended(Some(error)),
                };
                let over = matches!(event, Event::Ended(_));
                if server.send(event).is_err() || over {
                    return;
                }
            }
        });
        Ok(Self { events, sender })
    }

    /// Reads lines from standard input as well.
    pub(super) fn read_input(&self) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(Event::Line(line)).is_err() {
                    return;
                }
            }
            // Nobody listens any more when the conversation is over.
            let _ = sender.send(Event::InputEnded);
        });
    }

    /// The next event; without a limit, waits until there is one.
    pub(super) fn next(&self, wait_max: Option<Duration>) -> Event {
        let received = match wait_max {
            Some(wait) => self.events.recv_timeout(wait),
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        received.unwrap_or(Event::Nothing)
    }
}

/// Reads the head of the server's answer; what came behind it is returned as well.
///
/// # Errors
/// There was none, in words.
pub(super) fn read_answer(stream: &mut TcpStream, patience: Duration) -> Result<(Answer, Vec<u8>), String> {
    let deadline = Instant::now() + patience;
    let mut buffer = Vec::new();
    loop {
        if let Some(end) = head_end(&buffer) {
            let rest = buffer.split_off(end);
            let answer = Answer::parse(&buffer);
            return answer
                .map(|answer| (answer, rest))
                .map_err(|start| format!("no HTTP: it begins {start}"));
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        let mut chunk = [0; 4096];
        let read = match stream.set_read_timeout(Some(remaining)) {
            Ok(()) if buffer.len() <= HEAD_BYTES_MAX => stream.read(&mut chunk),
            // No time is left, which is no timeout that can be set.
            _ => Err(ErrorKind::TimedOut.into()),
        };
        match read {
            Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) => return Err(format!("it ended the connection{}", after(&buffer))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(format!("there was none within {patience:?}{}", after(&buffer)));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn after(buffer: &[u8]) -> String {
    if buffer.is_empty() { String::new() } else { format!(", after {}", shown(buffer)) }
}
