//! The built server and its signals: the first one drains, the second ends it at once.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::net::TcpStream;
use std::time::{Duration, Instant};
use wsring_tests::process::Process;
use wsring_tests::{Peer, wait_until, wire};

/// A server that takes this long, at most, to drain.
fn server(drain_deadline: &str) -> Process {
    Process::serve(1024, &["--shards", "2", "--drain-window", "0ms", "--drain-deadline", drain_deadline])
}

fn exit_code(server: &mut Process) -> Option<i32> {
    wait_until("the server to end", || server.ended().is_some());
    server.ended().unwrap().code()
}

#[test]
fn either_signal_drains_and_the_exit_is_a_success() {
    for signal in ["TERM", "INT"] {
        let mut server = server("20s");
        let mut peers: Vec<Peer> = (0..4).map(|_| Peer::open(server.address(), "/echo")).collect();
        peers.iter_mut().for_each(|peer| peer.echo(b"served"));
        server.signal(signal);
        for peer in &mut peers {
            assert_eq!(peer.closed().0, 1001, "{signal}");
        }
        // The listener is closed while the Closes go out, or right after.
        wait_until("the port to be closed", || TcpStream::connect(server.address()).is_err());
        assert!(server.ended().is_none(), "it waits for the answers");
        for peer in &mut peers {
            peer.send(&wire::close(1001, ""));
            peer.ended();
        }
        assert_eq!(exit_code(&mut server), Some(0), "{signal}");
    }
}

#[test]
fn a_server_without_clients_ends_at_once() {
    let mut server = server("20s");
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(exit_code(&mut server), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn who_does_not_answer_is_cut_off_and_the_exit_is_a_success_all_the_same() {
    let mut server = server("300ms");
    let mut stubborn = Peer::open(server.address(), "/echo");
    server.signal("TERM");
    assert_eq!(stubborn.closed().0, 1001);
    stubborn.ended();
    assert_eq!(exit_code(&mut server), Some(0));
}

#[test]
fn the_second_signal_ends_it_at_once_and_the_exit_is_a_failure() {
    for [first, second] in [["INT", "INT"], ["TERM", "INT"], ["INT", "TERM"]] {
        let mut server = server("60s");
        let mut stubborn = Peer::open(server.address(), "/echo");
        server.signal(first);
        assert_eq!(stubborn.closed().0, 1001, "the drain has begun");
        let began = Instant::now();
        server.signal(second);
        assert_eq!(exit_code(&mut server), Some(1), "{first} {second}");
        // Well before the connection is given up after the time of a closing handshake.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
