//! Messages in both directions, under every agreement.

use super::{ALL, serve_deflate};
use std::sync::mpsc::channel;
use wsring::{Conn, DeflateOptions, Handler, Kind, Message, Sent};
use wsring_tests::deflated::prose;
use wsring_tests::wire::{self, BINARY, CONTINUATION, PING, PONG, TEXT};
use wsring_tests::{Deflated, PATIENCE, pattern, serve, settings};

const SIZES: [usize; 12] = [0, 1, 2, 63, 64, 125, 126, 1000, 4096, 19_000, 65_535, 70_000];

#[test]
fn every_agreement_carries_every_size() {
    for (server_takeover, client_takeover) in [(false, false), (true, false), (false, true), (true, true)] {
        for (server_window_bits, client_window_bits) in [(15, 15), (8, 9), (9, 8), (12, 10)] {
            let options = DeflateOptions {
                server_takeover,
                client_takeover,
                server_window_bits,
                client_window_bits,
                ..ALL
            };
            let server = serve_deflate(options);
            let mut peer =
                Deflated::open(server.address(), "/", "permessage-deflate; client_max_window_bits");
            for size in SIZES {
                let arrived = peer.echo(TEXT, &prose(size, size));
                assert!(arrived.wire_bytes <= size + size / 8 + 16, "{arrived:?}");
                peer.echo(BINARY, &pattern(size, 1));
            }
            for size in SIZES.into_iter().rev() {
                peer.echo(TEXT, &prose(size, size));
            }
        }
    }
}

#[test]
fn with_takeover_what_was_said_before_is_referred_to() {
    for (server_takeover, repeated_bytes) in [(true, 0..20), (false, 90..200)] {
        let server = serve_deflate(DeflateOptions { server_takeover, ..ALL });
        let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
        let text = pattern(90, 1);
        peer.echo(BINARY, &text);
        let again = peer.echo(BINARY, &text);
        assert!(repeated_bytes.contains(&again.wire_bytes), "{again:?}");
    }
}

#[test]
fn long_messages_come_back_whole() {
    let server = serve_deflate(ALL);
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
    for round in 0..3 {
        let text = prose(3 << 20, round);
        let arrived = peer.echo(TEXT, &text);
        assert!(arrived.compressed && arrived.wire_bytes < text.len() / 4, "{} bytes", arrived.wire_bytes);
        peer.echo(BINARY, &pattern(2 << 20, round as u64));
    }
}

#[test]
fn what_is_short_or_plain_goes_on_beside_what_is_compressed() {
    let server = serve_deflate(DeflateOptions { bytes_min: 100, ..ALL });
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
    for _ in 0..3 {
        for (size, compressed) in [(0, false), (99, false), (100, true), (1000, true)] {
            let text = prose(size, 5);
            assert_eq!(peer.echo(TEXT, &text).compressed, compressed, "{size} bytes");
            // The peer may leave messages as they are.
            peer.peer.send_message(TEXT, &text);
            assert_eq!(peer.echoed(TEXT, &text).compressed, compressed, "{size} bytes");
        }
    }
}

#[test]
fn fragments_with_pings_between_them_are_one_message() {
    let server = serve_deflate(ALL);
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
    for (size, bytes) in [(3000, 1), (3000, 7), (70_000, 1000), (300_000, 20_000)] {
        let text = prose(size, bytes);
        peer.send_in_pieces(TEXT, &text, bytes);
        peer.echoed(TEXT, &text);
        let pongs = std::mem::take(&mut peer.controls);
        assert!(!pongs.is_empty() && pongs.iter().all(|pong| pong.opcode == PONG), "{pongs:?}");
        for (number, pong) in pongs.iter().enumerate() {
            assert_eq!(pong.payload, [(number as u8).wrapping_add(1)], "each is answered, in order");
        }
    }
    // Frames without payload, first and last among them, are fragments too.
    let compressed =
        wsring_tests::deflated::Deflater::new(false, 15).message(b"nothing before, nothing after");
    peer.peer.send(&wire::compressed(BINARY, false, b""));
    peer.peer.send(&wire::fragment(CONTINUATION, false, &compressed));
    peer.peer.send(&wire::fragment(CONTINUATION, true, b""));
    peer.echoed(BINARY, b"nothing before, nothing after");
}

