//! Generated and damaged streams: the connection and the oracle must agree on every event and code, in both
//! roles and however the stream is cut.

use super::support::random::{Random, each_seed};
use super::support::{generate, wire};
use super::{Seen, check};
use std::cell::Cell;
use wsring_proto::{Client, Limits, Server};

const STREAMS: u64 = 10_000;

fn limits(random: &mut Random) -> Limits {
    match random.once_in(4) {
        true => Limits {
            frame_bytes_max: 64,
            message_bytes_max: 100,
            held_bytes_max: 1 << 30,
            ..Limits::default()
        },
        false => Limits::default(),
    }
}

fn check_either(random: &mut Random, damage: impl Fn(&mut Vec<u8>, &mut Random)) -> Vec<Seen> {
    let from_client = random.once_in(2);
    let fault = random.pick(&[4, 20, 1000]);
    let mut stream = wire::stream(&generate::frames(random, fault), from_client);
    damage(&mut stream, random);
    let limits = limits(random);
    if from_client { check::<Server>(&stream, &limits) } else { check::<Client>(&stream, &limits) }
}

#[test]
fn generated_streams() {
    let (sound, faulty) = (Cell::new(0), Cell::new(0));
    each_seed(STREAMS, |mut random| {
        let seen = check_either(&mut random, |stream, random| {
            if random.once_in(4) && !stream.is_empty() {
                stream.truncate(random.below(stream.len()));
            }
        });
        let failed = seen.iter().any(|event| matches!(event, Seen::Failed(_)));
        let tally = if failed { &faulty } else { &sound };
        tally.set(tally.get() + 1);
    });
    // Both must have been tried often, or the generator is at fault.
    let (sound, faulty) = (sound.get(), faulty.get());
    assert!(
        sound + faulty < 1000 || sound.min(faulty) > (sound + faulty) / 5,
        "{sound} sound, {faulty} faulty"
    );
}

#[test]
fn damaged_streams() {
    each_seed(STREAMS, |mut random| {
        check_either(&mut random, |stream, random| {
            for _ in 0..=random.below(4) {
                mutate(stream, random);
            }
        });
    });
}

#[test]
fn noise() {
    each_seed(STREAMS, |mut random| {
        let length = random.below(200);
        let stream = random.bytes(length);
        check::<Server>(&stream, &limits(&mut random));
        check::<Client>(&stream, &limits(&mut random));
    });
}

fn mutate(stream: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(stream.len() + 1);
    let end = (at + random.below(9)).min(stream.len());
    match random.below(7) {
        0 => stream.truncate(at),
        1 => drop(stream.drain(at..end)),
        2 => {
            let inserted = random.bytes(end - at);
            stream.splice(at..at, inserted);
        }
        3 => {
            let repeated = stream[at..end].to_vec();
            stream.splice(at..at, repeated);
        }
        // Half of the damage goes where the first headers are.
        kind => {
            let at = if random.once_in(2) { at % 20 } else { at };
            if let Some(octet) = stream.get_mut(at) {
                *octet = if kind == 4 { random.next() as u8 } else { *octet ^ 1 << random.below(8) };
            }
        }
    }
}
