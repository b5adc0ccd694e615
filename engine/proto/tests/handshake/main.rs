//! The opening handshake, both roles: RFC 6455 section 4 as tables.

mod mutations;
mod naive;
mod offer;
mod opening;
mod round_trip;
mod switching;
mod url;

use wsring_proto::handshake::Offer;
use wsring_proto::http::{HeadLimits, Refusal, Request, head_end};

/// The handshake of RFC 6455 section 1.2, line by line.
const EXAMPLE: &[&str] = &[
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
];

/// The example with the line that begins with `start` replaced by `line`; an empty `line` takes it away.
fn example_with(start: &str, line: &str) -> Vec<u8> {
    assert!(EXAMPLE.iter().any(|found| found.starts_with(start)), "no line begins {start}");
    let lines = EXAMPLE.iter().map(|&found| if found.starts_with(start) { line } else { found });
    let mut head = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r\n");
    head.push_str("\r\n\r\n");
    head.into_bytes()
}

fn example() -> Vec<u8> {
    example_with("GET", EXAMPLE[0])
}

/// The one door of the server's side: finds the head in every split, parses and checks it.
fn check(input: &[u8]) -> Result<Offer<'_>, Refusal> {
    let end = head_end(input, 0);
    for cut in 0..=input.len() {
        assert_eq!(head_end(&input[..cut], 0).or_else(|| head_end(input, cut)), end, "cut at {cut}");
    }
    check_head(&input[..end.unwrap_or(input.len())])
}

fn check_head(head: &[u8]) -> Result<Offer<'_>, Refusal> {
    let request = Request::parse(head, &HeadLimits::default())?;
    Offer::check(&request)
}
