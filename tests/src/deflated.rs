//! A client that compresses: permessage-deflate (RFC 7692) in the plainest way, straight from flate2.

use crate::peer::handshake;
use crate::wire::{self, BINARY, CONTINUATION, PING, PONG, TEXT};
use crate::{Frame, Peer};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::net::SocketAddr;

/// What ends a message before it is taken off (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Longest message that is inflated byte by byte, so that nothing outside of the window is there to refer to.
const CAREFULLY_BYTES_MAX: usize = 20_000;

/// Compresses one direction's messages.
#[derive(Debug)]
pub struct Deflater {
    raw: Compress,
    takeover: bool,
}

impl Deflater {
    /// For a window of 8 to 15 bits.
    pub fn new(takeover: bool, window_bits: u8) -> Self {
        // zlib has no window of 8 bits. What refers to nothing fits each.
        let level = Compression::new(if window_bits < 9 { 0 } else { 6 });
        Self { raw: Compress::new_with_window_bits(level, false, window_bits.max(9)), takeover }
    }

    /// A message's payload, compressed.
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut compressed = self.flushed(payload);
        compressed.truncate(compressed.len() - TAIL.len());
        compressed
    }

    /// The same with the flush still at its end: more of the message may follow.
    pub fn flushed(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.raw.reset();
        }
        if payload.is_empty() {
            return [&[0], &TAIL[..]].concat();
        }
        let mut out = Vec::with_capacity(payload.len() + payload.len() / 4 + 64);
        let before = self.raw.total_in();
        self.raw.compress_vec(payload, &mut out, FlushCompress::Sync).expect("it can be compressed");
        assert!(self.raw.total_in() - before == payload.len() as u64 && out.len() < out.capacity());
        out
    }
}

/// Inflates the other direction's messages.
#[derive(Debug)]
pub struct Inflater {
    raw: Decompress,
    takeover: bool,
}

impl Inflater {
    /// For a window of 8 to 15 bits, at 8 one that is twice as large.
    pub fn new(takeover: bool, window_bits: u8) -> Self {
        Self { raw: Decompress::new_with_window_bits(false, window_bits.max(9)), takeover }
    }

    /// For what a server has agreed on: the value of its Sec-WebSocket-Extensions.
    ///
    /// # Panics
    /// When that is something else.
    pub fn of(answer: &str) -> Self {
        assert!(answer.starts_with("permessage-deflate"), "{answer:?}");
        Self::new(keeps(answer, "server"), window_bits(answer, "server"))
    }

    /// A message's payload.
    ///
    /// # Panics
    /// When it is no deflate stream, or refers to what this end does not have.
    pub fn message(&mut self, compressed: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.raw.reset(false);
        }
        let whole = [compressed, &TAIL].concat();
        let step = if whole.len() < CAREFULLY_BYTES_MAX { 1 } else { 64 << 10 };
        let (mut input, mut payload, mut piece) = (&whole[..], Vec::new(), vec![0; step]);
        loop {
            let (taken, written) = (self.raw.total_in(), self.raw.total_out());
            let status = self.raw.decompress(input, &mut piece, FlushDecompress::None);
            let status = status.expect("a deflate stream within its window");
            let written = (self.raw.total_out() - written) as usize;
            input = &input[(self.raw.total_in() - taken) as usize..];
            payload.extend_from_slice(&piece[..written]);
            assert!(status != Status::StreamEnd, "the server ends no stream");
            if input.is_empty() && written < piece.len() {
                return payload;
            }
        }
    }
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Text or binary.
    pub opcode: u8,
    /// What it says.
    pub payload: Vec<u8>,
    /// Whether it was compressed.
    pub compressed: bool,
    /// Bytes of its frames' payloads.
    pub wire_bytes: usize,
    /// In how many frames it came.
    pub frames: usize,
}

/// A connection on which compression was agreed on.
#[derive(Debug)]
pub struct Deflated {
    /// The connection.
    pub peer: Peer,
    /// The server's answer.
    pub answer: String,
    /// Control frames that came before and between the frames of messages.
    pub controls: Vec<Frame>,
    deflater: Deflater,
    inflater: Inflater,
}

/// Every failure here is the failure of a test.
impl Deflated {
    /// Shakes hands with these offers.
    pub fn open(address: SocketAddr, path: &str, offers: &str) -> Self {
        let mut peer = Peer::connect(address);
        let answer = answer(&mut peer, path, offers).expect("the server agrees on compression");
        let deflater = Deflater::new(keeps(&answer, "client"), window_bits(&answer, "client"));
        let inflater = Inflater::of(&answer);
        Self { peer, answer, controls: Vec::new(), deflater, inflater }
    }

