//! What a client of a scenario is going to do.

mod ends;

use crate::deflate::{COMPRESSED, Deflater};
use crate::random::Random;
use crate::wire::{self, BINARY, CONTINUATION, FIN, PING, PONG, TEXT};
use std::collections::VecDeque;
use std::time::Duration;

/// One thing that a client does, when the one before is written.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Bytes to write, and what should come of them.
    Say {
        bytes: Vec<u8>,
        expect: Vec<Expect>,
    },
    /// Goes on after a while.
    Think(Duration),
    /// Takes nothing in for a while, then goes on.
    StopReading(Duration),
    /// Sets how much the server may send ahead.
    Window(usize),
    /// Goes on when everything expected has come.
    Await,
    /// FIN: says no more.
    HalfClose,
    Reset,
    /// Closes both ways, whatever may still come.
    Leave,
}

/// What a server has to answer, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Answer {
        status: u16,
        body: Option<Vec<u8>>,
        head_only: bool,
    },
    Switch,
    Message {
        opcode: u8,
        payload: Vec<u8>,
    },
    Pong(Vec<u8>),
    Close {
        code: Option<u16>,
        reason: Option<String>,
    },
    /// The end of the stream.
    Eof,
}

/// How the connection is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Stays until the server drains.
    Stay,
    Close,
    /// Asks the server to close.
    Wish,
    HalfClose,
    /// Breaks a rule.
    Violate,
    Reset,
    Leave,
}

/// What bounds a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of one message.
    pub(crate) bytes_max: usize,
    /// Of all messages.
    pub(crate) total_max: usize,
    pub(crate) may_stay: bool,
    /// Whether clients may go without a word.
    pub(crate) may_break: bool,
    /// Longest pause in between.
    pub(crate) think_max: Duration,
    pub(crate) compression: Compression,
}

/// What clients may do about compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// The server agrees to none.
    None,
    /// Each message by itself.
    Alone,
    /// Messages may refer to earlier ones.
    Takeover,
}

/// A client's plan.
pub(crate) struct Plan {
    pub(crate) steps: VecDeque<Step>,
    pub(crate) end: End,
    pub(crate) is_in_room: bool,
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// An opening handshake with the key of RFC 6455 section 1.3.
pub(crate) fn handshake(target: &str) -> String {
    handshake_with(target, "")
}

/// One with further headers, whole lines.
pub(crate) fn handshake_with(target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

/// A masking key.
fn key(random: &mut Random) -> [u8; 4] {
    (random.word() as u32).to_le_bytes()
}

pub(crate) fn close(code: u16, reason: &str) -> Step {
    let mut bytes = Vec::new();
    wire::append(&mut bytes, FIN | wire::CLOSE, &wire::close_payload(code, reason), [9, 8, 7, 6]);
    Step::Say { bytes, expect: vec![Expect::Close { code: Some(code), reason: None }, Expect::Eof] }
}

pub(crate) struct Planner<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) bounds: Bounds,
    pub(crate) client: usize,
    steps: VecDeque<Step>,
    /// Once compression was offered to a server that agrees to it.
    deflater: Option<Deflater>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(random: &'a mut Random, bounds: Bounds, client: usize) -> Self {
        Self { random, bounds, client, steps: VecDeque::new(), deflater: None }
    }

    pub(crate) fn plan(mut self) -> Plan {
        self.pause();
        for _ in 0..self.random.pick(&[0, 0, 0, 1, 3]) {
            self.request();
        }
        match self.random.below(20) {
            0 => self.refused(),
            1 => self.faulty_handshake(),
            _ => return self.websocket(),
        }
        self.steps.push_back(Step::Await);
        self.steps.push_back(Step::HalfClose);
        Plan { steps: self.steps, end: End::HalfClose, is_in_room: false }
    }

    fn say(&mut self, bytes: Vec<u8>, expect: Vec<Expect>) {
        self.steps.push_back(Step::Say { bytes, expect });
    }

