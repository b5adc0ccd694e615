//! Applications that panic: it costs the connection at hand and nothing else.

use std::time::Duration;
use wsring::{Closed, Conn, ConnectionId, Handler, Message, Response, Settings};
use wsring_tests::peer::handshake;
use wsring_tests::served::echo;
use wsring_tests::wire::{self, TEXT};
use wsring_tests::{Peer, Served, serve, settings, wait_until};

/// Panics where its name says, otherwise echoes.
struct Panics(&'static str);

impl Panics {
    fn at(&self, place: &str) {
        assert!(self.0 != place, "as the test wants it");
    }
}

impl Handler for Panics {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.at("open");
        if self.0 == "drain" {
            let _ = conn.send_binary(&vec![0; 4 << 20]);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if message.payload() == b"panic" {
            self.at("message");
        }
        echo(conn, message);
    }

    fn drain(&mut self, _: &mut Conn<'_>) {
        self.at("drain");
    }

    fn pong(&mut self, _: &mut Conn<'_>, _: &[u8], _: Option<Duration>) {
        self.at("pong");
    }

    fn close(&mut self, _: ConnectionId, _: &Closed<'_>) {
        self.at("close");
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if self.0 == "drop" {
            panic!("as the test wants it");
        }
    }
}

fn server() -> Served {
    serve(Settings { shards: Some(1), ..settings() }, |server| {
        server
            .websocket("/fine", |upgrade| upgrade.accept(echo))
            .websocket("/open", |upgrade| upgrade.accept(Panics("open")))
            .websocket("/message", |upgrade| upgrade.accept(Panics("message")))
            .websocket("/pong", |upgrade| upgrade.accept(Panics("pong")))
            .websocket("/drain", |upgrade| upgrade.accept(Panics("drain")))
            .websocket("/close", |upgrade| upgrade.accept(Panics("close")))
            .websocket("/drop", |upgrade| upgrade.accept(Panics("drop")))
            .websocket("/route", |_| panic!("as the test wants it"))
            .get("/http", |_| -> Response { panic!("as the test wants it") })
            .get("/ok", |_| Response::text(200, "ok"))
    })
}

/// Lets a panic happen and checks that the others noticed nothing.
fn others_live_on(misbehave: impl Fn(&Served)) {
    let server = server();
    let mut innocent = Peer::open(server.address(), "/fine");
    for round in 0..3 {
        misbehave(&server);
        innocent.echo(format!("round {round}").as_bytes());
        wait_until("the connection to be gone", || server.count() == 1);
    }
    Peer::open(server.address(), "/fine").close();
    let soon = wsring::Drain { window: Duration::ZERO, deadline: Duration::from_millis(100) };
    let report = server.stop(soon);
    assert_eq!(report.connections, 1, "{report:?}");
}

/// Expects a Close with 1011, or a plain end of the connection.
fn ends(mut peer: Peer) {
    while let Some(frame) = peer.try_frame() {
        if frame.opcode == wire::CLOSE {
            assert_eq!(frame.close_reason().0, 1011);
        }
    }
}

#[test]
fn in_a_message_after_good_ones() {
    others_live_on(|server| {
        let mut peer = Peer::open(server.address(), "/message");
        let good = wire::message(TEXT, b"good");
        peer.send(&[&good[..], &good, &wire::message(TEXT, b"panic"), &good].concat());
        assert_eq!(peer.text(), "good");
        assert_eq!(peer.text(), "good");
        assert_eq!(peer.closed().0, 1011);
        ends(peer);
    });
}

#[test]
fn in_a_message_that_came_in_pieces() {
    others_live_on(|server| {
        let mut peer = Peer::open(server.address(), "/message");
        peer.send(&wire::fragment(TEXT, false, b"pa"));
        std::thread::sleep(Duration::from_millis(5));
        peer.send(&wire::fragment(0, true, b"nic"));
        assert_eq!(peer.closed().0, 1011);
        ends(peer);
    });
}

#[test]
fn in_open_pong_and_close() {
    others_live_on(|server| ends(Peer::open(server.address(), "/open")));
    others_live_on(|server| {
        let mut peer = Peer::open(server.address(), "/pong");
        peer.send_message(wire::PONG, b"nobody asked");
        assert_eq!(peer.closed().0, 1011);
        ends(peer);
    });
    others_live_on(|server| {
        let mut peer = Peer::open(server.address(), "/close");
        peer.send(&wire::close(1000, ""));
        assert_eq!(peer.frame().opcode, wire::CLOSE, "it was answered before the handler was told");
        ends(peer);
    });
    others_live_on(|server| drop(Peer::open(server.address(), "/close")));
}

#[test]
fn in_drain() {
    others_live_on(|server| {
        let mut peer = Peer::connect_narrow(server.address()).upgrade("/drain");
        assert_eq!(peer.bytes(10)[1], 127, "the first message begins");
        peer.send_text("this one has to wait");
        std::thread::sleep(Duration::from_millis(50));
        peer.drained();
    });
}

#[test]
fn while_a_handler_is_dropped() {
    others_live_on(|server| {
        let mut peer = Peer::open(server.address(), "/drop");
        peer.echo(b"still there");
        peer.send(&wire::close(1000, ""));
        assert_eq!(peer.frame().opcode, wire::CLOSE);
        ends(peer);
    });
    others_live_on(|server| drop(Peer::open(server.address(), "/drop")));
}

#[test]
fn in_routes() {
    others_live_on(|server| {
        let mut peer = Peer::connect(server.address());
        peer.send(handshake("/route", "").as_bytes());
        peer.drained();
    });
    others_live_on(|server| {
        let mut peer = Peer::connect(server.address());
        peer.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\nGET /http HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.drained();
    });
}

/// A client's handler that panics when it is told that its connection failed.
struct PanicsInFailed;

impl Handler for PanicsInFailed {
    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn failed(&mut self, _: &wsring::OpenFailure) {
        panic!("as the test wants it");
    }
}

#[test]
fn in_a_client_whose_connection_failed() {
    let server = server();
    let client = wsring::Client::start(settings()).unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("ws://{nobody}/"), server.url("/nothing")] {
        client.connect(&wsring::ConnectOptions::new(&url).unwrap(), PanicsInFailed).unwrap();
    }
    let fine = wsring::ConnectOptions::new(&server.url("/fine")).unwrap();
    client.connect(&fine, echo).unwrap();
    wait_until("the good connection to be alone", || server.count() == 1 && client.connections() == [1]);
    client.stop(wsring::Drain { window: Duration::ZERO, ..Default::default() }).unwrap();
}
