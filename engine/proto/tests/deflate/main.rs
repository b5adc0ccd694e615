//! permessage-deflate (RFC 7692), both roles: its negotiation and messages as tables, and a second opinion on
//! whatever no table has.

mod bombs;
mod broken;
mod compressors;
mod examples;
mod memory;
mod naive;
mod negotiation;
mod properties;
mod takeover;

#[path = "../support/random.rs"]
#[expect(dead_code, reason = "what other tests need")]
mod random;
#[path = "../support/wire.rs"]
#[expect(dead_code, reason = "what other tests need")]
mod wire;

use flate2::{Compress, Compression, FlushCompress};
use naive::Naive;
use random::Random;
use wire::Frame;
use wsring_proto::deflate::{Deflate, DeflateOptions};
use wsring_proto::handshake::{Offer, Opening};
use wsring_proto::http::{HeadLimits, Request};
use wsring_proto::{Client, Connection, Event, Kind, Limits, Resources, Role, Server};

/// What an end reports.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Failed(u16),
    Other,
}

/// Streams up to this length are fed in every split into two.
const EVERY_SPLIT_BYTES_MAX: usize = 150;

/// What both ends of a handshake agree on that only differs in these.
fn agreed(takeover: bool, window_bits: u8) -> Deflate {
    let options = DeflateOptions {
        server_takeover: takeover,
        client_takeover: takeover,
        server_window_bits: window_bits,
        client_window_bits: window_bits,
        ..DeflateOptions::default()
    };
    let mut head = Vec::new();
    let opening = Opening::new([0; 16]).host("h").extension(&options.offer());
    opening.write(&mut head).expect("valid");
    let request = Request::parse(&head, &HeadLimits::default()).expect("valid");
    let offer = Offer::check(&request).expect("valid");
    options.accept(offer.extensions(), true).expect("acceptable").0
}

/// The one door: an end of role `R` sees `expected` in `frames`, whether they come whole, octet by octet, in two
/// pieces or in many; and holds nothing in the end.
#[track_caller]
fn check<R: Role>(agreed: Deflate, limits: &Limits, frames: &[Frame], expected: &[Seen]) {
    let input = wire::stream(frames, !R::MASKS);
    assert_eq!(feed::<R>(agreed, limits, &[&input]), expected, "whole");
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(feed::<R>(agreed, limits, &octets), expected, "octet by octet");
    if input.len() <= EVERY_SPLIT_BYTES_MAX {
        for cut in 0..=input.len() {
            let (before, after) = input.split_at(cut);
            assert_eq!(feed::<R>(agreed, limits, &[before, after]), expected, "cut at {cut}");
        }
    }
    let mut random = Random::new(input.len() as u64);
    for _ in 0..4 {
        let cuts = random.cuts(input.len());
        let pieces: Vec<&[u8]> = cuts.iter().map(|cut| &input[cut.clone()]).collect();
        assert_eq!(feed::<R>(agreed, limits, &pieces), expected, "cut into {cuts:?}");
    }
}

/// [`check`] for both roles and the default limits.
#[track_caller]
fn check_both(agreed: Deflate, frames: &[Frame], expected: &[Seen]) {
    check::<Server>(agreed, &Limits::default(), frames, expected);
    check::<Client>(agreed, &Limits::default(), frames, expected);
}

fn feed<R: Role>(agreed: Deflate, limits: &Limits, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut resources = Resources::new(*limits);
    let mut connection = Connection::<R>::with_deflate(agreed, &mut resources);
    assert_eq!(connection.deflate(), Some(agreed));
    let mut seen = Vec::new();
    for piece in pieces {
        receive(&mut connection, &mut resources, piece, &mut seen);
    }
    connection.abandon(&mut resources);
    assert_eq!((resources.held_bytes(), resources.contexts()), (0, 0), "held after the end: {seen:?}");
    seen
}

fn receive<R: Role>(
    connection: &mut Connection<R>,
    resources: &mut Resources,
    piece: &[u8],
    seen: &mut Vec<Seen>,
) {
    let mut input = piece.to_vec();
    let mut receiving = connection.receive(&mut input, resources);
    while let Some(event) = receiving.next() {
        seen.push(match event {
            Event::Message(message) if message.kind() == Kind::Text => Seen::Text(message.payload().to_vec()),
            Event::Message(message) => Seen::Binary(message.payload().to_vec()),
            Event::Ping(payload) => Seen::Ping(payload.to_vec()),
            Event::Failed(violation) => Seen::Failed(violation.close_code().get()),
            _ => Seen::Other,
        });
    }
}

/// A peer's compressor, straight from the library.
struct Peer {
    raw: Compress,
    takeover: bool,
}

impl Peer {
    /// `window_bits` from 9 up.
    fn new(takeover: bool, window_bits: u8, level: u32) -> Self {
        Self { raw: Compress::new_with_window_bits(Compression::new(level), false, window_bits), takeover }
    }

    /// A whole message's payload.
    fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.raw.reset();
        }
        let mut out = self.flushed(payload, FlushCompress::Sync);
        assert!(out.ends_with(&[0x00, 0x00, 0xFF, 0xFF]), "{out:x?}");
        out.truncate(out.len() - 4);
        out
    }

    fn flushed(&mut self, payload: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() * 2 + 1000);
        let before = self.raw.total_in();
        self.raw.compress_vec(payload, &mut out, flush).expect("compresses");
        assert_eq!(self.raw.total_in() - before, payload.len() as u64);
        out
    }
}

/// A payload as a compressed message in fragments of at most `bytes`; `first` is the opcode.
fn compressed(opcode: u8, payload: &[u8], bytes: usize) -> Vec<Frame> {
    wire::fragments(0x40 | opcode, payload, bytes)
}

/// Text that compresses about as well as JSON does.
fn json(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut out = Vec::new();
    while out.len() < bytes {
        let (id, price, name) = (random.below(100_000), random.below(10_000), random.below(20));
        out.extend(format!("{{\"id\":{id},\"price\":{price},\"name\":\"instrument {name}\"}},").bytes());
    }
    out.truncate(bytes);
    out
}

fn oracle(takeover: bool, payloads: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    let mut naive = Naive::default();
    let message = |payload: &Vec<u8>| {
        if !takeover {
            naive.reset();
        }
        naive.message(payload)
    };
    payloads.iter().map(message).collect()
}
