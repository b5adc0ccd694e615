//! Publishing over HTTP.

use super::support::{code, json, open, request, server};
use serde_json::json;
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Frame, wait_until};

#[test]
fn a_message_is_published_and_its_place_answered() {
    let server = server(&[]);
    let address = server.address();
    let mut peer = open(address, "/topics/p", "");
    let post = |more: &str, body: &[u8]| request(address, "POST", "/topics/p", more, body);
    wait_until("the subscription", || json(&post("", b"wait"))["subscribers"] == json!(1));
    while peer.has_input() {
        assert_eq!(peer.text(), "wait");
    }
    let first = json(&post("Content-Type: application/octet-stream\r\n", b"bytes"));
    let second = json(&post("Content-Type: application/x-www-form-urlencoded\r\n", "\u{e9}=1".as_bytes()));
    assert_eq!(second["offset"].as_u64(), first["offset"].as_u64().map(|offset| offset + 1));
    assert_eq!(second["epoch"], first["epoch"]);
    let mut frame = peer.frame();
    while frame == Frame::new(TEXT, "wait") {
        frame = peer.frame();
    }
    assert_eq!(frame, Frame::new(BINARY, "bytes"));
    assert_eq!(peer.frame(), Frame::new(TEXT, "\u{e9}=1"));
    json(&post("", b""));
    assert_eq!(peer.frame(), Frame::new(TEXT, ""));
    let answer = post("Content-Type: text/plain\r\n", b"\xff");
    assert_eq!(code(&answer), (400, "bad_text".into()));
}

#[test]
fn a_batch_is_answered_entry_by_entry() {
    let server = server(&["--batch-max", "4"]);
    let address = server.address();
    let mut peer = open(address, "/topics/b?form=json", "");
    peer.text();
    let post = |body: &str| request(address, "POST", "/publish", "", body.as_bytes());
    let answer = post(
        r#"[{"topic":"b","data":{"n":1.0}},{"topic":"b//","data":1},{"topic":"b"},{"topic":"b","data":"x"}]"#,
    );
    assert_eq!(answer.status, 200);
    let results = json(&answer);
    let codes: Vec<_> =
        results.as_array().unwrap().iter().map(|result| result["error"]["code"].as_str()).collect();
    assert_eq!(codes, [None, Some("bad_topic"), Some("bad_command"), None]);
    assert_eq!((&results[0]["offset"], &results[3]["offset"]), (&json!(0), &json!(1)));
    assert_eq!(peer.text(), r#"{"topic":"b","offset":0,"data":{"n":1.0}}"#);
    assert_eq!(peer.text(), r#"{"topic":"b","offset":1,"data":"x"}"#);
    assert_eq!(json(&post("[]")), json!([]));
    let table = [("{}", 400, "bad_json"), ("", 400, "bad_json"), ("[1,2,3,4,5]", 413, "too_large")];
    for (body, status, expected) in table {
        assert_eq!(code(&post(body)), (status, expected.to_owned()), "{body}");
    }
}

#[test]
fn methods_and_paths_that_there_are_not() {
    let server = server(&["--body-max", "1KiB"]);
    let address = server.address();
    let table = [
        ("PUT", "/topics/a", 405),
        ("GET", "/publish", 405),
        ("GET", "/topics", 404),
        ("GET", "/nothing", 404),
        ("GET", "/ws", 426),
        ("GET", "/broadcast", 426),
        ("GET", "/echo", 426),
    ];
    for (method, path, status) in table {
        assert_eq!(request(address, method, path, "", b"").status, status, "{method} {path}");
    }
    assert_eq!(request(address, "POST", "/topics/a", "", &[b'x'; 1025]).status, 413);
    assert_eq!(code(&request(address, "POST", "/topics/a//b", "", b"x")), (400, "bad_topic".into()));
}
