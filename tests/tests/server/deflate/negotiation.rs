//! What a route answers to what a client offers.

use super::ALL;
use std::thread;
use wsring::{Answer, DeflateOptions, Error, InvalidDeflateOptions, Server, Upgrade};
use wsring_tests::deflated::answer;
use wsring_tests::served::echo;
use wsring_tests::{Deflated, Peer, serve, settings};

const SMALL: DeflateOptions = DeflateOptions { server_window_bits: 10, client_window_bits: 9, ..ALL };

fn routes(server: Server) -> Server {
    server
        // The order does not matter.
        .websocket("/default", |upgrade| upgrade.accept(echo))
        .deflate(DeflateOptions::default())
        .websocket("/none", |upgrade| upgrade.no_deflate().accept(echo))
        .websocket("/all", |upgrade| upgrade.deflate(ALL).accept(echo))
        .websocket("/small", |upgrade| upgrade.deflate(SMALL).accept(echo))
        .websocket("/asked", |upgrade| match upgrade.request().query_value("takeover").as_deref() {
            Some("yes") => upgrade.deflate(ALL).accept(echo),
            Some(_) => upgrade.accept(echo),
            None => upgrade.no_deflate().accept(echo),
        })
        .websocket("/invalid", |upgrade| upgrade.deflate(DeflateOptions { level: 0, ..ALL }).accept(echo))
        .websocket("/later/{how}", later)
}

/// Decides on another thread.
fn later(upgrade: Upgrade<'_>) -> Answer {
    let how = upgrade.param("how").unwrap_or_default().into_owned();
    let (answer, mut deferred) = upgrade.defer();
    thread::spawn(move || {
        match how.as_str() {
            "all" => deferred.deflate(ALL),
            "none" => deferred.no_deflate(),
            _ => {}
        }
        deferred.accept(echo);
    });
    answer
}

#[test]
fn each_route_answers_in_its_way() {
    const PLAIN: &str = "permessage-deflate";
    const NO_TAKEOVER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let table = [
        ("/default", "", None),
        ("/default", "x-webkit-deflate-frame", None),
        ("/default", PLAIN, Some(NO_TAKEOVER)),
        // What cannot be is passed over, and so is what is unknown, twice there, or has leading zeros.
        ("/default", "permessage-deflate; server_max_window_bits=16", None),
        ("/default", "permessage-deflate; server_max_window_bits=08", None),
        ("/default", "permessage-deflate; client_no_context_takeover; client_no_context_takeover", None),
        ("/default", "permessage-deflate; mystery, permessage-deflate", Some(NO_TAKEOVER)),
        ("/none", PLAIN, None),
        ("/all", PLAIN, Some(PLAIN)),
        ("/all", "permessage-deflate; client_max_window_bits", Some(PLAIN)),
        (
            "/all",
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=12",
            Some("permessage-deflate; server_max_window_bits=8; client_max_window_bits=12"),
        ),
        (
            "/all",
            "permessage-deflate; server_no_context_takeover",
            Some("permessage-deflate; server_no_context_takeover"),
        ),
        (
            "/small",
            "permessage-deflate; client_max_window_bits",
            Some("permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"),
        ),
        // Who cannot be told of a window keeps none.
        ("/small", PLAIN, Some("permessage-deflate; client_no_context_takeover; server_max_window_bits=10")),
        ("/asked?takeover=yes", PLAIN, Some(PLAIN)),
        ("/asked?takeover=no", PLAIN, Some(NO_TAKEOVER)),
        ("/asked", PLAIN, None),
        ("/later/default", PLAIN, Some(NO_TAKEOVER)),
        ("/later/all", PLAIN, Some(PLAIN)),
        ("/later/none", PLAIN, None),
        ("/later/all", "", None),
    ];
    let server = serve(settings(), routes);
    for (path, offers, expected) in table {
        let found = answer(&mut Peer::connect(server.address()), path, offers);
        assert_eq!(found.as_deref(), expected, "{path}: {offers}");
        if expected.is_some() {
            let mut peer = Deflated::open(server.address(), path, offers);
            peer.echo(wsring_tests::wire::TEXT, &[b'a'; 1000]);
        } else {
            Peer::open(server.address(), path).echo(&[b'a'; 1000]);
        }
    }
}

#[test]
fn nothing_is_agreed_on_unless_it_was_asked_for() {
    let server = serve(settings(), |server| server.websocket("/", |upgrade| upgrade.accept(echo)));
    assert_eq!(answer(&mut Peer::connect(server.address()), "/", "permessage-deflate"), None);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let wrong = DeflateOptions { server_window_bits: 7, ..ALL };
    let server = Server::new().listen("127.0.0.1:0").deflate(wrong);
    let Err(Error::Deflate(fault)) = server.start() else { panic!("it starts with {wrong:?}") };
    assert_eq!(fault, InvalidDeflateOptions::WindowBits { side: "server", bits: 7 });
    assert!(fault.to_string().contains("expected 8 to 15"), "{fault}");

    // Of a route that decides for itself it is a fault of the application, and costs that connection.
    let server = serve(settings(), routes);
    let mut peer = Peer::connect(server.address());
    peer.send(wsring_tests::peer::handshake("/invalid", "").as_bytes());
    peer.ended();
    Peer::open(server.address(), "/default").echo(b"the server goes on");
}
