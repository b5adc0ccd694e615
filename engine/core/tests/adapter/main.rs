//! The async adapter: against itself, against the native engine, and against peers that write bytes by
//! hand. Every server here takes one connection on a thread with a runtime of its own.

mod cancel;
mod closing;
mod native;
mod opening;
mod pair;
mod raw;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use wsring::adapter::{self, Error, OwnedMessage, Role, WebSocket};

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a future on a runtime of its own.
fn run<T>(future: impl Future<Output = T>) -> T {
    adapter::runtime().start(async { tokio::time::timeout(PATIENCE, future).await.expect("it ends in time") })
}

/// A server for one connection: where it listens, and what `work` returned.
fn server<T, F>(
    work: impl FnOnce(tokio_uring::net::TcpStream) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<T>)
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run(async {
            let listener = tokio_uring::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .expect("loopback has ports");
            tell.send(listener.local_addr().expect("it is bound")).expect("the test waits for it");
            let (stream, _) = listener.accept().await.expect("somebody connects");
            work(stream).await
        })
    });
    (told.recv_timeout(PATIENCE).expect("the server listens"), thread)
}

/// Sends every message back until the end.
async fn echo<R: Role>(mut socket: WebSocket<R>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        socket.feed(&message?)?;
    }
    Ok(())
}

/// One exchange with a socket whose peer echoes.
async fn check_echo<R: Role>(socket: &mut WebSocket<R>, message: OwnedMessage) {
    socket.send(message.clone()).await.expect("it is sent");
    let answer = socket.next().await.expect("an answer").expect("a good one");
    assert!(answer == message, "{} bytes came back as {}", message.payload().len(), answer.payload().len());
}

/// Around each boundary of frame lengths and of the read buffer.
const SIZES: [usize; 13] = [0, 1, 125, 126, 127, 4081, 4082, 4096, 8192, 65535, 65536, 300_000, 1 << 20];

/// Bytes that differ from place to place, so that none can be lost or doubled unseen.
fn payload(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

/// Characters of one to four bytes, so that pieces end within them.
fn text(bytes: usize) -> String {
    let mut text: String = "aé€😀".chars().cycle().take(bytes / 3).collect();
    while text.len() < bytes {
        text.push('x');
    }
    text
}

/// A client that is nothing but a socket.
fn connect_raw(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_nodelay(true).expect("it can be set");
    stream
}

/// A server that is nothing but a socket, on the other side of `work`.
fn raw_server(work: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        work(stream);
    });
    (address, thread)
}

/// Reads up to the blank line, and not beyond.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("it is text")
}

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Connects and does the opening handshake of RFC 6455 section 1.3 by hand.
fn open_raw(address: SocketAddr) -> TcpStream {
    let mut stream = connect_raw(address);
    stream.write_all(format!("{REQUEST}\r\n").as_bytes()).expect("it is written");
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    stream
}

/// A short client frame; its masking key is zero, so that the payload is as it is.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126, "short frames only");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// A short server frame.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126, "short frames only");
    [&[first, length], payload].concat()
}