#[test]
fn input_in_single_bytes_is_understood() {
    let server = serve_deflate(ALL);
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
    let text = prose(800, 1);
    let compressed = wsring_tests::deflated::Deflater::new(false, 15).message(&text);
    for byte in wire::compressed(TEXT, true, &compressed) {
        peer.peer.send(&[byte]);
    }
    peer.echoed(TEXT, &text);
}

#[test]
fn frames_right_behind_the_handshake_are_compressed_already() {
    let server = serve_deflate(ALL);
    let mut peer = wsring_tests::Peer::connect(server.address());
    let text = prose(500, 1);
    let request = wsring_tests::peer::handshake("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    let compressed = wsring_tests::deflated::Deflater::new(true, 15).message(&text);
    peer.send(&[request.as_bytes(), &wire::compressed(TEXT, true, &compressed)].concat());
    peer.switched();
    let frame = peer.frame();
    let inflated = wsring_tests::deflated::Inflater::new(true, 15).message(&frame.payload);
    assert!(frame.reserved == 0b100 && inflated == text);
}

/// Sends in fragments what it is sent: each half, with a Ping between; says how the last went.
fn halves(conn: &mut Conn<'_>, message: &Message<'_>) -> Sent {
    let (first, second) = message.payload().split_at(message.payload().len() / 2);
    let _ = conn.send_fragment(Some(message.kind()), false, first);
    assert_eq!(conn.send_text("not now"), Sent::Dropped);
    conn.ping(b"between");
    conn.send_fragment(None, true, second)
}

#[test]
fn what_is_sent_in_fragments_is_one_compressed_message() {
    for server_takeover in [true, false] {
        let options = DeflateOptions { server_takeover, ..ALL };
        let server = serve(settings(), |server| {
            server.deflate(options).websocket("/", |upgrade| {
                upgrade.accept(|conn: &mut Conn<'_>, message: Message<'_>| {
                    assert_eq!(halves(conn, &message), Sent::Sent);
                    let _ = conn.send(message);
                })
            })
        });
        let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
        for size in [0, 1, 20, 1000, 100_000, 10] {
            let text = prose(size, 1);
            peer.send(TEXT, &text);
            let arrived = peer.message();
            assert!(arrived.payload == text && arrived.compressed, "{size} bytes");
            assert_eq!((arrived.opcode, arrived.frames), (TEXT, 2));
            assert!(peer.controls.iter().all(|ping| ping.opcode == PING && ping.payload == b"between"));
            assert_eq!(std::mem::take(&mut peer.controls).len(), 1);
            peer.echoed(TEXT, &text);
        }
    }
}

/// Tells what was agreed, and sends from elsewhere.
struct Tells(std::sync::mpsc::Sender<(Option<wsring::Deflate>, wsring::Remote)>);

impl Handler for Tells {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.0.send((conn.deflate(), conn.remote())).unwrap();
        let _ = conn.send_payload(Kind::Text, &prose(300, 1));
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

#[test]
fn handlers_know_what_was_agreed_and_handles_compress_too() {
    let (to, told) = channel();
    let server = serve(settings(), |server| {
        server.deflate(ALL).websocket("/", move |upgrade| upgrade.accept(Tells(to.clone())))
    });
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate; server_max_window_bits=11");
    let (agreed, remote) = told.recv_timeout(PATIENCE).unwrap();
    let agreed = agreed.unwrap();
    assert!(agreed.server_takeover() && agreed.client_takeover());
    assert_eq!((agreed.server_window_bits(), agreed.client_window_bits()), (11, 15));
    assert!(peer.echoed(TEXT, &prose(300, 1)).compressed);
    remote.send_text(String::from_utf8(prose(300, 2)).unwrap());
    assert!(peer.echoed(TEXT, &prose(300, 2)).compressed);

    let plain = wsring_tests::Peer::open(server.address(), "/");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().0, None);
    drop(plain);
}
