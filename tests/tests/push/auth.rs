//! Tokens, keys, origins, and what they open.

use super::support::{
    File, Stream, ask_in_vain, code, get, json, next, open, publish, refused, request, server,
};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wsring_tests::Peer;
use wsring_tests::peer::handshake;
use wsring_tests::process::Process;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "an-api-key-of-some-length";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// Reads news, writes to room 7.
fn reader() -> String {
    token(
        &json!({"sub": "reader", "exp": now() + 600, "subscribe": ["news/#", "rooms/+"], "publish": ["rooms/7"]}),
    )
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn guarded(flags: &[&str]) -> Process {
    let (secret, keys) = (File::new(SECRET), File::new(KEY));
    let usual = ["--jwt-hs256-secret-file", secret.name(), "--api-keys-file", keys.name()];
    // The server has read the files when it says that it serves.
    server(&[&usual[..], flags].concat())
}

#[test]
fn a_token_opens_what_it_names() {
    let server = guarded(&[]);
    let address = server.address();
    let token = reader();
    let ways = [
        ("", bearer(&token)),
        ("", format!("authorization: bearer {token}\r\n")),
        (&*format!("?token={token}"), String::new()),
        ("", format!("Sec-WebSocket-Protocol: bearer.{token}\r\n")),
    ];
    for (query, header) in &ways {
        open(address, &format!("/topics/news/a{query}"), header);
        assert_eq!(refused(address, &format!("/topics/other{query}"), header), (403, "forbidden".into()));
    }
    assert_eq!(refused(address, "/topics/news/a", ""), (401, "unauthorized".into()));
    assert_eq!(refused(address, "/echo", ""), (401, "unauthorized".into()));
    open(address, "/echo", &bearer(&token));
    assert_eq!(refused(address, "/broadcast", &bearer(&token)), (403, "forbidden".into()));
    let post = |topic: &str, header: &str| code_or_ok(&request(address, "POST", topic, header, b"x"));
    assert_eq!(post("/topics/rooms/7", &bearer(&token)), "ok");
    assert_eq!(post("/topics/rooms/8", &bearer(&token)), "forbidden");
    assert_eq!(post("/topics/rooms/7", ""), "unauthorized");
    let expired = self::token(&json!({"exp": now() - 60, "subscribe": ["#"]}));
    for (token, code) in [(expired.as_str(), "bad_token"), ("a.b.c", "bad_token"), ("", "unauthorized")] {
        assert_eq!(refused(address, "/topics/news/a", &bearer(token)), (401, code.into()), "{token}");
    }
    let answer = get(address, "/topics/news/a", "");
    assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some("Bearer")));
}

fn code_or_ok(answer: &wsring_tests::peer::Answer) -> String {
    if answer.status == 200 { "ok".into() } else { code(answer).1 }
}

#[test]
fn commands_need_rights_one_by_one() {
    let server = guarded(&[]);
    let mut peer =
        open(server.address(), "/ws", &format!("Sec-WebSocket-Protocol: wsring.v1, bearer.{}\r\n", reader()));
    for topic in ["news/a", "news/#", "news/+/b", "rooms/+", "rooms/9"] {
        peer.send_text(&json!({"id": 1, "command": "subscribe", "topic": topic}).to_string());
        assert!(next(&mut peer)["ok"].is_object(), "{topic}");
    }
    for topic in ["#", "+", "rooms/#", "other", "+/a"] {
        let subscribe = json!({"id": 1, "command": "subscribe", "topic": topic});
        assert_eq!(ask_in_vain(&mut peer, &subscribe), "forbidden", "{topic}");
    }
    let publish = json!({"id": 1, "command": "publish", "topic": "news/a", "data": 1});
    assert_eq!(ask_in_vain(&mut peer, &publish), "forbidden");
    let mut nobody = open(server.address(), "/ws", "");
    assert_eq!(ask_in_vain(&mut nobody, &publish), "unauthorized");
}

#[test]
fn who_may_not_publish_and_does_is_closed() {
    let server = guarded(&[]);
    let mut peer = open(server.address(), "/topics/news/a", &bearer(&reader()));
    peer.send_text("x");
    let (close, reason) = peer.closed();
    assert!(
        close == 1008 && reason == "forbidden: this token may not publish to \"news/a\"",
        "{close} {reason}"
    );
}

