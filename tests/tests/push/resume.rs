//! Clients that are killed in the middle of a stream and come back: every message exactly once, in order,
//! or a gap for precisely those that are not kept any more. `RESUME_ROUNDS=1000` comes back that often.

use super::support::{Stream, get, json, next, open, server};
use serde_json::{Value, json};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wsring_tests::Peer;

fn rounds() -> u64 {
    std::env::var("RESUME_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// Publishes 0, 1, 2 and so on, each at the offset of its number, until it is dropped.
struct Source {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Source {
    fn new(address: SocketAddr, topic: &'static str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let run = move || {
            let mut peer = open(address, "/ws", "");
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let publish = json!({"id": number, "command": "publish", "topic": topic, "data": number});
                peer.send_text(&publish.to_string());
                assert_eq!(next(&mut peer)["ok"]["offset"], json!(number));
                std::thread::sleep(Duration::from_micros(50));
            }
        };
        Self { over, thread: Some(std::thread::spawn(run)) }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the publisher has failed");
    }
}

/// How many messages are read before the client is killed: from none to some.
fn patience(round: u64) -> u64 {
    round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59
}

fn kill(peer: Peer) {
    peer.stream().shutdown(Shutdown::Both).unwrap();
}

/// The first life of the topic, once it has begun.
fn epoch(address: SocketAddr, topic: &str) -> u64 {
    loop {
        let info = get(address, &format!("/topics/{topic}"), "");
        if info.status == 200 {
            return json(&info)["epoch"].as_u64().unwrap();
        }
    }
}

#[test]
fn commands_resume_with_every_message_once() {
    let server = server(&["--retention-bytes", "16MiB"]);
    let address = server.address();
    let _source = Source::new(address, "r");
    let epoch = epoch(address, "r");
    let mut expected = 0;
    for round in 0..rounds() {
        let mut peer = open(address, "/ws", "");
        let begin = json!({"id": 1, "command": "subscribe", "topic": "r", "from": expected, "epoch": epoch});
        peer.send_text(&begin.to_string());
        let answer = json!({"id": 1, "ok": {"topic": "r", "epoch": epoch, "next": expected}});
        assert_eq!(next(&mut peer), answer, "round {round}");
        for _ in 0..patience(round) {
            assert_eq!(next(&mut peer), json!({"topic": "r", "offset": expected, "data": expected}));
            expected += 1;
        }
        kill(peer);
    }
    assert!(expected > rounds() * 10);
}

#[test]
fn event_streams_resume_with_every_message_once() {
    let server = server(&["--retention-bytes", "16MiB"]);
    let address = server.address();
    let _source = Source::new(address, "r");
    let mut last = format!("{}-0", epoch(address, "r"));
    let mut expected = 1;
    for _ in 0..rounds() {
        let mut stream = Stream::open(address, "/topics/r", &format!("Last-Event-ID: {last}\r\n"));
        for _ in 0..1 + patience(expected) {
            let event = stream.event().unwrap();
            assert_eq!((event.name.as_str(), event.data), ("", expected.to_string()));
            last = event.id;
            expected += 1;
        }
    }
}

#[test]
fn what_retention_let_go_is_told_precisely() {
    let server = server(&["--retention-messages", "5"]);
    let address = server.address();
    let _source = Source::new(address, "r");
    let epoch = epoch(address, "r");
    let (mut expected, mut missed) = (0, 0);
    for round in 0..rounds() {
        let mut peer = open(address, &format!("/topics/r?form=json&from={expected}&epoch={epoch}"), "");
        let begin = next(&mut peer)["subscribed"].clone();
        check_gap(begin.get("gap"), "retention", &mut expected, &mut missed);
        assert_eq!(begin["next"], json!(expected));
        for _ in 0..patience(round) {
            let message = next(&mut peer);
            check_gap(message.get("gap"), "skip", &mut expected, &mut missed);
            if message.get("gap").is_none() {
                assert_eq!(message, json!({"topic": "r", "offset": expected, "data": expected}));
                expected += 1;
            }
        }
        kill(peer);
        std::thread::sleep(Duration::from_millis(round % 10 * 5));
    }
    assert!(missed > 0 && expected > missed, "{missed} of {expected} missed");
}

/// A gap begins where the client was, and leads to where it goes on.
fn check_gap(gap: Option<&Value>, reason: &str, expected: &mut u64, missed: &mut u64) {
    let Some(gap) = gap else { return };
    let to = gap["to"].as_u64().unwrap();
    assert!(to > *expected);
    assert_eq!(*gap, json!({"from": *expected, "to": to, "missed": to - *expected, "reason": reason}));
    *missed += to - *expected;
    *expected = to;
}
