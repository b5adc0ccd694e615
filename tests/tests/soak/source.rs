//! Topics and their sources: each numbers its messages, and publishes them by every route in turn.

use super::message::{data, number};
use super::random::Random;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wsring_tests::Peer;
use wsring_tests::wire::{PING, PONG, TEXT, message};

/// Levels in the names of topics, after the policies that hold for them.
pub(crate) const POLICIES: [&str; 3] = ["skip", "latest", "close"];

/// How the server treats topics: some keep little, so that whoever stalls misses some, and one a lot. All
/// expire, so that there is an end.
const RULES: &str = r#"
[topics]
retention_age = "2s"

[[topics.rules]]
pattern = "soak/latest/+"
behind = "latest"
retention_bytes = "64KiB"

[[topics.rules]]
pattern = "soak/close/+"
behind = "close"
retention_bytes = "256KiB"

[[topics.rules]]
pattern = "soak/skip/+"
behind = "skip"
retention_bytes = "128KiB"
"#;

/// The configuration of the server, in a file; gone after it.
pub(crate) struct Rules(PathBuf);

impl Rules {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("wsring-soak-{}.toml", std::process::id()));
        std::fs::write(&path, RULES).unwrap();
        Self(path)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One topic in its only life.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) epoch: u64,
}

impl Topic {
    /// Whether who is too slow for it is closed.
    pub(crate) fn closes(&self) -> bool {
        self.name.starts_with("soak/close/")
    }
}

/// A thread that publishes 0, 1, 2 and so on to a topic, each at the offset of its number.
pub(crate) struct Source {
    topic: Topic,
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Source {
    /// Returns when the topic has its first message.
    pub(crate) fn start(address: SocketAddr, name: String, mut random: Random) -> Self {
        let first = post(address, &format!("/topics/{name}"), data(0, 1).as_bytes());
        assert_eq!(first["offset"], 0, "{name}: {first}");
        let topic = Topic { name, epoch: first["epoch"].as_u64().unwrap() };
        let over = Arc::new(AtomicBool::new(false));
        let (stop, own) = (Arc::clone(&over), topic.clone());
        let thread = std::thread::spawn(move || {
            let mut next = 1;
            while !stop.load(Ordering::Acquire) {
                let count = 1 + random.below(20) as u64;
                match random.below(4) {
                    0 => by_command(address, &own, next, count, &mut random),
                    1 => by_socket(address, &own, next, count, &mut random),
                    2 => by_post(address, &own, next, count, &mut random),
                    _ => by_batch(address, &own, next, count, &mut random),
                }
                next += count;
            }
            next
        });
        Self { topic, over, thread }
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// How many it has published.
    pub(crate) fn stop(self) -> u64 {
        self.over.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn pause(random: &mut Random) {
    std::thread::sleep(Duration::from_micros(random.below(6000) as u64));
}

/// Mostly short; sometimes so long that the sockets of those who do not read fill up.
fn filling(random: &mut Random) -> usize {
    1 + match random.below(8) {
        0 => random.below(60_000),
        1 | 2 => random.below(12_000),
        _ => random.below(200),
    }
}

/// Over `/ws`, answered with the offset.
fn by_command(address: SocketAddr, topic: &Topic, first: u64, count: u64, random: &mut Random) {
    let mut peer = Peer::open(address, "/ws");
    for number in first..first + count {
        let (name, data) = (&topic.name, data(number, filling(random)));
        peer.send_text(&format!(r#"{{"id":{number},"command":"publish","topic":"{name}","data":{data}}}"#));
        let answer: Value = serde_json::from_str(&peer.text()).unwrap();
        assert_eq!(
            (&answer["id"], &answer["ok"]["offset"]),
            (&json!(number), &json!(number)),
            "{name}: {answer}"
        );
        pause(random);
    }
    peer.close();
}

/// Over `/topics/{name}`, which gives it back to whoever publishes.
fn by_socket(address: SocketAddr, topic: &Topic, first: u64, count: u64, random: &mut Random) {
    let mut peer = Peer::open(address, &format!("/topics/{}", topic.name));
    for published in first..first + count {
        peer.send_text(&data(published, filling(random)));
        let back = loop {
            let frame = peer.frame();
            match frame.opcode {
                PING => peer.send(&message(PONG, &frame.payload)),
                opcode => break (opcode, frame.payload),
            }
        };
        assert_eq!(
            (back.0, number(std::str::from_utf8(&back.1).unwrap())),
            (TEXT, published),
            "{}",
            topic.name
        );
        pause(random);
    }
    // Without a Close: the server has to find out.
    drop(peer);
}

/// By a request for each.
fn by_post(address: SocketAddr, topic: &Topic, first: u64, count: u64, random: &mut Random) {
    for number in first..first + count {
        let body = data(number, filling(random));
        let answer = post(address, &format!("/topics/{}", topic.name), body.as_bytes());
        assert_eq!(
            (&answer["offset"], &answer["epoch"]),
            (&json!(number), &json!(topic.epoch)),
            "{}",
            topic.name
        );
        pause(random);
    }
}

/// All at once.
fn by_batch(address: SocketAddr, topic: &Topic, first: u64, count: u64, random: &mut Random) {
    let entry = |number| format!(r#"{{"topic":"{}","data":{}}}"#, topic.name, data(number, filling(random)));
    let entries: Vec<String> = (first..first + count).map(entry).collect();
    let answers = post(address, "/publish", format!("[{}]", entries.join(",")).as_bytes());
    let offsets: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["offset"]).collect();
    let expected: Vec<Value> = (first..first + count).map(Value::from).collect();
    assert_eq!(offsets, expected.iter().collect::<Vec<_>>(), "{}", topic.name);
    (0..count).for_each(|_| pause(random));
}

/// The answer to a POST, which has to succeed.
fn post(address: SocketAddr, path: &str, body: &[u8]) -> Value {
    let mut peer = Peer::connect(address);
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    peer.send(&[head.as_bytes(), body].concat());
    let answer = peer.answer_to("POST");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}
