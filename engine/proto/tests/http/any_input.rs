//! No input panics, and whatever is accepted keeps the promises of the accessors.

use super::{check, check_splits};
use proptest::prelude::*;
use wsring_proto::http::{HeadLimits, Request, check_unfinished, percent_decode};

/// Pieces that get further into the parser than bytes by chance.
const PIECES: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"OPTIONS",
    b" ",
    b"  ",
    b"/",
    b"*",
    b"?",
    b"http://h",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"Host",
    b"Origin",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Cookie",
    b"Connection",
    b"Upgrade",
    b": ",
    b":",
    b"\t",
    b"a",
    b"=",
    b";",
    b",",
    b"%41",
    b"%",
    b"+",
    b"&",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"5",
    b"websocket",
    b"\"",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

fn use_everything(request: &Request<'_>) {
    assert!(!request.method().is_empty());
    assert!(request.path().starts_with('/') || request.path() == "*");
    assert!(request.target().bytes().all(|byte| byte.is_ascii_graphic()));
    let _ = (request.query_value("a"), request.origin(), request.keep_alive(), request.expects_continue());
    let _ = (request.cookies().count(), request.tokens("Upgrade").count(), percent_decode(request.path()));
    for (name, value) in request.headers() {
        assert!(!name.is_empty());
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let limits = HeadLimits::default();
        check_splits(&input);
        let _ = check_unfinished(&input, &limits);
        if let Ok(request) = Request::parse(&input, &limits) {
            use_everything(&request);
        }
    }

    #[test]
    fn any_pieces(input in pieces()) {
        if let Ok(request) = check(&input) {
            use_everything(&request);
        }
        let tight = HeadLimits { bytes_max: 40, headers_max: 2 };
        let _ = (Request::parse(&input, &tight), check_unfinished(&input, &tight));
    }
}
