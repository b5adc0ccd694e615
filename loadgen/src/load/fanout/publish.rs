//! Publishing by a schedule: message n is due at `begin + n / rate`, and takes the publisher n modulo how many
//! there are.
//!
//! WebSockets are driven on their shard, to the microsecond. A POST or a command has a thread of its own, which
//! waits for the answer before it goes on: a server that takes longer than the schedule leaves it makes the messages
//! behind late, which the lag of the schedule shows.

use super::stamp::Stamps;
use crate::clock;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wsring::{Again, Conn, ConnectionId, Driver, Handler, Kind, Message, OpenFailure, Sent, Time, Turn};

/// How long a server may take to answer a POST.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What all publishers of a run know.
pub(crate) struct Campaign {
    pub(crate) stamps: Stamps,
    /// With `{payload}` in it.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    pub(crate) begin: Time,
    /// Nanoseconds from one message to the next.
    pub(crate) period: f64,
    /// How many there are.
    pub(crate) count: u32,
    pub(crate) publishers: u32,
    pub(crate) log: Mutex<Log>,
    /// Set when nobody waits for the rest.
    pub(crate) is_over: AtomicBool,
}

/// What was published.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of a message, and when it was given to the engine, the kernel or the command.
    published: Vec<(u32, Time)>,
    /// What could not be published, by the reason.
    failures: BTreeMap<String, u64>,
    /// All of both.
    done: u64,
}

impl Campaign {
    /// When a message is due.
    pub(crate) fn due(&self, number: u32) -> Time {
        Time(self.begin.0 + (f64::from(number) * self.period) as u64)
    }

    fn body(&self, number: u32) -> String {
        self.text.replace("{payload}", &self.stamps.payload(number))
    }

    fn note(&self, number: u32, at: Time, outcome: Result<(), String>) {
        let mut log = lock(&self.log);
        log.done += 1;
        match outcome {
            Ok(()) => log.published.push((number, at)),
            Err(text) => *log.failures.entry(text).or_default() += 1,
        }
    }

    /// Messages that were published, or could not be.
    pub(crate) fn done(&self) -> u64 {
        lock(&self.log).done
    }

    /// Messages that could not be published.
    pub(crate) fn failed(&self) -> u64 {
        lock(&self.log).failures.values().sum()
    }

    /// Why, and how often.
    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        lock(&self.log).failures.clone()
    }

    /// What was published since the last time.
    pub(crate) fn take_published(&self) -> Vec<(u32, Time)> {
        std::mem::take(&mut lock(&self.log).published)
    }

    /// Calls `publish` for every message of one publisher when it is due.
    fn walk(&self, publisher: u32, mut publish: impl FnMut(String) -> Result<(), String>) {
        for number in (publisher..self.count).step_by(self.publishers as usize) {
            let body = self.body(number);
            clock::sleep_until(self.due(number));
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let at = clock::now();
            self.note(number, at, publish(body));
        }
    }
}

/// The publishers' WebSockets as they stand.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    pub(crate) open: Vec<ConnectionId>,
    /// Why one could not be opened.
    pub(crate) failure: Option<String>,
}

/// A publisher's WebSocket: what the server says to it is of no interest.
pub(crate) struct Speaker(pub(crate) Arc<Mutex<Speakers>>);

impl Handler for Speaker {
    fn open(&mut self, conn: &mut Conn<'_>) {
        lock(&self.0).open.push(conn.id());
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn failed(&mut self, failure: &OpenFailure) {
        lock(&self.0).failure = Some(failure.to_string());
    }
}

/// Publishes on WebSockets of one shard.
pub(crate) struct Megaphone {
    pub(crate) campaign: Arc<Campaign>,
    pub(crate) speakers: Vec<ConnectionId>,
    pub(crate) next: u32,
}

impl Driver for Megaphone {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let campaign = &self.campaign;
        while self.next < campaign.count {
            let (number, now) = (self.next, clock::now());
            let due = campaign.due(number);
            if due > now {
                return Again::At(due);
            }
            self.next += 1;
            let speaker = self.speakers[number as usize % self.speakers.len()];
            let body = campaign.body(number);
            let sent = turn.with(speaker, |conn| conn.send_payload(campaign.kind, body.as_bytes()));
            campaign.note(
                number,
                now,
                match sent {
                    Some(Sent::Sent | Sent::Queued { .. }) => Ok(()),
                    Some(Sent::Dropped) => Err("the connection to publish by is closing".into()),
                    None => Err("the connection to publish by is lost".into()),
                },
            );
        }
        Again::Never
    }
}

