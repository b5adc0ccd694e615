//! What is published reaches everybody, or it is told: against servers that behave and servers that do not.

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{count, report, samples, section, wsload};
use wsring::{
    Behind, CloseCode, Conn, DeflateOptions, Handler, Kind, Message, Response, Retention, Running, Server,
    Settings, Topic, TopicRule, TopicSettings,
};

/// What a server does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Puts a name in front of what it relays.
    Names,
    /// Claims that each message is another, which nobody has sent.
    Renumbers,
    /// Every tenth message is relayed twice, not at all, changed, behind the next one, or late; or its sender is sent
    /// away, once.
    Repeats,
    Drops,
    Damages,
    Swaps,
    Delays,
    Closes,
}

/// Later than the rounds of these tests are given up, and sooner.
const LATE: Duration = Duration::from_millis(150);
const IN_TIME: Duration = Duration::from_millis(5);

/// A server that sends everything to everybody on each path, by WebSocket and on one path by POST.
fn server() -> (Running, SocketAddr) {
    let settings =
        Settings { shards: Some(1), close_timeout: Duration::from_millis(300), ..Settings::default() };
    let retention = Retention { bytes: 4 << 20, ..Retention::default() };
    let close = TopicSettings { retention, behind: Behind::Close };
    let server = Server::new()
        .listen("127.0.0.1:0")
        .settings(settings)
        .topic_rules(vec![TopicRule { pattern: "#".into(), settings: close }]);
    let posted = server.topic("right").expect("a name");
    let paths = [
        ("right", Fault::None),
        ("names", Fault::Names),
        ("renumbers", Fault::Renumbers),
        ("repeats", Fault::Repeats),
        ("drops", Fault::Drops),
        ("damages", Fault::Damages),
        ("swaps", Fault::Swaps),
        ("delays", Fault::Delays),
        ("closes", Fault::Closes),
    ];
    let server = paths.into_iter().fold(server, |server, (name, fault)| {
        let topic = server.topic(name).expect("a name");
        let relayed = Arc::new(AtomicU32::new(0));
        server.websocket(&format!("/{name}"), move |upgrade| {
            let (topic, relayed) = (topic.clone(), Arc::clone(&relayed));
            let relay = Relay { topic, fault, relayed, held: None };
            upgrade.deflate(DeflateOptions::default()).accept(relay)
        })
    });
    let running = server
        .http("POST", "/right", move |request| {
            posted.publish(Kind::Text, request.body());
            Response::text(200, "published")
        })
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

/// Subscribes, and publishes what it is sent.
struct Relay {
    topic: Topic,
    fault: Fault,
    /// On this path.
    relayed: Arc<AtomicU32>,
    held: Option<(Kind, Vec<u8>)>,
}

impl Handler for Relay {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.topic);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let (kind, mut payload) = (message.kind(), message.payload().to_vec());
        let is_tenth = self.relayed.fetch_add(1, Ordering::Relaxed) % 10 == 9;
        match self.fault {
            // The first digit of eight, behind the mark and the run (`load/fanout/stamp.rs`).
            Fault::Renumbers => payload[11] = b'B',
            Fault::Names => payload.splice(0..0, *b"Ada: ").for_each(drop),
            Fault::Repeats if is_tenth => drop(conn.publish(&self.topic, kind, &payload)),
            Fault::Drops if is_tenth => return,
            Fault::Damages if is_tenth => payload.last_mut().into_iter().for_each(|last| *last ^= 1),
            Fault::Closes if self.relayed.load(Ordering::Relaxed) == 100 => {
                return conn.close(CloseCode::TRY_AGAIN_LATER, "enough");
            }
            Fault::Swaps | Fault::Delays if is_tenth && self.held.is_none() => {
                self.held = Some((kind, payload));
                return conn.set_timer(Some(if self.fault == Fault::Swaps { IN_TIME } else { LATE }));
            }
            _ => {}
        }
        conn.publish(&self.topic, kind, &payload);
        if self.fault == Fault::Swaps {
            self.timer(conn);
        }
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        if let Some((kind, payload)) = self.held.take() {
            conn.publish(&self.topic, kind, &payload);
        }
    }
}

