//! WebSocket URLs (RFC 6455 section 3).

use wsring_proto::handshake::{Scheme, Url, UrlError};

#[test]
fn rfc6455_3_urls_fall_into_parts() {
    let cases = [
        ("ws://example.com", Scheme::Ws, "example.com", 80, "/", "example.com"),
        ("WSS://Example.COM/", Scheme::Wss, "example.com", 443, "/", "example.com"),
        ("ws://example.com:80/a", Scheme::Ws, "example.com", 80, "/a", "example.com"),
        ("wss://example.com:80/a", Scheme::Wss, "example.com", 80, "/a", "example.com:80"),
        (
            "ws://127.0.0.1:9001/chat?x=1&y=%20",
            Scheme::Ws,
            "127.0.0.1",
            9001,
            "/chat?x=1&y=%20",
            "127.0.0.1:9001",
        ),
        ("ws://[::1]:8080/a:b@c", Scheme::Ws, "::1", 8080, "/a:b@c", "[::1]:8080"),
        ("wss://[2001:DB8::0:1]", Scheme::Wss, "2001:db8::1", 443, "/", "[2001:db8::1]"),
        ("ws://localhost:?q", Scheme::Ws, "localhost", 80, "/?q", "localhost"),
        ("ws://a-b_c.d.:1", Scheme::Ws, "a-b_c.d.", 1, "/", "a-b_c.d.:1"),
        ("ws://3fa9b2c1", Scheme::Ws, "3fa9b2c1", 80, "/", "3fa9b2c1"),
    ];
    for (text, scheme, host, port, target, authority) in cases {
        let url: Url = text.parse().expect(text);
        assert_eq!(
            (url.scheme(), url.host(), url.port(), url.target()),
            (scheme, host, port, target),
            "{text}"
        );
        assert_eq!(url.authority(), authority, "{text}");
        assert_eq!(url.to_string().parse(), Ok(url), "{text}");
    }
}

#[test]
fn rfc6455_3_other_urls_are_refused() {
    let host = |found: &str| UrlError::Host(found.into());
    let cases = [
        ("", UrlError::Scheme(String::new())),
        ("example.com", UrlError::Scheme("example.com".into())),
        ("http://example.com", UrlError::Scheme("http://example.com".into())),
        ("ws:/example.com", UrlError::Scheme("ws:/example.com".into())),
        (" ws://example.com", UrlError::Scheme(" ws://example.com".into())),
        ("ws://a/#", UrlError::Fragment("ws://a/#".into())),
        ("ws://a#b", UrlError::Fragment("ws://a#b".into())),
        ("ws://user:secret@a/", UrlError::UserInfo),
        ("ws://@a", UrlError::UserInfo),
        ("ws://", host("")),
        ("ws:///a", host("")),
        ("ws://:80", host("")),
        ("ws://a b/", host("a b")),
        ("ws://\u{e9}/", host("\u{e9}")),
        ("ws://a..b", host("a..b")),
        ("ws://1.2.3", host("1.2.3")),
        ("ws://256.0.0.1", host("256.0.0.1")),
        ("ws://0X7f", host("0X7f")),
        ("ws://[::1", host("[::1")),
        ("ws://[::1]a", host("[::1]a")),
        ("ws://[::1%eth0]", host("[::1%eth0]")),
        ("ws://[127.0.0.1]", host("[127.0.0.1]")),
        ("ws://::1", UrlError::Port(":1".into())),
        ("ws://a:0", UrlError::Port("0".into())),
        ("ws://a:65536", UrlError::Port("65536".into())),
        ("ws://a:+1", UrlError::Port("+1".into())),
        ("ws://a:80:81", UrlError::Port("80:81".into())),
        ("ws://a/b c", UrlError::Target("/b c".into())),
        ("ws://a/\r\nX: y", UrlError::Target("/\r\nX: y".into())),
        ("ws://a/\u{e9}", UrlError::Target("/\u{e9}".into())),
    ];
    for (text, fault) in cases {
        assert_eq!(text.parse::<Url>(), Err(fault), "{text}");
    }
    assert!(!"ws://user:secret@a/".parse::<Url>().expect_err("refused").to_string().contains("secret"));
}
