//! Plain HTTP on the port that serves WebSockets.

use std::time::Duration;
use wsring::{Response, Settings};
use wsring_tests::served::echo;
use wsring_tests::{Peer, Served, serve, settings};

fn server() -> Served {
    serve(
        Settings { body_bytes_max: 4096, handshake_timeout: Duration::from_millis(500), ..settings() },
        |server| {
            server
                .get("/hello", |_| Response::text(200, "hello\n"))
                .get("/users/{name}", |request| {
                    Response::text(200, request.param("name").unwrap_or_default().into_owned())
                })
                .get("/files/{*path}", |request| {
                    Response::text(200, request.param("path").unwrap_or_default().into_owned())
                })
                .post("/length", |request| Response::text(200, request.body().len().to_string()))
                .post("/back", |request| {
                    Response::bytes(200, "application/octet-stream", request.body().to_vec())
                })
                .websocket("/ws", |upgrade| upgrade.accept(echo))
        },
    )
}

/// Sends one request on a connection of its own: its status and body.
fn ask(server: &Served, request: &str) -> (u16, String) {
    let mut peer = Peer::connect(server.address());
    peer.send(request.as_bytes());
    let answer = peer.answer();
    (answer.status, answer.text())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn routes_with_parameters_and_wildcards() {
    let server = server();
    let table = [
        ("/hello", 200, "hello\n"),
        ("/hello?x=1", 200, "hello\n"),
        ("/users/ann", 200, "ann"),
        ("/users/a%20b%2Fc", 200, "a b/c"),
        ("/files/a/b/c.txt", 200, "a/b/c.txt"),
        ("/files/", 200, ""),
    ];
    for (path, status, body) in table {
        assert_eq!(ask(&server, &get(path)), (status, body.to_owned()), "{path}");
    }
    for path in ["/", "/users", "/users/a/b", "/nothing", "/hello/", "/HELLO"] {
        assert_eq!(ask(&server, &get(path)).0, 404, "{path}");
    }
}

#[test]
fn a_method_that_is_not_served_is_told_which_are() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    for (method, path, allow) in
        [("POST", "/hello", "GET, HEAD"), ("DELETE", "/length", "POST"), ("GET", "/length", "POST")]
    {
        peer.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").as_bytes());
        let answer = peer.answer();
        assert_eq!((answer.status, answer.header("Allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[test]
fn refused_requests_get_the_status_that_fits() {
    let server = server();
    let long = "a".repeat(9000);
    let many = "a: b\r\n".repeat(101);
    let table = [
        (413, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n".to_owned()),
        (413, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n".to_owned()),
        (431, format!("GET /hello HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        (431, format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (400, "GET /hello HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET /hello HTTP/1.1\r\nHost: a\nHost: b\r\n\r\n".to_owned()),
        (426, get("/ws")),
    ];
    for (status, request) in table {
        let (found, body) = ask(&server, &request);
        assert_eq!(found, status, "{body} to {:.60}", request.escape_debug());
        assert!(!body.trim().is_empty(), "{status} says why");
    }
    let chunked =
        "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let status = ask(&server, chunked).0;
    assert!([411, 501].contains(&status), "{status} to a chunked body");
}

#[test]
fn a_path_that_speaks_websocket_only_names_the_version() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    peer.send(get("/ws").as_bytes());
    let answer = peer.answer();
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("Upgrade"), Some("websocket"));
    assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13"));
}

#[test]
fn half_a_request_is_answered_408_when_its_time_is_over_and_silence_is_closed() {
    let server = server();
    let mut silent = Peer::connect(server.address());
    let mut half = Peer::connect(server.address());
    half.send(b"GET /hello HTT");
    assert_eq!(half.answer().status, 408);
    half.ended();
    silent.ended();
}

#[test]
fn single_bytes_do_not_prolong_a_request() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    let mut sent = 0;
    while peer.try_send(b"G") && sent < 400 {
        sent += 1;
        if !peer.is_quiet_for(Duration::from_millis(50)) {
            break;
        }
    }
    assert!(sent < 200, "the request was let go on for {sent} bytes, one every 50 ms");
    assert_eq!(peer.answer().status, 408);
}

#[test]
fn connections_are_kept_and_requests_may_be_pipelined() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    for _ in 0..3 {
        peer.send(get("/hello").as_bytes());
        let answer = peer.answer();
        assert_eq!((answer.text().as_str(), answer.header("Connection")), ("hello\n", Some("keep-alive")));
    }
    let body = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    peer.send([get("/users/one"), body.to_owned(), get("/nothing"), get("/users/two")].concat().as_bytes());
    let answers: Vec<_> =
        (0..4).map(|_| peer.answer()).map(|answer| (answer.status, answer.text())).collect();
    assert_eq!(answers[0], (200, "one".to_owned()));
    assert_eq!(answers[1], (200, "3".to_owned()));
    assert_eq!(answers[2].0, 404);
    assert_eq!(answers[3], (200, "two".to_owned()));
}

#[test]
fn a_client_that_says_close_or_speaks_1_0_is_closed_after_its_answer() {
    let server = server();
    for request in
        ["GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /hello HTTP/1.0\r\n\r\n"]
    {
        let mut peer = Peer::connect(server.address());
        peer.send(request.as_bytes());
        let answer = peer.answer();
        assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")));
        peer.ended();
    }
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    peer.send(b"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = peer.answer_to("HEAD");
    assert_eq!((answer.status, answer.header("Content-Length")), (200, Some("6")));
    peer.send(get("/hello").as_bytes());
    assert_eq!(peer.answer().text(), "hello\n", "nothing lay between the answers");
}

#[test]
fn a_body_arrives_whole_however_it_was_cut() {
    let server = server();
    let body = wsring_tests::pattern(4096, 1);
    let request = [
        format!("POST /back HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
        &body,
    ]
    .concat();
    for piece in [1, 700, 4096, 10_000] {
        let mut peer = Peer::connect(server.address());
        // The first bytes one by one, so that each arrives by itself; the rest in pieces.
        for bytes in request[..100].chunks(piece).chain(request[100..].chunks(piece.max(64))) {
            peer.send(bytes);
            if piece < 1000 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        assert!(peer.answer().body == body, "in pieces of {piece}");
    }
}

#[test]
fn a_client_that_waits_is_invited_to_send_its_body_once() {
    let server = server();
    let mut peer = Peer::connect(server.address());
    for _ in 0..2 {
        peer.send(b"POST /back HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(peer.answer().status, 100);
        peer.send(b"he");
        assert!(peer.is_quiet_for(Duration::from_millis(50)));
        peer.send(b"llo");
        assert_eq!(peer.answer().text(), "hello");
    }
    peer.send(b"POST /back HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(peer.answer().status, 413, "and not at all when the body is too long");
}

#[test]
fn a_body_that_nobody_takes_is_refused_before_it_comes() {
    let server = server();
    let table = [
        (404, "POST", "/nothing", None),
        (404, "PUT", "/hello/more", None),
        (405, "POST", "/hello", Some("GET, HEAD")),
        (405, "PUT", "/length", Some("POST")),
        (405, "POST", "/ws", Some("GET")),
        (426, "GET", "/ws", None),
    ];
    let mut refused = Vec::new();
    for (status, method, path, allow) in table {
        for more in ["", "Expect: 100-continue\r\n"] {
            let mut peer = Peer::connect(server.address());
            let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: 4000\r\n\r\n");
            peer.send(head.as_bytes());
            let answer = peer.answer();
            let said = (answer.status, answer.header("Allow"), answer.header("Connection"));
            let close = if status == 426 { "close, Upgrade" } else { "close" };
            assert_eq!(said, (status, allow, Some(close)), "{method} {path} {more}");
            // What is on its way all the same is not taken for the next request.
            peer.try_send(get("/hello").as_bytes());
            refused.push(peer);
        }
    }
    refused.iter_mut().for_each(Peer::ended);
}

/// A route with a wildcard and one at its root, in either order.
fn rooted(wildcard_first: bool) -> Served {
    let text = |text: &'static str| move |_: &wsring::HttpRequest<'_>| Response::text(200, text);
    let says = |text: &'static str| {
        move |conn: &mut wsring::Conn<'_>, _: wsring::Message<'_>| {
            let _ = conn.send_text(text);
        }
    };
    serve(settings(), |server| {
        let wildcard = |server: wsring::Server| {
            server
                .get("/{*path}", text("wildcard"))
                .websocket("/{*path}", move |upgrade| upgrade.accept(says("wildcard")))
        };
        let root = |server: wsring::Server| {
            server.get("/", text("root")).websocket("/", move |upgrade| upgrade.accept(says("root")))
        };
        let server = if wildcard_first { root(wildcard(server)) } else { wildcard(root(server)) };
        let parts = |request: &wsring::HttpRequest<'_>| {
            let part = |name| request.param(name).unwrap_or_default();
            Response::text(200, format!("{} {}", part("name"), part("rest")))
        };
        server.get("/a/{*rest}", parts).get("/users/{name}/{*rest}", parts)
    })
}

#[test]
fn a_wildcard_leaves_its_root_to_a_route_of_its_own_in_either_order() {
    for wildcard_first in [true, false] {
        let server = rooted(wildcard_first);
        for (path, who) in [("/", "root"), ("/x", "wildcard"), ("/x/y/", "wildcard")] {
            assert_eq!(ask(&server, &get(path)), (200, who.to_owned()), "GET {path}");
            let mut peer = Peer::open(server.address(), path);
            peer.send_text("who is there?");
            assert_eq!(peer.text(), who, "WebSocket {path}");
        }
        let table =
            [("/a/", " "), ("/a/b/c", " b/c"), ("/users/ann/", "ann "), ("/users/ann/b/c", "ann b/c")];
        for (path, body) in table {
            assert_eq!(ask(&server, &get(path)), (200, body.to_owned()), "GET {path}");
        }
    }
}