/// This machine may be busy with other tests, of which server and generator would complain.
const SHORT: &str = "--settle 0 --warm-up 100ms --duration 500ms --allow-limited --no-progress";

/// A fact of a section.
fn fact(report: &Value, name: &str, fact: &str) -> Value {
    let facts = section(report, name)["facts"].as_array().expect("facts");
    let found = facts.iter().find(|each| each["name"] == fact);
    found.unwrap_or_else(|| panic!("no {fact:?} in {facts:?}"))["value"].clone()
}

#[test]
fn what_is_published_reaches_everybody() {
    let (_running, at) = server();
    let common = format!("fanout ws://{at}/right --subscribers 20 --shards 2 --message-rate 40 {SHORT}");
    let post = format!("--publish http --publish-url http://{at}/right --publishers 2");
    for options in
        ["", "--size 2KiB --publishers 3 --kind binary", &post, "--publish members", "--kind json --size 20"]
    {
        let (report, text) = report(&format!("{common} {options}"), 0);
        assert_eq!((count(&report, "sent"), count(&report, "answered")), (20, 400), "{text}");
        assert_eq!((count(&report, "missed"), count(&report, "unpublished")), (0, 0), "{text}");
        assert!(text.contains("handling of what arrived together, p99"), "{text}");
        let counts: Vec<(&str, u64)> = report["latencies"]
            .as_array()
            .expect("there are latencies")
            .iter()
            .map(|each| (each["name"].as_str().unwrap_or_default(), each["count"].as_u64().unwrap_or(0)))
            .collect();
        let of_each = [("delivery", 400), ("first", 20), ("median", 20), ("last", 20)];
        assert_eq!(counts, [of_each.as_slice(), &[("schedule_lag", 20)], &of_each].concat(), "{text}");
    }
    // A command that publishes nothing.
    let (report, text) =
        report(&format!("{common} --publish command --publish-command true --drain-timeout 1s"), 3);
    assert!(count(&report, "missed") > 0 && count(&report, "answered") == 0, "{text}");
}

