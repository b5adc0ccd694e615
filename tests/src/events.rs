//! A blocking client of event streams (HTML Living Standard, section 9.2).

use crate::PATIENCE;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

/// A client of an event stream.
#[derive(Debug)]
pub struct Stream(BufReader<TcpStream>);

/// What a browser would make an event of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What to resume with.
    pub id: String,
    /// Empty for messages.
    pub name: String,
    /// Its lines, joined.
    pub data: String,
}

/// Every failure here is the failure of a test.
impl Stream {
    /// Asks for events and gets a stream.
    pub fn open(address: SocketAddr, path: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{more}\r\n");
        stream.write_all(head.as_bytes()).expect("the server reads");
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line of the head");
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_ascii_lowercase());
        }
        assert_eq!(lines[0], "http/1.1 200 ok");
        for expected in ["content-type: text/event-stream", "cache-control: no-store"] {
            assert!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:?}");
        }
        Self(reader)
    }

    /// The next event; `None` at the end of the stream, a reset included.
    pub fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let mut data = Vec::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::ConnectionReset => return None,
                Err(cause) => panic!("nothing arrived in time: {cause}"),
            }
            let line = line.trim_end_matches('\n');
            if line.is_empty() && !data.is_empty() {
                event.data = data.join("\n");
                return Some(event);
            }
            match line.split_once(": ").unwrap_or((line, "")) {
                ("id", id) => event.id = id.to_owned(),
                ("event", name) => event.name = name.to_owned(),
                ("data" | "data:", line) => data.push(line.to_owned()),
                _ => {}
            }
        }
    }
}
