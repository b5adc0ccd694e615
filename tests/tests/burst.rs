//! After a burst of traffic nothing is kept for the connections that caused it.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wsring_tests::heap::{Counting, bytes_in_use};
use wsring_tests::served::serve_echo;
use wsring_tests::wire::{self, BINARY, CONTINUATION};
use wsring_tests::{Peer, pattern, settings, wait_until};

#[global_allocator]
static HEAP: Counting = Counting;

const CONNECTIONS: usize = 1000;
const THREADS: usize = 8;
const MESSAGE_BYTES: usize = 1 << 20;
const PIECE_BYTES: usize = 48 << 10;

/// What one shard may keep for its next use, however many connections there are: 4 MiB of spare
/// vectors, 12 long ones of at most 1088 KiB, and 256 assemblies of at most 16 KiB.
const SPARE_BYTES_MAX: usize = (4 << 20) + 12 * (1088 << 10) + 256 * (16 << 10);

/// With tables that grew with the burst, at 256 bytes for every connection that took part.
const KEPT_BYTES_MAX: usize = SPARE_BYTES_MAX + CONNECTIONS * 256;

/// One message as one frame, or in fragments of 100,000 bytes.
fn message(payload: &[u8], fragmented: bool) -> Vec<u8> {
    if !fragmented {
        return wire::message(BINARY, payload);
    }
    let pieces = payload.chunks(100_000);
    let last = pieces.len() - 1;
    let opcode = |number| if number == 0 { BINARY } else { CONTINUATION };
    pieces
        .enumerate()
        .flat_map(|(number, piece)| wire::fragment(opcode(number), number == last, piece))
        .collect()
}

/// Echoes one message on every connection, all of them under way at the same time.
fn burst(peers: &mut [Peer]) {
    let payload = pattern(MESSAGE_BYTES, 9);
    let forms = [message(&payload, false), message(&payload, true)];
    for at in (0..forms[1].len()).step_by(PIECE_BYTES) {
        for (number, peer) in peers.iter_mut().enumerate() {
            let form = &forms[usize::from(number % 3 == 0)];
            let end = form.len().min(at + PIECE_BYTES);
            peer.send(&form[at.min(end)..end]);
        }
    }
    for peer in peers {
        peer.echoed(&payload);
        peer.forget();
    }
}

fn all_at_once(address: SocketAddr) -> Vec<Vec<Peer>> {
    let mut all: Vec<Vec<Peer>> = Vec::new();
    for _ in 0..THREADS {
        all.push((0..CONNECTIONS / THREADS).map(|_| Peer::open(address, "/")).collect());
    }
    all
}

#[test]
fn a_thousand_connections_with_a_mebibyte_each_leave_only_the_spares() {
    let server = serve_echo(settings());
    let mut groups = all_at_once(server.address());
    groups.iter_mut().flatten().for_each(|peer| peer.echo(b"open"));
    groups.iter_mut().flatten().for_each(Peer::forget);
    let before = bytes_in_use();
    for round in 0..2 {
        std::thread::scope(|scope| {
            groups.iter_mut().for_each(|peers| drop(scope.spawn(|| burst(peers))));
        });
        // The last sends may still be on their way back from the kernel.
        let kept = || bytes_in_use().saturating_sub(before);
        let end = Instant::now() + Duration::from_secs(5);
        while kept() > KEPT_BYTES_MAX && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            kept() <= KEPT_BYTES_MAX,
            "round {round}: {} bytes kept, of {KEPT_BYTES_MAX} at most",
            kept()
        );
    }
    groups.into_iter().flatten().for_each(Peer::close);
    wait_until("the connections to be gone", || server.count() == 0);
}
