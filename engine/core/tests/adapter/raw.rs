//! Frames by hand: pieces, control frames, violations.

use crate::{echo, masked, open_raw, plain, raw_server, read_head, run, server};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use wsring::Limits;
use wsring::adapter::{self, Error, Options, Violation};

fn echo_server(options: Options) -> (SocketAddr, JoinHandle<Result<(), Error>>) {
    server(move |stream| async move { echo(adapter::accept(stream, options).await?).await })
}

fn small() -> Options {
    let limits = Limits { frame_bytes_max: 100, message_bytes_max: 100, ..Limits::default() };
    Options { limits, ..Options::default() }
}

/// A Close frame's payload.
fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// What goes in, what comes out before the connection is ended.
#[test]
fn frames_are_answered_in_order() {
    let fragmented = [
        masked(0x01, "Grü".as_bytes().split_last().expect("not empty").1),
        masked(0x89, b"ping within"),
        masked(0x00, &["ü".as_bytes()[1..].to_vec(), b"e".to_vec()].concat()),
        masked(0x80, b""),
        masked(0x88, &close(1000, "")),
    ]
    .concat();
    let fragmented_out =
        [plain(0x8A, b"ping within"), plain(0x81, "Grüe".as_bytes()), plain(0x88, &close(1000, ""))].concat();
    let pings: Vec<u8> = (0..10).flat_map(|number| masked(0x89, &[number])).collect();
    let pongs: Vec<u8> = (0..10).flat_map(|number| plain(0x8A, &[number])).collect();
    let longest = close(4999, &"r".repeat(123));
    let table: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("a fragmented text with a ping within", fragmented, fragmented_out),
        ("ten pings", [pings, masked(0x88, b"")].concat(), [pongs, plain(0x88, b"")].concat()),
        (
            "messages and pings in turn",
            [masked(0x81, b"a"), masked(0x89, b"1"), masked(0x82, b"b"), masked(0x88, &close(4000, "x"))]
                .concat(),
            [plain(0x81, b"a"), plain(0x8A, b"1"), plain(0x82, b"b"), plain(0x88, &close(4000, "x"))]
                .concat(),
        ),
        (
            "a pong that nobody asked for",
            [masked(0x8A, b"?"), masked(0x82, b""), masked(0x88, b"")].concat(),
            [plain(0x82, b""), plain(0x88, b"")].concat(),
        ),
        (
            "frames behind a close are ignored",
            [masked(0x88, &close(1001, "")), masked(0x81, b"late"), masked(0x89, b"late")].concat(),
            plain(0x88, &close(1001, "")),
        ),
        ("a close with the longest reason", masked(0x88, &longest), plain(0x88, &longest)),
    ];
    for (what, input, output) in &table {
        for piece_bytes in [1, 7, usize::MAX] {
            let (address, served) = echo_server(Options::default());
            assert!(exchange(address, input, piece_bytes) == *output, "{what}, in pieces of {piece_bytes}");
            served.join().expect("no panic").expect("a clean end");
        }
    }
}

/// Writes the input in pieces and reads to the end of the stream.
fn exchange(address: SocketAddr, input: &[u8], piece_bytes: usize) -> Vec<u8> {
    let mut stream = open_raw(address);
    for piece in input.chunks(piece_bytes.min(input.len())) {
        stream.write_all(piece).expect("it is written");
    }
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("the server ends the connection in order");
    output
}

