//! What the client writes and which answers it takes (RFC 6455 section 4.1).

use wsring_proto::handshake::{Agreement, Opening, OpeningError};
use wsring_proto::http::{HeadLimits, InvalidHeader, head_end};

/// The key that RFC 6455 section 1.3 uses.
const ENTROPY: [u8; 16] = *b"the sample nonce";

fn opening() -> Opening {
    Opening::new(ENTROPY)
        .host("server.example.com")
        .target("/chat")
        .subprotocol("chat")
        .subprotocol("superchat")
}

/// The answer of RFC 6455 section 1.2, with the line that begins with `start` replaced.
fn answer_with(start: &str, line: &str) -> Vec<u8> {
    let lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
    ];
    assert!(lines.iter().any(|found| found.starts_with(start)), "no line begins {start}");
    let lines = lines.map(|found| if found.starts_with(start) { line } else { found });
    let mut head = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r\n");
    head.push_str("\r\n\r\n");
    head.into_bytes()
}

/// The one door: checks the answer behind which frames stand, after finding its end in every split.
fn check(opening: &Opening, answer: &[u8]) -> Result<Agreement, OpeningError> {
    let mut input = answer.to_vec();
    input.extend_from_slice(b"\x81\x02\r\n");
    let end = head_end(&input, 0);
    for cut in 0..=input.len() {
        assert_eq!(head_end(&input[..cut], 0).or_else(|| head_end(&input, cut)), end, "cut at {cut}");
    }
    opening.check(&input[..end.unwrap_or(answer.len())], &HeadLimits::default())
}

#[test]
fn rfc6455_1_2_the_request_of_the_rfc() {
    let opening =
        opening().origin("http://example.com").header("Cookie", "a=b").extension("x; y=1").extension("z");
    let mut out = b"-".to_vec();
    opening.write(&mut out).expect("valid");
    let expected = "-GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: x; y=1, z\r\nCookie: a=b\r\n\r\n";
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn what_cannot_be_sent_is_refused_and_leaves_nothing_behind() {
    let new = || Opening::new(ENTROPY).host("a");
    let cases = [
        (Opening::new(ENTROPY), InvalidHeader::Host(String::new())),
        (new().host("a\r\nX: y"), InvalidHeader::Host("a\r\nX: y".into())),
        (new().host("a/b"), InvalidHeader::Host("a/b".into())),
        (new().target("a"), InvalidHeader::Target("a".into())),
        (new().target("/ HTTP/1.1\r\n"), InvalidHeader::Target("/ HTTP/1.1\r\n".into())),
        (new().target("/#a"), InvalidHeader::Target("/#a".into())),
        (new().target("/\u{e9}"), InvalidHeader::Target("/\u{e9}".into())),
        (new().subprotocol("a b"), InvalidHeader::Subprotocol("a b".into())),
        (new().subprotocol("a").subprotocol("a"), InvalidHeader::Subprotocol("a".into())),
        (new().extension("a; b=\"c d\""), InvalidHeader::Extension("a; b=\"c d\"".into())),
        (new().extension("a, b"), InvalidHeader::Extension("a, b".into())),
        (new().extension("a\r\n"), InvalidHeader::Extension("a\r\n".into())),
        (new().header("Host", "b"), InvalidHeader::Reserved("Host".into())),
        (new().header("sec-websocket-key", "b"), InvalidHeader::Reserved("sec-websocket-key".into())),
        (new().header("a b", ""), InvalidHeader::Name("a b".into())),
        (new().header("X", "\n"), InvalidHeader::Value { name: "X".into(), byte: 10, position: 0 }),
        (new().origin("\r"), InvalidHeader::Value { name: "Origin".into(), byte: 13, position: 0 }),
    ];
    for (opening, fault) in cases {
        let mut out = b"before".to_vec();
        assert_eq!(opening.write(&mut out), Err(fault));
        assert_eq!(out, b"before");
    }
}

#[test]
fn rfc6455_4_1_answers_that_are_valid() {
    let cases = [
        ("HTTP", "HTTP/1.1 101 Switching Protocols", Some("chat")),
        ("HTTP", "HTTP/1.1 101 ", Some("chat")),
        ("HTTP", "HTTP/1.1 101", Some("chat")),
        ("Upgrade", "uPGRADE: WebSocket", Some("chat")),
        ("Connection", "Connection: keep-alive, upgrade", Some("chat")),
        ("Connection", "Connection: upgrade\r\nX: \u{e9}", Some("chat")),
        ("Sec-WebSocket-Accept", "sec-websocket-accept:\ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= ", Some("chat")),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: superchat", Some("superchat")),
        ("Sec-WebSocket-Protocol", "", None),
    ];
    for (start, line, subprotocol) in cases {
        let agreement = check(&opening(), &answer_with(start, line)).expect(line);
        assert_eq!(agreement.subprotocol(), subprotocol, "{line}");
        assert!(agreement.extensions().is_empty());
        assert_eq!(agreement.header("upgrade").map(<[u8]>::to_ascii_lowercase), Some(b"websocket".to_vec()));
    }
}

#[test]
fn rfc6455_4_1_answers_that_fail_the_connection() {
    let cases = [
        ("HTTP", "HTTP/1.0 101 Switching Protocols", "HTTP/1.0"),
        ("HTTP", "HTTP/2 101 Switching Protocols", "HTTP/1.1"),
        ("HTTP", "SSH-2.0-OpenSSH_9.2", "SSH-2.0"),
        ("Upgrade", "", "Upgrade is missing"),
        ("Upgrade", "Upgrade: h2c", "\"h2c\", expected websocket"),
        ("Upgrade", "Upgrade: websocket, h2c", "websocket, h2c"),
        ("Upgrade", "Upgrade: websocket\r\nUpgrade: websocket", "more than once"),
        ("Connection", "", "Connection is missing"),
        ("Connection", "Connection: close", "\"close\""),
        ("Connection", "Connection: Upgrade\n", "LF"),
        ("Connection", "Connection: Upgrade\r\n folded", "no HTTP/1.1 response"),
        ("Sec-WebSocket-Accept", "", "Accept is missing"),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "expected s3pPLMB"),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==", "expected s3pPLMB"),
        (
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Accept: x",
            "more than once",
        ),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: other", "\"other\""),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: Chat", "\"Chat\""),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: chat, superchat", "chat, superchat"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol:", "\"\""),
        (
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
            "more than once",
        ),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions: permessage-deflate", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions:", "extensions"),
    ];
    for (start, line, part) in cases {
        let error = check(&opening(), &answer_with(start, line)).expect_err(line);
        assert!(error.to_string().contains(part), "{error} does not name {part}");
        assert!(!matches!(error, OpeningError::Status { .. }), "{error}");
    }
}

