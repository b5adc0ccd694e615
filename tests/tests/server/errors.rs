//! What cannot be started says why, and what to do.

use std::time::Duration;
use wsring::{Client, ConnectOptions, Error, Response, Server, Settings};
use wsring_tests::served::{echo, serve_echo};
use wsring_tests::settings;

fn refused(server: Server) -> String {
    server.start().expect_err("it cannot start").to_string()
}

fn with(change: impl FnOnce(&mut Settings)) -> String {
    let mut settings = settings();
    change(&mut settings);
    refused(Server::new().listen("127.0.0.1:0").settings(settings))
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn a_port_in_use_names_the_port_and_how_to_find_who_has_it() {
    let server = serve_echo(settings());
    let address = server.address().to_string();
    let text = refused(Server::new().listen(&address).settings(settings()));
    says(&text, &[&address, "in use", "ss -ltnp"]);
}

#[test]
fn a_bad_address_is_named() {
    for address in ["", "127.0.0.1", "127.0.0.1:99999", "not a host:80", ":::"] {
        says(
            &refused(Server::new().listen(address).settings(settings())),
            &[&format!("\"{address}\""), "127.0.0.1:8080"],
        );
    }
    says(&refused(Server::new().settings(settings())), &["no address", "Server::listen"]);
    // Of a network that is reserved for documentation (RFC 5737), so that no interface has it.
    says(&refused(Server::new().listen("192.0.2.1:0").settings(settings())), &["192.0.2.1", "ip addr"]);
}

#[test]
fn a_bad_setting_is_named_with_its_value_and_what_is_allowed() {
    says(&with(|settings| settings.shards = Some(0)), &["shards", "is 0", "at least 1"]);
    says(&with(|settings| settings.connections_max = Some(0)), &["connections_max", "is 0", "at least 1"]);
    says(&with(|settings| settings.backlog = 0), &["backlog", "is 0", "at least 1"]);
    says(&with(|settings| settings.buffers = 1000), &["buffers", "1000", "power of two"]);
    says(&with(|settings| settings.buffers = 0), &["buffers", "0", "power of two"]);
    says(&with(|settings| settings.buffer_bytes = 100), &["buffer_bytes", "100", "at least 512"]);
    says(
        &with(|settings| settings.handshake_timeout = Duration::ZERO),
        &["handshake_timeout", "more than 0"],
    );
    says(&with(|settings| settings.pin = Some(1 << 20)), &["core 1048576"]);
}

#[test]
fn fewer_shards_than_the_connections_need_are_refused() {
    // One table has at most 2^20 places, whatever the limit of open files.
    let too_few = Settings { connections_max: Some(2_000_000), ..settings() };
    let words = ["2000000 connections need ", " shards, not 1: one shard holds ", "`ulimit -n`"];
    says(&refused(Server::new().listen("127.0.0.1:0").settings(too_few.clone())), &words);
    says(&Client::start(too_few).expect_err("the same holds for a client").to_string(), &words);
}

#[test]
fn routes_that_collide_or_are_malformed_are_named() {
    let ok = |_: &wsring::HttpRequest<'_>| Response::text(200, "");
    let server = || Server::new().listen("127.0.0.1:0").settings(settings());
    says(&refused(server().get("/a", ok).get("/a", ok)), &["/a", "GET route already"]);
    let twice = server()
        .websocket("/a", |upgrade| upgrade.accept(echo))
        .websocket("/a", |upgrade| upgrade.accept(echo));
    says(&refused(twice), &["/a", "WebSocket route already"]);
    says(&refused(server().get("a", ok)), &["route a", "begin with /"]);
    says(&refused(server().get("/{a}", ok).get("/{b}", ok)), &["/{b}"]);
    says(&refused(server().get("/{*a}/b", ok)), &["/{*a}/b"]);
}

#[test]
fn urls_that_cannot_be_connected_to_are_named() {
    for url in ["", "http://localhost/", "ws://", "ws://a b/", "ws://localhost/#fragment", "wss://localhost/"]
    {
        let error = ConnectOptions::new(url).expect_err(url);
        assert!(matches!(error, Error::Url { .. }), "{error:?}");
        says(&error.to_string(), &[&format!("\"{url}\"")]);
    }
    let client = Client::start(settings()).unwrap();
    // RFC 2606: a name that no host has.
    let options = ConnectOptions::new("ws://nobody.invalid/").unwrap();
    let error = client.connect(&options, echo).expect_err("there is no such host");
    says(&error.to_string(), &["nobody.invalid"]);
}
