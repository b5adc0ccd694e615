//! Messages that are short on the wire and endless when they are inflated: refused at the limit, whoever sends
//! how many of them, within the memory that the shard may take, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::sync::{Mutex, PoisonError};
use wsring::{DeflateOptions, Limits, Settings};
use wsring_tests::deflated::{Deflater, prose};
use wsring_tests::heap::{Counting, bytes_in_use, most_bytes_in_use};
use wsring_tests::served::echo;
use wsring_tests::wire::{self, BINARY, CONTINUATION, PING, TEXT};
use wsring_tests::{Deflated, Served, pattern, serve, settings, wait_until};

#[global_allocator]
static HEAP: Counting = Counting;

const MEBIBYTE: usize = 1 << 20;
const MESSAGE_BYTES_MAX: usize = 4 * MEBIBYTE;
const HELD_BYTES_MAX: usize = 16 * MEBIBYTE;

/// Beside what the limits name: spare vectors of the shard, output under way, and what this test reads into.
const OTHER_BYTES_MAX: usize = 8 * MEBIBYTE;

/// The heap is counted for the whole process, so the tests of this file take turns.
static TURN: Mutex<()> = Mutex::new(());

fn server(context_bytes_max: usize) -> Served {
    let limits = Limits {
        message_bytes_max: MESSAGE_BYTES_MAX,
        held_bytes_max: HELD_BYTES_MAX,
        context_bytes_max,
        ..Limits::default()
    };
    let options = DeflateOptions { client_takeover: true, bytes_min: 0, ..DeflateOptions::default() };
    serve(Settings { limits, ..settings() }, |server| {
        server.deflate(options).websocket("/", |upgrade| upgrade.accept(echo))
    })
}

/// So many MiB of zeros, in a thousandth of that: each ends with a flush and refers to nothing but zeros, and from
/// the last of them the flush is taken off.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut deflater = Deflater::new(false, 15);
    let piece = deflater.flushed(&vec![0; MEBIBYTE]);
    assert!(piece.len() < 2_000, "{} bytes", piece.len());
    [piece.repeat(mebibytes - 1), deflater.message(&vec![0; MEBIBYTE])].concat()
}

/// Of each size one in one frame and one in fragments with Pings between; sent for as long as the server takes it.
fn frames(bomb: &[u8], fragment_bytes: usize) -> Vec<u8> {
    let count = bomb.len().div_ceil(fragment_bytes);
    let mut frames = Vec::new();
    for (number, piece) in bomb.chunks(fragment_bytes).enumerate() {
        let fin = number + 1 == count;
        match number {
            0 => frames.extend(wire::compressed(BINARY, fin, piece)),
            _ => {
                frames.extend(wire::message(PING, b"between"));
                frames.extend(wire::fragment(CONTINUATION, fin, piece));
            }
        }
    }
    frames
}

fn open(server: &Served) -> Deflated {
    Deflated::open(server.address(), "/", "permessage-deflate")
}

/// The Close that must come, after Pongs perhaps.
fn refused(peer: &mut Deflated) {
    loop {
        match peer.peer.try_frame() {
            Some(frame) if frame.opcode == wire::PONG => {}
            Some(frame) => return assert_eq!(frame.close_reason().0, 1009),
            None => panic!("the stream ended without a Close"),
        }
    }
}

#[test]
fn each_is_refused_at_the_limit_and_not_inflated_beyond_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let server = server(32 * MEBIBYTE);
    let mut other = open(&server);
    // Up to the limit it is a message like any.
    let most = bomb(MESSAGE_BYTES_MAX / MEBIBYTE);
    other.peer.send(&frames(&most, usize::MAX));
    assert_eq!(other.message().payload, vec![0; MESSAGE_BYTES_MAX]);
    for mebibytes in [5, 64, 1024] {
        let bomb = bomb(mebibytes);
        for fragment_bytes in [usize::MAX, 100_000, 700] {
            let frames = frames(&bomb, fragment_bytes);
            let mut peer = open(&server);
            let before = bytes_in_use();
            most_bytes_in_use();
            peer.peer.try_send(&frames);
            refused(&mut peer);
            let more = most_bytes_in_use().saturating_sub(before);
            assert!(more < 2 * MESSAGE_BYTES_MAX + 2 * MEBIBYTE, "{mebibytes} MiB took {more} bytes");
            other.echo(TEXT, &prose(1000, mebibytes));
        }
    }
}

#[test]
fn many_at_once_stay_within_the_budget_of_the_shard() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // With room for all that want to inflate, it is what comes out that fills the budget.
    let all = many_at_once(32 * MEBIBYTE);
    assert!(all > HELD_BYTES_MAX, "{all} bytes");
    // Without, it is what came in.
    many_at_once(4 * MEBIBYTE);
}

/// The most memory that two hundred of them take.
fn many_at_once(context_bytes_max: usize) -> usize {
    const BOMBERS: usize = 200;
    let server = server(context_bytes_max);
    let mut other = open(&server);
    // Long enough to be inflated as it comes. Each stops short of the limit and of its end: all of them hold what
    // they can, in all stages.
    let beginning = Deflater::new(false, 15).flushed(&pattern(40_000, 1));
    let whole = [beginning.clone(), bomb(MESSAGE_BYTES_MAX / MEBIBYTE + 1)].concat();
    let cut = |number: usize| beginning.len() + (whole.len() - beginning.len()) * (number % 4) / 5;
    // Their own compressors take more than all of what is measured.
    let mut peers: Vec<Deflated> = (0..BOMBERS).map(|_| open(&server)).collect();
    let before = bytes_in_use();
    most_bytes_in_use();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.peer.try_send(&wire::compressed(BINARY, false, &whole[..cut(number)]));
        if number % 10 == 0 {
            other.echo(TEXT, &prose(900, number));
        }
    }
    let more = most_bytes_in_use().saturating_sub(before);
    // What grows is there twice while it is copied, or has as much room again.
    let budget = 2 * HELD_BYTES_MAX + context_bytes_max + OTHER_BYTES_MAX;
    assert!(more < budget, "{more} bytes of {budget}");
    // Some were refused because of what the others hold; the rest of them now are for themselves.
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.peer.try_send(&wire::fragment(CONTINUATION, true, &whole[cut(number)..]));
        refused(peer);
    }
    other.echo(TEXT, &prose(900, 1));
    drop(peers);
    wait_until("all to be gone", || server.count() == 1);
    wait_until("their windows too", || server.observer().shards()[0].inflate_contexts == 1);
    other.peer.send(&frames(&bomb(MESSAGE_BYTES_MAX / MEBIBYTE), usize::MAX));
    assert_eq!(other.message().payload.len(), MESSAGE_BYTES_MAX, "what was held is free again");
    more
}
