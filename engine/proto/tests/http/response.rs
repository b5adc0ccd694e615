//! Answers, read back by an independent parser.

use super::check;
use wsring_proto::http::{InvalidHeader, Refusal, Response, WriteAs};

/// Status, headers and body as another parser sees them.
fn read_back(response: &Response, how: WriteAs) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut out = b"before".to_vec();
    response.write(&mut out, how);
    let out = out.strip_prefix(b"before").expect("appended");
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = parsed.parse(out).expect("parses") else { panic!("unfinished") };
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("UTF-8");
    let headers = parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    (parsed.code.expect("status"), headers, out[end..].to_vec())
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let mut values = headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let first = values.next();
    assert_eq!(values.next(), None, "{name} is there twice");
    first
}

const KEEP: WriteAs = WriteAs { head_only: false, close: false };
const CLOSE: WriteAs = WriteAs { head_only: false, close: true };
const HEAD: WriteAs = WriteAs { head_only: true, close: false };

#[test]
fn the_body_is_framed_by_its_length() {
    let cases = [
        (Response::text(200, "h\u{e9}"), "text/plain; charset=utf-8", "h\u{e9}"),
        (Response::text(404, String::new()), "text/plain; charset=utf-8", ""),
        (Response::html(200, "<p>"), "text/html; charset=utf-8", "<p>"),
        (Response::json(200, b"{}".to_vec()), "application/json", "{}"),
        (Response::bytes(200, "image/png", &b"x"[..]), "image/png", "x"),
    ];
    for (response, content_type, body) in cases {
        let length = body.len().to_string();
        for how in [KEEP, CLOSE, HEAD] {
            let (status, headers, sent) = read_back(&response, how);
            assert_eq!(status, response.status());
            assert_eq!(value(&headers, "Content-Type"), Some(content_type));
            assert_eq!(value(&headers, "Content-Length"), Some(length.as_str()));
            assert_eq!(value(&headers, "Connection"), Some(if how.close { "close" } else { "keep-alive" }));
            assert_eq!(sent, if how.head_only { b"" } else { body.as_bytes() });
        }
    }
}

#[test]
fn rfc9110_8_6_no_content_means_no_length() {
    for status in [204, 304] {
        let (_, headers, body) = read_back(&Response::text(status, "lost"), KEEP);
        assert_eq!((value(&headers, "Content-Length"), value(&headers, "Content-Type")), (None, None));
        assert_eq!(body, b"");
    }
    let (_, headers, _) = read_back(&Response::empty(200), KEEP);
    assert_eq!((value(&headers, "Content-Length"), value(&headers, "Content-Type")), (Some("0"), None));
}

#[test]
fn every_status_has_three_digits() {
    for status in 0..=1000 {
        let (sent, _, _) = read_back(&Response::empty(status), KEEP);
        assert_eq!(sent, if (200..=599).contains(&status) { status } else { 500 });
    }
}

#[test]
fn headers_are_added_and_content_type_is_replaced() {
    let response = Response::text(200, "x")
        .header("X-A", "b\tc d\u{e9}")
        .and_then(|r| r.header("content-type", "text/css"));
    let (_, headers, _) = read_back(&response.expect("valid"), KEEP);
    assert_eq!(value(&headers, "X-A"), Some("b\tc d\u{e9}"));
    assert_eq!(value(&headers, "Content-Type"), Some("text/css"));
}

#[test]
fn response_splitting_is_refused() {
    for name in ["", "a b", "a:", "a\r\n", "\u{e9}", "a\0"] {
        let fault = Response::empty(200).header(name, "v").expect_err(name);
        assert_eq!(fault, InvalidHeader::Name(name.into()));
    }
    for (value, byte, position) in
        [("a\r\nSet-Cookie: b", 13, 1), ("\n", 10, 0), ("ab\0", 0, 2), ("\x7f", 127, 0)]
    {
        for name in ["Location", "Content-Type"] {
            let fault = Response::empty(200).header(name, value).expect_err(value);
            assert_eq!(fault, InvalidHeader::Value { name: name.into(), byte, position });
        }
    }
    for name in
        ["Content-Length", "content-length", "Transfer-Encoding", "CONNECTION", "Upgrade", "Keep-Alive"]
    {
        let fault = Response::empty(200).header(name, "1").expect_err(name);
        assert_eq!(fault, InvalidHeader::Reserved(name.into()));
    }
}

#[test]
fn the_request_says_how_to_write() {
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", KEEP),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSE),
        ("GET / HTTP/1.0\r\n\r\n", CLOSE),
        ("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HEAD),
    ];
    for (input, how) in cases {
        assert_eq!(check(input.as_bytes()).expect("accepted").write_as(), how, "{input}");
    }
}

#[test]
fn refusals_become_answers() {
    let (status, headers, body) = read_back(&Refusal::new(431, "too much").into(), CLOSE);
    assert_eq!((status, body.as_slice()), (431, &b"too much\n"[..]));
    assert_eq!(value(&headers, "X-Content-Type-Options"), Some("nosniff"));

    // RFC 6455 section 4.4, RFC 9110 sections 7.8 and 15.5.22.
    let (status, headers, _) = read_back(&Refusal::upgrade_required("why").into(), CLOSE);
    assert_eq!(status, 426);
    assert_eq!(value(&headers, "Sec-WebSocket-Version"), Some("13"));
    assert_eq!(value(&headers, "Upgrade"), Some("websocket"));
    assert_eq!(value(&headers, "Connection"), Some("close, Upgrade"));

    let (status, headers, _) = read_back(&Refusal::method_not_allowed("GET, HEAD").into(), KEEP);
    assert_eq!((status, value(&headers, "Allow")), (405, Some("GET, HEAD")));
}
