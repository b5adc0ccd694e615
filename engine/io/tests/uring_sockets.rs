//! The ring against the real kernel, over loopback, one shard driven step by step: sockets, how they
//! come and how they end.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod uring_support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use uring_support::{Shard, config, connect, listener, pattern, reset_on_close};
use wsring_io::uring::Config;
use wsring_io::{CloseHow, Completion, Connect, Io, Op, Outgoing, ReceiveEnd, Socket, Time};

const SHORT: Duration = Duration::from_millis(100);

fn shared(bytes: &[u8]) -> Outgoing {
    Outgoing::Shared(bytes::Bytes::copy_from_slice(bytes))
}

fn send(socket: Socket, bytes: Outgoing) -> Op {
    Op::Send { socket, bytes, notify: false }
}

fn close(socket: Socket, how: CloseHow) -> Op {
    Op::Close { socket, how }
}

#[test]
fn close_sends_fin_although_a_receive_is_armed() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    shard.turn_for(Duration::ZERO);
    shard.io.submit(send(socket, shared(b"bye")));
    shard.io.submit(close(socket, CloseHow::Fin));
    shard.closed(socket);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bye", "the send of the same turn comes before the FIN");
}

#[test]
fn reset_sends_rst() {
    let mut shard = Shard::accepting(&config());
    for armed in [false, true] {
        let (mut peer, socket) = shard.pair();
        if armed {
            shard.io.submit(Op::ReceiveStart(socket));
            shard.turn_for(Duration::ZERO);
        }
        shard.io.submit(close(socket, CloseHow::Reset));
        shard.closed(socket);
        let error = peer.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET), "armed: {armed}");
    }
}

#[test]
fn close_cancels_a_pending_send() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    shard.io.submit(send(socket, shared(&pattern(15_000_000))));
    assert!(matches!(shard.next(), Completion::SendPending { .. }));
    shard.io.submit(close(socket, CloseHow::Reset));
    assert!(matches!(shard.next(), Completion::Closed { .. }), "nothing but Closed after a close");
    let mut rest = Vec::new();
    assert!(peer.read_to_end(&mut rest).is_err() && rest.len() < 15_000_000);
}

#[test]
fn nothing_but_closed_follows_a_close() {
    let mut shard = Shard::accepting(&config());
    for _ in 0..50 {
        let (mut peer, socket) = shard.pair();
        shard.io.submit(Op::ReceiveStart(socket));
        shard.turn_for(Duration::ZERO);
        peer.write_all(&pattern(20_000)).unwrap();
        shard.io.submit(close(socket, CloseHow::Fin));
        let mut seen_closed = false;
        for completion in shard.all_within(Duration::from_millis(2)) {
            match completion {
                Completion::Received { buffer, .. } if !seen_closed => shard.io.release(buffer),
                Completion::Closed { socket: closed } if closed == socket && !seen_closed => {
                    seen_closed = true
                }
                other => panic!("{other:?} after the close was asked for"),
            }
        }
        assert!(seen_closed);
    }
}

#[test]
fn a_peer_that_has_reset_has_no_address() {
    let mut shard = Shard::accepting(&config());
    let (peer, socket) = shard.pair();
    reset_on_close(&peer);
    drop(peer);
    shard.io.submit(Op::PeerAddress(socket));
    assert!(matches!(shard.next(), Completion::PeerAddress { address: None, .. }));
    shard.io.submit(close(socket, CloseHow::Fin));
    assert!(matches!(shard.next(), Completion::Closed { .. }));
}

#[test]
fn a_place_used_again_has_another_name() {
    let mut shard = Shard::accepting(&config());
    let (_first_peer, first) = shard.pair();
    shard.io.submit(close(first, CloseHow::Fin));
    shard.closed(first);
    let (mut peer, second) = shard.pair();
    assert_eq!(second.slot(), first.slot(), "the place is used again");
    assert_ne!(second, first);
    // Operations on the old name touch nobody.
    shard.io.submit(Op::ReceiveStart(first));
    shard.io.submit(send(first, shared(b"wrong")));
    shard.io.submit(close(first, CloseHow::Reset));
    shard.io.submit(send(second, shared(b"right")));
    assert!(shard.all_within(SHORT).is_empty());
    let mut answer = [0; 5];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"right");
}

#[test]
fn places_do_not_wander() {
    let mut shard = Shard::accepting(&config());
    let (_stays, _) = shard.pair();
    let mut highest = 0;
    for _ in 0..400 {
        let (_a, first) = shard.pair();
        let (_b, second) = shard.pair();
        for socket in [second, first] {
            highest = highest.max(socket.slot());
            shard.io.submit(close(socket, CloseHow::Fin));
            shard.closed(socket);
        }
    }
    assert!(highest < 100, "three sockets at once reached place {highest}");
}

#[test]
fn a_full_table_ends_accepting_until_it_is_started_again() {
    let mut shard = Shard::accepting(&Config { sockets_max: 4, ..config() });
    let mut pairs: Vec<_> = (0..4).map(|_| shard.pair()).collect();
    let _turned_away = connect(shard.address);
    let errno = shard.await_one(|completion| match completion {
        Completion::AcceptEnded { errno } => Some(*errno),
        _ => None,
    });
    assert_eq!(errno, libc::ENFILE);
    assert_eq!((shard.io.counters().accepts_failed, shard.io.sockets_free()), (1, 0));
    let waiting = connect(shard.address);
    assert!(shard.all_within(SHORT).is_empty(), "nothing is accepted, and nothing spins");
    let enters = shard.io.counters().enters;
    shard.turn_for(SHORT);
    assert!(shard.io.counters().enters - enters < 5, "a full table does not spin");

    let (_, socket) = pairs.pop().unwrap();
    shard.io.submit(close(socket, CloseHow::Fin));
    shard.closed(socket);
    shard.io.submit(Op::AcceptStart);
    assert_eq!(shard.accepted().slot(), socket.slot());
    drop(waiting);
}

