//! Server-sent events.

use super::support::{Event, Stream, get, json, open, publish, request, server};
use serde_json::json;
use wsring_tests::wire::BINARY;

#[test]
fn a_browser_resumes_where_it_was() {
    let server = server(&[]);
    let address = server.address();
    publish(address, "s", "zero");
    let epoch = json(&get(address, "/topics/s", ""))["epoch"].as_u64().unwrap();
    let event = |offset: u64, data: &str| {
        Some(Event { id: format!("{epoch}-{offset}"), name: String::new(), data: data.into() })
    };
    let mut stream = Stream::open(address, "/topics/s?history=1", "");
    assert_eq!(stream.event(), event(0, "zero"));
    publish(address, "s", "one\ntwo");
    assert_eq!(stream.event(), event(1, "one\ntwo"));
    drop(stream);
    publish(address, "s", "three");
    let mut stream = Stream::open(address, "/topics/s", &format!("Last-Event-ID: {epoch}-1\r\n"));
    assert_eq!(stream.event(), event(2, "three"));
    let mut peer = open(address, "/topics/s", "");
    peer.send_message(BINARY, b"\xff");
    let binary = Event { id: format!("{epoch}-3"), name: "binary".into(), data: "/w==".into() };
    assert_eq!(stream.event(), Some(binary));
    // An id of another server is no reason to refuse.
    let mut stream = Stream::open(address, "/topics/s?from=2", "Last-Event-ID: 17\r\n");
    assert_eq!(stream.event(), event(2, "three"));
}

#[test]
fn what_is_not_kept_is_an_event_too() {
    let server = server(&["--retention-messages", "3"]);
    let address = server.address();
    for number in 0..10 {
        publish(address, "g", &number.to_string());
    }
    let info = json(&get(address, "/topics/g", ""));
    let (epoch, oldest) = (info["epoch"].as_u64().unwrap(), info["oldest"].as_u64().unwrap());
    for (last, reason, missed) in
        [(format!("{epoch}-0"), "retention", json!(oldest - 1)), ("5-0".into(), "epoch", json!(null))]
    {
        let mut stream = Stream::open(address, "/topics/g", &format!("Last-Event-ID: {last}\r\n"));
        let gap = stream.event().unwrap();
        assert_eq!((gap.name.as_str(), gap.id), ("gap", format!("{epoch}-{}", oldest - 1)));
        let data: serde_json::Value = serde_json::from_str(&gap.data).unwrap();
        assert_eq!(data, json!({"from": 1, "to": oldest, "missed": missed, "reason": reason}));
        assert_eq!(stream.event().unwrap().data, oldest.to_string());
    }
}

#[test]
fn streams_are_asked_for_by_accept() {
    let server = server(&[]);
    let address = server.address();
    publish(address, "a", "x");
    for accept in ["text/event-stream", "TEXT/Event-Stream;q=0.9", "application/json, text/event-stream"] {
        let head = request(address, "HEAD", "/topics/a", &format!("Accept: {accept}\r\n"), b"");
        assert_eq!(head.header("Content-Type"), Some("text/event-stream"), "{accept}");
    }
    for accept in ["*/*", "application/json", "text/event-stream2"] {
        json(&get(address, "/topics/a", &format!("Accept: {accept}\r\n")));
    }
}

#[test]
fn a_drain_ends_the_stream() {
    let server = server(&[]);
    let mut stream = Stream::open(server.address(), "/topics/a", "");
    publish(server.address(), "a", "x");
    assert_eq!(stream.event().unwrap().data, "x");
    server.signal("TERM");
    assert_eq!(stream.event(), None);
}
