//! What the server accepts and refuses (RFC 6455 section 4.2.1).

use super::{check, example, example_with};
use wsring_proto::handshake::{EXTENSIONS_MAX, SUBPROTOCOLS_MAX};

#[track_caller]
fn refused(input: &[u8], status: u16, part: &str) {
    match check(input) {
        Ok(offer) => panic!("accepted {}: {offer:?}", input.escape_ascii()),
        Err(refusal) => {
            assert_eq!(refusal.status(), status, "{refusal} for {}", input.escape_ascii());
            assert!(refusal.reason().contains(part), "{refusal} does not name {part:?}");
        }
    }
}

#[test]
fn rfc6455_1_3_the_example_has_the_accept_key_of_the_rfc() {
    let input = example();
    let offer = check(&input).expect("accepted");
    assert_eq!(&offer.accept_key(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(offer.protocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert!(offer.extensions().is_empty());
}

#[test]
fn rfc6455_4_2_1_variants_that_are_valid() {
    let cases = [
        ("GET", "GET ws://server.example.com/chat?x HTTP/1.1"),
        ("Upgrade", "uPGRADE:\twEBsOCKET\t"),
        ("Upgrade", "Upgrade: h2c, websocket"),
        ("Upgrade", "Upgrade: h2c\r\nUpgrade: websocket"),
        ("Connection", "connection: keep-alive, UPGRADE"),
        ("Connection", "Connection: keep-alive\r\nConnection: ,upgrade,"),
        ("Origin", ""),
        ("Sec-WebSocket-Protocol", ""),
        ("Sec-WebSocket-Key", "sec-websocket-key:   AAAAAAAAAAAAAAAAAAAAAA==  "),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: //////////////////////=="),
        ("Origin", "Content-Length: 0"),
        ("Origin", "Cookie: a=\u{e9}"),
    ];
    for (start, line) in cases {
        assert!(check(&example_with(start, line)).is_ok(), "{line}: {:?}", check(&example_with(start, line)));
    }
    let mut pipelined = example();
    pipelined.extend_from_slice(b"\x81\x80\0\0\0\0\r\n\r\n");
    assert!(check(&pipelined).is_ok());
}

#[test]
fn rfc6455_4_2_1_faults_are_400() {
    let cases = [
        // Item 1: method and version; no body.
        ("GET", "POST /chat HTTP/1.1", "\"POST\""),
        ("GET", "get /chat HTTP/1.1", "\"get\""),
        ("GET", "GET /chat HTTP/1.0", "HTTP/1.0"),
        ("GET", "GET chat HTTP/1.1", "target"),
        ("GET", "GET /chat#x HTTP/1.1", "#"),
        ("Origin", "Content-Length: 5", "Content-Length is 5"),
        ("Origin", "Transfer-Encoding: chunked", "Transfer-Encoding"),
        ("Origin", "Content-Length: 0\r\nTransfer-Encoding: chunked", "both"),
        // Item 2: Host.
        ("Host", "", "Host is missing"),
        ("Host", "Host:", "Host is empty"),
        ("Host", "Host: a\r\nHost: a", "more than once"),
        // Item 3: Upgrade.
        ("Upgrade", "", "Upgrade is missing"),
        ("Upgrade", "Upgrade: h2c", "\"h2c\""),
        ("Upgrade", "Upgrade: websocket/13", "websocket/13"),
        ("Upgrade", "Upgrade: web socket", "Upgrade"),
        // Item 4: Connection.
        ("Connection", "", "Connection is missing"),
        ("Connection", "Connection: keep-alive", "keep-alive"),
        ("Connection", "Connection: upgrades", "upgrades"),
        // Item 5: the key.
        ("Sec-WebSocket-Key", "", "Key is missing"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key:", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFi", "16 bytes"),
        (
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
            "16 bytes",
        ),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhb-BsZSBub25jZQ==", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhb BsZSBub25jZQ==", "16 bytes"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: \u{e9}GhlIHNhbBsZSBub25jZQ==", "16 bytes"),
        (
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "more than once",
        ),
        // Item 8: subprotocols.
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol:", "empty"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: , ,", "empty"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a b", "\"a b\""),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a, \u{e9}", "\\xc3\\xa9"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a/b", "a/b"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a, b, a", "each once"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a", "each once"),
        // Item 9 and section 9.1: extensions.
        ("Origin", "Sec-WebSocket-Extensions:", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: ,", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a b", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a;", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; =b", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=\"\"", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=\"c d\"", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=\"c", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=\"c\\\"", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: a; b=\"c\"d", "Extensions"),
        ("Origin", "Sec-WebSocket-Extensions: \u{e9}", "Extensions"),
    ];
    for (start, line, part) in cases {
        refused(&example_with(start, line), 400, part);
    }
}

#[test]
fn rfc6455_4_4_other_versions_are_426() {
    for line in [
        "",
        "Sec-WebSocket-Version: 8",
        "Sec-WebSocket-Version: 013",
        "Sec-WebSocket-Version: 13, 8",
        "Sec-WebSocket-Version: +13",
        "Sec-WebSocket-Version:",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13",
        "Sec-WebSocket-Version: \u{e9}",
    ] {
        refused(&example_with("Sec-WebSocket-Version", line), 426, "13");
    }
}

#[test]
fn subprotocols_and_extensions_are_bounded() {
    let list = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join(",");
    let protocols =
        |count| example_with("Sec-WebSocket-Protocol", &format!("Sec-WebSocket-Protocol: {}", list(count)));
    assert_eq!(check(&protocols(SUBPROTOCOLS_MAX)).expect("accepted").protocols().len(), SUBPROTOCOLS_MAX);
    refused(&protocols(SUBPROTOCOLS_MAX + 1), 400, "more than 64");
    let extensions = |text: &str| example_with("Origin", &format!("Sec-WebSocket-Extensions: {text}"));
    assert_eq!(
        check(&extensions(&list(EXTENSIONS_MAX))).expect("accepted").extensions().len(),
        EXTENSIONS_MAX
    );
    refused(&extensions(&list(EXTENSIONS_MAX + 1)), 400, "at most 32");
    assert!(check(&extensions(&format!("x{}", ";a".repeat(EXTENSIONS_MAX)))).is_ok());
    refused(&extensions(&format!("x{}", ";a".repeat(EXTENSIONS_MAX + 1))), 400, "at most 32");
}

#[test]
fn rfc6455_4_2_2_the_server_prefers_its_own_order() {
    let input = example_with(
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Protocol: a , b,,Chat\r\nsec-websocket-protocol: !#$%&'*+-.^_`|~",
    );
    let offer = check(&input).expect("accepted");
    assert_eq!(offer.protocols().collect::<Vec<_>>(), ["a", "b", "Chat", "!#$%&'*+-.^_`|~"]);
    let cases: &[(&[&str], Option<&str>)] = &[
        (&["b", "a"], Some("b")),
        (&["x", "a"], Some("a")),
        (&["chat"], None),
        (&["Chat", "b"], Some("Chat")),
        (&[], None),
        (&[""], None),
    ];
    for (supported, chosen) in cases {
        assert_eq!(offer.choose(supported), *chosen, "{supported:?}");
    }
}

#[test]
fn rfc6455_9_1_extensions_are_parsed() {
    let input = example_with(
        "Origin",
        "Sec-WebSocket-Extensions: permessage-deflate ; client_max_window_bits;server_max_window_bits = 10,,x\r\n\
         Sec-WebSocket-Extensions:  foo; a=\"b\";c=\"\\d\\e\"; a , permessage-deflate,",
    );
    let offer = check(&input).expect("accepted");
    let found: Vec<_> =
        offer.extensions().iter().map(|offer| (offer.name(), offer.params().collect::<Vec<_>>())).collect();
    let expected = [
        (
            "permessage-deflate",
            vec![("client_max_window_bits", None), ("server_max_window_bits", Some("10"))],
        ),
        ("x", vec![]),
        ("foo", vec![("a", Some("b")), ("c", Some("de")), ("a", None)]),
        ("permessage-deflate", vec![]),
    ];
    assert_eq!(found, expected);
}