#[test]
fn a_live_connection_ends_with_its_token() {
    let server = guarded(&[]);
    let address = server.address();
    // The leeway of 5 s has almost passed when the connection begins.
    let token = token(&json!({"exp": now() - 3, "subscribe": ["a"], "publish": ["a"]}));
    let began = Instant::now();
    let mut peers = [open(address, "/ws", &bearer(&token)), open(address, "/topics/a", &bearer(&token))];
    let mut stream = Stream::open(address, &format!("/topics/a?token={token}"), "");
    for peer in &mut peers {
        assert_eq!(peer.closed(), (1008, "the token has expired".into()));
    }
    assert_eq!(stream.event(), None);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn api_keys_publish_everywhere_and_see_everything() {
    let server = guarded(&[]);
    let address = server.address();
    for header in [format!("X-Api-Key: {KEY}\r\n"), bearer(KEY)] {
        let answer = request(address, "POST", "/topics/any/where", &header, b"x");
        assert_eq!(answer.status, 200, "{}", answer.text());
        for path in ["/metrics", "/debug/slow"] {
            assert_eq!(get(address, path, &header).status, 200);
        }
        assert_eq!(refused(address, "/topics/any/where", &header), (403, "forbidden".into()));
    }
    let batch = br#"[{"topic":"a","data":1},{"topic":"rooms/7","data":1}]"#;
    let results = json(&request(address, "POST", "/publish", &bearer(&reader()), batch));
    assert!(results[0]["error"]["code"] == json!("forbidden") && results[1]["offset"].is_u64(), "{results}");
    assert_eq!(
        code(&request(address, "POST", "/topics/a", "X-Api-Key: wrong\r\n", b"x")),
        (401, "bad_token".into())
    );
    for path in ["/metrics", "/debug/slow"] {
        assert_eq!(code(&get(address, path, "")), (401, "unauthorized".into()));
        assert_eq!(code(&get(address, path, &bearer(&reader()))), (403, "forbidden".into()));
    }
    assert_eq!(get(address, "/healthz", "").status, 200);
}

#[test]
fn without_a_token_what_the_configuration_allows() {
    let server = guarded(&["--anonymous-subscribe", "public/#", "--anonymous-publish", "public/inbox"]);
    let address = server.address();
    let mut peer = open(address, "/topics/public/inbox", "");
    publish(address, "public/inbox", "x");
    assert_eq!(peer.text(), "x");
    assert_eq!(code(&request(address, "POST", "/topics/public/a", "", b"x")), (401, "unauthorized".into()));
    assert_eq!(refused(address, "/topics/private", ""), (401, "unauthorized".into()));
}

#[test]
fn pages_of_other_origins_are_kept_out() {
    let server = server(&[]);
    let address = server.address();
    let origin = |origin: &str| format!("Origin: {origin}\r\n");
    // The handshake of these tests is for localhost.
    open(address, "/topics/a", &origin("http://localhost:3000"));
    for path in ["/topics/a", "/ws", "/echo", "/broadcast"] {
        assert_eq!(
            refused(address, path, &origin("https://evil.example")),
            (403, "bad_origin".into()),
            "{path}"
        );
    }
    let answer = request(address, "POST", "/topics/a", &origin("https://evil.example"), b"x");
    assert_eq!(
        (code(&answer).1.as_str(), answer.header("Access-Control-Allow-Origin")),
        ("bad_origin", None)
    );
    assert_eq!(request(address, "OPTIONS", "/topics/a", &origin("https://evil.example"), b"").status, 403);
}

#[test]
fn pages_of_listed_origins_are_let_in() {
    let server = server(&["--origin", "https://app.example", "--origin", "https://*.example.org"]);
    let address = server.address();
    for good in ["https://app.example", "https://a.example.org"] {
        let header = format!("Origin: {good}\r\n");
        open(address, "/topics/a", &header);
        let answers = [
            request(address, "POST", "/topics/a", &header, b"x"),
            request(address, "POST", "/topics/a//", &header, b"x"),
            get(address, "/topics/a", &header),
            request(address, "HEAD", "/topics/a", &format!("{header}Accept: text/event-stream\r\n"), b""),
            request(address, "OPTIONS", "/publish", &header, b""),
        ];
        for answer in answers {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(good), "{answer:?}");
            assert_eq!(answer.header("Vary"), Some("Origin"));
        }
    }
    let preflight = request(address, "OPTIONS", "/topics/a", "Origin: https://app.example\r\n", b"");
    assert_eq!(preflight.status, 204);
    assert!(
        preflight.header("Access-Control-Allow-Headers").is_some_and(|names| names.contains("Authorization"))
    );
    let mut peer = Peer::connect(address);
    peer.send(handshake("/ws", "Origin: http://localhost\r\n").as_bytes());
    assert_eq!(code(&peer.answer()), (403, "bad_origin".into()), "the list is all there is");
}
