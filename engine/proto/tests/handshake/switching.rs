//! The server's answer (RFC 6455 section 4.2.2, item 5).

use wsring_proto::handshake::{NO_HEADERS, accept_key, write_switching};
use wsring_proto::http::InvalidHeader;

#[test]
fn rfc6455_4_2_2_the_answer_of_the_rfc() {
    let key = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    let mut out = b"x".to_vec();
    write_switching(&mut out, &key, Some("chat"), None, &[("Set-Cookie", "a=b"), ("X-Y", "")])
        .expect("valid");
    let expected = "xHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
        Set-Cookie: a=b\r\nX-Y: \r\n\r\n";
    assert_eq!(out.escape_ascii().to_string(), expected.escape_default().to_string());

    out.clear();
    write_switching(&mut out, &key, None, None, NO_HEADERS).expect("valid");
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_eq!(out, expected.as_bytes());
}

#[test]
fn response_splitting_is_refused_and_leaves_nothing_behind() {
    let value = |name: &str, byte, position| InvalidHeader::Value { name: name.into(), byte, position };
    let cases = [
        (Some("a\r\nX: y"), NO_HEADERS, InvalidHeader::Subprotocol("a\r\nX: y".into())),
        (Some("a, b"), NO_HEADERS, InvalidHeader::Subprotocol("a, b".into())),
        (Some(""), NO_HEADERS, InvalidHeader::Subprotocol(String::new())),
        (Some("\u{e9}"), NO_HEADERS, InvalidHeader::Subprotocol("\u{e9}".into())),
        (None, &[("X", "a"), ("Y", "b\r\nZ: c")], value("Y", b'\r', 1)),
        (None, &[("X", "a\nb")], value("X", b'\n', 1)),
        (None, &[("X", "\0")], value("X", 0, 0)),
        (None, &[("X: y\r\nZ", "a")], InvalidHeader::Name("X: y\r\nZ".into())),
        (None, &[("", "a")], InvalidHeader::Name(String::new())),
        (None, &[("sec-websocket-accept", "a")], InvalidHeader::Reserved("sec-websocket-accept".into())),
        (None, &[("Sec-WebSocket-Protocol", "a")], InvalidHeader::Reserved("Sec-WebSocket-Protocol".into())),
        (None, &[("Content-Length", "5")], InvalidHeader::Reserved("Content-Length".into())),
    ];
    for (subprotocol, headers, fault) in cases {
        let mut out = b"before".to_vec();
        let written = write_switching(&mut out, &[b'a'; 28], subprotocol, None, headers);
        assert_eq!(written.as_ref(), Err(&fault));
        assert_eq!(out, b"before");
    }
}
