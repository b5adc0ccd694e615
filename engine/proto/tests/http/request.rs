//! Requests: what is refused, and what an accepted one says.

use super::{check, refused};
use wsring_proto::http::{Body, Version, percent_decode};

/// A request with one more header line (without its end).
fn with(line: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: example.com\r\n{line}\r\n\r\n").into_bytes()
}

#[test]
fn rfc9112_ambiguous_heads_are_400() {
    let cases: &[(&[u8], &str)] = &[
        // 2.2: line ends.
        (b"GET / HTTP/1.1\nHost: a\n\n", "bare LF"),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "bare LF"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", "bare LF"),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bare LF"),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "CR"),
        (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "CR"),
        (b"GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n", "CR"),
        // 3: the request line.
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "request"),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "HTTP"),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
        (b"GET /\r\nHost: a\r\n\r\n", ""),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
        (b"GET / HTTP/1\r\nHost: a\r\n\r\n", "HTTP/1"),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", "http/1.1"),
        (b"GET / HTTP/11.1\r\nHost: a\r\n\r\n", "HTTP/11.1"),
        // 5: header fields.
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "white space between"),
        (b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "white space between"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "folding"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n\r\n", "folding"),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folding"),
        (b"GET / HTTP/1.1\r\nHost\r\n\r\n", "no colon"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "token"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n", "token"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", "0x00"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", "0x7f"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[0m\r\n\r\n", "0x1b"),
        // Not finished.
        (b"GET / HTTP/1.1\r\nHost: a\r\n", "empty line"),
        (b"", "request line"),
    ];
    for (input, part) in cases {
        refused(input, 400, part);
    }
}

#[test]
fn rfc9110_15_6_6_other_http_versions_are_505() {
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.1"] {
        refused(format!("GET / {version}\r\nHost: a\r\n\r\n").as_bytes(), 505, version);
    }
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0");
}

