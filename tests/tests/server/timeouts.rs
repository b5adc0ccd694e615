//! What the clock does to connections. A tick of a shard's clock is 67 ms: times here are some of them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use wsring::{Closed, Conn, ConnectionId, Handler, Message, Settings};
use wsring_tests::served::serve_echo;
use wsring_tests::wire::{self, PING, PONG};
use wsring_tests::{Frame, PATIENCE, Peer, Served, serve, settings, wait_until};

const SHORT: Duration = Duration::from_millis(300);

/// Tells of pongs and of the end.
struct Listens(Sender<String>);

impl Handler for Listens {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = conn.send(message);
    }

    fn pong(&mut self, _: &mut Conn<'_>, payload: &[u8], round_trip: Option<Duration>) {
        let _ = self.0.send(format!("pong {} {}", payload.len(), round_trip.is_some()));
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let _ = self.0.send(format!("closed {} {}", closed.number(), closed.clean));
    }
}

fn listening(settings: Settings) -> (Served, Receiver<String>) {
    let (to, told) = channel();
    let server =
        serve(settings, |server| server.websocket("/", move |upgrade| upgrade.accept(Listens(to.clone()))));
    (server, told)
}

#[test]
fn a_silent_peer_is_pinged_and_its_pong_keeps_it() {
    let (server, told) = listening(Settings { ping_interval: Some(SHORT), ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    for _ in 0..3 {
        let ping = peer.frame();
        assert_eq!(ping.opcode, PING);
        peer.send_message(PONG, &ping.payload);
        assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 8 true"), "the round trip is known");
    }
    peer.send_message(PONG, b"of my own accord");
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 16 false"));
    peer.echo(b"still there");
}

#[test]
fn only_the_answer_to_the_shard_s_own_ping_has_a_round_trip() {
    // Long enough for all that is asked here to come before the next Ping.
    let (server, told) = listening(Settings { ping_interval: Some(5 * SHORT), ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    let Frame { opcode: PING, payload: ping, .. } = peer.frame() else { panic!("expected a Ping") };
    let clock = u64::from_be_bytes(ping[..].try_into().expect("a Ping carries the clock"));
    // No Ping has asked this one yet, or at another time.
    let mut unasked = Peer::open(server.address(), "/");
    unasked.send_message(PONG, &ping);
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 8 false"), "unasked");

    // Two ticks before, an hour ahead, and what no clock shows.
    for value in [clock - 150_000_000, clock + 3_600_000_000_000, 0, u64::MAX] {
        peer.send_message(PONG, &value.to_be_bytes());
        assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 8 false"), "{value}");
    }
    peer.send_message(PONG, &ping);
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 8 true"), "the answer");
    peer.send_message(PONG, &ping);
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("pong 8 false"), "answered already");
}

#[test]
fn a_ping_is_answered_after_our_own_close_until_the_peer_s() {
    let server = serve(settings(), |server| {
        server.websocket("/", |upgrade| {
            upgrade.accept(|conn: &mut Conn<'_>, _: Message<'_>| {
                conn.close(wsring::CloseCode::NORMAL, "done");
            })
        })
    });
    let ping = |payload: &[u8]| wire::message(PING, payload);
    let message = wire::message(wire::TEXT, b"close");
    // In one piece, so that the Pings are behind the message within the same input as well.
    let mut peer = Peer::open(server.address(), "/");
    peer.send(&[&message[..], &ping(b"1"), &message, &ping(b"2")].concat());
    assert_eq!(peer.closed(), (1000, "done".to_owned()));
    for payload in [b"1", b"2"] {
        assert_eq!(peer.frame(), Frame::new(PONG, *payload));
    }
    peer.send(&ping(b"3"));
    assert_eq!(peer.frame(), Frame::new(PONG, *b"3"));
    peer.send(&[wire::close(1000, ""), ping(b"4")].concat());
    peer.ended();
}

#[test]
fn a_peer_that_answers_no_ping_is_closed_with_1008() {
    let (server, told) =
        listening(Settings { ping_interval: Some(SHORT), pong_timeout: SHORT, ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    assert_eq!(peer.frame().opcode, PING);
    let (code, reason) = peer.closed();
    assert!(code == 1008 && reason.contains("Ping"), "{code} {reason}");
    // There is nobody to shake hands with, as far as the server can know.
    peer.ended();
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("closed 1006 false"));
}

#[test]
fn any_byte_after_a_ping_is_a_sign_of_life() {
    let server = serve_echo(Settings { ping_interval: Some(SHORT), pong_timeout: SHORT, ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    let end = Instant::now() + 6 * SHORT;
    // A message in fragments that goes on and on, and never a Pong.
    peer.send(&wire::fragment(wire::BINARY, false, b"."));
    while Instant::now() < end {
        std::thread::sleep(SHORT / 3);
        peer.send(&wire::fragment(0, false, b"."));
    }
    peer.send(&wire::fragment(0, true, b"."));
    loop {
        let frame = peer.frame();
        assert_ne!(frame.opcode, wire::CLOSE, "{frame:?}");
        if frame.opcode == wire::BINARY {
            break;
        }
    }
}

#[test]
fn no_pings_when_they_are_off() {
    let server = serve_echo(settings());
    let mut peer = Peer::open(server.address(), "/");
    assert!(peer.is_quiet_for(5 * SHORT));
    peer.echo(b"and it is still there");
}

#[test]
fn a_connection_without_messages_is_closed_with_1001_and_pongs_do_not_count() {
    let server = serve_echo(Settings { idle_timeout: Some(3 * SHORT), ..settings() });
    let mut talking = Peer::open(server.address(), "/");
    let mut silent = Peer::open(server.address(), "/");
    for _ in 0..8 {
        std::thread::sleep(SHORT / 2);
        talking.echo(b"a message");
        silent.try_send(&wire::message(PONG, b""));
    }
    assert_eq!(silent.closed(), (1001, "idle".to_owned()));
    silent.send(&wire::close(1001, ""));
    silent.ended();
    talking.echo(b"still there");
    assert_eq!(talking.closed().0, 1001, "in its turn");
}

#[test]
fn a_connection_that_talks_all_the_time_has_its_lifetime_and_no_more() {
    let server = serve_echo(Settings { lifetime_max: Some(3 * SHORT), ..settings() });
    let began = Instant::now();
    let mut peer = Peer::open(server.address(), "/");
    let (code, reason) = loop {
        peer.send_text("talk");
        let frame = peer.frame();
        if frame.opcode == wire::CLOSE {
            break frame.close_reason();
        }
        std::thread::sleep(SHORT / 10);
    };
    assert!(code == 1001 && reason.contains("longest"), "{code} {reason}");
    assert!(began.elapsed() >= 2 * SHORT, "{:?}", began.elapsed());
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_cut_off() {
    let server = serve_echo(Settings {
        lifetime_max: Some(SHORT),
        close_timeout: SHORT,
        linger_timeout: SHORT,
        ..settings()
    });
    let mut peer = Peer::open(server.address(), "/");
    assert_eq!(peer.closed().0, 1001);
    peer.ended();
    wait_until("the connection to be gone", || server.count() == 0);
    let mut failed = Peer::open(server.address(), "/");
    failed.send(&[0xff, 0x80, 0, 0, 0, 0]);
    assert_eq!(failed.closed().0, 1002);
    failed.ended();
    wait_until("the connection to be gone", || server.count() == 0);
}

#[test]
fn an_opened_connection_outlives_the_handshake_timeout() {
    let server = serve_echo(Settings { handshake_timeout: SHORT, ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    std::thread::sleep(3 * SHORT);
    peer.echo(b"still there");
}

#[test]
fn the_peer_s_close_ends_it_with_its_code() {
    let (server, told) = listening(settings());
    let table: [(Vec<u8>, &str, Option<u16>); 4] = [
        (wire::close(1000, "bye"), "closed 1000 true", Some(1000)),
        (wire::close(4999, ""), "closed 4999 true", Some(4999)),
        (wire::message(wire::CLOSE, b""), "closed 1005 true", None),
        (wire::close(1005, ""), "closed 1002 false", Some(1002)),
    ];
    for (close, expected, code) in table {
        let mut peer = Peer::open(server.address(), "/");
        peer.send(&close);
        let frame = peer.frame();
        assert_eq!(frame.opcode, wire::CLOSE);
        assert_eq!((!frame.payload.is_empty()).then(|| frame.close_reason().0), code);
        peer.ended();
        assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok(expected));
    }
    drop(Peer::open(server.address(), "/"));
    assert_eq!(told.recv_timeout(PATIENCE).as_deref(), Ok("closed 1006 false"));
}
