//! `wsload inspect`: what it prints of conversations with scripted servers, to the letter.
//!
//! The expected output is in `golden/`. `WSLOAD_GOLDEN=write cargo test -p wsload --test inspect` writes it
//! anew; then read the difference.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "support/serve.rs"]
mod serve;

use serve::serve;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use wsring_proto::handshake::accept_key;

/// Calls `wsload inspect` with these words, and these lines on its standard input.
fn inspect(words: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsload"));
    command.arg("inspect").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("wsload runs");
    // A program that has ended already does not read; what it says is looked at below.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Compares the output with a file, but for the port.
#[track_caller]
fn check(name: &str, address: SocketAddr, words: &[&str], code: i32) {
    let url = format!("ws://{address}/chat");
    let output = inspect(&[&[url.as_str(), "--seed", "6455", "--timeout", "10s"][..], words].concat(), "");
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let found = (out + &err).replace(&address.to_string(), "127.0.0.1:9001");
    assert_eq!(output.status.code(), Some(code), "{found}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("inspect-{name}.txt"));
    if std::env::var_os("WSLOAD_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(found == expected, "not as in {}:\n{found}", path.display());
}

/// Reads the request and answers with the right proof and these headers; `accept` is put into words.
fn switch(stream: &mut TcpStream, more: &str) {
    let mut key = String::new();
    for line in BufReader::new(&mut *stream).lines() {
        let line = line.unwrap();
        if let Some(value) = line.strip_prefix("Sec-WebSocket-Key: ") {
            key = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    let accept = accept_key(key.as_bytes()).escape_ascii().to_string();
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    write!(stream, "{head}Sec-WebSocket-Accept: {accept}\r\n{more}\r\n").unwrap();
}

/// Waits for so many bytes.
fn take(stream: &mut TcpStream, count: usize) {
    stream.read_exact(&mut vec![0; count]).unwrap();
}

/// Lengths of masked frames with these payloads.
fn masked(payloads: &[usize]) -> usize {
    payloads.iter().map(|length| 6 + length).sum()
}

#[test]
fn a_text_a_ping_and_the_closing_handshake() {
    let address = serve(|mut stream| {
        switch(&mut stream, "Server: script\r\n");
        take(&mut stream, masked(&[5, 2, 1]));
        stream.write_all(b"\x01\x03Hel\x8a\x02hi\x80\x02lo\x82\x01\x00").unwrap();
        take(&mut stream, masked(&[5]));
        stream.write_all(b"\x88\x05\x0f\xa0bye").unwrap();
    });
    let words = ["--send", "Hello", "--ping", "hi", "--send-hex", "00", "--close", "4000:bye"];
    check("hello", address, &words, 0);
}

#[test]
fn a_subprotocol_fragments_and_a_server_that_pings_and_closes() {
    let address = serve(|mut stream| {
        switch(&mut stream, "Sec-WebSocket-Protocol: chat\r\n");
        take(&mut stream, masked(&[2, 2, 1]));
        stream.write_all(b"\x89\x04ping").unwrap();
        take(&mut stream, masked(&[4]));
        stream.write_all(b"\x88\x07\x03\xe9adieu").unwrap();
        take(&mut stream, masked(&[2]));
    });
    let words =
        ["--subprotocol", "chat", "--subprotocol", "superchat", "--fragments", "3", "--send", "Hello"];
    check("server-closes", address, &words, 0);
}

#[test]
fn compressed_messages_are_inflated() {
    let address = serve(|mut stream| {
        switch(&mut stream, "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n");
        take(&mut stream, masked(&[7, 7]));
        // The examples of RFC 7692 section 7.2.3.
        stream.write_all(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00").unwrap();
        take(&mut stream, masked(&[2]));
        stream.write_all(b"\x88\x02\x03\xe8").unwrap();
    });
    check("deflate", address, &["--deflate", "--send", "Hello", "--send", "Hello"], 0);
}

#[test]
fn long_payloads_are_cut_and_their_lengths_spelt_out() {
    let address = serve(|mut stream| {
        switch(&mut stream, "");
        let long = [&b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"[..], &[b'x'; 65_536]].concat();
        stream.write_all(&[&b"\x81\x7e\x00\x80"[..], &[b'y'; 128], &long].concat()).unwrap();
        take(&mut stream, masked(&[2]));
        stream.write_all(b"\x88\x00").unwrap();
    });
    check("long", address, &["--count", "2", "--bytes", "40"], 0);
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_so() {
    let address = serve(|mut stream| {
        switch(&mut stream, "");
        take(&mut stream, masked(&[5]));
        // Masked, with RSV2 and a length that is not in its shortest form.
        stream.write_all(b"\xa1\xfe\x00\x02\x01\x02\x03\x04\x49\x6b").unwrap();
        take(&mut stream, masked(&[2]));
    });
    check("faults", address, &["--send", "Hello"], 3);
}

#[test]
fn a_server_that_ends_without_a_close() {
    let address = serve(|mut stream| {
        switch(&mut stream, "");
        take(&mut stream, masked(&[5]));
        stream.write_all(b"\x81\x05Hel").unwrap();
    });
    check("cut", address, &["--send", "Hello"], 0);
}

#[test]
fn a_wrong_proof_is_shown_beside_the_right_one() {
    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
    });
    check("wrong-proof", address, &["--send", "Hello"], 1);
}

#[test]
fn a_refusal_is_explained() {
    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    check("refused", address, &["--send", "Hello"], 1);
}

#[test]
fn lines_of_standard_input_are_sent() {
    let address = serve(|mut stream| {
        switch(&mut stream, "");
        take(&mut stream, masked(&[5, 1, 1]));
        stream.write_all(b"\x81\x03one\x81\x03two").unwrap();
        take(&mut stream, masked(&[5]));
        stream.write_all(b"\x88\x02\x03\xe9").unwrap();
    });
    let output =
        inspect(&[&format!("ws://{address}/")], "Hello\n/fragments 2 ab\n/nonsense\n/close 1001 bye\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let expected = [
        "frame 4: Close",
        "1001, going away",
        "reason \"bye\"",
        "/nonsense is no command",
        "4 frames sent (2 messages)",
    ];
    for expected in expected {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

/// Calls it with these words and looks for some texts in what it prints.
#[track_caller]
fn says(address: SocketAddr, line: &str, code: i32, texts: &[&str]) {
    let url = format!("ws://{address}/");
    let output =
        inspect(&[&url].into_iter().map(String::as_str).chain(line.split(' ')).collect::<Vec<_>>(), "");
    let text = String::from_utf8_lossy(&output.stdout);
    let end: Vec<&str> = text.lines().rev().take(20).collect();
    assert_eq!(output.status.code(), Some(code), "{line}: {end:#?}");
    for expected in texts {
        assert!(text.contains(expected), "no {expected:?} at the end of {end:#?}");
    }
}

/// Opens, sends this, waits for a Close of two bytes, and ends.
fn send_and_end(bytes: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| {
        switch(&mut stream, "");
        stream.write_all(bytes).unwrap();
        take(&mut stream, masked(&[2]));
    })
}

#[test]
fn what_is_wrong_about_the_end_and_what_is_not() {
    let unanswered = "WRONG: our Close was not answered (5.5.1)";
    let table: [(&[u8], &str, i32, &str); 7] = [
        (b"\x88\x02\x03\xe8\x81\x02hi", "--count 1", 3, "WRONG: a data frame behind a Close (5.5.1)"),
        (b"\x88\x02\x03\xe8\x8a\x02hi", "--count 1", 0, "nothing wrong"),
        (b"", "--close 1000", 3, unanswered),
        // A Close with such a code fails the connection, and then a server need not send one (7.1.7).
        (b"", "--close 1005", 0, "an API reports 1006"),
        (b"\x82\x7f\x00\x00\x01\0\0\0\0\0", "--count 1", 0, "Binary, 1099511627776 bytes announced"),
        (
            b"\x82\x7f\x80\x00\x01\0\0\0\0\0",
            "--count 1",
            3,
            "the most significant bit of a length is 0 (5.2)",
        ),
        (b"\x89\x7f\x00\x00\x01\0\0\0\0\0", "--count 1", 3, "a control frame has at most 125 bytes"),
    ];
    for (bytes, words, code, expected) in table {
        says(send_and_end(bytes), &format!("--timeout 10s {words}"), code, &[expected]);
    }
}

#[test]
fn servers_that_never_stop_neither_hang_nor_fill_it() {
    let flood = serve(|mut stream| {
        switch(&mut stream, "");
        // Short, so that they come faster than they are printed.
        let frame = [&b"\x82\x64"[..], &[0; 100]].concat();
        while stream.write_all(&frame.repeat(100)).is_ok() {}
    });
    says(flood, "--timeout 2s --bytes 0", 3, &["WRONG: a Close did not come within 2s"]);
    let endless = serve(|mut stream| {
        switch(&mut stream, "");
        let part = [&b"\x00\x7f\0\0\0\0\0\x10\0\0"[..], &[0; 1 << 20]].concat();
        let _ = stream.write_all(b"\x02\x00");
        while stream.write_all(&part).is_ok() {}
    });
    let expected = ["a message of 68157440 bytes and more", "1009, message too big", "nothing wrong"];
    says(endless, "--timeout 60s --bytes 0 --count 1", 0, &expected);
}

#[test]
fn mistakes_and_unreachable_servers_get_one_clear_line() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = serve(|stream| {
        std::thread::sleep(std::time::Duration::from_secs(600));
        drop(stream);
    });
    let (free, silent) = (format!("ws://{free}/"), format!("ws://{silent}/"));
    let table: [(&[&str], i32, &str); 7] = [
        (&[&free], 1, "refused"),
        (&[&silent, "--timeout", "200ms"], 1, "there was none within 200ms"),
        (&["wss://127.0.0.1/"], 2, "needs TLS"),
        (&["localhost"], 2, "ws://"),
        (&[&free, "--send-hex", "0"], 2, "are no bytes"),
        (&[&free, "--close", "x"], 2, "is no close code"),
        (&[&free, "--subprotocol", "a b"], 2, "is no token"),
    ];
    for (words, code, expected) in table {
        let output = inspect(words, "");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
    }
}
