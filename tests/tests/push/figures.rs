//! Figures and probes.

use super::support::{ask, code, get, json, open, publish, server};
use serde_json::json;
use wsring_tests::process::Process;
use wsring_tests::{Peer, wait_until};

#[test]
fn a_topic_shows_its_figures() {
    let server = server(&[]);
    let address = server.address();
    assert_eq!(code(&get(address, "/topics/f", "")), (404, "unknown_topic".into()));
    let mut peer = open(address, "/topics/f", "");
    publish(address, "f", "x");
    assert_eq!(peer.text(), "x");
    let info = json(&get(address, "/topics/f", ""));
    assert_eq!(info["missed"], json!({"close": 0, "skip": 0, "latest": 0}));
    let figures = ["subscribers", "head", "oldest", "slowest"].map(|name| info[name].as_u64().unwrap());
    assert_eq!(figures, [1, 1, 0, 1], "{info}");
    assert!(info["bytes"].as_u64().unwrap() > 0 && info["epoch"].as_u64().unwrap() > 0);
}

#[test]
fn metrics_count_what_happens() {
    let server = server(&[]);
    let address = server.address();
    let mut peer = open(address, "/ws", "");
    peer.send_text(r#"{"id":1,"command":"subscribe","topic":"m"}"#);
    peer.text();
    publish(address, "m", "1");
    peer.text();
    ask(&mut peer, &json!({"id": 2, "command": "ping"}), &json!({"id": 2, "ok": {}}));
    get(address, "/topics/m//", "");
    let answer = get(address, "/metrics", "");
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(content_type)));
    assert!(answer.text().ends_with("# EOF\n"));
    let sum = |name: &str| {
        let text = get(address, "/metrics", "").text();
        let of_name = text.lines().filter_map(|line| {
            let (sample, value) = line.rsplit_once(' ')?;
            (sample.split('{').next() == Some(name)).then(|| value.parse::<f64>().unwrap())
        });
        of_name.sum::<f64>()
    };
    wait_until("the figures", || sum("wsring_deliveries_total") == 1.0 && sum("wsring_subscriptions") == 1.0);
    assert_eq!((sum("wsring_published_total"), sum("wsring_topics")), (1.0, 1.0));
    assert!(sum("wsring_received_messages_total") == 2.0 && sum("wsring_sent_bytes_total") > 100.0);
    assert!(sum("wsring_turn_seconds_count") <= sum("wsring_turns_total"));
    assert_eq!(sum("wsring_refused_total"), 1.0);
}

#[test]
fn probes_say_how_it_is() {
    let server = server(&[]);
    let address = server.address();
    for path in ["/healthz", "/readyz"] {
        let answer = get(address, path, "");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"), "{path}");
    }
    assert_eq!(get(address, "/", "").header("Content-Type"), Some("text/html; charset=utf-8"));
}

/// Who was connected before the drain is still answered, until its turn to be told comes.
#[test]
fn a_server_that_drains_is_not_ready() {
    let flags = ["--shards", "1", "--ping-interval", "0", "--drain-window", "20s", "--drain-deadline", "20s"];
    let server = Process::serve(1024, &flags);
    let address = server.address();
    let mut first = open(address, "/topics/a", "");
    let mut probe = Peer::connect(address);
    let mut status = || {
        probe.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        probe.answer().status
    };
    assert_eq!(status(), 200);
    server.signal("TERM");
    assert_eq!(first.closed().0, 1001);
    assert_eq!(status(), 503);
}

#[test]
fn the_slow_are_named() {
    let server = server(&["--peer-addresses"]);
    let address = server.address();
    assert_eq!(json(&get(address, "/debug/slow", "")), json!([]));
    assert_eq!(code(&get(address, "/debug/slow?most=x", "")), (400, "bad_query".into()));
    let mut stalled = Peer::connect_narrow(address).upgrade("/topics/slow");
    stalled.send_text("begin");
    let mut number = 0u64;
    let large = "x".repeat(100_000);
    wait_until("somebody to be behind", || {
        number = publish(address, "slow", &large);
        json(&get(address, "/debug/slow?most=1", "")).as_array().is_some_and(|slow| !slow.is_empty())
    });
    let slow = json(&get(address, "/debug/slow", ""))[0].clone();
    assert_eq!((&slow["topic"], &slow["peer"]), (&json!("slow"), &json!("127.0.0.1")));
    let (offset, head) = (slow["offset"].as_u64().unwrap(), slow["head"].as_u64().unwrap());
    assert!(offset < head && head <= number + 1 && slow["behind"] == json!(head - offset), "{slow}");
    wait_until("the figures", || json(&get(address, "/topics/slow", ""))["slowest"].as_u64() <= Some(head));
}