#[test]
fn accepting_stops_and_the_listener_closes() {
    let mut shard = Shard::accepting(&config());
    let _pair = shard.pair();
    shard.io.submit(Op::AcceptStop);
    assert!(shard.all_within(SHORT).is_empty());
    let _waits = connect(shard.address);
    assert!(shard.all_within(SHORT).is_empty(), "it waits in the backlog");
    shard.io.submit(Op::AcceptStart);
    shard.accepted();
    shard.io.submit(Op::AcceptStop);
    shard.io.submit(Op::AcceptStart);
    let _again = connect(shard.address);
    shard.accepted();
    shard.io.submit(Op::ListenerClose);
    shard.all_within(SHORT);
    let refused = std::net::TcpStream::connect(shard.address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_turn_ends_at_its_deadline() {
    let mut shard = Shard::accepting(&config());
    let mut completions = Vec::new();
    shard.io.turn(Some(Time(0)), &mut completions).unwrap();
    let start = Instant::now();
    let deadline = shard.io.now().after(Duration::from_millis(50));
    shard.io.turn(Some(deadline), &mut completions).unwrap();
    let waited = start.elapsed();
    assert!(completions.is_empty());
    assert!(shard.io.now() >= deadline, "the clock has reached the deadline");
    assert!((50..500).contains(&waited.as_millis()), "waited {waited:?}");
    let start = Instant::now();
    shard.io.turn(Some(Time(0)), &mut completions).unwrap();
    assert!(start.elapsed() < Duration::from_millis(20), "a deadline in the past does not wait");
}

#[test]
fn a_waker_ends_the_wait_and_many_count_once() {
    let mut shard = Shard::accepting(&config());
    let waker = shard.io.waker();
    waker.wake();
    waker.wake();
    assert!(matches!(shard.next(), Completion::Woken), "rung while awake");
    assert!(shard.all_within(SHORT).is_empty());
    for _ in 0..20 {
        let waker = waker.clone();
        let ringer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            waker.wake();
            waker.wake();
        });
        let mut completions = Vec::new();
        shard.io.turn(None, &mut completions).unwrap();
        assert!(matches!(completions[..], [Completion::Woken]), "{completions:?}");
        ringer.join().unwrap();
        shard.all_within(Duration::from_millis(1));
    }
    drop(shard);
    waker.wake();
}

#[test]
fn connects_from_where_it_is_told() {
    let peer = listener();
    let to = peer.local_addr().unwrap();
    let mut shard = Shard::new(&config());
    let places: [Option<SocketAddr>; 3] =
        [None, Some("127.0.0.7:0".parse().unwrap()), Some("127.0.0.8:0".parse().unwrap())];
    for (request, from) in (70..).zip(places) {
        shard.io.submit(Op::Connect(Connect { request, to, from, receive_buffer_bytes: None }));
        let socket = shard.await_one(|completion| match completion {
            Completion::Connected { request: of, socket } if *of == request => Some(*socket),
            Completion::ReceiveEnded { end: ReceiveEnd::Eof, .. } => None,
            other => panic!("{other:?}"),
        });
        let (mut stream, address) = peer.accept().unwrap();
        let expected = from.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip());
        assert_eq!(address.ip(), expected);
        stream.write_all(b"hi").unwrap();
        shard.io.submit(Op::ReceiveStart(socket));
        let (_, buffer) = shard.received();
        assert_eq!(shard.io.bytes(&buffer), b"hi");
        shard.io.release(buffer);
    }
}

#[test]
fn a_refused_connect_leaves_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut shard = Shard::new(&Config { sockets_max: 2, ..config() });
    let failure = |shard: &mut Shard, from: Option<SocketAddr>| {
        shard.io.submit(Op::Connect(Connect { request: 9, to: gone, from, receive_buffer_bytes: None }));
        match shard.next() {
            Completion::ConnectFailed { request: 9, errno } => errno,
            other => panic!("{other:?}"),
        }
    };
    // More often than there are places: each gives its own back.
    for _ in 0..10 {
        assert_eq!(failure(&mut shard, None), libc::ECONNREFUSED);
    }
    let foreign = Some("192.0.2.1:0".parse().unwrap());
    assert_eq!(failure(&mut shard, foreign), libc::EADDRNOTAVAIL);
}

#[test]
fn a_connect_into_a_full_table_fails() {
    let peer = listener();
    let to = peer.local_addr().unwrap();
    let mut shard = Shard::new(&Config { sockets_max: 2, ..config() });
    let mut outcomes = Vec::new();
    for request in 0..3 {
        shard.io.submit(Op::Connect(Connect { request, to, from: None, receive_buffer_bytes: None }));
    }
    for _ in 0..3 {
        outcomes.push(match shard.next() {
            Completion::Connected { .. } => 0,
            Completion::ConnectFailed { errno, .. } => errno,
            other => panic!("{other:?}"),
        });
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [0, 0, libc::ENFILE]);
}
