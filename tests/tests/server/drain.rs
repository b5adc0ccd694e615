//! Stopping in order.

use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use wsring::{Drain, Response, Server, Settings};
use wsring_tests::served::{echo, serve_echo};
use wsring_tests::wire::{self, BINARY};
use wsring_tests::{PATIENCE, Peer, serve, settings};

const AT_ONCE: Drain = Drain { window: Duration::ZERO, deadline: PATIENCE };

#[test]
fn every_connection_is_told_1001_and_the_report_counts_them() {
    let server = serve_echo(Settings { shards: Some(2), ..settings() });
    let address = server.address();
    let mut peers: Vec<Peer> = (0..10).map(|_| Peer::open(address, "/")).collect();
    let stopping = std::thread::spawn(move || server.stop(AT_ONCE));
    for peer in &mut peers {
        let (code, reason) = peer.closed();
        assert!(code == 1001 && reason.contains("shuts down"), "{code} {reason}");
        peer.send(&wire::close(1001, ""));
        peer.ended();
    }
    let report = stopping.join().unwrap();
    assert_eq!((report.connections, report.closed, report.cut_off), (10, 10, 0));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn the_closes_are_spread_over_the_window() {
    let server = serve_echo(settings());
    let mut peers: Vec<Peer> = (0..10).map(|_| Peer::open(server.address(), "/")).collect();
    let window = Duration::from_secs(1);
    let began = Instant::now();
    let stopping = std::thread::spawn(move || server.stop(Drain { window, deadline: PATIENCE }));
    let mut times = Vec::new();
    for peer in &mut peers {
        assert_eq!(peer.closed().0, 1001);
        times.push(began.elapsed());
        peer.send(&wire::close(1001, ""));
    }
    stopping.join().unwrap();
    // The last is told at nine tenths of the window, the first at its beginning.
    assert!(times[9] >= window * 8 / 10, "{times:?}");
    let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] > Duration::from_millis(20)).count();
    assert!(gaps >= 5, "not all at once: {times:?}");
}

#[test]
fn who_does_not_answer_is_cut_off_at_the_deadline() {
    let server = serve_echo(settings());
    let mut stubborn = Peer::open(server.address(), "/");
    let mut stuck = Peer::connect_narrow(server.address()).upgrade("/");
    let mut polite = Peer::open(server.address(), "/");
    stuck.send_message(BINARY, &vec![0; 8 << 20]);
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    let stopping = std::thread::spawn(move || {
        server.stop(Drain { window: Duration::ZERO, deadline: Duration::from_millis(700) })
    });
    assert_eq!(polite.closed().0, 1001);
    polite.send(&wire::close(1001, ""));
    polite.ended();
    assert_eq!(stubborn.closed().0, 1001);
    stubborn.ended();
    let report = stopping.join().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(650), "{:?}", began.elapsed());
    assert_eq!((report.connections, report.closed, report.cut_off), (3, 1, 2));
    stuck.drained();
}

#[test]
fn queued_output_goes_out_before_the_end() {
    let server = serve_echo(settings());
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let payload = wsring_tests::pattern(3 << 20, 5);
    peer.send_message(BINARY, &payload);
    std::thread::sleep(Duration::from_millis(100));
    let stopping = std::thread::spawn(move || server.stop(AT_ONCE));
    std::thread::sleep(Duration::from_millis(100));
    peer.echoed(&payload);
    assert_eq!(peer.closed().0, 1001);
    peer.send(&wire::close(1001, ""));
    peer.ended();
    assert_eq!(stopping.join().unwrap().closed, 1);
}

#[test]
fn connections_that_speak_http_are_ended_after_the_request_at_hand() {
    let server = serve(settings(), |server| server.get("/", |_| Response::text(200, "ok")));
    let address = server.address();
    let mut between = Peer::connect(address);
    between.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(between.answer().status, 200);
    let mut within = Peer::connect(address);
    within.send(b"GET / HTTP/1.1\r\n");
    let mut silent = Peer::connect(address);
    wsring_tests::wait_until("all to be accepted", || server.count() == 3);
    std::thread::sleep(Duration::from_millis(50));
    let stopping = std::thread::spawn(move || server.stop(AT_ONCE));
    between.ended();
    silent.ended();
    within.send(b"Host: a\r\n\r\n");
    assert_eq!(within.answer().header("Connection"), Some("close"));
    within.ended();
    assert_eq!(stopping.join().unwrap().connections, 3);
}

#[test]
fn another_thread_stops_what_this_one_waits_for() {
    let server = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(2), ..settings() })
        .websocket("/", |upgrade| upgrade.accept(echo))
        .start()
        .unwrap();
    let address = server.addresses()[0];
    let mut peers: Vec<Peer> = (0..4).map(|_| Peer::open(address, "/")).collect();
    let stopper = server.stopper();
    let (told, ended) = channel();
    let waiting = std::thread::spawn(move || {
        let report = server.join();
        told.send(()).unwrap();
        report
    });
    peers.iter_mut().for_each(|peer| peer.echo(b"waiting does not keep it from serving"));
    assert!(ended.recv_timeout(Duration::from_millis(100)).is_err(), "nobody has stopped it yet");
    let once_more = stopper.clone();
    std::thread::spawn(move || stopper.begin_stop(AT_ONCE)).join().unwrap();
    for peer in &mut peers {
        assert_eq!(peer.closed().0, 1001);
        peer.send(&wire::close(1001, ""));
        peer.ended();
    }
    ended.recv_timeout(PATIENCE).unwrap();
    let report = waiting.join().unwrap().unwrap();
    assert_eq!((report.connections, report.closed, report.cut_off), (4, 4, 0));
    once_more.begin_stop(AT_ONCE);
}

#[test]
fn an_idle_server_stops_at_once_and_its_port_is_free() {
    let server = serve_echo(Settings { shards: Some(2), ..settings() });
    let address = server.address();
    assert_eq!(server.stop(Drain::default()).connections, 0);
    let again = Server::new()
        .listen(address.to_string())
        .settings(settings())
        .websocket("/", |upgrade| upgrade.accept(echo))
        .start()
        .unwrap();
    Peer::open(address, "/").echo(b"again");
    again.stop(AT_ONCE).unwrap();
}
