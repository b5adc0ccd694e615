//! Several rings in one process: hand-overs, many connections, and the end of a ring at its busiest.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod uring_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use uring_support::{Echo, PATIENCE, Shard, config, connect, echo_on_a_thread, listener, pattern};
use wsring_io::uring::{Config, Mesh, Uring};
use wsring_io::{CloseHow, Completion, Connect, Io, Op, Outgoing, Socket, Time};

/// One shard accepts, the other serves: the socket works there, and here its place is free again.
#[test]
fn a_socket_handed_over_lives_on_the_other_ring() {
    let mesh = Arc::new(Mesh::new(2));
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let (ready, is_ready) = mpsc::channel();
    let serving = {
        let mesh = mesh.clone();
        std::thread::spawn(move || {
            let mut io = Uring::open(&config(), None, mesh, 1).unwrap();
            ready.send(io.waker()).unwrap();
            let (mut echo, mut completions) = (Echo::default(), Vec::new());
            while echo.closed < 50 {
                io.turn(None, &mut completions).unwrap();
                for completion in completions.drain(..) {
                    echo.act(&mut io, completion);
                }
            }
            io.counters().accepted
        })
    };
    is_ready.recv().unwrap();
    // Four places only: were one lost with each hand-over, the fifth connection would find none.
    let config = Config { sockets_max: 4, ..config() };
    let mut acceptor = Uring::open(&config, Some(listener), mesh, 0).unwrap();
    acceptor.submit(Op::AcceptStart);
    let clients = std::thread::spawn(move || {
        for number in 0..50 {
            let mut peer = connect(address);
            peer.write_all(&[number; 100]).unwrap();
            let mut answer = [0; 100];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [number; 100]);
        }
    });
    let mut completions = Vec::new();
    while !clients.is_finished() {
        acceptor.turn(Some(acceptor.now().after(Duration::from_millis(20))), &mut completions).unwrap();
        for completion in completions.drain(..) {
            match completion {
                Completion::Accepted { socket } => acceptor.submit(Op::HandOver { socket, shard: 1 }),
                other => panic!("{other:?}"),
            }
        }
    }
    clients.join().unwrap();
    assert_eq!(serving.join().unwrap(), 50);
}

#[test]
fn a_hand_over_to_nobody_closes_the_socket() {
    let mesh = Arc::new(Mesh::new(3));
    let full = Config { sockets_max: 1, ..config() };
    let (kept_listener, listener) = (listener(), listener());
    let kept_address = kept_listener.local_addr().unwrap();
    let address = listener.local_addr().unwrap();
    let mut other = Uring::open(&full, Some(kept_listener), mesh.clone(), 1).unwrap();
    other.submit(Op::AcceptStart);
    let _kept = connect(kept_address);
    let mut completions = Vec::new();
    other.turn(None, &mut completions).unwrap();
    assert!(matches!(completions[..], [Completion::Accepted { .. }]));

    let mut io = Uring::open(&config(), Some(listener), mesh, 0).unwrap();
    io.submit(Op::AcceptStart);
    // A full table, a shard that never opened, no such shard; then this shard itself.
    for shard in [1, 2, 9] {
        let mut peer = connect(address);
        hand_over_next(&mut io, shard);
        let mut completions = Vec::new();
        for _ in 0..5 {
            io.turn(Some(Time(0)), &mut completions).unwrap();
            other.turn(Some(Time(0)), &mut Vec::new()).unwrap();
        }
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "the peer is told");
        assert!(
            matches!(completions[..], [Completion::HandOverRefused { shard: refused }] if refused == shard)
        );
    }
    assert_eq!(io.counters().accepts_failed, 3);
    let _peer = connect(address);
    let before = hand_over_next(&mut io, 0);
    let mut completions = Vec::new();
    io.turn(None, &mut completions).unwrap();
    match completions[..] {
        [Completion::Accepted { socket }] => {
            assert!(socket != before && socket.slot() == before.slot(), "a new name, in place");
        }
        _ => panic!("{completions:?}"),
    }
}

fn hand_over_next(io: &mut Uring, shard: usize) -> Socket {
    let mut completions = Vec::new();
    while completions.is_empty() {
        io.turn(None, &mut completions).unwrap();
    }
    match completions[..] {
        [Completion::Accepted { socket }] => {
            io.submit(Op::HandOver { socket, shard });
            socket
        }
        _ => panic!("{completions:?}"),
    }
}

