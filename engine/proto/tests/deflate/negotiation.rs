//! The four parameters (RFC 7692 sections 5 and 7.1): what a server answers, and what a client takes.

use wsring_proto::deflate::{Deflate, DeflateOptions, InvalidDeflateOptions};
use wsring_proto::handshake::{NO_HEADERS, Offer, Opening, OpeningError, accept_key, write_switching};
use wsring_proto::http::{HeadLimits, InvalidHeader, Request};

/// Takes everything over and has the largest windows.
const ALL: DeflateOptions = DeflateOptions {
    server_takeover: true,
    client_takeover: true,
    server_window_bits: 15,
    client_window_bits: 15,
    level: 6,
    bytes_min: 0,
};

/// What a server of these options answers to these values of Sec-WebSocket-Extensions.
fn answer_of(options: &DeflateOptions, room: bool, values: &[&str]) -> Option<(Deflate, String)> {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        .to_vec();
    for value in values {
        head.extend(format!("Sec-WebSocket-Extensions: {value}\r\n").bytes());
    }
    head.extend(b"\r\n");
    let request = Request::parse(&head, &HeadLimits::default()).expect("a request");
    let offer = Offer::check(&request).expect("an opening");
    options.accept(offer.extensions(), room)
}

/// The answer, which says the same as what was agreed on.
#[track_caller]
fn check_accept(options: &DeflateOptions, room: bool, values: &[&str], expected: Option<&str>) {
    let answered = answer_of(options, room, values);
    let params = expected.map(|params| format!("permessage-deflate{params}"));
    assert_eq!(answered.as_ref().map(|(_, value)| value), params.as_ref(), "{values:?}");
    let Some((agreed, value)) = answered else { return };
    assert_eq!(agreed.server_takeover(), !value.contains("server_no_context_takeover"), "{value}");
    assert_eq!(agreed.client_takeover(), !value.contains("client_no_context_takeover"), "{value}");
    assert_eq!(agreed.server_window_bits(), bits_in(&value, "server_max_window_bits="), "{value}");
    assert_eq!(agreed.client_window_bits(), bits_in(&value, "client_max_window_bits="), "{value}");
}

fn bits_in(value: &str, name: &str) -> u8 {
    let bits = value.split_once(name).map(|(_, rest)| rest.split(';').next().unwrap_or(rest));
    bits.map_or(15, |bits| bits.parse().expect("a number"))
}

