//! The ring under pressure: too few buffers, slow readers, a small completion queue.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod uring_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use uring_support::{
    Echo, PATIENCE, Shard, config, connect, echo_on_a_thread, listener, listener_with, pattern,
};
use wsring_io::uring::Config;
use wsring_io::{Appender, CloseHow, Completion, Io, Op, Outgoing, ReceiveEnd, Socket, Time};

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
        let (mut unsent_before, mut progress) = (0, 0);
        shard.await_one(|completion| match completion {
            Completion::SendPending { unsent, .. } => {
                unsent_before = *unsent;
                None
            }
            Completion::SendProgress { unsent, .. } => {
                assert!((1..unsent_before).contains(unsent), "{unsent} to go after {unsent_before}");
                (unsent_before, progress) = (*unsent, progress + 1);
                None
            }
            Completion::SendDone { .. } => Some(()),
            Completion::SendFailed { errno, .. } => panic!("failed with {errno}"),
            _ => None,
        });
        // Each request takes 64 KiB at most.
        assert!(progress + 1 >= length / 65_536, "{length} bytes went out in {progress} steps");
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

/// A completion queue of sixteen overflows at every burst; nothing is lost, nobody stays unheard.
#[test]
fn a_small_completion_queue_overflows_without_loss() {
    let small = Config { submission_entries: 8, completion_entries: 16, ..config() };
    let mut shard = Shard::accepting(&small);
    let mut peers: Vec<_> = (0..100).map(|_| connect(shard.address)).collect();
    let mut sockets = Vec::new();
    while sockets.len() < peers.len() {
        sockets.push(shard.accepted());
    }
    let mut echo = Echo::default();
    for socket in sockets {
        echo.act(&mut shard.io, Completion::Accepted { socket });
    }
    for round in 0..20 {
        for peer in &mut peers {
            peer.write_all(&[round; 200]).unwrap();
        }
        let mut returned = 0;
        while returned < peers.len() * 200 {
            let before = shard.io.counters().bytes_sent;
            let completion = shard.next();
            echo.act(&mut shard.io, completion);
            returned += (shard.io.counters().bytes_sent - before) as usize;
        }
        shard.turn_for(Duration::ZERO);
        for peer in &mut peers {
            let mut answer = [0; 200];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [round; 200]);
        }
    }
    assert!(shard.io.counters().overflows > 0, "the queue was large enough to test nothing");
    assert_eq!(shard.io.counters().stale, 0);
}

/// However many sends a turn has and however small the queues are: each that is short is told in the
/// very next turn, before what its peer says after it.
#[test]
fn every_short_send_is_told_in_its_turn() {
    const PEERS: usize = 100;
    const LENGTH: u32 = 1 << 23;
    let small = Config { submission_entries: 8, completion_entries: 16, ..config() };
    let mut shard = Shard::accepting(&small);
    let mut peers: Vec<_> = (0..PEERS).map(|_| connect(shard.address)).collect();
    let sockets: Vec<_> = (0..PEERS).map(|_| shard.accepted()).collect();
    let mut appender = Appender::new(Appender::needed(LENGTH as usize));
    assert!(appender.append(&[&pattern(LENGTH as usize)]));
    let segment = Rc::new(appender.segment().clone());
    let mut completions = Vec::new();
    for round in 0..3 {
        for (tag, &socket) in (0..).zip(&sockets) {
            shard.io.submit(Op::ReceiveStart(socket));
            let bytes = Outgoing::Segment { segment: segment.clone(), range: 0..LENGTH, tag };
            shard.io.submit(Op::Send { socket, bytes, notify: false });
        }
        peers.iter_mut().for_each(|peer| peer.write_all(b"and now?").unwrap());
        shard.io.turn(Some(Time(0)), &mut completions).unwrap();
        let mut told = vec![0; PEERS];
        for completion in completions.drain(..) {
            match completion {
                Completion::SendShort { socket, tag, unsent, .. } => {
                    assert!(sockets[tag as usize] == socket && unsent.end == LENGTH && !unsent.is_empty());
                    told[tag as usize] += 1;
                }
                Completion::Received { buffer, .. } => shard.io.release(buffer),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told, [1; PEERS], "in round {round}");
        assert_eq!(Rc::strong_count(&segment), 1);
    }
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
