//! The project's own client: against its server under every agreement, and against servers that answer wrong.

use super::{ALL, serve_deflate};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, Deflate, DeflateOptions, Error, Handler, Limits,
    Message, OpenFailure, Settings,
};
use wsring_tests::deflated::{Deflater, Inflater, prose};
use wsring_tests::wire::{self, BINARY, TEXT};
use wsring_tests::{PATIENCE, Peer, pattern, serve, settings, wait_until};

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Open(Option<Deflate>),
    Message(Vec<u8>),
    Closed(u16),
    Failed(String),
}

/// Sends its messages when it opens, and passes on what it is told.
struct Tells {
    to: Sender<Told>,
    first: Vec<Vec<u8>>,
}

impl Handler for Tells {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.to.send(Told::Open(conn.deflate())).unwrap();
        for payload in &self.first {
            let _ = conn.send_binary(payload);
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, message: Message<'_>) {
        self.to.send(Told::Message(message.payload().to_vec())).unwrap();
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.to.send(Told::Failed(failure.to_string())).unwrap();
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let _ = self.to.send(Told::Closed(closed.number()));
    }
}

fn connect(client: &Client, options: &ConnectOptions, first: Vec<Vec<u8>>) -> Receiver<Told> {
    let (to, told) = channel();
    client.connect(options, Tells { to, first }).unwrap();
    told
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(PATIENCE).expect("it is told something")
}

fn opened(told: &Receiver<Told>) -> Option<Deflate> {
    match next(told) {
        Told::Open(agreed) => agreed,
        other => panic!("expected it to open, was told {other:?}"),
    }
}

fn messages() -> Vec<Vec<u8>> {
    let sizes = [0, 1, 63, 64, 126, 1000, 65_535, 65_536, 300_000];
    sizes.into_iter().flat_map(|size| [prose(size, 1), pattern(size, 1)]).collect()
}

#[test]
fn both_ends_agree_and_every_message_comes_back() {
    let client = Client::start(settings()).unwrap();
    let takeovers = [(false, false), (true, false), (false, true), (true, true)];
    for (number, (server_takeover, client_takeover)) in takeovers.into_iter().enumerate() {
        for (server_window_bits, client_window_bits) in [(15, 15), (8, 9), (9, 8)] {
            let asked = DeflateOptions {
                server_takeover,
                client_takeover,
                server_window_bits,
                client_window_bits,
                ..ALL
            };
            // Either end may be the one that restricts.
            let (offered, allowed) = if number % 2 == 0 { (asked, ALL) } else { (ALL, asked) };
            let server = serve_deflate(allowed);
            let options = ConnectOptions::new(&server.url("/")).unwrap().deflate(offered);
            let told = connect(&client, &options, messages());
            let agreed = opened(&told).expect("they agree");
            assert_eq!(
                (agreed.server_takeover(), agreed.client_takeover()),
                (server_takeover, client_takeover)
            );
            let windows = (agreed.server_window_bits(), agreed.client_window_bits());
            assert_eq!(windows, (server_window_bits, client_window_bits));
            for payload in messages() {
                assert!(next(&told) == Told::Message(payload.clone()), "{} bytes: {asked:?}", payload.len());
            }
        }
    }
    wait_until("the connections to be gone", || client.connections() == [0]);
}

#[test]
fn a_server_that_does_not_compress_is_spoken_to_plainly() {
    let server = wsring_tests::served::serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    let told = connect(&client, &ConnectOptions::new(&server.url("/")).unwrap().deflate(ALL), messages());
    assert_eq!(opened(&told), None);
    for payload in messages() {
        assert!(next(&told) == Told::Message(payload));
    }
}

/// A server for one connection that answers with these extensions, then does as it is told.
fn answering(
    extensions: &'static str,
    then: impl FnOnce(&mut Peer, &str) + Send + 'static,
) -> ConnectOptions {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut peer = Peer::over(listener.accept().unwrap().0);
        let request = peer.try_head().unwrap();
        let offer = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        let offer = offer.unwrap_or_default().to_owned();
        let proof = wsring_tests::peer::proof(&request);
        peer.send(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
            )
            .as_bytes(),
        );
        then(&mut peer, &offer);
        peer.drained();
    });
    ConnectOptions::new(&format!("ws://{address}/")).unwrap()
}

