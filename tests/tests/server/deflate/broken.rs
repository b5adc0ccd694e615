//! What a peer may not do: reserved bits where they do not belong, streams that are none.

use super::{ALL, serve_deflate, serve_deflate_with};
use wsring::{DeflateOptions, Limits, Settings};
use wsring_tests::deflated::{Deflater, prose};
use wsring_tests::wire::{self, BINARY, CONTINUATION, PING, TEXT};
use wsring_tests::{Deflated, Peer, settings};

#[test]
fn each_fault_has_its_code_and_costs_its_connection_alone() {
    let text = prose(1000, 1);
    let good = Deflater::new(false, 15).message(&text);
    let cut = &good[..good.len() / 2];
    let not_utf8 = Deflater::new(false, 15).message(b"a\xffb");
    let half_a_character = Deflater::new(false, 15).message(b"a\xe2\x82");
    // RFC 1951 section 3.2.3: a block of the reserved type; a stored block whose lengths disagree.
    let (reserved_type, stored) = ([0x07, 0, 0], [0x00, 3, 0, 0, 0, 1, 2, 3]);
    // A match that reaches back before the beginning: fixed codes, length 3, distance 1.
    let too_far = [0x02 | 0x01, 0x02, 0x00];
    let rsv = |opcode, bits: u8, payload: &[u8]| {
        let mut frame = wire::message(opcode, payload);
        frame[0] |= bits << 4;
        frame
    };
    let table = [
        ("a block of no type", wire::compressed(BINARY, true, &reserved_type), 1007),
        ("lengths that disagree", wire::compressed(BINARY, true, &stored), 1007),
        ("a reference to nothing", wire::compressed(BINARY, true, &too_far), 1007),
        ("half of a stream", wire::compressed(BINARY, true, cut), 1007),
        ("text that is none", wire::compressed(TEXT, true, &not_utf8), 1007),
        ("text that ends within a character", wire::compressed(TEXT, true, &half_a_character), 1007),
        (
            "noise in a later fragment",
            [wire::compressed(BINARY, false, cut), wire::fragment(CONTINUATION, true, &[0xff; 40])].concat(),
            1007,
        ),
        ("RSV2", rsv(TEXT, 0b010, b"x"), 1002),
        ("RSV3 and RSV1", rsv(TEXT, 0b101, &good), 1002),
        ("RSV1 in a Ping", rsv(PING, 0b100, b"x"), 1002),
        (
            "RSV1 in a continuation",
            [wire::compressed(BINARY, false, cut), wire::compressed(CONTINUATION, true, &good[cut.len()..])]
                .concat(),
            1002,
        ),
    ];
    let server = serve_deflate(ALL);
    let mut other = Deflated::open(server.address(), "/", "permessage-deflate");
    for (what, bytes, code) in table {
        let offer = "permessage-deflate; client_no_context_takeover";
        let mut peer = Deflated::open(server.address(), "/", offer);
        peer.echo(BINARY, b"before");
        peer.peer.send(&bytes);
        assert_eq!(peer.peer.closed().0, code, "{what}");
        other.echo(TEXT, &text);
    }
}

#[test]
fn who_agreed_on_nothing_may_not_compress() {
    let server = serve_deflate(ALL);
    let mut peer = Peer::open(server.address(), "/");
    peer.send(&wire::compressed(TEXT, true, &Deflater::new(false, 15).message(b"text")));
    assert_eq!(peer.closed().0, 1002);
}

/// What stands on the wire is short, what comes out of it is not.
#[test]
fn a_message_that_inflates_beyond_the_limit_is_refused() {
    let limits = Limits { message_bytes_max: 100_000, ..Limits::default() };
    let server = serve_deflate_with(Settings { limits, ..settings() }, ALL);
    let mut other = Deflated::open(server.address(), "/", "permessage-deflate");
    for (size, refused) in [(100_000, false), (100_001, true), (5_000_000, true)] {
        for bytes in [1 << 20, 13] {
            let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
            let payload = vec![b'0'; size];
            let compressed = Deflater::new(false, 15).message(&payload);
            let mut frames = Vec::new();
            for (number, piece) in compressed.chunks(bytes).enumerate() {
                let fin = (number + 1) * bytes >= compressed.len();
                frames.extend(match number {
                    0 => wire::compressed(TEXT, fin, piece),
                    _ => wire::fragment(CONTINUATION, fin, piece),
                });
            }
            peer.peer.try_send(&frames);
            match refused {
                true => assert_eq!(peer.peer.closed().0, 1009, "{size} bytes"),
                false => drop(peer.echoed(TEXT, &payload)),
            }
        }
        other.echo(TEXT, &prose(1000, size));
    }
}

#[test]
fn a_message_that_cannot_be_compressed_may_be_as_long_as_any() {
    let limits = Limits { frame_bytes_max: 100_000, message_bytes_max: 100_000, ..Limits::default() };
    let options = DeflateOptions { client_window_bits: 8, ..ALL };
    let server = serve_deflate_with(Settings { limits, ..settings() }, options);
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate; client_max_window_bits");
    peer.echo(BINARY, &wsring_tests::pattern(100_000, 1));
}
