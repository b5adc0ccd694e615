//! A connection after its opening handshake, both roles: RFC 6455 sections 5 to 8 as tables, and a second
//! opinion on whatever no table has.

mod close;
mod control;
mod differential;
mod echo;
mod failing;
mod fragments;
mod header;
mod limits;
mod memory;
mod pair;
mod text;

#[path = "../support/mod.rs"]
mod support;

use support::oracle::{self, Seen};
use support::random::Random;
use support::wire::{self, Frame};
use wsring_proto::{Client, Connection, Event, Kind, Limits, Message, Resources, Role, Server};

/// Streams up to this length are fed in every split into two.
const EVERY_SPLIT_BYTES_MAX: usize = 150;

/// The one door: what an end of role `R` makes of `input` must be what the oracle makes of it, whether it
/// comes whole, octet by octet, in two pieces or in many.
#[track_caller]
fn check<R: Role>(input: &[u8], limits: &Limits) -> Vec<Seen> {
    let expected = oracle::decode(input, !R::MASKS, limits.frame_bytes_max, limits.message_bytes_max as u64);
    let shown = input[..input.len().min(200)].escape_ascii();
    assert_eq!(feed::<R>(&[input], limits), expected, "whole: {shown}");
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(feed::<R>(&octets, limits), expected, "octet by octet: {shown}");
    if input.len() <= EVERY_SPLIT_BYTES_MAX {
        for cut in 0..=input.len() {
            let (before, after) = input.split_at(cut);
            assert_eq!(feed::<R>(&[before, after], limits), expected, "cut at {cut}: {shown}");
        }
    }
    let mut random = Random::new(input.len() as u64);
    for _ in 0..4 {
        let cuts = random.cuts(input.len());
        let pieces: Vec<&[u8]> = cuts.iter().map(|cut| &input[cut.clone()]).collect();
        assert_eq!(feed::<R>(&pieces, limits), expected, "cut into {cuts:?}: {shown}");
    }
    expected
}

/// [`check`] for both roles: `frames` as a client sends them, then as a server does.
#[track_caller]
fn check_frames(frames: &[Frame], expected: &[Seen]) {
    check_frames_with(frames, &Limits::default(), expected);
}

#[track_caller]
fn check_frames_with(frames: &[Frame], limits: &Limits, expected: &[Seen]) {
    assert_eq!(check::<Server>(&wire::stream(frames, true), limits), expected, "server: {frames:?}");
    assert_eq!(check::<Client>(&wire::stream(frames, false), limits), expected, "client: {frames:?}");
}

/// Hands `pieces` to a connection one after the other. Whatever they were, nothing is held in the end.
fn feed<R: Role>(pieces: &[&[u8]], limits: &Limits) -> Vec<Seen> {
    let mut connection = Connection::<R>::new();
    let mut resources = Resources::new(*limits);
    let mut seen = Vec::new();
    for piece in pieces {
        receive(&mut connection, &mut resources, piece, &mut seen);
        if matches!(seen.last(), Some(Seen::Close(..) | Seen::Failed(_) | Seen::Finished)) {
            assert_eq!(resources.held_bytes(), 0, "held though nobody waits for the rest: {seen:?}");
        }
    }
    connection.abandon(&mut resources);
    assert_eq!(resources.held_bytes(), 0, "held after the end: {seen:?}");
    seen
}

/// Hands one piece to `connection` and adds what it reports.
fn receive<R: Role>(
    connection: &mut Connection<R>,
    resources: &mut Resources,
    piece: &[u8],
    seen: &mut Vec<Seen>,
) {
    let mut input = piece.to_vec();
    let place = input.as_ptr_range();
    let mut receiving = connection.receive(&mut input, resources);
    while let Some(event) = receiving.next() {
        if let Event::Message(message) = &event {
            let in_place = place.contains(&message.payload().as_ptr()) || message.payload().is_empty();
            assert!(message.is_gathered() || in_place, "neither gathered nor in the input");
        }
        seen.push(owned(event));
    }
}

fn owned(event: Event<'_>) -> Seen {
    match event {
        Event::Message(message) => owned_message(&message),
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(reason) => {
            Seen::Close(reason.code.map_or(1005, |code| code.get()), reason.reason.to_owned())
        }
        Event::Failed(violation) => Seen::Failed(violation.close_code().get()),
        Event::Finished => Seen::Finished,
    }
}

fn owned_message(message: &Message<'_>) -> Seen {
    let text = message.kind() == Kind::Text;
    let as_text = std::str::from_utf8(message.payload()).ok().filter(|_| text);
    assert_eq!(message.text(), as_text);
    Seen::Message { text, payload: message.payload().to_vec() }
}

fn text(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Message { text: true, payload: payload.as_ref().to_vec() }
}

fn binary(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Message { text: false, payload: payload.as_ref().to_vec() }
}

fn ping(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Ping(payload.as_ref().to_vec())
}

fn pong(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Pong(payload.as_ref().to_vec())
}

fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(code, reason.to_owned())
}