/// Where POSTs go.
#[derive(Clone, Debug)]
pub(crate) struct HttpTarget {
    host: String,
    address: String,
    path: String,
    headers: Vec<String>,
}

impl HttpTarget {
    /// Of an `http://` URL.
    ///
    /// # Errors
    /// The caller's fault: it is no such URL, or a header has no colon.
    pub(crate) fn new(url: &str, headers: &[String]) -> Result<Self, Failure> {
        let wrong =
            || Failure::Usage(format!("--publish-url {url}: publishing by HTTP needs http://HOST:PORT/PATH"));
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        if host.is_empty() || url.contains(char::is_whitespace) {
            return Err(wrong());
        }
        if let Some(header) =
            headers.iter().find(|header| !header.contains(':') || header.contains(['\r', '\n']))
        {
            return Err(Failure::Usage(format!(
                "--publish-header {header:?} is not of the form NAME: VALUE"
            )));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host: host.to_owned(), address, path: path.to_owned(), headers: headers.to_vec() })
    }

    fn request(&self, body: &str) -> String {
        let headers: String = self.headers.iter().map(|header| format!("{header}\r\n")).collect();
        let (path, host, length) = (&self.path, &self.host, body.len());
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(BufReader::new(stream))
    }
}

/// POSTs what is one publisher's, on one connection for as long as the server keeps it.
pub(crate) fn post(campaign: &Campaign, target: &HttpTarget, publisher: u32) {
    let mut kept: Option<BufReader<TcpStream>> = None;
    campaign.walk(publisher, |body| {
        let request = target.request(&body);
        let answered = match kept.take() {
            Some(stream) => Ok(stream),
            None => target.connect(),
        }
        .and_then(|mut stream| {
            stream.get_mut().write_all(request.as_bytes())?;
            let (status, keeps) = answer(&mut stream)?;
            kept = keeps.then_some(stream);
            Ok(status)
        });
        match answered {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("publishing was answered with {status}")),
            Err(cause) => Err(format!("publishing failed: {cause}")),
        }
    });
}

/// The status of an answer, and whether another request may follow; its body is read over.
fn answer(stream: &mut impl BufRead) -> io::Result<(u16, bool)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.trim().parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: {:?}", line.trim())))?;
    let (mut length, mut keeps) = (None, true);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<u64>().ok();
        }
        keeps &= header != "connection: close";
    }
    if let Some(length) = length {
        io::copy(&mut stream.take(length), &mut io::sink())?;
    }
    // What has no length ends with its connection, or is in pieces that are not worth reading.
    Ok((status, keeps && (length.is_some() || status == 204)))
}

/// Runs a command for each message of one publisher.
pub(crate) fn run(campaign: &Campaign, command: &str, publisher: u32) {
    campaign.walk(publisher, |body| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = shell.spawn().map_err(|cause| format!("the command cannot be run: {cause}"))?;
        if let Some(mut input) = child.stdin.take() {
            // A command may take its message from elsewhere and not read this.
            let _ = input.write_all(body.as_bytes());
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the command ended with {status}")),
            Err(cause) => Err(format!("the command cannot be waited for: {cause}")),
        }
    });
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_end() {
        type Answered = Option<(u16, bool)>;
        let table: [(&str, Answered, &str); 6] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcREST", Some((200, true)), "REST"),
            ("HTTP/1.1 204 No Content\r\n\r\nREST", Some((204, true)), "REST"),
            ("HTTP/1.1 200 OK\r\n\r\nREST", Some((200, false)), "REST"),
            ("HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", Some((403, false)), ""),
            ("220 mail.example ESMTP\r\n\r\n", None, ""),
            ("", None, ""),
        ];
        for (text, expected, rest) in table {
            let mut stream = text.as_bytes();
            let found = answer(&mut stream).ok();
            assert_eq!(found, expected, "{text:?}");
            assert!(found.is_none() || stream == rest.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn targets_of_posts() {
        let target = HttpTarget::new("http://localhost/topics/a", &["X: 1".into()]).expect("it is one");
        assert_eq!(target.address, "localhost:80");
        let request = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX: 1\r\n\r\nhi";
        assert_eq!(target.request("hi"), request);
        assert_eq!(HttpTarget::new("http://localhost:81", &[]).expect("it is one").address, "localhost:81");
        for (url, header) in
            [("https://a/", "X: 1"), ("http:///b", "X: 1"), ("http://a/ b", "X: 1"), ("http://a/", "X")]
        {
            assert!(HttpTarget::new(url, &[header.into()]).is_err(), "{url} {header}");
        }
    }
}
