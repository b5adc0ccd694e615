//! What happens at the limits of connections, messages and memory.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;
use wsring::{Limits, Settings};
use wsring_tests::peer::handshake;
use wsring_tests::process::Process;
use wsring_tests::served::serve_echo;
use wsring_tests::wire::{self, BINARY, CONTINUATION, TEXT};
use wsring_tests::{Peer, settings, wait_until};

/// A server that does not spin needs next to nothing of this while its clients wait.
const WAIT: Duration = Duration::from_secs(1);
const PROCESSOR_TIME_MAX: Duration = Duration::from_millis(200);

/// A small table of descriptors. Of its places 64 are kept free for connections that are being closed, and a quarter for
/// those that come in: as many as may wait in the kernel.
const TABLE: u32 = 160;
const BACKLOG: usize = 40;
const SERVED: usize = 160 - 64 - BACKLOG;

/// Connects and asks, without waiting for an answer.
fn asking(address: SocketAddr) -> Peer {
    let mut peer = Peer::connect(address);
    peer.send(handshake("/echo", "").as_bytes());
    peer
}

/// Moves the peers that have an answer from those that wait to those that are served.
fn admit(waiting: &mut Vec<Peer>, served: &mut Vec<Peer>) {
    let answered = waiting.extract_if(.., |peer| peer.has_input());
    served.extend(answered.map(|mut peer| {
        let head = peer.try_head().expect("nobody is sent away");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }));
}

/// Fills the server, has more clients wait, and lets them in as others leave.
fn fill(server: &Process, clients: usize, limit: std::ops::RangeInclusive<usize>) {
    let mut waiting = Vec::new();
    let mut served = Vec::new();
    for _ in 0..clients {
        waiting.push(asking(server.address()));
        // One after the other: what the kernel has accepted already is not sent away.
        if served.len() < *limit.start() {
            wait_until("a client to be served", || waiting.iter().all(Peer::has_input));
        }
        admit(&mut waiting, &mut served);
    }
    sleep(Duration::from_millis(300));
    admit(&mut waiting, &mut served);
    assert!(limit.contains(&served.len()), "{} are served, expected {limit:?}", served.len());

    let before = server.processor_time();
    sleep(WAIT);
    let used = server.processor_time() - before;
    assert!(used < PROCESSOR_TIME_MAX, "{used:?} of processor time while {} clients waited", waiting.len());

    // Those that come in may be more than have left, since the kernel takes all that it has a place for.
    while !waiting.is_empty() {
        let room = limit.start() - 1;
        served.drain(room.saturating_sub(3).min(served.len())..).for_each(Peer::close);
        let before = waiting.len();
        wait_until("a waiting client to be let in", || {
            admit(&mut waiting, &mut served);
            waiting.len() < before
        });
        served.iter_mut().for_each(|peer| peer.echo(b"served"));
    }
}

#[test]
fn clients_beyond_the_limit_of_connections_wait_and_get_in_when_others_leave() {
    for shards in ["1", "2"] {
        fill(&Process::serve(1024, &["--shards", shards, "--connections-max", "8"]), 24, 8..=10);
    }
}

#[test]
fn a_full_table_of_descriptors_makes_clients_wait_and_does_not_spin() {
    let server = Process::serve(TABLE, &["--shards", "1"]);
    fill(&server, SERVED + BACKLOG, SERVED..=SERVED + BACKLOG);
}

#[test]
fn a_burst_of_clients_beyond_the_limit_does_not_spin_either() {
    let server = Process::serve(TABLE, &["--shards", "1"]);
    let mut waiting: Vec<Peer> = (0..SERVED + BACKLOG).map(|_| asking(server.address())).collect();
    let mut served = Vec::new();
    sleep(Duration::from_millis(300));
    admit(&mut waiting, &mut served);
    let before = server.processor_time();
    sleep(WAIT);
    let used = server.processor_time() - before;
    assert!(used < PROCESSOR_TIME_MAX, "{used:?} of processor time while {} clients waited", waiting.len());
    assert!(served.len() >= SERVED, "{} are served", served.len());
    drop(served);
    let mut served = Vec::new();
    wait_until("all that waited to be served", || {
        admit(&mut waiting, &mut served);
        waiting.is_empty()
    });
}

fn small() -> Settings {
    let limits = Limits {
        frame_bytes_max: 1000,
        message_bytes_max: 2000,
        held_bytes_max: 10_000,
        ..Limits::default()
    };
    Settings { limits, ..settings() }
}

#[test]
fn messages_up_to_the_limits_pass() {
    let server = serve_echo(small());
    let mut peer = Peer::open(server.address(), "/");
    peer.echo(&[1; 1000]);
    peer.send(
        &[wire::fragment(BINARY, false, &[2; 1000]), wire::fragment(CONTINUATION, true, &[2; 1000])].concat(),
    );
    peer.echoed(&[2; 2000]);
    peer.close();
}

#[test]
fn beyond_the_limits_it_is_1009_on_sight_of_the_header() {
    let server = serve_echo(small());
    let key = [0; 4];
    let frame = [&wire::header(TEXT, true, 1001, true)[..], &key].concat();
    let huge = [&wire::header(BINARY, false, u64::MAX >> 1, true)[..], &key].concat();
    let message = [
        wire::fragment(BINARY, false, &[3; 1000]),
        wire::fragment(CONTINUATION, false, &[3; 1000]),
        [&wire::header(CONTINUATION, true, 1, true)[..], &key].concat(),
    ];
    for bytes in [frame, huge, message.concat()] {
        let mut peer = Peer::open(server.address(), "/");
        peer.echo(b"before");
        peer.send(&bytes);
        let (code, reason) = peer.closed();
        assert!(code == 1009 && reason.contains("limit"), "{code} {reason}");
        peer.send(&[0; 100]);
        peer.ended();
    }
}

#[test]
fn bytes_held_by_all_together_are_bounded_and_free_again_when_they_are_delivered() {
    let server = serve_echo(small());
    for _ in 0..3 {
        let mut peers: Vec<Peer> = (0..10).map(|_| Peer::open(server.address(), "/")).collect();
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send(
                &[wire::fragment(BINARY, false, &[4; 1000]), wire::fragment(CONTINUATION, false, &[4; 500])]
                    .concat(),
            );
            // After six of them 9,000 bytes are held; the seventh is one too many.
            if number >= 6 {
                assert_eq!(peer.closed().0, 1009, "connection {number}");
            } else {
                peer.send_message(wire::PING, b"");
                assert_eq!(peer.frame().opcode, wire::PONG);
            }
        }
        for mut peer in peers.drain(..6) {
            peer.send(&wire::fragment(CONTINUATION, true, b""));
            peer.echoed(&[4; 1500]);
        }
    }
}

#[test]
fn what_a_reset_connection_held_is_free_again() {
    let server = serve_echo(small());
    for _ in 0..20 {
        let mut peer = Peer::open(server.address(), "/");
        peer.send(&wire::fragment(BINARY, false, &[5; 900]));
        peer.send_message(wire::PING, b"");
        assert_eq!(peer.frame().opcode, wire::PONG);
        socket2::SockRef::from(peer.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        wait_until("the connection to be gone", || server.count() == 0);
    }
}