#[test]
fn rounds_go_on_when_all_have_everything() {
    let (_running, at) = server();
    // Path, options, members, senders and messages of each.
    let table = [
        ("right", "--shards 1 -c 7", 7, 7, 1),
        ("right", "--shards 2 -c 7 --kind binary --size 20", 7, 7, 1),
        // One shard has none.
        ("right", "--shards 3 -c 2 --size 1", 2, 2, 1),
        ("right", "--shards 2 -c 9 --senders 4", 9, 4, 1),
        ("right", "--shards 3 -c 5 --senders 1 --burst 3 --size 2KiB", 5, 1, 3),
        ("right", "--shards 2 -c 6 --burst 700 --size uniform:3-28", 6, 6, 700),
        ("right", "--shards 2 -c 6 --kind json --size lognormal:60,0.2 --deflate", 6, 6, 1),
        ("names", "--shards 2 -c 6 --burst 20 --size uniform:3-28", 6, 6, 20),
        ("names", "--shards 2 -c 6 --preset shootout-broadcast", 6, 4, 1),
        ("right", "--shards 2 -c 60 --preset uws-broadcast", 60, 60, 1),
        ("right", "--shards 1 -c 4 --preset bun-chat --burst 10", 4, 4, 10),
    ];
    for (path, options, members, senders, burst) in table {
        let (report, text) =
            report(&format!("fanout ws://{at}/{path} --publish members {SHORT} {options}"), 0);
        let known = |name: &str| fact(&report, "rounds", name).as_u64().expect("a count");
        assert_eq!((known("members"), known("senders in a round")), (members, senders), "{text}");
        assert_eq!((known("messages of each"), known("given up")), (burst, 0), "{text}");
        assert!(known("rounds") > 1 && samples(&report, "round") > 1, "{options}: {text}");
        assert!(
            samples(&report, "first") > 0 && samples(&report, "first") == known("timed messages"),
            "{text}"
        );
        assert!(samples(&report, "delivery") == members * samples(&report, "last"), "{options}: {text}");
        assert!(count(&report, "sent") > 0 && count(&report, "answered") >= count(&report, "sent"), "{text}");
        assert_eq!(report["load"]["model"]["model"], "closed", "{text}");
        assert!(
            report["rates"]["offered"].is_null() && text.contains(&format!("closed loop, depth {burst}")),
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_in_a_round_is_told() {
    let (_running, at) = server();
    let faults = ["duplicate", "missed", "rounds_missed", "corrupt", "out_of_order", "late"];
    const IMPATIENT: &str = "--round-timeout 100ms";
    // Path, options, and which of those there are.
    let table: [(&str, &str, &[&str]); 5] = [
        ("repeats", IMPATIENT, &["duplicate"]),
        ("drops", IMPATIENT, &["missed", "rounds_missed"]),
        ("damages", IMPATIENT, &["missed", "rounds_missed", "corrupt"]),
        ("swaps", "--burst 4 --round-timeout 3s", &["out_of_order"]),
        ("delays", IMPATIENT, &["missed", "rounds_missed", "late"]),
    ];
    for (path, options, expected) in table {
        for size in [8, 64] {
            let line = format!(
                "fanout ws://{at}/{path} --publish members -c 6 --shards 2 --size {size} {SHORT} {options}"
            );
            let (report, text) = report(&line, 3);
            let found: Vec<&str> = faults.into_iter().filter(|fault| count(&report, fault) > 0).collect();
            assert_eq!(found, expected, "{path} {size}: {text}");
            assert!(count(&report, "answered") > 0 && text.contains("NOT MET"), "{path} {size}: {text}");
        }
    }
}

#[test]
fn what_is_wrong_by_a_schedule_is_told() {
    let (_running, at) = server();
    let faults = ["duplicate", "missed", "corrupt", "out_of_order"];
    // Path, size, and which of those there are.
    let table: [(&str, &str, &[&str]); 7] = [
        ("right", "64", &[]),
        ("repeats", "64", &["duplicate"]),
        ("drops", "64", &["missed"]),
        ("damages", "64", &["missed", "corrupt"]),
        ("swaps", "64", &["out_of_order"]),
        ("delays", "64", &["out_of_order"]),
        // With one letter of content, which often happens to be that of the other message.
        ("renumbers", "20", &["missed", "corrupt"]),
    ];
    for (path, size, expected) in table {
        let line = format!(
            "fanout ws://{at}/{path} -c 6 --shards 2 --message-rate 200 --size {size} --drain-timeout 1s {SHORT}"
        );
        let (report, text) = report(&line, if expected.is_empty() { 0 } else { 3 });
        let found: Vec<&str> = faults.into_iter().filter(|fault| count(&report, fault) > 0).collect();
        assert_eq!((found.as_slice(), count(&report, "sent")), (expected, 100), "{path}: {text}");
        assert!(count(&report, "answered") > 0 || path == "renumbers", "{path}: {text}");
    }
}

/// A publisher that does not keep up is told of, whoever is to blame.
#[test]
fn what_was_due_and_is_not_published_is_counted() {
    let (_running, at) = server();
    let line = format!(
        "fanout ws://{at}/right -c 2 --publish command --publish-command sleep${{IFS}}0.2 --message-rate 40 \
         --drain-timeout 100ms {SHORT}"
    );
    let (report, text) = report(&line, 3);
    // 24 are due in 600 ms, and at most one in 200 ms is published until 100 ms later.
    assert!((20..=24).contains(&count(&report, "unpublished")), "{text}");
    assert!(text.contains("messages were due and not published"), "{text}");
}

#[test]
fn rounds_go_on_without_those_that_are_lost() {
    let (_running, at) = server();
    let line =
        format!("fanout ws://{at}/closes --publish members -c 6 --shards 2 --round-timeout 100ms {SHORT}");
    let (report, text) = report(&line, 3);
    assert_eq!(
        (count(&report, "connections_lost"), report["closing"]["in_order"].as_u64()),
        (1, Some(5)),
        "{text}"
    );
    // The round in which it went, and perhaps one in which not all knew.
    assert!((1..=2).contains(&count(&report, "rounds_missed")), "{text}");
    assert!(fact(&report, "rounds", "rounds").as_u64() > Some(20), "{text}");
    assert!(text.contains("closed with 1013: enough"), "{text}");
}

#[test]
fn slow_readers_do_not_count_among_the_healthy() {
    let (_running, at) = server();
    let slow = "-c 12 --shards 2 --slow 0.25 --slow-receive-buffer 4KiB --size 64KiB --duration 2s";
    let line =
        format!("fanout ws://{at}/right {SHORT} {slow} --publish members").replace("--duration 500ms", "");
    let (report, text) = report(&line, 0);
    assert_eq!((count(&report, "slow_ended"), count(&report, "missed")), (3, 0), "{text}");
    // What is sent before the window's end counts there, and what is delivered after it does not.
    let [sent, answered] = ["sent", "answered"].map(|name| count(&report, name));
    assert!(answered.abs_diff(sent * 9) <= 2 * 81, "{text}");
    assert!(samples(&report, "eviction") == 3 && samples(&report, "round") > 0, "{text}");
    let delivery = &report["latencies"][0];
    assert_eq!((&delivery["name"], &delivery["tag"]), (&"delivery".into(), &"healthy".into()), "{text}");
    // Those that read at a rate get something.
    let line = format!(
        "fanout ws://{at}/right {SHORT} -c 4 --slow 0.5 --slow-rate 2000 --message-rate 100 --size 100 \
         --threshold delivery:healthy.p50<1s"
    );
    let (report, text) = support::report(&line, 0);
    let got = count(&report, "slow_deliveries");
    assert!(got > 0 && got < 2 * 60 && count(&report, "slow_ended") == 0, "{text}");
    assert_eq!(fact(&report, "slow_readers", "deliveries that they got"), got, "{text}");
}

#[test]
fn publishers_compress_too() {
    let (_running, at) = server();
    let url = format!("--publish-url ws://{at}/right");
    for options in ["", &url] {
        let line =
            format!("fanout ws://{at}/right -c 3 --publishers 2 --size 2KiB --deflate {SHORT} {options}");
        let (report, text) = report(&line, 0);
        let sent = |name: &str| fact(&report, "compression", name).as_u64().expect("a count");
        assert_eq!(fact(&report, "compression", "publishers agreed"), "by 2 of 2 connections", "{text}");
        assert!(sent("compressed messages sent") >= count(&report, "sent"), "{text}");
        assert!(sent("sent, on the wire") < sent("sent, before deflation"), "{text}");
    }
}

#[test]
fn what_cannot_be_published_is_refused() {
    let (_running, at) = server();
    let members = "--publish members";
    let table = [
        ("--size 19".into(), "needs 20 bytes to be known by"),
        (format!("{members} --message-rate 5 --size 19"), "needs 20 bytes to be known by"),
        (format!("{members} --kind json --size 19"), "needs 20 bytes to be known by"),
        (format!("{members} --size 1 -c 33"), "name a longer one"),
        (format!("{members} -c 70000"), "take fewer --subscribers"),
        (format!("{members} --slow 1"), "no member that sends"),
        (format!("{members} --publish-url ws://{at}/"), "needs no --publish-url"),
        ("--senders 3".into(), "about rounds"),
        (format!("{members} --message-rate 5 --burst 2"), "about rounds"),
        ("--publish-text hello".into(), "has no {payload}"),
        ("--publish http".into(), "needs --publish-url"),
        ("--preset uws-echo".into(), "uws-broadcast"),
    ];
    for (options, text) in table {
        let output = wsload(&format!("fanout ws://{at}/right {options}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options}: {said}");
        assert!(said.contains(text), "{options}: {said}");
    }
}
