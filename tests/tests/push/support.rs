//! A server, and clients that are asked for less than a test has to say.

use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use wsring_tests::Peer;
pub(crate) use wsring_tests::events::{Event, Stream};
use wsring_tests::peer::{Answer, handshake};
use wsring_tests::process::Process;

/// A server on two shards with further flags.
pub(crate) fn server(flags: &[&str]) -> Process {
    let usual = ["--shards", "2", "--ping-interval", "0", "--drain-window", "0", "--drain-deadline", "1s"];
    Process::serve(1024, &[&usual[..], flags].concat())
}

/// A file of a test's own; gone after it.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wsring-push-{}-{number}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens a WebSocket with further header lines.
pub(crate) fn open(address: SocketAddr, path: &str, more: &str) -> Peer {
    let mut peer = Peer::connect(address);
    peer.send(handshake(path, more).as_bytes());
    peer.switched();
    peer
}

/// Asks for a WebSocket and is refused: the status, and the code in the JSON body.
pub(crate) fn refused(address: SocketAddr, path: &str, more: &str) -> (u16, String) {
    let mut peer = Peer::connect(address);
    peer.send(handshake(path, more).as_bytes());
    code(&peer.answer())
}

/// A plain request with a body and further header lines.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, more: &str, body: &[u8]) -> Answer {
    let mut peer = Peer::connect(address);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n{more}\r\n",
        body.len()
    );
    peer.send(&[head.as_bytes(), body].concat());
    peer.answer_to(method)
}

/// A GET.
pub(crate) fn get(address: SocketAddr, path: &str, more: &str) -> Answer {
    request(address, "GET", path, more, b"")
}

/// Publishes and expects that it was: the offset.
pub(crate) fn publish(address: SocketAddr, topic: &str, text: &str) -> u64 {
    let answer = request(address, "POST", &format!("/topics/{topic}"), "", text.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    json(&answer)["offset"].as_u64().unwrap()
}

/// The body.
pub(crate) fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// The status and code of an error.
pub(crate) fn code(answer: &Answer) -> (u16, String) {
    let body = json(answer);
    assert!(body["error"]["message"].is_string(), "{body}");
    (answer.status, body["error"]["code"].as_str().unwrap().to_owned())
}

/// Sends a command and expects this answer, which comes next.
#[track_caller]
pub(crate) fn ask(peer: &mut Peer, command: &Value, expected: &Value) {
    peer.send_text(&command.to_string());
    assert_eq!(&next(peer), expected);
}

/// Sends a command that is refused: the code.
pub(crate) fn ask_in_vain(peer: &mut Peer, command: &Value) -> String {
    peer.send_text(&command.to_string());
    let answer = next(peer);
    assert_eq!(answer["id"], command["id"], "{answer}");
    answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The next message, which is JSON.
pub(crate) fn next(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text()).unwrap()
}