#[test]
fn violations_are_answered_after_the_good_messages_before_them() {
    let table: [(&str, Vec<u8>, u16); 6] = [
        ("an unmasked frame", plain(0x81, b"hello"), 1002),
        ("a reserved bit", masked(0xC1, b"hello"), 1002),
        ("a reserved opcode", masked(0x83, b""), 1002),
        ("text that is not UTF-8", masked(0x81, b"\xff"), 1007),
        ("a frame that is too long", masked(0x82, &[0; 101]), 1009),
        ("a close with a code that may not be sent", masked(0x88, &close(1005, "")), 1002),
    ];
    for (what, bad, code) in &table {
        for piece_bytes in [1, usize::MAX] {
            let (address, served) = echo_server(small());
            let output = exchange(address, &[masked(0x82, b"good"), bad.clone()].concat(), piece_bytes);
            let good = plain(0x82, b"good");
            assert!(output.starts_with(&good), "{what}: {output:x?}");
            let close = &output[good.len()..];
            assert_eq!((close[0], &close[2..4]), (0x88, &code.to_be_bytes()[..]), "{what}");
            assert_eq!(usize::from(close[1]), close.len() - 2, "{what}: nothing follows the Close");
            let result = served.join().expect("no panic");
            let Err(Error::Violation(violation)) = result else { panic!("{what}: {result:?}") };
            assert_eq!(violation.close_code().get(), *code, "{what}");
        }
    }
}

#[test]
fn replies_to_one_read_leave_as_one_write() {
    let (address, served) = echo_server(Options::default());
    let mut stream = open_raw(address);
    let input: Vec<u8> = (0..50).flat_map(|number| masked(0x82, &[number; 20])).collect();
    let output: Vec<u8> = (0..50).flat_map(|number| plain(0x82, &[number; 20])).collect();
    stream.write_all(&input).expect("it is written");
    // One write of the server is one segment on loopback, and so one read here.
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).expect("an answer");
    assert!(buffer[..read] == output, "the first read brought {read} of {} bytes", output.len());
    drop(stream);
    assert!(matches!(served.join().expect("no panic"), Err(Error::Lost(_))));
}

#[test]
fn a_message_that_is_cut_off_is_not_delivered() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        let first = socket.next().await;
        let closed = socket.closed().map(|closed| closed.number());
        assert!(socket.next().await.is_none());
        Ok::<_, Error>((first, closed))
    });
    let mut stream = open_raw(address);
    let frame = masked(0x82, b"half of this");
    stream.write_all(&frame[..10]).expect("it is written");
    drop(stream);
    let (first, closed) = served.join().expect("no panic").expect("it opened");
    assert!(matches!(first, Some(Err(Error::Lost(_)))), "{first:?}");
    assert_eq!(closed, Some(1006));
}

/// What the peer sent before it went away is not lost because writing to it fails.
#[test]
fn a_close_is_read_although_earlier_answers_cannot_be_written() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        // The first of these provokes a reset, so that later ones fail.
        let mut failed = 0;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            failed += usize::from(socket.send_text("nobody reads this").await.is_err());
        }
        assert!(failed > 0, "all was written");
        let end = socket.next().await.map(drop);
        Ok::<_, Error>((end.is_none(), socket.closed().map(|closed| closed.number())))
    });
    let mut stream = open_raw(address);
    stream.write_all(&masked(0x88, &close(4321, ""))).expect("it is written");
    drop(stream);
    assert_eq!(served.join().expect("no panic").expect("it opened"), (true, Some(4321)));
}

#[test]
fn the_client_fails_a_server_that_masks() {
    let (address, served) = raw_server(|mut stream| {
        let request = read_head(&mut stream);
        stream.write_all(switching(&request).as_bytes()).expect("it is written");
        stream.write_all(&masked(0x81, b"hello")).expect("it is written");
        let mut output = Vec::new();
        stream.read_exact(output_of(&mut output, 2)).expect("a Close");
        assert_eq!(output[0], 0x88);
        // A client masks what it sends (RFC 6455 section 5.3), a Close too.
        assert_eq!(output[1] & 0x80, 0x80);
    });
    run(async {
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        let result = socket.next().await;
        assert!(matches!(result, Some(Err(Error::Violation(Violation::Masked)))), "{result:?}");
        assert!(socket.next().await.is_none());
    });
    served.join().expect("no panic");
}

fn output_of(output: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    output.resize(bytes, 0);
    output
}

/// The answer that a request asks for.
pub(crate) fn switching(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = wsring_proto::handshake::accept_key(key.as_bytes());
    let accept = String::from_utf8(accept.to_vec()).expect("it is base64");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
