//! The ring under pressure: too few buffers, slow readers, many connections, several rings.

mod uring_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use uring_support::{
    Echo, PATIENCE, Shard, config, connect, echo_on_a_thread, listener, listener_with, pattern,
};
use wsring_io::uring::{Config, Mesh, Uring};
use wsring_io::{CloseHow, Completion, Connect, Io, Op, Outgoing, ReceiveEnd, Socket, Time};

fn peer_with_receive_buffer(address: SocketAddr, bytes: usize) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    socket.connect(&address.into()).unwrap();
    let peer: TcpStream = socket.into();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

/// Kernel workers of this process, which would mean that a request was not carried out inline.
fn kernel_workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("iou-wrk")).count()
}

/// The whole stream arrives in order through the smallest of buffers, each kind of bytes; and the
/// many small steps that this takes never end up with a kernel worker.
#[test]
fn a_slow_reader_gets_every_byte_in_order() {
    let listener = listener_with(|socket| socket.set_send_buffer_size(1).unwrap());
    let mut shard = Shard::with_listener(&Config { buffer_bytes: 65_536, ..config() }, listener);
    shard.io.submit(Op::AcceptStart);
    let whole = pattern(600_000);
    for kind in 0..3 {
        let mut peer = peer_with_receive_buffer(shard.address, 1);
        let socket = shard.accepted();
        let bytes = match kind {
            0 => Outgoing::Shared(whole.clone().into()),
            1 => Outgoing::Buffer { bytes: whole.clone(), start: 0 },
            _ => received_then_sent(&mut shard, socket, &mut peer, &whole[..60_000]),
        };
        let length = bytes.len();
        shard.io.submit(Op::Send { socket, bytes, notify: true });
        let reading = std::thread::spawn(move || {
            let mut all = vec![0; length];
            for piece in all.chunks_mut(500) {
                peer.read_exact(piece).unwrap();
            }
            all
        });
        shard.await_one(|completion| match completion {
            Completion::SendDone { .. } => Some(()),
            Completion::SendFailed { errno, .. } => panic!("failed with {errno}"),
            _ => None,
        });
        assert_eq!(kernel_workers(), 0, "no send may be handed to a kernel worker");
        assert!(reading.join().unwrap() == whole[..length], "kind {kind} arrived changed");
        shard.io.submit(Op::Close { socket, how: CloseHow::Fin });
        shard.closed(socket);
    }
    assert_eq!(shard.io.counters().sends_pending, 3, "every kind had to wait");
}

/// The start of `bytes` as one receive brought it, to be sent from there.
fn received_then_sent(shard: &mut Shard, socket: Socket, peer: &mut TcpStream, bytes: &[u8]) -> Outgoing {
    let mut writer = peer.try_clone().unwrap();
    let written = bytes.to_vec();
    std::thread::spawn(move || writer.write_all(&written).unwrap()).join().unwrap();
    shard.io.submit(Op::ReceiveStart(socket));
    let (_, buffer) = shard.received();
    shard.io.submit(Op::ReceiveStop(socket));
    Outgoing::Received { range: 0..buffer.len(), buffer }
}

/// An echo under a peer that writes much and reads late: what is pending comes first, then the rest.
#[test]
fn an_echo_to_a_slow_reader_keeps_the_order() {
    let listener = listener_with(|socket| socket.set_send_buffer_size(4096).unwrap());
    let address = listener.local_addr().unwrap();
    let echo = echo_on_a_thread(config(), listener);
    let whole = pattern(2_000_000);
    let peer = peer_with_receive_buffer(address, 4096);
    let (mut reader, mut writer) = (peer.try_clone().unwrap(), peer);
    let copy = whole.clone();
    let writing = std::thread::spawn(move || writer.write_all(&copy).unwrap());
    std::thread::sleep(Duration::from_millis(200));
    let mut all = vec![0; whole.len()];
    for piece in all.chunks_mut(3000) {
        reader.read_exact(piece).unwrap();
    }
    writing.join().unwrap();
    assert!(all == whole);
    let (counters, echo) = echo.end();
    assert!(echo.pending_seen > 0 && counters.sends_pending > 0, "the reader was too fast to test anything");
}