#[test]
fn an_answer_that_does_not_fit_the_offer_fails_the_opening() {
    let client = Client::start(settings()).unwrap();
    let small = DeflateOptions { server_window_bits: 10, server_takeover: false, ..ALL };
    let table = [
        (small, "permessage-deflate", "server_no_context_takeover"),
        (small, "permessage-deflate; server_no_context_takeover", "server_max_window_bits"),
        (
            small,
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
            "server_max_window_bits",
        ),
        (ALL, "permessage-deflate; client_max_window_bits", "client_max_window_bits"),
        (ALL, "permessage-deflate; mystery", "known parameters"),
        (ALL, "permessage-deflate, permessage-deflate", "once"),
        (ALL, "permessage-bzip2", "offered"),
    ];
    for (offered, answer, words) in table {
        let options = answering(answer, |_, _| {}).deflate(offered);
        match next(&connect(&client, &options, Vec::new())) {
            Told::Failed(text) => assert!(text.contains(words), "no {words:?} in: {text}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    let wrong =
        ConnectOptions::new("ws://127.0.0.1:1/").unwrap().deflate(DeflateOptions { level: 10, ..ALL });
    let (to, _told) = channel();
    let refused = client.connect(&wrong, Tells { to, first: Vec::new() });
    assert!(matches!(refused, Err(Error::Deflate(_))), "{refused:?}");
}

#[test]
fn a_foreign_server_is_understood_and_one_that_breaks_the_rules_is_left() {
    let client = Client::start(settings()).unwrap();
    let options = answering("permessage-deflate; client_max_window_bits=10", |peer, offer| {
        assert_eq!(offer, "permessage-deflate; client_max_window_bits");
        let (mut deflater, mut inflater) = (Deflater::new(true, 15), Inflater::new(true, 10));
        for round in 0..3 {
            let text = prose(9000, round);
            let compressed = deflater.message(&text);
            let mut frame =
                [&wire::header(TEXT, true, compressed.len() as u64, false)[..], &compressed].concat();
            frame[0] |= 0x40;
            peer.send(&frame);
        }
        for round in 0..3 {
            let frame = peer.client_frame();
            assert!(frame.reserved == 0b100 && frame.opcode == BINARY);
            assert!(inflater.message(&frame.payload) == prose(9000, round));
        }
        // RSV2 belongs to nobody.
        peer.send(&[0xa2, 0]);
    });
    let first = (0..3).map(|round| prose(9000, round)).collect();
    let told = connect(&client, &options.deflate(ALL), first);
    assert!(opened(&told).is_some());
    for round in 0..3 {
        assert_eq!(next(&told), Told::Message(prose(9000, round)));
    }
    assert_eq!(next(&told), Told::Closed(1002));
}

#[test]
fn without_room_for_a_window_the_server_is_asked_to_keep_none() {
    let limits = Limits { context_bytes_max: 40 << 10, ..Limits::default() };
    let client = Client::start(Settings { limits, ..settings() }).unwrap();
    let server = serve(settings(), |server| super::echoes(server, ALL));
    let options = ConnectOptions::new(&server.url("/")).unwrap().deflate(ALL);
    let open = || {
        let told = connect(&client, &options, vec![prose(5000, 1)]);
        let agreed = opened(&told).unwrap();
        assert_eq!(next(&told), Told::Message(prose(5000, 1)));
        (agreed.server_takeover(), told)
    };
    let (first, second) = (open(), open());
    assert_eq!((first.0, second.0), (true, false));
}

#[test]
fn of_many_openings_at_once_only_those_with_room_ask_for_a_window() {
    let limits = Limits { context_bytes_max: 100 << 10, ..Limits::default() };
    let client = Client::start(Settings { limits, shards: Some(1), ..settings() }).unwrap();
    let server = serve(settings(), |server| super::echoes(server, ALL));
    let options = ConnectOptions::new(&server.url("/")).unwrap().deflate(ALL);
    let told: Vec<_> = (0..12).map(|_| connect(&client, &options, Vec::new())).collect();
    let agreed: Vec<bool> = told.iter().map(|told| opened(told).unwrap().server_takeover()).collect();
    assert_eq!(agreed.iter().filter(|takeover| **takeover).count(), 3, "{agreed:?}");
}
