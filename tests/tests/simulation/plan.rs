//! What a client of a scenario is going to do.

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

/// A whole masked message and its echo.
pub(crate) fn message(random: &mut Random, opcode: u8, payload: Vec<u8>) -> Step {
    let mut bytes = Vec::new();
    wire::append(&mut bytes, FIN | opcode, &payload, key(random));
    Step::Say { bytes, expect: vec![Expect::Message { opcode, payload }] }
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
}

impl<'a> Planner<'a> {
    pub(crate) fn new(random: &'a mut Random, bounds: Bounds, client: usize) -> Self {
        Self { random, bounds, client, steps: VecDeque::new() }
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
        self.say(handshake(&target).into_bytes(), vec![Expect::Switch]);
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

    /// A message that tells whose and which it is.
    fn publish(&mut self, number: usize) {
        let text = format!("{}:{number}:{}", self.client, "+".repeat(self.random.below(300)));
        let mut bytes = Vec::new();
        let key = self.key();
        wire::append(&mut bytes, FIN | TEXT, text.as_bytes(), key);
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
                let length = payload.len();
                let step = message(self.random, opcode, payload);
                self.steps.push_back(step);
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
        let count = self.random.within(2..=5);
        let mut cuts: Vec<usize> = (1..count).map(|_| self.random.below(payload.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(payload.len());
        let (mut bytes, mut expect, mut from) = (Vec::new(), Vec::new(), 0);
        for (number, cut) in cuts.iter().enumerate() {
            let first = if number == 0 { opcode } else { CONTINUATION };
            let fin = if number + 1 == cuts.len() { FIN } else { 0 };
            let key = self.key();
            wire::append(&mut bytes, fin | first, &payload[from..*cut], key);
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

    fn end(&mut self) -> End {
        let mut ends = vec![End::Close, End::Wish, End::HalfClose, End::Violate];
        if self.bounds.may_stay {
            ends.extend([End::Stay, End::Stay]);
        }
        if self.bounds.may_break {
            ends.extend([End::Reset, End::Leave]);
        }
        let end = self.random.pick(&ends);
        match end {
            End::Stay => {}
            End::Close => {
                let code = self.random.pick(&[1000, 1001, 3000, 4999]);
                self.steps.push_back(close(code, "so long"));
            }
            End::Wish => {
                let mut bytes = Vec::new();
                wire::append(&mut bytes, FIN | TEXT, b"close:4000:as you wish", [1, 2, 3, 4]);
                let reason = Some("as you wish".into());
                self.say(bytes, vec![Expect::Close { code: Some(4000), reason }, Expect::Eof]);
            }
            End::HalfClose => {
                self.say(Vec::new(), vec![Expect::Eof]);
                self.steps.push_back(Step::HalfClose);
            }
            End::Violate => self.violate(),
            End::Reset => self.steps.push_back(Step::Reset),
            End::Leave => self.steps.push_back(Step::Leave),
        }
        end
    }

    /// Breaks a rule of section 5 or 7.
    fn violate(&mut self) {
        const CASES: [(&[u8], u16); 10] = [
            (&[0x81, 0x02, b'h', b'i'], 1002),
            (&[0x83, 0x80, 1, 2, 3, 4], 1002),
            (&[0xC1, 0x80, 1, 2, 3, 4], 1002),
            (&[0x80, 0x80, 1, 2, 3, 4], 1002),
            (&[0x09, 0x80, 1, 2, 3, 4], 1002),
            (&[0x82, 0xFE, 0, 5, 1, 2, 3, 4], 1002),
            (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
            (&[0x81, 0x90, 0, 0, 0, 0, b'o', b'k', 0xC0], 1007),
            (&[0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
            (&[0x88, 0x82, 0, 0, 0, 0, 3, 0xED], 1002),
        ];
        let (bytes, code) = self.random.pick(&CASES);
        self.say(bytes.to_vec(), vec![Expect::Close { code: Some(code), reason: None }, Expect::Eof]);
    }
}
