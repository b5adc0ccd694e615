//! `/topics/{name}` and `/broadcast` over WebSocket.

use super::support::{get, json, next, open, publish, refused, server};
use serde_json::json;
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Frame, Peer, wait_until};

#[test]
fn messages_arrive_as_they_were_published() {
    let server = server(&[]);
    let address = server.address();
    let mut peers: Vec<Peer> = (0..4).map(|_| open(address, "/topics/a/b%20c", "")).collect();
    publish(address, "a/b%20c", "text \u{e9}");
    peers[0].send_message(BINARY, b"\xff\0");
    peers[0].echoed_text_then_binary("text \u{e9}", b"\xff\0");
    for peer in &mut peers[1..] {
        peer.echoed_text_then_binary("text \u{e9}", b"\xff\0");
    }
}

/// What each subscriber gets, the sender included.
trait Echoed {
    fn echoed_text_then_binary(&mut self, text: &str, binary: &[u8]);
}

impl Echoed for Peer {
    fn echoed_text_then_binary(&mut self, text: &str, binary: &[u8]) {
        assert_eq!(self.frame(), Frame::new(TEXT, text));
        assert_eq!(self.frame(), Frame::new(BINARY, binary));
    }
}

#[test]
fn all_subscribers_get_the_same_order() {
    let server = server(&[]);
    let address = server.address();
    let mut peers: Vec<Peer> = (0..6).map(|_| open(address, "/topics/order", "")).collect();
    let subscribers = || json(&get(address, "/topics/order", ""))["subscribers"].as_u64();
    wait_until("all to be subscribed", || subscribers() == Some(6));
    for round in 0..50 {
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send_text(&format!("{number}.{round}"));
        }
    }
    let seen: Vec<Vec<String>> =
        peers.iter_mut().map(|peer| (0..300).map(|_| peer.text()).collect()).collect();
    assert!(seen.iter().all(|order| *order == seen[0]));
    for number in 0..6 {
        let own: Vec<&String> =
            seen[0].iter().filter(|text| text.starts_with(&format!("{number}."))).collect();
        assert_eq!(own.len(), 50);
        assert!(own.iter().enumerate().all(|(round, text)| **text == format!("{number}.{round}")));
    }
}

#[test]
fn a_subscription_begins_where_it_is_asked_to() {
    let server = server(&[]);
    let address = server.address();
    let table = [
        ("from=7", "789"),
        ("from=10", ""),
        ("history=2", "89"),
        ("history=0", ""),
        ("history=100", "0123456789"),
        ("", ""),
    ];
    for (row, (query, expected)) in table.into_iter().enumerate() {
        for number in 0..10 {
            assert_eq!(publish(address, &format!("log/{row}"), &number.to_string()), number);
        }
        let mut peer = open(address, &format!("/topics/log/{row}?{query}"), "");
        peer.send_text("end");
        let mut heard = String::new();
        while !heard.ends_with("end") {
            heard.push_str(&peer.text());
        }
        assert_eq!(heard, format!("{expected}end"), "{query}");
        peer.close();
    }
}

#[test]
fn in_json_messages_have_offsets() {
    let server = server(&[]);
    let address = server.address();
    publish(address, "j", r#"{"b":1.50,"a":[]}"#);
    publish(address, "j", "plain \"text\"");
    let epoch = json(&get(address, "/topics/j", ""))["epoch"].as_u64().unwrap();
    let mut peer = open(address, "/topics/j?form=json&from=0", "");
    assert_eq!(next(&mut peer), json!({"topic": "j", "subscribed": {"epoch": epoch, "next": 0}}));
    assert_eq!(peer.text(), r#"{"topic":"j","offset":0,"data":{"b":1.50,"a":[]}}"#);
    assert_eq!(next(&mut peer), json!({"topic": "j", "offset": 1, "data": "plain \"text\""}));
    peer.send_message(BINARY, b"\0\xff\x08");
    assert_eq!(next(&mut peer), json!({"topic": "j", "offset": 2, "data_base64": "AP8I"}));
}

#[test]
fn what_is_not_kept_any_more_is_told() {
    let server = server(&["--retention-messages", "3"]);
    let address = server.address();
    for number in 0..10 {
        publish(address, "short", &number.to_string());
    }
    let info = json(&get(address, "/topics/short", ""));
    let oldest = info["oldest"].as_u64().unwrap();
    assert!(oldest >= 1 && info["head"] == json!(10), "{info}");
    let gap = json!({"from": 0, "to": oldest, "missed": oldest, "reason": "retention"});
    let mut peer = open(address, "/topics/short?from=0", "");
    assert_eq!(next(&mut peer), json!({"topic": "short", "gap": gap}));
    assert_eq!(peer.text(), oldest.to_string());
    let mut peer = open(address, "/topics/short?from=0&form=json", "");
    assert_eq!(next(&mut peer)["subscribed"]["gap"], gap);
    assert_eq!(next(&mut peer)["offset"], json!(oldest));
    // Of another life, all that is kept comes, and nobody can say how much is missing.
    let mut peer = open(address, "/topics/short?from=8&epoch=1", "");
    let gap = json!({"from": 8, "to": oldest, "missed": null, "reason": "epoch"});
    assert_eq!(next(&mut peer), json!({"topic": "short", "gap": gap}));
    assert_eq!(peer.text(), oldest.to_string());
    let mut peer = open(address, "/topics/short?from=11", "");
    assert_eq!(next(&mut peer)["gap"]["reason"], json!("epoch"), "an offset that there has never been");
}

#[test]
fn broadcast_is_a_topic_that_everybody_is_on() {
    let server = server(&[]);
    let address = server.address();
    let mut peers: Vec<Peer> = (0..3).map(|_| open(address, "/broadcast", "")).collect();
    let subscribers = || json(&get(address, "/topics/broadcast", ""))["subscribers"].as_u64();
    wait_until("all to be subscribed", || subscribers() == Some(3));
    peers[1].send_text("to all");
    for peer in &mut peers {
        assert_eq!(peer.text(), "to all");
    }
}

#[test]
fn wrong_names_and_queries_are_refused() {
    let server = server(&["--name-max", "20"]);
    let table = [
        ("/topics/", "bad_topic"),
        ("/topics/a//b", "bad_topic"),
        ("/topics/a/", "bad_topic"),
        ("/topics/a+", "bad_topic"),
        ("/topics/%23", "bad_topic"),
        ("/topics/a%00", "bad_topic"),
        ("/topics/123456789012345678901", "bad_topic"),
        ("/topics/a?from=x", "bad_query"),
        ("/topics/a?from=-1", "bad_query"),
        ("/topics/a?from=", "bad_query"),
        ("/topics/a?from=9007199254740992", "bad_query"),
        ("/topics/a?from=1&history=1", "bad_query"),
        ("/topics/a?epoch=1", "bad_query"),
        ("/topics/a?history=many", "bad_query"),
        ("/topics/a?form=xml", "bad_query"),
    ];
    for (path, expected) in table {
        assert_eq!(refused(server.address(), path, ""), (400, expected.to_owned()), "{path}");
    }
}
