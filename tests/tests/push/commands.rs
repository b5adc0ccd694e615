//! `/ws`, the protocol `wsring.v1`.

use super::support::{ask, ask_in_vain, get, json, next, open, publish, refused, server};
use serde_json::{Value, json};
use std::net::SocketAddr;
use wsring_tests::Peer;
use wsring_tests::peer::handshake;
use wsring_tests::wire::{BINARY, TEXT};

fn epoch(address: SocketAddr, topic: &str) -> Value {
    json(&get(address, &format!("/topics/{topic}"), ""))["epoch"].clone()
}

#[test]
fn many_topics_on_one_connection() {
    let server = server(&[]);
    let address = server.address();
    let mut peer = open(address, "/ws", "Sec-WebSocket-Protocol: wsring.v1\r\n");
    for (topic, text) in [("a", "1"), ("b", "x"), ("b", "y")] {
        publish(address, topic, text);
    }
    let (a, b) = (epoch(address, "a"), epoch(address, "b"));
    ask(
        &mut peer,
        &json!({"id": 1, "command": "subscribe", "topic": "a"}),
        &json!({"id": 1, "ok": {"topic": "a", "epoch": a, "next": 1}}),
    );
    ask(
        &mut peer,
        &json!({"id": "two", "command": "subscribe", "topic": "b", "from": 1, "epoch": b}),
        &json!({"id": "two", "ok": {"topic": "b", "epoch": b, "next": 1}}),
    );
    assert_eq!(next(&mut peer), json!({"topic": "b", "offset": 1, "data": "y"}));
    peer.send_text(
        r#"{"id":3.0,"command":"publish","topic":"a","data":{"z":1.50,"a":12345678901234567890123}}"#,
    );
    assert_eq!(peer.text(), format!(r#"{{"id":3.0,"ok":{{"offset":1,"epoch":{a},"subscribers":1}}}}"#));
    assert_eq!(peer.text(), r#"{"topic":"a","offset":1,"data":{"z":1.50,"a":12345678901234567890123}}"#);
    ask(&mut peer, &json!({"id": 4, "command": "ping"}), &json!({"id": 4, "ok": {}}));
    ask(
        &mut peer,
        &json!({"id": 5, "command": "subscribe", "topic": "a"}),
        &json!({"id": 5, "ok": {"topic": "a", "epoch": a, "next": 2, "already": true}}),
    );
    ask(&mut peer, &json!({"id": 6, "command": "unsubscribe", "topic": "a"}), &json!({"id": 6, "ok": {}}));
    publish(address, "a", "unheard");
    publish(address, "b", "heard");
    assert_eq!(next(&mut peer), json!({"topic": "b", "offset": 2, "data": "heard"}));
    peer.close();
}

#[test]
fn history_and_what_is_lost() {
    let server = server(&["--retention-messages", "4"]);
    let address = server.address();
    for number in 0..20 {
        publish(address, "h", &number.to_string());
    }
    let oldest = json(&get(address, "/topics/h", ""))["oldest"].as_u64().unwrap();
    let epoch = epoch(address, "h");
    let mut peer = open(address, "/ws", "");
    ask(
        &mut peer,
        &json!({"id": 1, "command": "subscribe", "topic": "h", "history": 2}),
        &json!({"id": 1, "ok": {"topic": "h", "epoch": epoch, "next": 18}}),
    );
    assert_eq!(next(&mut peer), json!({"topic": "h", "offset": 18, "data": 18}));
    assert_eq!(next(&mut peer), json!({"topic": "h", "offset": 19, "data": 19}));
    let mut peer = open(address, "/ws", "");
    let gap = json!({"from": 1, "to": oldest, "missed": oldest - 1, "reason": "retention"});
    ask(
        &mut peer,
        &json!({"id": 1, "command": "subscribe", "topic": "h", "from": 1}),
        &json!({"id": 1, "ok": {"topic": "h", "epoch": epoch, "next": oldest, "gap": gap}}),
    );
    assert_eq!(next(&mut peer)["offset"], json!(oldest));
    let mut peer = open(address, "/ws", "");
    let gap = json!({"from": 19, "to": oldest, "missed": null, "reason": "epoch"});
    ask(
        &mut peer,
        &json!({"id": 1, "command": "subscribe", "topic": "h", "from": 19, "epoch": 5}),
        &json!({"id": 1, "ok": {"topic": "h", "epoch": epoch, "next": oldest, "gap": gap}}),
    );
}

#[test]
fn patterns_stand_for_many_topics() {
    let server = server(&[]);
    let address = server.address();
    let mut peer = open(address, "/ws", "");
    for pattern in ["rooms/+", "news/#"] {
        ask(
            &mut peer,
            &json!({"id": 1, "command": "subscribe", "topic": pattern}),
            &json!({"id": 1, "ok": {"topic": pattern}}),
        );
    }
    ask(
        &mut peer,
        &json!({"id": 1, "command": "subscribe", "topic": "rooms/+"}),
        &json!({"id": 1, "ok": {"topic": "rooms/+", "already": true}}),
    );
    for topic in ["rooms", "rooms/1", "rooms/1/2", "news", "news/a/b", "other"] {
        publish(address, topic, "\"x\"");
    }
    let mut heard: Vec<Value> = (0..3).map(|_| next(&mut peer)["topic"].clone()).collect();
    heard.sort_by_key(ToString::to_string);
    assert_eq!(heard, ["news", "news/a/b", "rooms/1"]);
    let history = json!({"id": 2, "command": "subscribe", "topic": "a/#", "history": 1});
    assert_eq!(ask_in_vain(&mut peer, &history), "bad_command");
    ask(
        &mut peer,
        &json!({"id": 3, "command": "unsubscribe", "topic": "news/#"}),
        &json!({"id": 3, "ok": {}}),
    );
    publish(address, "news", "unheard");
    publish(address, "rooms/2", "2");
    assert_eq!(next(&mut peer), json!({"topic": "rooms/2", "offset": 0, "data": 2}));
}

#[test]
fn errors_are_answered_and_the_connection_stays() {
    let server = server(&["--topics-per-connection", "2", "--name-max", "20"]);
    let mut peer = open(server.address(), "/ws", "");
    let table = [
        ("{", "null", "bad_json"),
        ("[]", "null", "bad_json"),
        (r#"{"command":"ping"}"#, "null", "bad_command"),
        (r#"{"id":{},"command":"ping"}"#, "null", "bad_command"),
        (r#"{"id":1,"command":"dance"}"#, "1", "unknown_command"),
        (r#"{"id":1,"command":"subscribe"}"#, "1", "bad_command"),
        (r#"{"id":1,"command":"subscribe","topic":"a","form":1}"#, "1", "bad_command"),
        (r#"{"id":1,"command":"subscribe","topic":""}"#, "1", "bad_topic"),
        (r#"{"id":1,"command":"subscribe","topic":"a/+b"}"#, "1", "bad_topic"),
        (r#"{"id":1,"command":"subscribe","topic":"123456789012345678901"}"#, "1", "bad_topic"),
        (r#"{"id":1,"command":"publish","topic":"a/#","data":1}"#, "1", "bad_topic"),
        (r#"{"id":1,"command":"publish","topic":"a"}"#, "1", "bad_command"),
        (r#"{"id":1,"command":"unsubscribe","topic":"a"}"#, "1", "not_subscribed"),
        (r#"{"id":1,"command":"unsubscribe","topic":"a/+"}"#, "1", "not_subscribed"),
        (r#"{"id":1,"command":"unsubscribe","topic":"a//"}"#, "1", "bad_topic"),
    ];
    for (text, id, code) in table {
        peer.send_text(text);
        let answer = next(&mut peer);
        assert_eq!(
            (answer["id"].to_string(), answer["error"]["code"].as_str()),
            (id.into(), Some(code)),
            "{text}"
        );
    }
    let subscribe = |topic: &str| json!({"id": 1, "command": "subscribe", "topic": topic});
    for topic in ["a", "b/#"] {
        peer.send_text(&subscribe(topic).to_string());
        assert!(next(&mut peer)["ok"].is_object());
    }
    assert_eq!(ask_in_vain(&mut peer, &subscribe("c")), "too_many_topics");
    assert_eq!(ask_in_vain(&mut peer, &subscribe("c/#")), "too_many_topics");
    for topic in ["a", "b/#"] {
        peer.send_text(&subscribe(topic).to_string());
        assert_eq!(next(&mut peer)["ok"]["already"], json!(true), "{topic}");
    }
    ask(&mut peer, &json!({"id": 2, "command": "unsubscribe", "topic": "a"}), &json!({"id": 2, "ok": {}}));
    peer.send_text(&subscribe("c").to_string());
    assert!(next(&mut peer)["ok"].is_object());
}

#[test]
fn many_commands_at_once_are_answered_in_order() {
    let server = server(&[]);
    let mut peer = open(server.address(), "/ws", "");
    let commands: Vec<u8> = (0..500)
        .flat_map(|id| {
            wsring_tests::wire::message(TEXT, format!(r#"{{"id":{id},"command":"ping"}}"#).as_bytes())
        })
        .collect();
    peer.send(&commands);
    for id in 0..500 {
        assert_eq!(next(&mut peer), json!({"id": id, "ok": {}}));
    }
}

#[test]
fn the_subprotocol_is_chosen() {
    let server = server(&[]);
    let table = [
        ("", None),
        ("Sec-WebSocket-Protocol: wsring.v1\r\n", Some("wsring.v1")),
        ("Sec-WebSocket-Protocol: other, wsring.v1\r\n", Some("wsring.v1")),
        ("Sec-WebSocket-Protocol: wsring.v1, bearer.abc\r\n", Some("wsring.v1")),
    ];
    for (header, expected) in table {
        let mut peer = Peer::connect(server.address());
        peer.send(handshake("/ws", header).as_bytes());
        assert_eq!(peer.switched().header("Sec-WebSocket-Protocol"), expected, "{header}");
    }
    let other = refused(server.address(), "/ws", "Sec-WebSocket-Protocol: other\r\n");
    assert_eq!(other, (400, "bad_query".into()));
}

#[test]
fn binary_is_no_command() {
    let server = server(&[]);
    let mut peer = open(server.address(), "/ws", "");
    peer.send_message(BINARY, b"{}");
    assert_eq!(peer.closed(), (1003, "commands are text messages".into()));
}
