//! Request targets (RFC 9112 section 3.2) and their queries.

use super::{check, refused};

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: field.example\r\n\r\n").into_bytes()
}

#[test]
fn rfc9112_3_2_targets_fall_into_parts() {
    let cases = [
        ("/", "/", None, "field.example"),
        ("/a/b%20c?x=1?y", "/a/b%20c", Some("x=1?y"), "field.example"),
        ("/?", "/", Some(""), "field.example"),
        ("//a//b", "//a//b", None, "field.example"),
        ("/a://b", "/a://b", None, "field.example"),
        ("/x?u=http://b/c", "/x", Some("u=http://b/c"), "field.example"),
        ("http://url.example", "/", None, "url.example"),
        ("HTTP://url.example:80?q", "/", Some("q"), "url.example:80"),
        ("ws://[::1]:7/chat?a", "/chat", Some("a"), "[::1]:7"),
        ("wss://url.example/", "/", None, "url.example"),
        ("https://url.example/x://y", "/x://y", None, "url.example"),
    ];
    for (target, path, query, host) in cases {
        let input = get(target);
        let request = check(&input).expect(target);
        assert_eq!(request.target(), target);
        assert_eq!((request.path(), request.query(), request.host()), (path, query, Some(host)), "{target}");
    }
}

#[test]
fn rfc9112_3_2_other_targets_are_400() {
    for target in
        ["a", "*", "?a", "example.com:80", "ftp://a/", "http://", "http:///a", "http://u@a/", "http://a:b/"]
    {
        refused(&get(target), 400, "target");
    }
    for target in ["/a#b", "/\u{e9}", "http://a/#"] {
        refused(&get(target), 400, "visible ASCII");
    }
    refused(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target");
}

#[test]
fn rfc9112_3_2_4_the_asterisk_is_for_options() {
    assert_eq!(check(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").expect("accepted").path(), "*");
    refused(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target");
}

#[test]
fn query_values_are_decoded_like_forms() {
    let input = get("/?a=1&b=x+y%26z&a=2&c&%64=%64&e=a=b&=n&f=");
    let plus = get("/?a=b+c");
    assert_eq!(check(&plus).expect("accepted").query_value("a").as_deref(), Some("b c"));
    let request = check(&input).expect("accepted");
    let cases = [
        ("a", Some("1")),
        ("b", Some("x y&z")),
        ("c", Some("")),
        ("d", Some("d")),
        ("e", Some("a=b")),
        ("", Some("n")),
        ("f", Some("")),
        ("g", None),
    ];
    for (name, value) in cases {
        assert_eq!(request.query_value(name).as_deref(), value, "{name}");
    }
    assert_eq!(check(&get("/")).expect("accepted").query_value("a"), None);
}