/// Sixteen buffers, sixty-four connections that all talk at once: everybody is served.
#[test]
fn few_buffers_serve_many_talkers() {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let config = Config { buffers: 16, buffer_bytes: 1024, ..config() };
    let echo = echo_on_a_thread(config, listener);
    let talkers: Vec<_> = (0..64)
        .map(|_| {
            std::thread::spawn(move || {
                let mut peer = connect(address);
                let message = pattern(30_000);
                let mut answer = vec![0; message.len()];
                for _ in 0..5 {
                    peer.write_all(&message).unwrap();
                    peer.read_exact(&mut answer).unwrap();
                    assert!(answer == message);
                }
            })
        })
        .collect();
    for talker in talkers {
        talker.join().unwrap();
    }
    let (counters, _) = echo.end();
    assert!(counters.buffers_exhausted > 0, "there were buffers enough to test nothing");
    assert_eq!(counters.stale, 0);
}

/// While the shard holds every buffer nothing is lost, nothing spins, and release alone resumes it.
#[test]
fn receives_resume_when_buffers_come_back() {
    let mut shard = Shard::accepting(&Config { buffers: 4, ..config() });
    let mut peers: Vec<_> = (0..12).map(|_| shard.pair()).collect();
    for (number, (peer, socket)) in (0..).zip(&mut peers) {
        shard.io.submit(Op::ReceiveStart(*socket));
        peer.write_all(&[number; 10]).unwrap();
    }
    let mut held = Vec::new();
    for completion in shard.all_within(Duration::from_millis(100)) {
        match completion {
            Completion::Received { socket, buffer } => held.push((socket, buffer)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(held.len(), 4, "all buffers, and no word of those that are missing");
    let enters = shard.io.counters().enters;
    assert!(shard.all_within(Duration::from_millis(50)).is_empty());
    assert!(shard.io.counters().enters - enters < 10, "waiting for buffers does not spin");

    let mut served = vec![false; peers.len()];
    while let Some((socket, buffer)) = held.pop() {
        let number = peers.iter().position(|(_, of)| *of == socket).unwrap();
        assert_eq!(shard.io.bytes(&buffer), [number as u8; 10]);
        assert!(!std::mem::replace(&mut served[number], true), "{number} was served twice");
        shard.io.release(buffer);
        if held.is_empty() && !served.iter().all(|served| *served) {
            held.push(shard.received());
        }
    }
    assert!(served.iter().all(|served| *served));
}

/// Stopping and closing what waits for a buffer.
#[test]
fn the_starved_can_be_stopped_and_closed() {
    let mut shard = Shard::accepting(&Config { buffers: 1, ..config() });
    let mut pairs: Vec<_> = (0..3).map(|_| shard.pair()).collect();
    for (peer, socket) in &mut pairs {
        shard.io.submit(Op::ReceiveStart(*socket));
        peer.write_all(b"x").unwrap();
    }
    let (fed, buffer) = shard.received();
    assert!(shard.all_within(Duration::from_millis(20)).is_empty());
    let mut hungry = pairs.iter().map(|(_, socket)| *socket).filter(|socket| *socket != fed);
    let (stopped, closed) = (hungry.next().unwrap(), hungry.next().unwrap());
    shard.io.submit(Op::ReceiveStop(stopped));
    let next = shard.next();
    assert!(
        matches!(next, Completion::ReceiveEnded { socket, end: ReceiveEnd::Stopped } if socket == stopped),
        "{next:?}"
    );
    shard.io.submit(Op::Close { socket: closed, how: CloseHow::Fin });
    shard.closed(closed);
    shard.io.release(buffer);
    assert!(shard.all_within(Duration::from_millis(20)).is_empty());
    shard.io.submit(Op::ReceiveStart(stopped));
    let (socket, buffer) = shard.received();
    assert_eq!(socket, stopped);
    shard.io.release(buffer);
}

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
    assert_eq!(acceptor.hand_overs_refused(), 0);
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
    for (refused, shard) in (1..).zip([1, 2, 9]) {
        let mut peer = connect(address);
        hand_over_next(&mut io, shard);
        for _ in 0..5 {
            for io in [&mut io, &mut other] {
                io.turn(Some(Time(0)), &mut Vec::new()).unwrap();
            }
        }
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "the peer is told");
        assert_eq!(io.hand_overs_refused(), refused);
    }
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
            io.submit(Op::Connect(Connect { request: asked, to, from: Some(from) }));
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
        shard.io.submit(Op::Connect(Connect { request: 1, to: nowhere, from: None }));
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