    /// Sends a compressed message in one frame.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        let compressed = self.deflater.message(payload);
        self.peer.send(&wire::compressed(opcode, true, &compressed));
    }

    /// Sends a compressed message in frames of so many bytes, with a Ping before each but the first.
    pub fn send_in_pieces(&mut self, opcode: u8, payload: &[u8], bytes: usize) {
        let compressed = self.deflater.message(payload);
        let count = compressed.len().div_ceil(bytes);
        for (number, piece) in compressed.chunks(bytes).enumerate() {
            let fin = number + 1 == count;
            if number == 0 {
                self.peer.send(&wire::compressed(opcode, fin, piece));
            } else {
                self.peer.send(&wire::message(PING, &[number as u8]));
                self.peer.send(&wire::fragment(CONTINUATION, fin, piece));
            }
        }
    }

    /// The next message.
    pub fn message(&mut self) -> Arrived {
        let mut first: Option<Frame> = None;
        let (mut bytes, mut frames) = (Vec::new(), 0);
        loop {
            let frame = self.peer.frame();
            if matches!(frame.opcode, PING | PONG) {
                assert_eq!((frame.reserved, frame.fin), (0, true), "{frame:?}");
                self.controls.push(frame);
                continue;
            }
            frames += 1;
            bytes.extend_from_slice(&frame.payload);
            let fin = frame.fin;
            match &first {
                None => {
                    assert!(
                        matches!(frame.opcode, TEXT | BINARY) && frame.reserved & 0b011 == 0,
                        "{frame:?}"
                    );
                    first = Some(frame);
                }
                Some(_) => assert_eq!((frame.opcode, frame.reserved), (CONTINUATION, 0), "{frame:?}"),
            }
            if let Some(first) = first.as_ref().filter(|_| fin) {
                let (compressed, wire_bytes) = (first.reserved == 0b100, bytes.len());
                let payload = if compressed { self.inflater.message(&bytes) } else { bytes };
                return Arrived { opcode: first.opcode, payload, compressed, wire_bytes, frames };
            }
        }
    }

    /// Sends a message, compressed, and expects it back in one frame.
    pub fn echo(&mut self, opcode: u8, payload: &[u8]) -> Arrived {
        self.send(opcode, payload);
        self.echoed(opcode, payload)
    }

    /// Expects this message, in one frame.
    pub fn echoed(&mut self, opcode: u8, payload: &[u8]) -> Arrived {
        let arrived = self.message();
        assert_eq!((arrived.opcode, arrived.frames), (opcode, 1));
        assert!(arrived.payload == payload, "{} bytes came back changed ({})", payload.len(), self.answer);
        arrived
    }
}

/// What a server answers to offers of extensions, after which it is a WebSocket.
pub fn answer(peer: &mut Peer, path: &str, offers: &str) -> Option<String> {
    let more = format!("Sec-WebSocket-Extensions: {offers}\r\n");
    peer.send(handshake(path, if offers.is_empty() { "" } else { &more }).as_bytes());
    peer.switched().header("Sec-WebSocket-Extensions").map(str::to_owned)
}

/// Whether an end keeps its window from one message to the next.
fn keeps(answer: &str, end: &str) -> bool {
    parameter(answer, &format!("{end}_no_context_takeover")).is_none()
}

/// The size of an end's window.
fn window_bits(answer: &str, end: &str) -> u8 {
    let value = parameter(answer, &format!("{end}_max_window_bits"));
    value.map_or(15, |value| value.parse().expect("a number"))
}

/// A parameter of an answer, empty when it has no value.
fn parameter<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = answer.split(';').map(str::trim).map(|part| part.split_once('=').unwrap_or((part, "")));
    parts.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Text that compresses well and repeats itself, but nowhere exactly.
pub fn prose(length: usize, seed: usize) -> Vec<u8> {
    let mut text = String::with_capacity(length + 80);
    for line in seed.. {
        if text.len() >= length {
            break;
        }
        text.push_str(&format!(
            "{{\"line\":{line},\"price\":{},\"of\":\"the quick brown fox\"}}\n",
            line * 7919 % 10007
        ));
    }
    text.truncate(length);
    text.into_bytes()
}
