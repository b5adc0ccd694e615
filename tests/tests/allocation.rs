//! The echo path asks the heap for nothing once it is warm.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;
use wsring::{Conn, Message, Settings};
use wsring_tests::heap::{Counting, asked_by_this_thread};
use wsring_tests::wire::{self, BINARY, CONTINUATION, PING, TEXT};
use wsring_tests::{Peer, Served, pattern, serve, settings};

#[global_allocator]
static HEAP: Counting = Counting;

const CONNECTIONS: usize = 200;
const MESSAGES: usize = 100_000;
const WARM_UP_ROUNDS: usize = 20;

/// What the shard's thread had asked for when it saw the latest message.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Echoes, and notes the count; a message `stall` keeps the shard busy while input gathers.
fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    ASKED.store(asked_by_this_thread(), Ordering::SeqCst);
    if message.payload() == b"stall" {
        sleep(Duration::from_millis(100));
    }
    let _ = conn.send(message);
}

/// A way to send echoes through a server.
struct Traffic {
    /// What every connection sends in one round: pieces, of which each is sent to all connections
    /// before the next.
    pieces: Vec<Vec<u8>>,
    /// How long a piece is let rest, so that the shard has read it before the next.
    rest: Duration,
    /// Bytes that come back to each connection in one round.
    answer_bytes: usize,
    /// Messages of one connection in one round.
    messages: usize,
}

impl Traffic {
    fn whole(messages: &[Vec<u8>]) -> Self {
        Self::of(vec![messages.concat()], messages.len(), Duration::ZERO)
    }

    /// A server's frames are as long as a client's without their keys. Fragments come back as one
    /// message, so they need their number of bytes set apart.
    fn of(pieces: Vec<Vec<u8>>, messages: usize, rest: Duration) -> Self {
        let all = pieces.concat();
        let (mut at, mut answer_bytes) = (0, 0);
        while let Some((_, length)) = wire::parse(&all[at..]) {
            at += length;
            answer_bytes += length - 4;
        }
        assert_eq!(at, all.len(), "whole frames");
        Self { pieces, rest, answer_bytes, messages }
    }

    fn round(&self, peers: &mut [Peer]) {
        for piece in &self.pieces {
            peers.iter_mut().for_each(|peer| peer.send(piece));
            sleep(self.rest);
        }
        for peer in peers {
            peer.bytes(self.answer_bytes);
        }
    }

    /// Rounds in which each piece in turn reaches the shard from all connections at once: the most
    /// that can come together. Between them rounds as they come.
    fn warm_up(&self, server: &Served, peers: &mut [Peer]) {
        let mut other = Peer::open(server.address(), "/");
        for stalled in (0..self.pieces.len()).cycle().take(WARM_UP_ROUNDS) {
            for (number, piece) in self.pieces.iter().enumerate() {
                if number == stalled {
                    other.send_text("stall");
                    sleep(Duration::from_millis(10));
                }
                peers.iter_mut().for_each(|peer| peer.send(piece));
                sleep(self.rest);
            }
            peers.iter_mut().for_each(|peer| drop(peer.bytes(self.answer_bytes)));
            other.text();
            self.round(peers);
        }
        other.close();
    }
}

/// What the shard asks the heap for while 100,000 messages are echoed, after a warm-up.
fn asked_while_echoing(traffic: &Traffic) -> u64 {
    // There is one place for the count, so the tests of this file take turns.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // With a receive buffer for each, all may come in one turn.
    let settings = Settings { buffers: 1024, ..settings() };
    let server = serve(settings, |server| server.websocket("/", |upgrade| upgrade.accept(echo)));
    let mut peers: Vec<Peer> = (0..CONNECTIONS).map(|_| Peer::open(server.address(), "/")).collect();
    traffic.warm_up(&server, &mut peers);
    peers[0].echo(b"the count before");
    let before = ASKED.load(Ordering::SeqCst);
    for _ in 0..MESSAGES.div_ceil(CONNECTIONS * traffic.messages) {
        traffic.round(&mut peers);
    }
    peers[0].echo(b"the count after");
    ASKED.load(Ordering::SeqCst) - before
}

#[test]
fn small_messages() {
    let asked = asked_while_echoing(&Traffic::whole(&[wire::message(BINARY, &pattern(20, 1))]));
    assert_eq!(asked, 0);
}

#[test]
fn messages_of_a_kibibyte() {
    let asked = asked_while_echoing(&Traffic::whole(&[wire::message(TEXT, &[b'x'; 1024])]));
    assert_eq!(asked, 0);
}

#[test]
fn messages_that_come_in_pieces() {
    let message = wire::message(BINARY, &pattern(1024, 2));
    let pieces = [&message[..1], &message[1..5], &message[5..500], &message[500..]];
    let rest = Duration::from_millis(2);
    let asked = asked_while_echoing(&Traffic::of(pieces.map(<[u8]>::to_vec).to_vec(), 1, rest));
    assert_eq!(asked, 0);
}

#[test]
fn pipelined_messages_with_pings_between() {
    let mut messages = Vec::new();
    for number in 0..40 {
        let opcode = if number % 10 == 9 { PING } else { BINARY };
        messages.push(wire::message(opcode, &pattern(number * 3, number as u64)));
    }
    assert_eq!(asked_while_echoing(&Traffic::whole(&messages)), 0);
}

#[test]
fn messages_in_fragments() {
    let fragment = |opcode, fin| wire::fragment(opcode, fin, &[b'y'; 300]);
    let pieces = vec![fragment(TEXT, false), fragment(CONTINUATION, false), fragment(CONTINUATION, true)];
    let mut traffic = Traffic::of(pieces, 1, Duration::from_millis(2));
    traffic.answer_bytes = wire::header(TEXT, true, 900, false).len() + 900;
    assert_eq!(asked_while_echoing(&traffic), 0);
}
