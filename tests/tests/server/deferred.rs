//! Upgrades that are decided later, on another thread.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wsring::{Deferred, Response, Settings};
use wsring_tests::peer::handshake;
use wsring_tests::served::echo;
use wsring_tests::wire::{self, BINARY};
use wsring_tests::{Peer, Served, serve, settings, wait_until};

/// A server that hands every upgrade to the test.
fn server(settings: Settings) -> (Served, Receiver<Deferred>) {
    let (upgrades, decide) = channel();
    let server = serve(settings, |server| {
        server.websocket("/", move |upgrade| {
            let (answer, deferred) = upgrade.subprotocol(&["late"]).defer();
            upgrades.send(deferred).unwrap();
            answer
        })
    });
    (server, decide)
}

fn asking(server: &Served) -> Peer {
    let mut peer = Peer::connect(server.address());
    peer.send(handshake("/", "Sec-WebSocket-Protocol: late\r\nX-Token: 7\r\n").as_bytes());
    peer
}

#[test]
fn accepted_from_another_thread_with_headers_and_early_frames() {
    let (server, decide) = server(settings());
    let mut peer = asking(&server);
    let mut deferred = decide.recv().unwrap();
    peer.send(&wire::message(BINARY, b"too early"));
    assert!(peer.is_quiet_for(Duration::from_millis(50)));
    assert_eq!(deferred.request().header_str("X-Token"), Some("7"));
    assert_eq!(deferred.chosen_subprotocol(), Some("late"));
    deferred.header("X-Late", "yes").unwrap();
    deferred.accept(echo);
    let answer = peer.switched();
    assert_eq!(answer.header("Sec-WebSocket-Protocol"), Some("late"));
    assert_eq!(answer.header("X-Late"), Some("yes"));
    peer.echoed(b"too early");
    peer.echo(b"in time");
    peer.close();
}

#[test]
fn rejected_from_another_thread() {
    let (server, decide) = server(settings());
    let mut peer = asking(&server);
    decide.recv().unwrap().reject(Response::text(401, "no\n"));
    let answer = peer.answer();
    assert_eq!((answer.status, answer.header("Connection")), (401, Some("close")));
    peer.ended();
}

#[test]
fn dropped_without_a_decision_is_503() {
    let (server, decide) = server(settings());
    let mut peer = asking(&server);
    drop(decide.recv().unwrap());
    assert_eq!(peer.answer().status, 503);
    peer.ended();
}

#[test]
fn not_decided_in_time_is_503_and_a_decision_after_it_is_ignored() {
    let (server, decide) = server(Settings { handshake_timeout: Duration::from_millis(200), ..settings() });
    let mut peer = asking(&server);
    let deferred = decide.recv().unwrap();
    assert_eq!(peer.answer().status, 503);
    peer.ended();
    deferred.accept(echo);
    let mut next = asking(&server);
    decide.recv().unwrap().accept(echo);
    next.switched();
    next.echo(b"the server lives");
}

#[test]
fn a_client_that_leaves_before_the_decision_frees_its_place() {
    let (server, decide) = server(settings());
    let peer = asking(&server);
    let deferred = decide.recv().unwrap();
    drop(peer);
    wait_until("the connection to be gone", || server.count() == 0);
    deferred.accept(echo);
    let mut next = asking(&server);
    decide.recv().unwrap().accept(echo);
    next.switched();
    next.echo(b"the server lives");
}

#[test]
fn a_client_that_sends_much_before_the_decision_is_cut_off() {
    let (server, decide) = server(settings());
    let mut peer = asking(&server);
    let deferred = decide.recv().unwrap();
    let mut sent = 0;
    while sent < 100 << 20 && peer.try_send(&[0; 65536]) {
        sent += 65536;
    }
    assert!(sent < 100 << 20, "all of it was taken");
    drop(deferred);
    wait_until("the connection to be gone", || server.count() == 0);
}
