//! What one client may use.

use super::support::{ask_in_vain, code, get, json, next, open, publish, refused, request, server};
use serde_json::json;
use std::time::Duration;
use wsring_tests::peer::handshake;
use wsring_tests::wire::TEXT;
use wsring_tests::{Peer, wait_until};

#[test]
fn publishing_too_fast() {
    let server = server(&["--publishes-per-second", "5", "--publishes-burst", "3"]);
    let address = server.address();
    let mut peer = open(address, "/ws", "");
    let publish = json!({"id": 1, "command": "publish", "topic": "a", "data": 1});
    for _ in 0..3 {
        peer.send_text(&publish.to_string());
        assert!(next(&mut peer)["ok"].is_object());
    }
    assert_eq!(ask_in_vain(&mut peer, &publish), "rate_limited");
    std::thread::sleep(Duration::from_millis(250));
    peer.send_text(&publish.to_string());
    assert!(next(&mut peer)["ok"].is_object(), "it stays, and may again");
    let mut peer = open(address, "/topics/b", "");
    (0..4).for_each(|_| peer.send_text("x"));
    let mut frame = peer.frame();
    while frame.opcode == TEXT {
        frame = peer.frame();
    }
    let (close, reason) = frame.close_reason();
    assert!(close == 1008 && reason.starts_with("rate_limited: "), "{close} {reason}");
}

#[test]
fn too_many_topics() {
    let server = server(&["--topics-max", "3"]);
    let address = server.address();
    let mut peers: Vec<Peer> = (0..3).map(|number| open(address, &format!("/topics/{number}"), "")).collect();
    assert_eq!(refused(address, "/topics/3", ""), (503, "server_full".into()));
    assert_eq!(code(&request(address, "POST", "/topics/3", "", b"x")), (503, "server_full".into()));
    publish(address, "2", "still");
    assert_eq!(peers[2].text(), "still");
}

#[test]
fn a_message_too_long() {
    let server = server(&["--message-max", "100"]);
    let mut peer = open(server.address(), "/topics/a", "");
    peer.send_text(&"x".repeat(100));
    assert_eq!(peer.text().len(), 100);
    peer.send_text(&"x".repeat(101));
    assert_eq!(peer.closed().0, 1009);
}

#[test]
fn too_many_connections_from_one_address() {
    let server = server(&["--connections-per-address", "2"]);
    let address = server.address();
    let first = open(address, "/topics/a", "");
    let _second = open(address, "/topics/a", "");
    let mut third = Peer::connect(address);
    third.send(handshake("/topics/a", "").as_bytes());
    assert_eq!(third.answer().status, 429);
    drop(third);
    first.close();
    wait_until("the place to be free", || {
        let mut peer = Peer::connect(address);
        peer.try_send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") && peer.answer().status == 200
    });
}

/// Each policy does what it says to a subscriber that stops reading, and all misses are counted.
#[test]
fn who_is_too_slow_is_told_or_closed() {
    for policy in ["skip", "latest", "close"] {
        let server = server(&["--retention-bytes", "64KiB", "--behind", policy]);
        let address = server.address();
        let mut peer = Peer::connect_narrow(address).upgrade("/topics/t?form=json");
        peer.text();
        let large = "x".repeat(30_000);
        let missed = |name: &str| json(&get(address, "/topics/t", ""))["missed"][name].as_u64().unwrap();
        let mut head = 0;
        wait_until("it to be behind", || {
            head = publish(address, "t", &large) + 1;
            head > 400 || missed(policy) > 0
        });
        if policy == "close" {
            wait_until("the close", || missed("close") > 0);
            let mut frame = peer.frame();
            while frame.opcode == TEXT {
                frame = peer.frame();
            }
            assert_eq!(frame.close_reason().0, 1013);
            continue;
        }
        let (mut expected, mut gaps) = (0, 0);
        while expected < head {
            let message = next(&mut peer);
            if message.get("gap").is_some() {
                let gap = &message["gap"];
                assert_eq!((&gap["from"], &gap["reason"]), (&json!(expected), &json!(policy)), "{message}");
                let to = gap["to"].as_u64().unwrap();
                gaps += gap["missed"].as_u64().unwrap();
                assert!(to > expected && gap["missed"] == json!(to - expected));
                expected = to;
            } else {
                assert_eq!(message["offset"], json!(expected), "nothing is missed without a word");
                expected += 1;
            }
        }
        assert!(gaps > 0, "{policy}: nothing was missed");
        wait_until("the count", || missed(policy) == gaps);
    }
}
