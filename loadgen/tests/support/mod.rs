//! What tests of the whole program share: how it is called, and servers that follow a script.

#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod raw;

use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use wsring::{Conn, Handler, Kind, Message, Remote, Running, Server, Settings};

/// Calls `wsload` with the words of `line`.
pub(crate) fn wsload(line: &str) -> Output {
    let words = line.split_whitespace();
    Command::new(env!("CARGO_BIN_EXE_wsload")).args(words).output().expect("wsload runs")
}

/// Calls `wsload` and reads its report; what it printed stands beside it.
pub(crate) fn report(line: &str, code: i32) -> (Value, String) {
    let path = report_path();
    let output = wsload(&format!("{line} --json {}", path.display()));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "wsload {line}\n{out}{err}");
    let text = std::fs::read_to_string(&path).expect("the report was written");
    std::fs::remove_file(&path).expect("the report can be removed");
    (serde_json::from_str(&text).expect("it is JSON"), format!("{out}{err}"))
}

pub(crate) fn count(report: &Value, name: &str) -> u64 {
    report["counts"][name].as_u64().unwrap_or(0)
}

/// Samples of a latency.
pub(crate) fn samples(report: &Value, name: &str) -> u64 {
    let latencies = report["latencies"].as_array().expect("latencies");
    let found = latencies.iter().find(|latency| latency["name"] == name);
    found.and_then(|latency| latency["count"].as_u64()).unwrap_or(0)
}

pub(crate) fn section<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sections = report["sections"].as_array().expect("sections");
    sections.iter().find(|section| section["name"] == name).unwrap_or(&Value::Null)
}

/// A file of a test's own.
pub(crate) fn report_path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{}-{number}.json", std::process::id()))
}

/// When a message that has just arrived is answered, and with what.
pub(crate) type Script = fn(&Arrived, &mut Vec<Answer>);

/// A message on its way to its answer.
pub(crate) struct Arrived {
    /// On its connection, from 0.
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
    pub(crate) at: Instant,
    /// When the server was started.
    pub(crate) started: Instant,
    from: Remote,
}

/// What goes back.
pub(crate) struct Answer {
    pub(crate) at: Instant,
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
}

impl Arrived {
    /// The echo, at some time.
    pub(crate) fn echo(&self, at: Instant) -> Answer {
        Answer { at, kind: self.kind, payload: self.payload.clone() }
    }
}

/// Numbers the messages of a connection and hands them to the script.
struct Counts {
    to: Sender<Arrived>,
    started: Instant,
    count: u32,
}

impl Handler for Counts {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let (kind, payload) = (message.kind(), message.payload().to_vec());
        let (number, at, started, from) = (self.count, Instant::now(), self.started, conn.remote());
        self.count += 1;
        let _ = self.to.send(Arrived { number, kind, payload, at, started, from });
    }
}

/// A server that answers as a script says. A thread of its own sends what is due, in the order in which that is
/// due, to within some tens of microseconds.
pub(crate) fn scripted(script: Script) -> (Running, SocketAddr) {
    let (to, arrived) = channel();
    let started = Instant::now();
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/", move |upgrade| upgrade.accept(Counts { to: to.clone(), started, count: 0 }))
        .start()
        .expect("the server starts");
    thread::spawn(move || answer(&arrived, script));
    let address = running.addresses()[0];
    (running, address)
}

fn answer(arrived: &Receiver<Arrived>, script: Script) {
    let mut waiting: Vec<(Answer, Remote)> = Vec::new();
    let mut answers = Vec::new();
    loop {
        // The last of them is due first.
        let due = waiting.last().map(|(answer, _)| answer.at);
        let left = due.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(Instant::now()));
        match arrived.recv_timeout(left) {
            Ok(message) => {
                script(&message, &mut answers);
                for answer in answers.drain(..) {
                    let place = waiting.partition_point(|(other, _)| other.at > answer.at);
                    waiting.insert(place, (answer, message.from.clone()));
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while let Some((answer, to)) = waiting.pop_if(|(answer, _)| answer.at <= now) {
            match answer.kind {
                Kind::Text => to.send_text(String::from_utf8_lossy(&answer.payload)),
                Kind::Binary => to.send_binary(answer.payload),
            }
        }
    }
}
