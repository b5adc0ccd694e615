//! The ring against the real kernel, over loopback, one shard driven step by step: bytes.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod uring_support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;
use uring_support::{Echo, Shard, config, connect, pattern, reset_on_close};
use wsring_io::{Appender, Completion, Io, Op, Outgoing, ReceiveEnd, Socket};

const SHORT: Duration = Duration::from_millis(100);

fn shared(bytes: &[u8]) -> Outgoing {
    Outgoing::Shared(bytes::Bytes::copy_from_slice(bytes))
}

fn send(socket: Socket, bytes: Outgoing) -> Op {
    Op::Send { socket, bytes, notify: false }
}

#[test]
fn what_is_received_is_sent_from_where_it_lies() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    peer.write_all(b"hello world").unwrap();
    let (from, buffer) = shard.received();
    assert_eq!(from, socket);
    assert_eq!(shard.io.bytes(&buffer), b"hello world");
    shard.io.bytes(&buffer)[6..].copy_from_slice(b"WORLD");
    shard.io.submit(send(socket, Outgoing::Received { buffer, range: 6..11 }));
    shard.turn_for(Duration::ZERO);
    let mut answer = [0; 5];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"WORLD");
    assert_eq!(shard.io.counters().bytes_received, 11);
    assert_eq!(shard.io.counters().bytes_sent, 5);
}

#[test]
fn every_length_is_echoed_whole() {
    let mut shard = Shard::accepting(&config());
    let mut echo = Echo::default();
    let mut peer = connect(shard.address);
    let lengths = [1, 2, 125, 4095, 4096, 4097, 8192, 65_535, 65_536, 100_000];
    for length in lengths {
        let message = pattern(length);
        let mut writer = peer.try_clone().unwrap();
        let copy = message.clone();
        let writing = std::thread::spawn(move || writer.write_all(&copy).unwrap());
        let reader = peer.try_clone().unwrap();
        let reading = std::thread::spawn(move || {
            let mut answer = vec![0; length];
            let mut reader = reader;
            reader.read_exact(&mut answer).unwrap();
            answer
        });
        while !reading.is_finished() {
            for completion in shard.all_within(Duration::from_millis(1)) {
                echo.act(&mut shard.io, completion);
            }
        }
        writing.join().unwrap();
        assert!(reading.join().unwrap() == message, "{length} bytes came back changed");
    }
    peer.write_all(b"x").unwrap();
}

#[test]
fn notify_reports_a_send_that_went_out_at_once() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    shard.io.submit(Op::Send { socket, bytes: shared(b"abc"), notify: true });
    assert!(matches!(shard.next(), Completion::SendDone { socket: done } if done == socket));
    let mut answer = [0; 3];
    peer.read_exact(&mut answer).unwrap();
    shard.io.submit(Op::Send { socket, bytes: shared(b""), notify: true });
    assert!(matches!(shard.next(), Completion::SendDone { .. }), "an empty send is done at once");
    shard.io.submit(send(socket, shared(b"quiet")));
    assert!(shard.all_within(SHORT).is_empty(), "without notify a send that went out says nothing");
}

/// Two sends of one socket in one turn must not overtake each other, even when the first is short.
#[test]
fn a_second_send_in_a_turn_follows_the_first() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    let (first, second, third) = (pattern(15_000_000), pattern(700_001), pattern(12));
    for bytes in [&first, &second, &third] {
        shard.io.submit(send(socket, shared(bytes)));
    }
    let reading = std::thread::spawn(move || {
        let mut all = vec![0; 15_700_013];
        peer.read_exact(&mut all).unwrap();
        all
    });
    shard.await_one(|completion| matches!(completion, Completion::SendDone { .. }).then_some(()));
    assert!(reading.join().unwrap() == [first, second, third].concat());
}

/// Nor may a segment's, which is kept only when it has to follow.
#[test]
fn a_segment_behind_a_pending_send_follows_it() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    let (first, second) = (pattern(15_000_000), pattern(700_001));
    let mut appender = Appender::new(Appender::needed(second.len()));
    assert!(appender.append(&[&second]));
    let segment = Rc::new(appender.segment().clone());
    shard.io.submit(send(socket, shared(&first)));
    let range = 0..second.len() as u32;
    shard.io.submit(send(socket, Outgoing::Segment { segment: segment.clone(), range, tag: 1 }));
    assert_eq!(Rc::strong_count(&segment), 1, "what follows is a copy");
    let reading = std::thread::spawn(move || {
        let mut all = vec![0; 15_700_001];
        peer.read_exact(&mut all).unwrap();
        all
    });
    shard.await_one(|completion| matches!(completion, Completion::SendDone { .. }).then_some(()));
    assert!(reading.join().unwrap() == [first, second].concat());
    assert_eq!(shard.io.counters().sends_short, 0);
}

#[test]
fn the_end_of_receiving_names_its_cause() {
    let mut shard = Shard::accepting(&config());
    let end_of = |shard: &mut Shard| {
        shard.await_one(|completion| match completion {
            Completion::ReceiveEnded { end, .. } => Some(*end),
            _ => None,
        })
    };

    let (peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut shard), ReceiveEnd::Eof);

    let (peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    shard.turn_for(Duration::ZERO);
    reset_on_close(&peer);
    drop(peer);
    assert_eq!(end_of(&mut shard), ReceiveEnd::Failed(libc::ECONNRESET));

    let (mut peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    shard.turn_for(Duration::ZERO);
    shard.io.submit(Op::ReceiveStop(socket));
    assert_eq!(end_of(&mut shard), ReceiveEnd::Stopped);
    peer.write_all(b"later").unwrap();
    assert!(shard.all_within(SHORT).is_empty(), "nothing is received after a stop");
    shard.io.submit(Op::ReceiveStart(socket));
    let (_, buffer) = shard.received();
    assert_eq!(shard.io.bytes(&buffer), b"later");
    shard.io.release(buffer);
}

#[test]
fn receiving_starts_again_before_it_has_stopped() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    shard.io.submit(Op::ReceiveStart(socket));
    shard.turn_for(Duration::ZERO);
    shard.io.submit(Op::ReceiveStop(socket));
    shard.io.submit(Op::ReceiveStart(socket));
    let next = shard.next();
    assert!(matches!(next, Completion::ReceiveEnded { end: ReceiveEnd::Stopped, .. }), "{next:?}");
    peer.write_all(b"on").unwrap();
    let (_, buffer) = shard.received();
    assert_eq!(shard.io.bytes(&buffer), b"on");
    shard.io.release(buffer);
}

/// Under churn the places in use stay the low ones.
#[test]
fn spare_vectors_come_back_after_a_send() {
    let mut shard = Shard::accepting(&config());
    let (mut peer, socket) = shard.pair();
    let mut bytes = shard.io.spare();
    bytes.extend_from_slice(&pattern(1000));
    let address = bytes.as_ptr();
    shard.io.submit(send(socket, Outgoing::Buffer { bytes, start: 10 }));
    shard.turn_for(Duration::ZERO);
    let mut answer = vec![0; 990];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(answer, pattern(1000)[10..]);
    let again = shard.io.spare();
    assert_eq!((again.as_ptr(), again.len()), (address, 0), "the same memory, empty");
    shard.io.restore(Vec::with_capacity(1 << 20));
    assert_eq!(shard.io.spare().capacity(), 0, "a large vector is not kept");
}