    /// Sometimes waits, in one of the ways to do so.
    fn pause(&mut self) {
        let most = self.bounds.think_max.as_nanos() as usize;
        let time = Duration::from_nanos(self.random.below(most) as u64);
        match self.random.below(12) {
            0 => self.steps.push_back(Step::Think(time)),
            1 => self.steps.push_back(Step::StopReading(time)),
            2 => self.steps.push_back(Step::Await),
            3 => {
                let window = self.random.pick(&[16, 300, 5_000, 80_000]).max(self.bounds.bytes_max / 64);
                self.steps.push_back(Step::Window(window));
            }
            _ => {}
        }
    }

    /// A plain request on the way to the upgrade.
    fn request(&mut self) {
        let answer = |status, body: Option<&str>, head_only| Expect::Answer {
            status,
            body: body.map(|body| body.as_bytes().to_vec()),
            head_only,
        };
        let (text, expect) = match self.random.below(5) {
            0 => ("GET /healthz HTTP/1.1\r\nHost: sim\r\n\r\n".into(), answer(200, Some("ok\n"), false)),
            1 => ("HEAD /healthz HTTP/1.1\r\nHost: sim\r\n\r\n".into(), answer(200, None, true)),
            2 => ("GET /nowhere HTTP/1.1\r\nHost: sim\r\n\r\n".into(), answer(404, None, false)),
            3 => ("DELETE /healthz HTTP/1.1\r\nHost: sim\r\n\r\n".into(), answer(405, None, false)),
            _ => {
                let most = self.bounds.bytes_max.min(20_000);
                let length = self.random.below(most + 1);
                let body = self.random.text(length);
                let head = format!("POST /mirror HTTP/1.1\r\nHost: sim\r\nContent-Length: {length}\r\n\r\n");
                let expect = answer(200, Some(&body), false);
                (head + &body, expect)
            }
        };
        self.say(text.into_bytes(), vec![expect]);
        self.pause();
    }

    fn refused(&mut self) {
        let (target, status) =
            self.random.pick(&[("/refused", 403), ("/later/0?reject", 403), ("/later/0?drop", 503)]);
        let expect = Expect::Answer { status, body: None, head_only: false };
        self.say(handshake(target).into_bytes(), vec![expect, Expect::Eof]);
    }

    fn faulty_handshake(&mut self) {
        let sound = handshake("/echo/0");
        let (text, status) = match self.random.below(6) {
            0 => (sound.replace("Version: 13", "Version: 12"), 426),
            1 => (sound.replace("Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Key: "), 400),
            2 => (sound.replace("Host: sim\r\n", ""), 400),
            3 => ("GET /echo/0 HTTP/1.1\r\nHost: sim\r\n\r\n".into(), 426),
            4 => ("\x16\x03\x01 not HTTP\r\n\r\n".into(), 400),
            _ => (sound.replace("Host: sim", &format!("Host: sim\r\nX: {}", "x".repeat(9_000))), 431),
        };
        let expect = Expect::Answer { status, body: None, head_only: false };
        self.say(text.into_bytes(), vec![expect, Expect::Eof]);
    }

    fn websocket(mut self) -> Plan {
        let route = self.random.pick(&["echo", "echo", "echo", "parts", "later", "room"]);
        let query = if route == "later" { "?accept" } else { "" };
        let target = format!("/{route}/{}{query}", self.client);
        let extensions = self.offer();
        self.say(handshake_with(&target, extensions).into_bytes(), vec![Expect::Switch]);
        // What comes ahead of a late decision is kept up to a bound only.
        if route == "later" || self.random.percent(50) {
            self.steps.push_back(Step::Await);
        }
        let mut total = self.bounds.total_max;
        let mut published = 0;
        for _ in 0..self.random.pick(&[0, 1, 2, 5, 12, 30]) {
            if route == "room" {
                self.publish(published);
                published += 1;
            } else {
                total = total.saturating_sub(self.traffic(total));
            }
            self.pause();
        }
        let end = self.end();
        Plan { steps: self.steps, end, is_in_room: route == "room" }
    }