#[test]
fn rfc9112_3_2_host_is_there_once_and_is_one() {
    refused(b"GET / HTTP/1.1\r\n\r\n", 400, "Host is missing");
    refused(b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, "more than once");
    refused(b"GET / HTTP/1.0\r\nHost: a\r\nHOST: b\r\n\r\n", 400, "more than once");
    for bad in
        ["a b", "a,b", "u@a", "a/b", "a:b", "a:70000", "a:1:2", "[::1", "[::1]x", "[zz]", "a?b", "\u{e9}"]
    {
        refused(format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n").as_bytes(), 400, "Host is");
    }
    for good in ["a", "example.com:8080", "127.0.0.1:1", "[::1]:9", "[fe80::1]", "a:", "x_y.z", ""] {
        let input = format!("GET / HTTP/1.1\r\nHost: {good}\r\n\r\n");
        assert_eq!(check(input.as_bytes()).expect("accepted").host(), Some(good));
    }
    assert_eq!(check(b"GET / HTTP/1.0\r\n\r\n").expect("accepted").host(), None);
}

#[test]
fn rfc9112_6_3_the_body_has_one_length_or_none() {
    let cases = [
        ("X: y", Ok(Body::None)),
        ("Content-Length: 0", Ok(Body::None)),
        ("Content-Length: 1", Ok(Body::Length(1))),
        ("content-length:  0042 ", Ok(Body::Length(42))),
        ("Content-Length: 18446744073709551615", Ok(Body::Length(u64::MAX))),
        ("Content-Length: 18446744073709551616", Err((400, "decimal"))),
        ("Content-Length: +1", Err((400, "decimal"))),
        ("Content-Length: -1", Err((400, "decimal"))),
        ("Content-Length: 1, 1", Err((400, "decimal"))),
        ("Content-Length: 0x1", Err((400, "decimal"))),
        ("Content-Length:", Err((400, "decimal"))),
        ("Content-Length: 1\r\nContent-Length: 1", Err((400, "more than once"))),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", Err((400, "both"))),
        ("Transfer-Encoding: chunked", Err((411, "Content-Length"))),
        ("Transfer-Encoding: identity", Err((411, "identity"))),
        ("Transfer-Encoding: chunked\r\nUpgrade: websocket", Err((400, "no body"))),
    ];
    for (line, expected) in cases {
        match expected {
            Ok(body) => assert_eq!(check(&with(line)).expect(line).body(), body, "{line}"),
            Err((status, part)) => refused(&with(line), status, part),
        }
    }
    refused(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0");
}

#[test]
fn rfc9112_9_3_persistence() {
    let cases = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close", false),
        ("HTTP/1.1", "Connection: Upgrade, CLOSE", false),
        ("HTTP/1.1", "Connection: upgrade\r\nConnection: close", false),
        ("HTTP/1.1", "Connection: not-close", true),
        ("HTTP/1.0", "X: y", false),
        ("HTTP/1.0", "Connection: Keep-Alive", true),
        ("HTTP/1.0", "Connection: keep-alive, close", false),
    ];
    for (version, line, keep_alive) in cases {
        let line = if line.is_empty() { "X: y" } else { line };
        let input = format!("GET / {version}\r\nHost: a\r\n{line}\r\n\r\n");
        let request = check(input.as_bytes()).expect("accepted");
        assert_eq!(request.keep_alive(), keep_alive, "{version} {line}");
        assert_eq!(request.version().as_str(), version);
    }
}

#[test]
fn rfc9110_10_1_1_expectations() {
    let expects = |line: &str| check(&with(line)).expect("accepted").expects_continue();
    assert!(expects("Content-Length: 5\r\nExpect: 100-Continue"));
    assert!(!expects("Content-Length: 0\r\nExpect: 100-continue"));
    assert!(!expects("Content-Length: 5"));
    let old = b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    assert!(!check(old).expect("accepted").expects_continue());
}

#[test]
fn rfc6454_7_1_an_origin_that_cannot_be_read_is_refused() {
    refused(&with("Origin: https://a\r\nOrigin: https://b"), 400, "more than once");
    refused("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://\u{e9}\r\n\r\n".as_bytes(), 400, "Origin");
    assert_eq!(check(&with("Origin: null")).expect("accepted").origin(), Some("null"));
    assert_eq!(check(&with("X: y")).expect("accepted").origin(), None);
}

#[test]
fn headers_tokens_and_cookies() {
    let input = b"GET /p?q HTTP/1.1\r\nHost: a\r\nUPGRADE: h2c,, WebSocket ,\xff\r\nupgrade: x/1\r\nBin: \xff\xfe\r\n\
        Cookie: a=1; b = two=2 ;junk; c=\"q\"\r\nCookie: a=9;\xff=1;=e\r\nEmpty:\r\n\r\n";
    let request = check(input).expect("accepted");
    assert_eq!(request.method(), "GET");
    assert_eq!(request.version(), Version::Http11);
    assert_eq!(request.header("bin"), Some(&b"\xff\xfe"[..]));
    assert_eq!(request.header_str("bin"), None);
    assert_eq!(request.header("empty"), Some(&b""[..]));
    assert_eq!(request.header("none"), None);
    assert_eq!(request.headers().len(), 7);
    assert_eq!(request.tokens("Upgrade").collect::<Vec<_>>(), ["h2c", "WebSocket", "x/1"]);
    assert!(request.wants_upgrade());
    let cookies: Vec<_> = request.cookies().collect();
    assert_eq!(cookies, [("a", "1"), ("b", "two=2"), ("c", "\"q\""), ("a", "9"), ("", "e")]);
    assert_eq!(request.cookie("a"), Some("1"));
    assert_eq!(request.cookie("A"), None);
}

#[test]
fn an_owned_request_goes_to_another_thread() {
    let owned = {
        let input = b"GET http://h:1/p?q=%41 HTTP/1.1\r\nHost: a\r\nX: \xff\r\nCookie: c=d\r\n\r\n".to_vec();
        check(&input).expect("accepted").to_owned_request()
    };
    std::thread::spawn(move || {
        let request = owned.request();
        assert_eq!((request.method(), request.path(), request.host()), ("GET", "/p", Some("h:1")));
        assert_eq!(request.query_value("q").as_deref(), Some("A"));
        assert_eq!((request.header("x"), request.cookie("c")), (Some(&b"\xff"[..]), Some("d")));
    })
    .join()
    .expect("no panic");
}

#[test]
fn rfc3986_2_1_percent_decoding() {
    let cases = [
        ("", ""),
        ("a+b", "a+b"),
        ("%41%2f%2F", "A//"),
        ("%", "%"),
        ("%4", "%4"),
        ("%4g%zz", "%4g%zz"),
        ("%C3%A9%c3%a9", "\u{e9}\u{e9}"),
        ("%ff", "\u{fffd}"),
        ("%%41", "%A"),
        ("%00", "\0"),
    ];
    for (text, decoded) in cases {
        assert_eq!(percent_decode(text), decoded, "{text}");
    }
}

#[test]
fn reasons_quote_little_and_escape_it() {
    let input = format!("GET / HTTP/1.1\r\nHost: \u{1b}{}\r\n\r\n", "<script>".repeat(100));
    let refusal = check(input.as_bytes()).expect_err("refused");
    assert!(refusal.reason().len() < 200, "{refusal}");
    let input = format!("GET / HTTP/1.1\r\nHost: \u{e9}{}\r\n\r\n", "<".repeat(100));
    let refusal = check(input.as_bytes()).expect_err("refused");
    assert!(refusal.reason().len() < 200 && refusal.reason().is_ascii(), "{refusal}");
}