/// 30,000 connections, both ends in this process, in tables that use up no process descriptors.
#[test]
fn thirty_thousand_connections_on_two_rings() {
    const CONNECTIONS: u64 = 30_000;
    const RINGS: u64 = 2;
    let limit = Config::default().sockets_max;
    if u64::from(limit) * RINGS < CONNECTIONS {
        eprintln!("skipped: the descriptor limit {limit} is too low for {CONNECTIONS} connections");
        return;
    }
    let servers: Vec<_> = (0..RINGS)
        .map(|_| {
            let listener = listener();
            let address = listener.local_addr().unwrap();
            let config = Config { sockets_max: limit, completion_entries: 16_384, ..config() };
            (address, echo_on_a_thread(config, listener))
        })
        .collect();
    let clients: Vec<_> = servers
        .iter()
        .zip(1_u8..)
        .map(|((address, _), ring)| {
            let address = *address;
            std::thread::spawn(move || drive_clients(address, ring, CONNECTIONS / RINGS, limit))
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let mut accepted = 0;
    for (_, server) in servers {
        let (counters, _) = server.end();
        accepted += counters.accepted;
        assert_eq!(counters.stale, 0);
    }
    assert_eq!(accepted, CONNECTIONS);
}

/// Opens `count` connections, sends each its number, and waits for every echo.
fn drive_clients(to: SocketAddr, ring: u8, count: u64, sockets_max: u32) {
    let config = Config { sockets_max, completion_entries: 16_384, ..config() };
    let mut io = Uring::open(&config, None, Arc::new(Mesh::new(1)), 0).unwrap();
    let (mut asked, mut connected, mut echoed) = (0, 0, 0);
    let mut numbers = std::collections::HashMap::new();
    let mut completions = Vec::new();
    let end = Instant::now() + 3 * PATIENCE;
    while echoed < count {
        assert!(Instant::now() < end, "{connected} connected, {echoed} echoed of {count}");
        while asked < count && asked - connected < 256 {
            let from = SocketAddr::from(([127, 0, ring, 1 + (asked % 4) as u8], 0));
            io.submit(Op::Connect(Connect {
                request: asked,
                to,
                from: Some(from),
                receive_buffer_bytes: None,
            }));
            asked += 1;
        }
        io.turn(Some(io.now().after(Duration::from_secs(1))), &mut completions).unwrap();
        for completion in completions.drain(..) {
            match completion {
                Completion::Connected { request, socket } => {
                    connected += 1;
                    numbers.insert(socket, request);
                    io.submit(Op::ReceiveStart(socket));
                    let bytes = Outgoing::Buffer { bytes: request.to_le_bytes().to_vec(), start: 0 };
                    io.submit(Op::Send { socket, bytes, notify: false });
                }
                Completion::Received { socket, buffer } => {
                    assert_eq!(io.bytes(&buffer), numbers[&socket].to_le_bytes());
                    io.release(buffer);
                    echoed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Dropping a ring at its busiest ends every connection and frees nothing too early.
#[test]
fn a_ring_is_dropped_with_everything_in_flight() {
    for _ in 0..5 {
        let mut shard = Shard::accepting(&config());
        let mut pairs: Vec<_> = (0..40).map(|_| shard.pair()).collect();
        for (index, (peer, socket)) in pairs.iter_mut().enumerate() {
            let socket = *socket;
            shard.io.submit(Op::ReceiveStart(socket));
            peer.write_all(&pattern(3000)).unwrap();
            match index % 4 {
                0 => {
                    let bytes = Outgoing::Shared(pattern(15_000_000).into());
                    shard.io.submit(Op::Send { socket, bytes, notify: false });
                }
                1 => shard.io.submit(Op::Close { socket, how: CloseHow::Fin }),
                _ => {}
            }
        }
        let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        shard.turn_for(Duration::from_millis(5));
        shard.io.submit(Op::Connect(Connect {
            request: 1,
            to: nowhere,
            from: None,
            receive_buffer_bytes: None,
        }));
        shard.io.submit(Op::Send {
            socket: pairs[2].1,
            bytes: Outgoing::Shared(pattern(100).into()),
            notify: false,
        });
        let address = shard.address;
        let start = Instant::now();
        drop(shard);
        assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
        for (mut peer, _) in pairs {
            // Some end with FIN, some with RST since they had sent what was not read; none goes on.
            let _ = peer.read_to_end(&mut Vec::new());
        }
        assert!(TcpStream::connect(address).is_err(), "the listener is closed");
    }
}
