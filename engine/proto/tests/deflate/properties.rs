//! Whatever is sent arrives: both roles, every window and level, takeover, fragments, control frames in between,
//! and the stream cut anywhere.

use super::naive::Naive;
use super::random::Random;
use super::{Seen, agreed, compressors::frames_in, receive};
use proptest::prelude::*;
use wsring_proto::deflate::{Compressors, Sending};
use wsring_proto::frame::{self, Opcode};
use wsring_proto::{Client, Connection, Limits, Masking, Resources, Role, Server};

/// One message: how it is written and how it is cut.
#[derive(Clone, Debug)]
struct Sent {
    text: bool,
    payload: Vec<u8>,
    fragments: usize,
    pings: bool,
    fresh: bool,
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec("[a-e]{1,4}|\u{e9}|\u{10348}|instrument|\"price\":", 0..200)
        .prop_map(|words| words.concat().into_bytes());
    let long = (0usize..70_000, any::<u8>()).prop_map(|(bytes, of)| vec![of & 0x7F; bytes]);
    let noise = (0usize..40_000, any::<u64>()).prop_map(|(bytes, seed)| {
        // ASCII, so that it is text.
        Random::new(seed).bytes(bytes).into_iter().map(|byte| byte & 0x7F).collect()
    });
    prop_oneof![8 => words, 1 => long, 1 => noise]
}

fn sent() -> impl Strategy<Value = Sent> {
    (any::<bool>(), payload(), 1usize..6, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(text, payload, fragments, pings, fresh)| Sent { text, payload, fragments, pings, fresh })
}

/// Sends as `S`, and receives as `R`; the frames as they went out.
fn check<S: Role, R: Role>(
    messages: &[Sent],
    takeover: bool,
    bits: u8,
    level: u8,
    bytes_max: usize,
    seed: u64,
) -> Vec<u8> {
    let agreed = agreed(takeover, bits);
    let (mut compressors, mut masking) = (Compressors::new(bytes_max), Masking::new([3; 32]));
    let (mut out, mut expected) = (Vec::new(), Vec::new());
    for message in messages {
        let mut sending = Sending { slot: 5, agreed, level, bytes_min: 10, fresh: message.fresh };
        let parts: Vec<&[u8]> = match message.payload.len() {
            0 => vec![&[]],
            bytes => message.payload.chunks(bytes.div_ceil(message.fragments)).collect(),
        };
        for (index, part) in parts.iter().enumerate() {
            let first = if message.text { Opcode::Text } else { Opcode::Binary };
            let opcode = if index == 0 { first } else { Opcode::Continuation };
            let fin = index + 1 == parts.len();
            compressors.append_frame::<S>(sending, opcode, fin, part, &mut out, &mut masking);
            sending.fresh = false;
            if message.pings {
                frame::append::<S>(&mut out, Opcode::Ping, true, b"between", &mut masking);
                expected.extend((!fin).then(|| Seen::Ping(b"between".to_vec())));
            }
        }
        let kind = if message.text { Seen::Text } else { Seen::Binary };
        expected.push(kind(message.payload.clone()));
        expected.extend(message.pings.then(|| Seen::Ping(b"between".to_vec())));
    }
    let mut resources = Resources::new(Limits::default());
    let mut connection = Connection::<R>::with_deflate(agreed, &mut resources);
    let mut seen = Vec::new();
    for range in Random::new(seed).cuts(out.len()) {
        receive(&mut connection, &mut resources, &out[range], &mut seen);
    }
    assert!(!connection.is_within_message());
    assert!(seen == expected, "what was seen is not what was sent");
    assert_eq!(resources.held_bytes(), 0);
    out
}

/// The payloads that a second opinion finds in a server's frames.
fn read_by_naive(stream: &[u8], takeover: bool, bits: u8) -> Vec<Vec<u8>> {
    let (mut naive, mut messages, mut under_way) = (Naive::default(), Vec::new(), Vec::new());
    let mut compressed = false;
    for (first, payload) in frames_in(stream).into_iter().filter(|(first, _)| first & 0x08 == 0) {
        if first & 0x0F != 0 {
            compressed = first & 0x40 != 0;
        }
        under_way.extend(payload);
        if first & 0x80 != 0 {
            let payload = std::mem::take(&mut under_way);
            if !takeover {
                naive.reset();
            }
            messages.push(if compressed { naive.message(&payload).expect("sound") } else { payload });
        }
    }
    assert!(naive.distance_max <= 1 << bits, "{} with {bits} bits", naive.distance_max);
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_arrives(
        messages in prop::collection::vec(sent(), 1..6),
        takeover: bool,
        bits in 8u8..=15,
        level in 1u8..=9,
        bytes_max in prop_oneof![Just(0usize), Just(1 << 20)],
        seed: u64,
    ) {
        check::<Client, Server>(&messages, takeover, bits, level, bytes_max, seed);
        let stream = check::<Server, Client>(&messages, takeover, bits, level, bytes_max, seed);
        let expected: Vec<Vec<u8>> = messages.into_iter().map(|message| message.payload).collect();
        prop_assert_eq!(read_by_naive(&stream, takeover, bits), expected);
    }
}
