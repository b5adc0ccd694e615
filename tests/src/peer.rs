//! A blocking client that knows nothing of the project's own.

use crate::PATIENCE;
use crate::wire::{self, BINARY, CLOSE, Frame, TEXT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The key of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// Its proof, as computed there.
pub const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// One connection to a server.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    at: usize,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// All headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A handshake request with further header lines, each with its CR LF.
pub fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// The proof that a handshake request's key asks for (RFC 6455 section 4.2.2).
///
/// # Panics
/// When it has none.
pub fn proof(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    STANDARD.encode(Sha1::digest(format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.trim())))
}

/// Every failure here is the failure of a test.
impl Peer {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap_or_else(|cause| panic!("connect {address}: {cause}")))
    }

    /// Speaks over a connection that is there.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a TCP option");
        Self { stream, unread: Vec::new(), at: 0 }
    }

    /// Connects with a small receive buffer, so that a server soon has to wait for a peer that does not
    /// read. Not as small as could be: a window below the segment size of loopback makes it slow.
    pub fn connect_narrow(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.set_recv_buffer_size(64 << 10).expect("a TCP option");
        socket.connect(&address.into()).expect("a listener");
        Self::over(socket.into())
    }

    /// Shakes hands.
    pub fn open(address: SocketAddr, path: &str) -> Self {
        Self::connect(address).upgrade(path)
    }

    /// Shakes hands on a connection that is there.
    pub fn upgrade(mut self, path: &str) -> Self {
        self.send(handshake(path, "").as_bytes());
        self.switched();
        self
    }

    /// Reads the answer to a handshake, which has to be a valid 101.
    pub fn switched(&mut self) -> Answer {
        let answer = self.answer();
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("Sec-WebSocket-Accept"), Some(PROOF));
        assert!(answer.header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")));
        assert!(answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
        answer
    }

    /// Writes bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// As [`send`](Self::send), but does not mind a server that has closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a message in one frame.
    pub fn send_message(&mut self, opcode: u8, payload: &[u8]) {
        self.send(&wire::message(opcode, payload));
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) {
        self.send_message(TEXT, text.as_bytes());
    }

    /// The next frame.
    pub fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame, before the end of the stream")
    }

    /// The next frame, or `None` at the end of the stream, a reset included.
    pub fn try_frame(&mut self) -> Option<Frame> {
        let frame = self.frame_of_either();
        if let Some(frame) = &frame {
            assert!(!frame.masked, "section 5.1: a server masks nothing: {frame:?}");
        }
        frame
    }

    /// As a server: the next frame, which has to be masked.
    pub fn client_frame(&mut self) -> Frame {
        let frame = self.frame_of_either().expect("a frame, before the end of the stream");
        assert!(frame.masked, "section 5.1: a client masks everything: {frame:?}");
        frame
    }

    fn frame_of_either(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = wire::parse(&self.unread[self.at..]) {
                self.at += length;
                return Some(frame);
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The next frame, which has to be a whole text message.
    pub fn text(&mut self) -> String {
        let frame = self.frame();
        assert!(frame.opcode == TEXT && frame.fin, "expected a text message, got {frame:?}");
        String::from_utf8(frame.payload).expect("text is UTF-8")
    }

    /// Sends a binary message and expects it back.
    pub fn echo(&mut self, payload: &[u8]) {
        self.send_message(BINARY, payload);
        self.echoed(payload);
    }

    /// Expects this binary message.
    pub fn echoed(&mut self, payload: &[u8]) {
        let frame = self.frame();
        assert_eq!((frame.opcode, frame.fin, frame.payload.len()), (BINARY, true, payload.len()));
        assert!(frame.payload == payload, "{} bytes came back changed", payload.len());
    }

    /// The next frame, which has to be a Close: its code and reason.
    pub fn closed(&mut self) -> (u16, String) {
        self.frame().close_reason()
    }

    /// Closes as RFC 6455 section 7.1.1 wants it, and waits for the end of the stream.
    pub fn close(mut self) {
        self.send(&wire::close(1000, ""));
        loop {
            match self.try_frame() {
                Some(frame) if frame.opcode == CLOSE => return self.ended(),
                Some(_) => {}
                None => panic!("the Close was not answered"),
            }
        }
    }

    /// Expects the end of the stream, with nothing before it.
    pub fn ended(&mut self) {
        let more = self.more();
        assert!(!more, "expected the end, got {:?}", self.unread[self.at..].escape_ascii().to_string());
    }

    /// The end of the stream, with whatever before it.
    pub fn drained(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.unread).split_off(std::mem::take(&mut self.at))
    }

    /// The next HTTP answer, with its body.
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next HTTP answer to a request of this method: one to HEAD has no body.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let head = self.head();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("a status line");
        let status = status[..3].parse().expect("a status");
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_owned(), value.trim().to_owned())
        };
        let headers = lines.filter(|line| !line.is_empty()).map(header).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("Content-Length").map_or(0, |value| value.parse().expect("a number"));
        if method != "HEAD" && status >= 200 {
            answer.body = self.bytes(length);
        }
        answer
    }

    /// As a server: reads a handshake request, and computes the proof that its key asks for.
    pub fn proof_asked_for(&mut self) -> String {
        proof(&self.head())
    }

    fn head(&mut self) -> String {
        self.try_head().expect("a head, before the end of the stream")
    }

    /// All up to the next empty line, or `None` when the stream ends before anything came.
    pub fn try_head(&mut self) -> Option<String> {
        loop {
            let unread = &self.unread[self.at..];
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.bytes(end + 4);
                return Some(String::from_utf8(head).expect("a head is ASCII"));
            }
            if !self.more() {
                assert!(self.unread.len() == self.at, "the stream ended within a head");
                return None;
            }
        }
    }

    /// The next bytes, as many as these.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() - self.at < length {
            assert!(self.more(), "the stream ended early");
        }
        self.at += length;
        self.unread[self.at - length..self.at].to_vec()
    }

    /// Whether there is something to read, the end of the stream included.
    pub fn has_input(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a TCP option");
        let nothing = self.stream.peek(&mut [0]).is_err_and(|cause| cause.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).expect("a TCP option");
        self.at < self.unread.len() || !nothing
    }

    /// Whether nothing arrives for a while.
    pub fn is_quiet_for(&mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        !self.has_input()
    }

    /// Gives back what it holds for reading; everything was read.
    pub fn forget(&mut self) {
        assert_eq!(self.unread.len(), self.at, "there is more to read");
        (self.unread, self.at) = (Vec::new(), 0);
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads on; `false` at the end of the stream.
    fn more(&mut self) -> bool {
        self.unread.drain(..std::mem::take(&mut self.at));
        let mut piece = [0; 64 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == ErrorKind::ConnectionReset => return false,
                Err(cause) => panic!("nothing arrived in time: {cause}"),
                Ok(read) => {
                    self.unread.extend_from_slice(&piece[..read]);
                    return read > 0;
                }
            }
        }
    }
}
