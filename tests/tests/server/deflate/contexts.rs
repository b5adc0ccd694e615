//! What is held for connections, and given back: within budgets, and not beyond a connection's end.

use super::{ALL, serve_deflate_with};
use wsring::{Conn, DeflateOptions, Handler, Limits, Message, Settings, ShardFigures};
use wsring_tests::deflated::prose;
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Deflated, Peer, Served, pattern, serve, settings, wait_until};

fn figures(server: &Served) -> ShardFigures {
    server.observer().shards()[0]
}

#[test]
fn what_was_dropped_for_others_starts_anew() {
    // None fits; one fits; three of four fit, so that they push each other out all the time.
    for compressor_bytes_max in [0, 400_000, 1_200_000] {
        let server = serve_deflate_with(Settings { compressor_bytes_max, ..settings() }, ALL);
        let open = |_| Deflated::open(server.address(), "/", "permessage-deflate");
        let mut peers: Vec<Deflated> = (0..4).map(open).collect();
        for round in 0..20 {
            for (number, peer) in peers.iter_mut().enumerate() {
                // Not in turn: some come back while they are still there.
                if (round + number) % 3 > 0 {
                    peer.echo(TEXT, &prose(2000, number * 7));
                }
            }
            let contexts = figures(&server).deflate_contexts as usize;
            assert!(contexts <= compressor_bytes_max / 380_000, "{contexts} in {compressor_bytes_max}");
        }
        let figures = figures(&server);
        assert!(figures.deflated_messages > 50 && figures.inflated_messages > 50, "{figures:?}");
        assert!(figures.deflated_bytes_out < figures.deflated_bytes_in / 2, "{figures:?}");
        assert!(figures.inflated_bytes_in < figures.inflated_bytes_out / 2, "{figures:?}");
        assert!(figures.deflate_nanoseconds > 0 && figures.inflate_nanoseconds > 0, "{figures:?}");
    }
}

#[test]
fn without_room_for_a_window_the_client_is_told_to_keep_none() {
    let limits = Limits { context_bytes_max: 160 << 10, ..Limits::default() };
    let server = serve_deflate_with(Settings { limits, ..settings() }, ALL);
    let told = |peer: &Deflated| peer.answer.contains("client_no_context_takeover");
    let mut peers: Vec<Deflated> = Vec::new();
    while !peers.last().is_some_and(told) {
        peers.push(Deflated::open(server.address(), "/", "permessage-deflate"));
        assert!(peers.len() <= 5 + 1, "windows of 32 KiB do not add up");
    }
    let windows = peers.len() as u64 - 1;
    assert!(windows >= 2, "{windows} windows");
    for peer in &mut peers {
        peer.echo(TEXT, &prose(40_000, 1));
        peer.echo(BINARY, &pattern(1000, 1));
        peer.echo(TEXT, &prose(40_000, 1));
    }
    assert_eq!(figures(&server).inflate_contexts, windows);
    assert!(figures(&server).inflate_context_bytes <= 160 << 10);
    // Room comes back.
    drop(peers);
    wait_until("the windows to be given back", || figures(&server).inflate_contexts == 0);
    assert!(!told(&Deflated::open(server.address(), "/", "permessage-deflate")));
}

/// Ends in a way of its own, within a message in fragments.
struct Ends;

impl Handler for Ends {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = conn.send_fragment(Some(message.kind()), false, message.payload());
        match message.payload() {
            b"panic" => panic!("as the test wants it"),
            b"close" => conn.close(wsring::CloseCode::NORMAL, ""),
            _ => {}
        }
    }
}

#[test]
fn however_a_connection_ends_it_leaves_nothing() {
    for server_takeover in [true, false] {
        let options = DeflateOptions { server_takeover, ..ALL };
        let server = serve(settings(), |server| {
            server.deflate(options).websocket("/", |upgrade| upgrade.accept(Ends))
        });
        for end in ["panic", "close", "break", "reset"] {
            let mut peer = Deflated::open(server.address(), "/", "permessage-deflate");
            peer.send(TEXT, end.as_bytes());
            let first = peer.peer.frame();
            assert!(first.reserved == 0b100 && !first.fin, "{first:?}");
            // Nothing is held for it any more when the Close is out, long before it is gone.
            match end {
                "panic" => assert_eq!(peer.peer.closed().0, 1011),
                "close" => assert_eq!(peer.peer.closed().0, 1000),
                "break" => {
                    wait_until("the compressor", || figures(&server).deflate_contexts == 1);
                    peer.peer.send(&[0xff; 20]);
                    assert_eq!(peer.peer.closed().0, 1002);
                }
                _ => {
                    let socket = socket2::SockRef::from(peer.peer.stream());
                    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                    drop(peer);
                    wait_until("it to be gone", || server.count() == 0);
                }
            }
            wait_until("no compressor to be left", || figures(&server).deflate_contexts == 0);
        }
        wait_until("no window to be left", || figures(&server).inflate_contexts == 0);
        Peer::open(server.address(), "/").close();
    }
}
