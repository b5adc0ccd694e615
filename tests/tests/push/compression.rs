//! permessage-deflate on every route, and how it is set.

use super::support::{get, publish, server};
use serde_json::json;
use std::collections::BTreeSet;
use wsring_tests::deflated::{answer, prose};
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Deflated, Peer};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

#[test]
fn every_websocket_compresses() {
    let server = server(&[]);
    let (address, long) = (server.address(), prose(5_000, 7));
    let text = String::from_utf8(long.clone()).unwrap();
    let mut echo = Deflated::open(address, "/echo", OFFER);
    for (opcode, payload) in [(TEXT, &long[..]), (BINARY, &long), (TEXT, b"short"), (TEXT, b"")] {
        let arrived = echo.echo(opcode, payload);
        assert_eq!(arrived.compressed, payload.len() > 128, "{} bytes", payload.len());
    }
    let mut topic = Deflated::open(address, "/topics/t", OFFER);
    let mut broadcast = Deflated::open(address, "/broadcast", OFFER);
    publish(address, "t", &text);
    assert!(topic.echoed(TEXT, &long).compressed);
    let arrived = broadcast.echo(BINARY, &long);
    assert!(arrived.compressed && arrived.wire_bytes < long.len() / 3, "{arrived:?}");
    let mut commands = Deflated::open(address, "/ws", OFFER);
    commands.send(TEXT, br#"{"id":1,"command":"subscribe","topic":"t","history":5}"#);
    let said: serde_json::Value = serde_json::from_slice(&commands.message().payload).unwrap();
    assert_eq!((&said["id"], &said["ok"]["topic"]), (&json!(1), &json!("t")));
    let delivered = commands.message();
    let said: serde_json::Value = serde_json::from_slice(&delivered.payload).unwrap();
    assert_eq!(said, json!({"topic": "t", "offset": 0, "data": text}));
    assert!(delivered.compressed, "what was kept before is compressed too");
}

/// The same messages under the same offsets, whoever compresses, and history as well.
#[test]
fn plain_and_compressed_subscribers_get_the_same() {
    let server = server(&[]);
    let address = server.address();
    let message = |number: usize| String::from_utf8(prose(20 + number * 37 % 900, number)).unwrap();
    for number in 0..30 {
        publish(address, "s", &message(number));
    }
    let paths = ["/topics/s?from=0", "/topics/s?history=12", "/topics/s"];
    let mut plain = paths.map(|path| Peer::open(address, path));
    let offers = [OFFER, "permessage-deflate; server_max_window_bits=9"];
    let mut compressed = offers.map(|offer| paths.map(|path| Deflated::open(address, path, offer)));
    (30..60).for_each(|number| assert_eq!(publish(address, "s", &message(number)), number as u64));
    for (at, first) in [0, 18, 30].into_iter().enumerate() {
        for number in first..60 {
            assert_eq!(plain[at].text(), message(number));
            for (peers, fits) in compressed.iter_mut().zip([true, false]) {
                let arrived = peers[at].message();
                assert_eq!(String::from_utf8(arrived.payload).unwrap(), message(number));
                assert!(fits || !arrived.compressed, "its window is smaller than that of all");
            }
        }
    }
}

#[test]
fn figures_tell_what_was_saved() {
    let server = server(&[]);
    let address = server.address();
    let mut peers = [0; 3].map(|_| Deflated::open(address, "/topics/f", OFFER));
    let long = prose(2_000, 1);
    publish(address, "f", std::str::from_utf8(&long).unwrap());
    let arrived = peers.each_mut().map(|peer| peer.echoed(TEXT, &long));
    let mut echo = Deflated::open(address, "/echo", OFFER);
    echo.echo(TEXT, &long);
    let text = get(address, "/metrics", "").text();
    let sum = |name: &str| -> f64 {
        let of_name = |line: &&str| line.split([' ', '{']).next() == Some(name);
        let values = text.lines().filter(of_name).map(|line| line.rsplit_once(' ').unwrap().1);
        values.map(|value| value.parse::<f64>().unwrap()).sum()
    };
    // Both frames have a header of four bytes.
    let saved = 3 * (long.len() - arrived[0].wire_bytes);
    assert_eq!(sum("wsring_shared_deflated_messages_total"), 1.0);
    assert_eq!(sum("wsring_shared_deflate_saved_bytes_total"), saved as f64);
    assert!(sum("wsring_shared_deflate_seconds_total") > 0.0);
    assert_eq!((sum("wsring_deflated_messages_total"), sum("wsring_inflated_messages_total")), (1.0, 1.0));
    assert!(sum("wsring_deflate_saved_bytes_total") > 1_000.0);
    assert_eq!((sum("wsring_deflate_contexts"), sum("wsring_inflate_contexts")), (0.0, 0.0));
}

#[test]
fn it_is_as_set() {
    let none = "server_no_context_takeover; client_no_context_takeover";
    let table: [(&[&str], &str, Option<&str>); 5] = [
        (&[], "permessage-deflate", Some(none)),
        (&["--no-deflate"], "permessage-deflate", None),
        (&[], "x-webkit-deflate-frame", None),
        (
            &["--deflate-server-takeover", "--deflate-client-takeover"],
            "permessage-deflate; server_max_window_bits=10",
            Some("server_max_window_bits=10"),
        ),
        (
            &["--deflate-client-window", "9", "--deflate-server-takeover"],
            OFFER,
            Some("client_no_context_takeover; client_max_window_bits=9"),
        ),
    ];
    let parameters =
        |text: &str| -> BTreeSet<String> { text.split(';').map(|part| part.trim().into()).collect() };
    for (flags, offer, expected) in table {
        let server = server(flags);
        let expected = expected.map(|expected| parameters(&format!("permessage-deflate; {expected}")));
        for path in ["/echo", "/topics/a", "/broadcast", "/ws"] {
            let agreed = answer(&mut Peer::connect(server.address()), path, offer);
            assert_eq!(agreed.as_deref().map(parameters), expected, "{flags:?} {path} {offer}");
        }
    }
}