#[test]
fn rfc6455_4_1_other_statuses_are_reported() {
    for (line, status, reason) in [
        ("HTTP/1.1 401 Unauthorized", 401, "Unauthorized"),
        ("HTTP/1.1 404 Not Found", 404, "Not Found"),
        ("HTTP/1.0 503 Service Unavailable", 503, "Service Unavailable"),
        ("HTTP/1.1 200", 200, ""),
        ("HTTP/1.1 302 \u{e9}", 302, ""),
    ] {
        let error = check(&opening(), &answer_with("HTTP", line)).expect_err(line);
        assert_eq!(error, OpeningError::Status { status, reason: reason.into() });
    }
}

#[test]
fn rfc6455_9_1_only_offered_extensions_are_taken() {
    let opening = opening().extension("permessage-deflate; client_max_window_bits").extension("x");
    let line = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\nSec-WebSocket-Extensions: x";
    let agreement = check(&opening, &answer_with("Sec-WebSocket-Protocol", line)).expect("offered");
    let chosen = agreement.extensions();
    assert_eq!(
        chosen.iter().map(|extension| extension.name()).collect::<Vec<_>>(),
        ["permessage-deflate", "x"]
    );
    assert_eq!(chosen[0].params().collect::<Vec<_>>(), [("client_max_window_bits", Some("12"))]);
    for line in
        ["Sec-WebSocket-Extensions: x, y", "Sec-WebSocket-Extensions: x;", "Sec-WebSocket-Extensions: X"]
    {
        let error = check(&opening, &answer_with("Sec-WebSocket-Protocol", line)).expect_err(line);
        assert!(matches!(error, OpeningError::Extension { .. }), "{error}");
    }
}

#[test]
fn the_answer_is_bounded() {
    let answer = answer_with("Sec-WebSocket-Protocol", &"A: b\r\n".repeat(100));
    assert!(matches!(check(&opening(), &answer), Err(OpeningError::TooLong { headers_max: 100, .. })));
    let answer = answer_with("Sec-WebSocket-Protocol", &format!("A: {}", "b".repeat(9000)));
    assert!(matches!(check(&opening(), &answer), Err(OpeningError::TooLong { bytes_max: 8192, .. })));
}
