//! Opening handshakes, and what comes right behind them.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use wsring::{Conn, Handler, Message, Response, Upgrade};
use wsring_tests::peer::handshake;
use wsring_tests::served::{echo, serve_echo};
use wsring_tests::wire::{self, BINARY, PING, PONG, TEXT};
use wsring_tests::{Frame, Peer, serve, settings};

#[test]
fn the_subprotocol_is_the_first_of_the_server_that_the_client_offers() {
    let server = serve(settings(), |server| {
        server.websocket("/", |upgrade| upgrade.subprotocol(&["v3", "v2", "v1"]).accept(echo))
    });
    let table = [
        ("Sec-WebSocket-Protocol: v1, v2\r\n", Some("v2")),
        ("Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: other, v3\r\n", Some("v3")),
        ("Sec-WebSocket-Protocol: V3, other\r\n", None),
        ("", None),
    ];
    for (offer, chosen) in table {
        let mut peer = Peer::connect(server.address());
        peer.send(handshake("/", offer).as_bytes());
        assert_eq!(peer.switched().header("Sec-WebSocket-Protocol"), chosen, "{offer}");
        peer.echo(b"open");
    }
}

#[test]
fn path_query_headers_cookies_and_origin_are_there_to_decide_by() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let server = serve(settings(), |server| {
        server.websocket("/rooms/{room}/{*rest}", move |upgrade| {
            let request = upgrade.request();
            let text = |value: Option<std::borrow::Cow<'_, str>>| value.unwrap_or_default().into_owned();
            notes.lock().unwrap().extend([
                text(upgrade.param("room")),
                text(upgrade.param("rest")),
                text(request.query_value("q")),
                request.header_str("X-Token").unwrap_or_default().to_owned(),
                text(request.cookie("session").map(Into::into)),
                request.origin().unwrap_or_default().to_owned(),
                request.host().unwrap_or_default().to_owned(),
            ]);
            upgrade.accept(echo)
        })
    });
    let mut peer = Peer::connect(server.address());
    let more = "x-token:  t 1 \r\nCookie: a=b; session=s%201; c=d\r\nOrigin: http://example.org\r\n";
    peer.send(handshake("/rooms/caf%C3%A9/x/y?p=1&q=a%2Bb+c", more).as_bytes());
    peer.switched();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[..4], ["caf\u{e9}", "x/y", "a+b c", "t 1"]);
    assert!(["s%201", "s 1"].contains(&seen[4].as_str()), "{}", seen[4]);
    assert_eq!(seen[5..], ["http://example.org", "localhost"]);
}

#[test]
fn headers_of_the_answer_cannot_smuggle_lines() {
    let server = serve(settings(), |server| server.websocket("/", decorated));
    let mut peer = Peer::connect(server.address());
    peer.send(handshake("/", "").as_bytes());
    let answer = peer.switched();
    assert_eq!(answer.header("X-Good"), Some("yes"));
    assert!(answer.headers.iter().all(|(name, _)| name != "X-Evil"));
}

/// A value with CR LF takes the upgrade with it, so the attempt is made on another header's value.
fn decorated(upgrade: Upgrade<'_>) -> wsring::Answer {
    let (answer, mut deferred) = match upgrade.header("X-Good", "yes") {
        Ok(upgrade) => upgrade.defer(),
        Err(error) => panic!("{error}"),
    };
    for (name, value) in [
        ("X", "a\r\nX-Evil: 1"),
        ("X", "a\nb"),
        ("X", "a\0b"),
        ("X-Evil\r\nY", "1"),
        ("", "1"),
        ("Upgrade", "h2c"),
    ] {
        assert!(deferred.header(name, value).is_err(), "{name:?}: {value:?}");
    }
    deferred.accept(echo);
    answer
}

#[test]
fn a_rejected_upgrade_gets_the_response_and_the_end() {
    let server = serve(settings(), |server| {
        server.websocket("/", |upgrade| upgrade.reject(Response::text(403, "not you\n")))
    });
    let mut peer = Peer::connect(server.address());
    peer.send(handshake("/", "").as_bytes());
    let answer = peer.answer();
    assert_eq!((answer.status, answer.text().as_str()), (403, "not you\n"));
    peer.ended();
}

#[test]
fn a_version_other_than_13_is_told_which_there_is() {
    let server = serve_echo(settings());
    let mut peer = Peer::connect(server.address());
    peer.send(handshake("/", "").replace("Version: 13", "Version: 8").as_bytes());
    let answer = peer.answer();
    assert_eq!((answer.status, answer.header("Sec-WebSocket-Version")), (426, Some("13")));
}

#[test]
fn frames_right_behind_the_handshake_are_not_lost() {
    let server = serve_echo(settings());
    let frames =
        [wire::message(TEXT, b"one"), wire::message(PING, b"two"), wire::message(BINARY, &[3; 9000])];
    let all = [handshake("/x", "").into_bytes(), frames.concat()].concat();
    for cut in [all.len(), 60, 200, all.len() - 9000, all.len() - 1] {
        let mut peer = Peer::connect(server.address());
        peer.send(&all[..cut]);
        std::thread::sleep(Duration::from_millis(5));
        peer.send(&all[cut..]);
        peer.switched();
        assert_eq!(peer.frame(), Frame::new(TEXT, *b"one"), "cut at {cut}");
        assert_eq!(peer.frame(), Frame::new(PONG, *b"two"), "cut at {cut}");
        peer.echoed(&[3; 9000]);
        peer.close();
    }
}

#[test]
fn everything_may_come_one_byte_at_a_time() {
    let server = serve_echo(settings());
    let mut peer = Peer::connect(server.address());
    let text = "\u{e4}\u{20ac}\u{1f600}".repeat(20);
    let all = [
        handshake("/x", "").into_bytes(),
        wire::message(TEXT, text.as_bytes()),
        wire::fragment(BINARY, false, b"ab"),
        wire::message(PING, b"between"),
        wire::fragment(0, true, b"cd"),
    ];
    for byte in all.concat() {
        peer.send(&[byte]);
        std::thread::sleep(Duration::from_micros(100));
    }
    peer.switched();
    assert_eq!(peer.text(), text);
    assert_eq!(peer.frame(), Frame::new(PONG, *b"between"));
    peer.echoed(b"abcd");
    peer.close();
}

struct Greeting;

impl Handler for Greeting {
    fn open(&mut self, conn: &mut Conn<'_>) {
        for number in 0..3 {
            let _ = conn.send_text(&format!("hello {number}"));
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = conn.send_text("before");
        echo(conn, message);
        let _ = conn.send_text("after");
    }
}

#[test]
fn what_a_handler_sends_arrives_in_its_order() {
    let server = serve(settings(), |server| server.websocket("/", |upgrade| upgrade.accept(Greeting)));
    let mut peer = Peer::open(server.address(), "/");
    for number in 0..3 {
        assert_eq!(peer.text(), format!("hello {number}"));
    }
    for length in [0, 10, 125, 126, 3000, 5000, 70_000, 200_000] {
        let payload = wsring_tests::pattern(length, 2);
        peer.send(&[wire::message(BINARY, &payload), wire::message(TEXT, b"x")].concat());
        for expected in [&payload[..], b"x"] {
            assert_eq!(peer.text(), "before", "{length}");
            assert!(peer.frame().payload == expected, "{length}");
            assert_eq!(peer.text(), "after", "{length}");
        }
    }
}