#[test]
fn rfc7692_7_1_what_a_server_answers_that_takes_everything() {
    let table = [
        ("permessage-deflate", ""),
        // 7.1.1.1: asked for, so answered.
        ("permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
        // 7.1.1.2: a hint, and answered so that it is certain.
        ("permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
        // 7.1.2.1: answered with the same or a smaller value, the largest one too.
        ("permessage-deflate; server_max_window_bits=8", "; server_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=12", "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
        // 7.1.2.2: with or without a value.
        ("permessage-deflate; client_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits=15", ""),
        ("permessage-deflate; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("permessage-deflate; client_max_window_bits=10", "; client_max_window_bits=10"),
        // RFC 6455 section 9.1: quoted values and white space.
        ("permessage-deflate; server_max_window_bits=\"9\"", "; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=\"1\\0\"", "; server_max_window_bits=10"),
        ("permessage-deflate\t;\tserver_max_window_bits = 11 ", "; server_max_window_bits=11"),
        (
            "permessage-deflate; client_max_window_bits=9; server_no_context_takeover; server_max_window_bits=10; client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9",
        ),
    ];
    for (value, expected) in table {
        check_accept(&ALL, true, &[value], Some(expected));
    }
}

#[test]
fn rfc7692_7_1_offers_that_are_declined() {
    let params = [
        // 7.1.1: no value.
        "server_no_context_takeover=1",
        "server_no_context_takeover=true",
        "client_no_context_takeover=\"x\"",
        // 7.1.2.1: a value always, from 8 to 15, a decimal without leading zeros.
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=0",
        "server_max_window_bits=08",
        "server_max_window_bits=010",
        "server_max_window_bits=+9",
        "server_max_window_bits=9x",
        "server_max_window_bits=0x9",
        "server_max_window_bits=264",
        "server_max_window_bits=1.0",
        "server_max_window_bits=\"08\"",
        // 7.1.2.2: the same, where there is a value.
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=09",
        "client_max_window_bits=-9",
        "client_max_window_bits=99999999999999999999",
        // 7.1: each once.
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=10; client_max_window_bits",
        // 7.1: unknown, and names differ by case.
        "unknown",
        "client_max_window_bits; unknown=1",
        "Server_No_Context_Takeover",
        "server_max_window_bits_=10",
    ];
    for params in params {
        let declined = format!("permessage-deflate; {params}");
        check_accept(&ALL, true, &[&declined], None);
        // Section 5.1: the next one may do.
        let several = format!("{declined}, permessage-deflate; server_max_window_bits=9");
        check_accept(&ALL, true, &[&several], Some("; server_max_window_bits=9"));
        check_accept(&ALL, true, &[&declined, "x-other, permessage-deflate"], Some(""));
    }
    for value in ["permessage-deflat", "Permessage-Deflate", "x-webkit-deflate-frame", "permessage-bzip2"] {
        check_accept(&ALL, true, &[value], None);
    }
    check_accept(&ALL, true, &[], None);
}

#[test]
fn rfc7692_5_1_the_first_acceptable_offer_is_taken() {
    let offers = "other; a=b, permessage-deflate; server_max_window_bits=10, permessage-deflate";
    check_accept(&ALL, true, &[offers], Some("; server_max_window_bits=10"));
    let turned = ["permessage-deflate", "permessage-deflate; server_max_window_bits=10"];
    check_accept(&ALL, true, &turned, Some(""));
}

#[test]
fn rfc7692_7_1_what_a_server_asks_for_by_itself() {
    let small = DeflateOptions { server_window_bits: 10, client_window_bits: 9, ..ALL };
    let table = [
        (DeflateOptions::default(), true, "", "; server_no_context_takeover; client_no_context_takeover"),
        (DeflateOptions { server_takeover: false, ..ALL }, true, "", "; server_no_context_takeover"),
        (DeflateOptions { client_takeover: false, ..ALL }, true, "", "; client_no_context_takeover"),
        // No memory for another window.
        (ALL, false, "", "; client_no_context_takeover"),
        (
            ALL,
            false,
            "; client_max_window_bits=10",
            "; client_no_context_takeover; client_max_window_bits=10",
        ),
        // 7.1.2.1 allows it unasked; 7.1.2.2 does not, so that the window is not taken over.
        (small, true, "", "; client_no_context_takeover; server_max_window_bits=10"),
        (small, true, "; client_max_window_bits", "; server_max_window_bits=10; client_max_window_bits=9"),
        (small, true, "; client_max_window_bits=8", "; server_max_window_bits=10; client_max_window_bits=8"),
        (small, true, "; client_max_window_bits=12", "; server_max_window_bits=10; client_max_window_bits=9"),
        (
            small,
            true,
            "; client_max_window_bits; server_max_window_bits=9",
            "; server_max_window_bits=9; client_max_window_bits=9",
        ),
        (
            small,
            true,
            "; client_max_window_bits; server_max_window_bits=15",
            "; server_max_window_bits=10; client_max_window_bits=9",
        ),
    ];
    for (options, room, offered, expected) in table {
        check_accept(&options, room, &[&format!("permessage-deflate{offered}")], Some(expected));
    }
}

/// What a client of these options makes of an answer.
fn agree(options: DeflateOptions, answer: Option<&str>) -> Result<Option<Deflate>, OpeningError> {
    let opening = Opening::new([0; 16]).host("h").deflate(options);
    let mut head = Vec::new();
    let key = accept_key(b"AAAAAAAAAAAAAAAAAAAAAA==");
    write_switching(&mut head, &key, None, answer, NO_HEADERS).expect("valid");
    opening.check(&head, &HeadLimits::default()).map(|agreement| agreement.deflate())
}

fn shape(agreed: Deflate) -> (bool, bool, u8, u8) {
    (
        agreed.server_takeover(),
        agreed.client_takeover(),
        agreed.server_window_bits(),
        agreed.client_window_bits(),
    )
}

#[test]
fn rfc7692_7_1_what_a_client_offers() {
    let table = [
        (ALL, "; client_max_window_bits"),
        (
            DeflateOptions::default(),
            "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (
            DeflateOptions { server_window_bits: 9, client_window_bits: 8, ..ALL },
            "; server_max_window_bits=9; client_max_window_bits=8",
        ),
    ];
    for (options, expected) in table {
        assert_eq!(options.offer(), format!("permessage-deflate{expected}"));
        let mut head = Vec::new();
        Opening::new([0; 16]).host("h").deflate(options).write(&mut head).expect("valid");
        let line = format!("Sec-WebSocket-Extensions: permessage-deflate{expected}\r\n");
        assert!(head.windows(line.len()).any(|window| window == line.as_bytes()), "{expected}");
    }
}

#[test]
fn rfc7692_7_1_answers_that_a_client_takes() {
    let no_takeover = DeflateOptions { server_takeover: false, client_takeover: false, ..ALL };
    let small = DeflateOptions { server_window_bits: 12, client_window_bits: 10, ..ALL };
    let table = [
        (ALL, "", (true, true, 15, 15)),
        // The server may say these unasked.
        (ALL, "; server_no_context_takeover", (false, true, 15, 15)),
        (ALL, "; client_no_context_takeover", (true, false, 15, 15)),
        (ALL, "; server_max_window_bits=8", (true, true, 8, 15)),
        (ALL, "; server_max_window_bits=\"15\"", (true, true, 15, 15)),
        (ALL, "; client_max_window_bits=9", (true, true, 15, 9)),
        (no_takeover, "; server_no_context_takeover", (false, false, 15, 15)),
        (no_takeover, "; server_no_context_takeover; client_no_context_takeover", (false, false, 15, 15)),
        (small, "; server_max_window_bits=12", (true, true, 12, 10)),
        (small, "; server_max_window_bits=9; client_max_window_bits=8", (true, true, 9, 8)),
        // Leave for more than the client offered to use is none to use it.
        (small, "; server_max_window_bits=12; client_max_window_bits=15", (true, true, 12, 10)),
    ];
    for (options, params, expected) in table {
        let agreed = agree(options, Some(&format!("permessage-deflate{params}")));
        assert_eq!(agreed.map(|agreed| agreed.map(shape)), Ok(Some(expected)), "{params}");
    }
    assert_eq!(agree(ALL, None), Ok(None));
}

#[test]
fn rfc7692_7_1_answers_that_fail_the_connection() {
    let no_takeover = DeflateOptions { server_takeover: false, ..ALL };
    let small = DeflateOptions { server_window_bits: 12, ..ALL };
    let table = [
        // 7.1.1.1 and 7.1.2.1: what was asked for is accepted by being in the answer.
        (no_takeover, "permessage-deflate"),
        (small, "permessage-deflate"),
        (small, "permessage-deflate; server_max_window_bits=13"),
        // 7.1.2.2: with a value always.
        (ALL, "permessage-deflate; client_max_window_bits"),
        (ALL, "permessage-deflate; server_max_window_bits"),
        (ALL, "permessage-deflate; client_max_window_bits=7"),
        (ALL, "permessage-deflate; client_max_window_bits=16"),
        (ALL, "permessage-deflate; server_max_window_bits=08"),
        (ALL, "permessage-deflate; server_no_context_takeover=1"),
        (ALL, "permessage-deflate; client_no_context_takeover; client_no_context_takeover"),
        (ALL, "permessage-deflate; unknown"),
        // Section 5.1: once.
        (ALL, "permessage-deflate, permessage-deflate"),
    ];
    for (options, answer) in table {
        match agree(options, Some(answer)) {
            Err(OpeningError::Deflate { found, .. }) => {
                assert!(found.starts_with("permessage-deflate"), "{found}")
            }
            other => panic!("{answer}: {other:?}"),
        }
    }
    let not_offered = agree(ALL, Some("permessage-bzip2"));
    assert!(matches!(not_offered, Err(OpeningError::Extension { .. })), "{not_offered:?}");
    let error = agree(small, Some("permessage-deflate; server_max_window_bits=13")).expect_err("too large");
    assert_eq!(
        error.to_string(),
        "the server answered with permessage-deflate; server_max_window_bits=13, expected \
         server_max_window_bits of at most 12, which was asked for"
    );
}

#[test]
fn every_server_and_client_of_ours_agree_on_the_same() {
    let windows = [8, 9, 12, 15];
    let takeovers = [(false, false), (false, true), (true, false), (true, true)];
    let mut all = Vec::new();
    for (server_takeover, client_takeover) in takeovers {
        for server_window_bits in windows {
            for client_window_bits in windows {
                all.push(DeflateOptions {
                    server_takeover,
                    client_takeover,
                    server_window_bits,
                    client_window_bits,
                    ..ALL
                });
            }
        }
    }
    for server in &all {
        for client in &all {
            let (agreed, value) = answer_of(server, true, &[&client.offer()]).expect("acceptable");
            assert_eq!(agree(*client, Some(&value)), Ok(Some(agreed)), "{server:?} {client:?}");
            assert_eq!(agreed.server_takeover(), server.server_takeover && client.server_takeover);
            assert_eq!(agreed.client_takeover(), server.client_takeover && client.client_takeover);
            assert_eq!(agreed.server_window_bits(), server.server_window_bits.min(client.server_window_bits));
            assert_eq!(agreed.client_window_bits(), server.client_window_bits.min(client.client_window_bits));
        }
    }
}

#[test]
fn options_out_of_range_are_refused_and_say_why() {
    assert_eq!(DeflateOptions::default().check(), Ok(()));
    for bits in [0, 7, 16, 255] {
        let server = DeflateOptions { server_window_bits: bits, ..ALL };
        assert_eq!(server.check(), Err(InvalidDeflateOptions::WindowBits { side: "server", bits }));
        let client = DeflateOptions { client_window_bits: bits, ..ALL };
        assert_eq!(client.check(), Err(InvalidDeflateOptions::WindowBits { side: "client", bits }));
    }
    for level in [0, 10] {
        let error = DeflateOptions { level, ..ALL }.check().expect_err("no such level");
        assert_eq!(
            error.to_string(),
            format!("the level {level} does not exist, expected 1 (fast) to 9 (small)")
        );
    }
}

#[test]
fn rfc6455_9_1_an_answer_outside_the_grammar_is_not_written() {
    for extensions in ["", "a b", "a; =", "a\r\nX: y"] {
        let mut out = Vec::new();
        let written = write_switching(&mut out, &[b'a'; 28], None, Some(extensions), NO_HEADERS);
        assert_eq!(written, Err(InvalidHeader::Extension(extensions.into())));
        assert!(out.is_empty());
    }
}
