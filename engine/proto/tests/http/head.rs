//! Where a head ends, and how large it may become.

use super::{check, check_splits, refused};
use wsring_proto::http::{HEADERS_MAX, HeadLimits, Request, check_unfinished, head_end};

#[test]
fn the_end_is_behind_the_blank_line_in_every_split() {
    let cases: &[(&[u8], Option<usize>)] = &[
        (b"", None),
        (b"\r\n", None),
        (b"GET / HTTP/1.1\r\n\r", None),
        (b"GET / HTTP/1.1\r\n\r\n", Some(18)),
        (b"GET / HTTP/1.1\r\n\r\n\r\n\r\n", Some(18)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81\x85rest", Some(27)),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", Some(20)),
        (b"\r\n\r\n", Some(4)),
        (b"a\r\n\rb\r\n\r\n", Some(9)),
        // Lenient here, so that the strict parser can answer at once.
        (b"GET / HTTP/1.1\n\n", Some(16)),
        (b"GET / HTTP/1.1\n\r\n", Some(17)),
        (b"GET / HTTP/1.1\r\n\n", Some(17)),
    ];
    for (input, end) in cases {
        assert_eq!(check_splits(input), *end, "{}", input.escape_ascii());
    }
}

#[test]
fn bytes_searched_before_are_not_looked_at_again() {
    // The end that an earlier call would have found is not seen any more: the cost of a head that
    // arrives one byte at a time stays linear.
    let input = b"\n\nGET / HTTP/1.1\r\nHost: a";
    assert_eq!(head_end(input, 0), Some(2));
    assert_eq!(head_end(input, 10), None);
    assert_eq!(head_end(input, input.len()), None);
    assert_eq!(head_end(input, usize::MAX), None);
}

#[test]
fn rfc9112_2_2_an_empty_line_in_front_is_passed_over() {
    assert_eq!(check(b"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n").expect("accepted").path(), "/x");
    refused(b"\r\n\r\n", 400, "no request line");
}

#[test]
fn rfc6585_5_too_many_bytes_are_431_and_a_long_request_line_is_414() {
    let limits = HeadLimits { bytes_max: 64, headers_max: 10 };
    let long_header = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(60));
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(60));
    for (input, status) in [(long_header, 431), (long_line, 414)] {
        let input = input.as_bytes();
        assert_eq!(Request::parse(input, &limits).expect_err("too long").status(), status);
        for arrived in 0..input.len() - 1 {
            let refusal = check_unfinished(&input[..arrived], &limits).err().map(|refusal| refusal.status());
            assert_eq!(refusal, (arrived >= 64).then_some(status), "after {arrived} bytes");
        }
    }
}

#[test]
fn a_head_of_exactly_the_limit_is_accepted() {
    let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let exact = HeadLimits { bytes_max: input.len(), headers_max: 1 };
    assert!(Request::parse(input, &exact).is_ok());
    assert_eq!(check_unfinished(&input[..input.len() - 1], &exact), Ok(()));
    let below = HeadLimits { bytes_max: input.len() - 1, headers_max: 1 };
    assert_eq!(Request::parse(input, &below).expect_err("too long").status(), 431);
}

#[test]
fn too_many_headers_are_431() {
    let with = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert_eq!(check(with(HEADERS_MAX).as_bytes()).expect("accepted").headers().len(), HEADERS_MAX);
    refused(with(HEADERS_MAX + 1).as_bytes(), 431, "100 header fields");
    let three = HeadLimits { headers_max: 3, ..HeadLimits::default() };
    assert!(Request::parse(with(3).as_bytes(), &three).is_ok());
    assert_eq!(Request::parse(with(4).as_bytes(), &three).expect_err("four").status(), 431);
    let unbounded = HeadLimits { headers_max: usize::MAX, bytes_max: usize::MAX };
    assert_eq!(Request::parse(with(5000).as_bytes(), &unbounded).expect_err("5000").status(), 431);
    assert!(Request::parse(b"GET / HTTP/1.0\r\n\r\n", &HeadLimits { headers_max: 0, bytes_max: 99 }).is_ok());
}

#[test]
fn what_cannot_become_a_request_is_refused_before_it_ends() {
    let limits = HeadLimits::default();
    for (bytes, part) in
        [(&b"\x16\x03\x01"[..], "TLS"), (b"\0", "0x00"), (b" GET", "0x20"), (b"\x80", "0x80")]
    {
        let refusal = check_unfinished(bytes, &limits).expect_err("refused");
        assert_eq!(refusal.status(), 400);
        assert!(refusal.reason().contains(part), "{refusal}");
    }
    for bytes in [&b""[..], b"G", b"\r", b"\r\n", b"!"] {
        assert_eq!(check_unfinished(bytes, &limits), Ok(()));
    }
}
