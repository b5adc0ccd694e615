//! Opening handshakes that fail, and what comes right behind those that do not.

use crate::raw::switching;
use crate::{PATIENCE, REQUEST, connect_raw, echo, masked, plain, raw_server, read_head, run, server};
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use wsring::Response;
use wsring::adapter::{self, Connect, Error, OpeningError, Options, Upgrade};

#[test]
fn bad_requests_are_refused_with_a_reason() {
    let good = format!("{REQUEST}\r\n");
    let table = [
        ("no request", "\x16\x03\x01".to_owned(), 400),
        ("a plain GET", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 426),
        ("a POST", good.replace("GET ", "POST "), 400),
        ("another version", good.replace("Version: 13", "Version: 8"), 426),
        ("no key", good.replace("Sec-WebSocket-Key", "X-Key"), 400),
        ("a short key", good.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400),
        ("no Host", good.replace("Host:", "X-Host:"), 400),
        ("an endless head", format!("{REQUEST}X: {}", "x".repeat(9000)), 431),
        ("HTTP/1.0", good.replace("HTTP/1.1", "HTTP/1.0"), 400),
    ];
    for (what, request, status) in &table {
        let (address, served) =
            server(|stream| async { adapter::accept(stream, Options::default()).await.map(drop) });
        let mut stream = connect_raw(address);
        stream.write_all(request.as_bytes()).expect("it is written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server ends the connection in order");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(answer.contains("Connection: close"), "{what}: {answer}");
        drop(stream);
        let result = served.join().expect("no panic");
        let Err(Error::Refused(refusal)) = result else { panic!("{what}: {result:?}") };
        assert_eq!(refusal.status(), *status, "{what}");
        assert!(answer.ends_with(&format!("{}\n", refusal.reason())), "{what}: {answer}");
    }
}

#[test]
fn an_answer_to_head_has_no_content() {
    let (address, served) =
        server(|stream| async { adapter::accept(stream, Options::default()).await.map(drop) });
    let mut stream = connect_raw(address);
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server ends the connection in order");
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    drop(stream);
    assert!(matches!(served.join().expect("no panic"), Err(Error::Refused(_))));
}

#[test]
fn frames_right_behind_the_handshake_are_not_lost() {
    for piece_bytes in [1, 50, usize::MAX] {
        let (address, served) =
            server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
        let mut stream = connect_raw(address);
        let input =
            [format!("{REQUEST}\r\n").as_bytes(), &masked(0x81, b"early"), &masked(0x88, b"")].concat();
        for piece in input.chunks(piece_bytes.min(input.len())) {
            stream.write_all(piece).expect("it is written");
        }
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
        let mut output = Vec::new();
        stream.read_to_end(&mut output).expect("the server ends the connection in order");
        assert_eq!(output, [plain(0x81, b"early"), plain(0x88, b"")].concat());
        drop(stream);
        served.join().expect("no panic").expect("a clean end");
    }
}

#[test]
fn a_rejected_client_reads_why() {
    let (address, served) = server(|stream| async {
        let upgrade = Upgrade::receive(stream, Options::default()).await?;
        upgrade.reject(Response::text(403, "not you\n")).await;
        Ok::<_, Error>(())
    });
    let result = run(async { adapter::connect(&format!("ws://{address}/"), Options::default()).await });
    let Err(Error::Opening(OpeningError::Status { status, .. })) = result else { panic!("{result:?}") };
    assert_eq!(status, 403);
    served.join().expect("no panic").expect("no error");
}

#[test]
fn headers_that_cannot_be_sent_are_the_callers_fault() {
    let (address, served) = server(|stream| async {
        let upgrade = Upgrade::receive(stream, Options::default()).await?;
        upgrade.header("X-Split", "a\r\nX-Injected: b").accept().await.map(drop)
    });
    let (client, result) = (
        run(async {
            let connect = Connect::new("ws://localhost/").expect("it is a URL").to(address);
            connect.clone().header("Upgrade", "h2c").connect().await.map(drop)
        }),
        run(async { adapter::connect(&format!("ws://{address}/"), Options::default()).await }),
    );
    assert!(matches!(client, Err(Error::Header(_))), "{client:?}");
    assert!(matches!(result, Err(Error::Opening(OpeningError::Status { status: 500, .. }))), "{result:?}");
    assert!(matches!(served.join().expect("no panic"), Err(Error::Header(_))));
}

#[test]
fn urls_that_cannot_be_reached() {
    let table =
        [("http://localhost/", "ws://"), ("wss://localhost/", "wss://"), ("ws://127.0.0.1:1/", "TCP")];
    for (url, part) in table {
        let result = run(async { adapter::connect(url, Options::default()).await });
        let error = result.expect_err("it cannot be reached");
        assert!(error.to_string().contains(part), "{url}: {error}");
    }
}

#[test]
fn bad_answers_are_the_servers_fault() {
    type Answer = fn(&str) -> String;
    let table: [(&str, Answer, &str); 5] = [
        ("another status", |_| "HTTP/1.1 503 Busy\r\n\r\n".into(), "503"),
        ("another proof", |request| switching(&request.replace("Key: ", "Key: x")), "Sec-WebSocket-Accept"),
        ("no HTTP", |_| "SSH-2.0-OpenSSH\r\n\r\n".into(), "HTTP"),
        ("too much", |_| format!("HTTP/1.1 101 Yes\r\nX: {}", "x".repeat(9000)), "8192"),
        (
            "an extension that was not offered",
            |request| {
                let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
                format!("{}\r\n{extension}", switching(request).trim_end())
            },
            "permessage-deflate",
        ),
    ];
    for (what, answer, part) in table {
        let (address, served) = raw_server(move |mut stream| {
            let request = read_head(&mut stream);
            stream.write_all(answer(&request).as_bytes()).expect("it is written");
            let mut rest = Vec::new();
            // A reset is as good an end as any here.
            let _ = stream.read_to_end(&mut rest);
        });
        let result = run(async { adapter::connect(&format!("ws://{address}/"), Options::default()).await });
        let Err(Error::Opening(error)) = result else { panic!("{what}: {result:?}") };
        assert!(error.to_string().contains(part), "{what}: {error}");
        served.join().expect("no panic");
    }
}

#[test]
fn a_server_that_goes_away_before_it_answers() {
    let (address, served) = raw_server(|mut stream| drop(read_head(&mut stream)));
    let result = run(async { adapter::connect(&format!("ws://{address}/"), Options::default()).await });
    assert!(matches!(result, Err(Error::Lost(_))), "{result:?}");
    served.join().expect("no panic");
}

#[test]
fn handshakes_that_take_too_long_are_cut_off() {
    let options = Options { handshake_timeout: Duration::from_millis(100), ..Options::default() };
    let before = Instant::now();
    let (address, served) =
        server(move |stream| async move { adapter::accept(stream, options).await.map(drop) });
    let mut stream = connect_raw(address);
    stream.write_all(REQUEST.as_bytes()).expect("it is written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server ends the connection");
    assert!(answer.is_empty());
    assert!(matches!(served.join().expect("no panic"), Err(Error::Timeout)));

    let (address, served) = raw_server(|mut stream| {
        read_head(&mut stream);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the client ends the connection");
    });
    let result = run(async { adapter::connect(&format!("ws://{address}/"), options).await });
    assert!(matches!(result, Err(Error::Timeout)), "{result:?}");
    served.join().expect("no panic");
    assert!(before.elapsed() >= Duration::from_millis(200) && before.elapsed() < PATIENCE / 2);
}
