//! Those who come and go: half a handshake, nonsense, a look at the figures, a reset in the middle.

use super::{Ended, Life};
use std::time::Duration;
use wsring_tests::Peer;
use wsring_tests::peer::handshake;
use wsring_tests::wire::{TEXT, message};

pub(super) fn live(mut life: Life) -> Ended {
    let mut ended = Ended::default();
    while life.goes_on() {
        ended.lives += 1;
        let at = life.random.below(life.topics.len());
        pass(&mut life, at);
        std::thread::sleep(Duration::from_millis(life.random.below(20) as u64));
    }
    ended
}

fn pass(life: &mut Life, at: usize) {
    let path = format!("/topics/{}", life.topics[at].name);
    match life.random.below(6) {
        0 => {
            let request = handshake(&path, "");
            let cut = life.random.below(request.len());
            Peer::connect(life.address).send(&request.as_bytes()[..cut]);
        }
        1 => {
            let mut peer = life.open("/ws");
            peer.send_text("this is no command");
            let answer: serde_json::Value = serde_json::from_str(&peer.text()).unwrap();
            assert_eq!(answer["error"]["code"], "bad_json", "{answer}");
        }
        2 => {
            // A frame that is not masked is the end.
            let mut peer = life.open("/echo");
            peer.send(&[0x81, 1, b'x']);
            assert_eq!(peer.closed().0, 1002);
        }
        3 => {
            let peer = life.open(&path);
            // What it was sent and has not read makes this a reset.
            std::thread::sleep(Duration::from_millis(life.random.below(300) as u64));
            drop(peer);
        }
        4 => {
            let mut peer = life.open("/echo");
            let text = "x".repeat(life.random.below(100_000));
            if peer.try_send(&message(TEXT, text.as_bytes())) {
                assert_eq!(peer.text(), text);
            }
            peer.close();
        }
        _ => look(life, &path),
    }
}

/// The figures hold together.
fn look(life: &Life, path: &str) {
    for path in [path, "/debug/slow", "/metrics"] {
        let mut peer = Peer::connect(life.address);
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
        let answer = peer.answer();
        assert_eq!(answer.status, 200, "{path}");
        if path.starts_with("/topics/") {
            let figures: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let figure = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name} in {figures}"));
            assert!(figure("oldest") <= figure("head") && figure("slowest") <= figure("head"), "{figures}");
        }
    }
}