    /// A header that offers compression, mostly.
    fn offer(&mut self) -> &'static str {
        if self.random.percent(40) {
            return "";
        }
        let takeover = self.bounds.compression == Compression::Takeover;
        if self.bounds.compression != Compression::None {
            self.deflater = Some(Deflater::new(takeover));
        }
        self.random.pick(&[
            "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12, permessage-deflate\r\n",
        ])
    }

    /// The first byte of a message's first frame but for FIN, and the payload as it goes out: compressed, if that
    /// may be, and mostly then.
    fn outgoing(&mut self, opcode: u8, payload: &[u8]) -> (u8, Vec<u8>) {
        let compresses = self.random.percent(70);
        match self.deflater.as_mut().filter(|_| compresses) {
            Some(deflater) => (opcode | COMPRESSED, deflater.message(payload)),
            None => (opcode, payload.to_vec()),
        }
    }

    /// A message that tells whose and which it is.
    fn publish(&mut self, number: usize) {
        let text = format!("{}:{number}:{}", self.client, "+".repeat(self.random.below(300)));
        let (first, payload) = self.outgoing(TEXT, text.as_bytes());
        let mut bytes = Vec::new();
        let key = self.key();
        wire::append(&mut bytes, FIN | first, &payload, key);
        self.say(bytes, Vec::new());
    }

    fn key(&mut self) -> [u8; 4] {
        key(self.random)
    }

    /// Something that is answered; says how many bytes of payload it has.
    fn traffic(&mut self, total: usize) -> usize {
        match self.random.below(8) {
            0 => {
                let length = self.random.below(126);
                let (payload, key) = (self.random.bytes(length), self.key());
                let mut bytes = Vec::new();
                wire::append(&mut bytes, FIN | PING, &payload, key);
                self.say(bytes, vec![Expect::Pong(payload)]);
                length
            }
            1 => {
                let (payload, key) = (self.random.bytes(8), self.key());
                let mut bytes = Vec::new();
                wire::append(&mut bytes, FIN | PONG, &payload, key);
                self.say(bytes, Vec::new());
                8
            }
            2 | 3 => self.fragments(total),
            _ => {
                let (opcode, payload) = self.payload(total);
                let (first, outgoing) = self.outgoing(opcode, &payload);
                let (length, key) = (payload.len(), self.key());
                let mut bytes = Vec::new();
                wire::append(&mut bytes, FIN | first, &outgoing, key);
                self.say(bytes, vec![Expect::Message { opcode, payload }]);
                length
            }
        }
    }

    fn payload(&mut self, total: usize) -> (u8, Vec<u8>) {
        const LENGTHS: [usize; 13] =
            [0, 1, 2, 125, 126, 127, 1_000, 4_090, 16_384, 65_535, 65_536, 100_000, 300_000];
        let length = match self.random.below(3) {
            0 => self.random.below(200),
            1 => self.random.below(5_000),
            _ => self.random.pick(&LENGTHS),
        };
        let length = length.min(self.bounds.bytes_max).min(total);
        match self.random.percent(50) {
            true => (TEXT, self.random.text(length).into_bytes()),
            false => (BINARY, self.random.bytes(length)),
        }
    }

    /// One message in fragments, some of them empty, with Pings in between; text is split anywhere.
    fn fragments(&mut self, total: usize) -> usize {
        let (opcode, payload) = self.payload(total);
        let (begins, outgoing) = self.outgoing(opcode, &payload);
        let count = self.random.within(2..=5);
        let mut cuts: Vec<usize> = (1..count).map(|_| self.random.below(outgoing.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(outgoing.len());
        let (mut bytes, mut expect, mut from) = (Vec::new(), Vec::new(), 0);
        for (number, cut) in cuts.iter().enumerate() {
            let first = if number == 0 { begins } else { CONTINUATION };
            let fin = if number + 1 == cuts.len() { FIN } else { 0 };
            let key = self.key();
            wire::append(&mut bytes, fin | first, &outgoing[from..*cut], key);
            from = *cut;
            if fin == 0 && self.random.percent(30) {
                let key = self.key();
                wire::append(&mut bytes, FIN | PING, b"between", key);
                expect.push(Expect::Pong(b"between".to_vec()));
            }
        }
        expect.push(Expect::Message { opcode, payload: payload.clone() });
        self.say(bytes, expect);
        payload.len()
    }
}
