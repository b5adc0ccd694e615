//! What is sent: frames of [`Compressors`] and [`append_shared`], read by a second opinion.

use super::naive::Naive;
use super::random::{Random, each_seed};
use super::{Seen, agreed, json};
use allocation_counter::measure;
use wsring_proto::deflate::{Compressor, Compressors, Deflate, Sending, append_shared};
use wsring_proto::frame::Opcode;
use wsring_proto::{Client, Connection, Event, Limits, Masking, Resources, Server};

/// The frames in `bytes`, unmasked and whole: the first octet and the payload of each.
pub(crate) fn frames_in(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (octets, short) = match second {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, usize::from(*short)),
        };
        let length = rest[..octets].iter().fold(short, |sum, octet| sum * 256 + usize::from(*octet));
        frames.push((*first, rest[octets..octets + length].to_vec()));
        bytes = &rest[octets + length..];
    }
    frames
}

/// A server's end that sends, and a client's that keeps what it got.
struct Pair {
    compressors: Compressors,
    agreed: Deflate,
    masking: Masking,
    bytes_min: usize,
}

impl Pair {
    fn new(agreed: Deflate, bytes_max: usize) -> Self {
        Self {
            compressors: Compressors::new(bytes_max),
            agreed,
            masking: Masking::new([0; 32]),
            bytes_min: 0,
        }
    }

    fn send(&mut self, slot: u32, fresh: bool, opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let sending = Sending { slot, agreed: self.agreed, level: 6, bytes_min: self.bytes_min, fresh };
        let mut out = b"before".to_vec();
        self.compressors.append_frame::<Server>(sending, opcode, fin, payload, &mut out, &mut self.masking);
        assert!(out.starts_with(b"before"));
        out.split_off(6)
    }

    fn whole(&mut self, slot: u32, payload: &[u8]) -> Vec<u8> {
        self.send(slot, false, Opcode::Binary, true, payload)
    }
}

/// What a client sees of these frames.
fn seen_by_client(agreed: Deflate, frames: &[u8]) -> Vec<Seen> {
    let mut resources = Resources::new(Limits::default());
    let mut connection = Connection::<Client>::with_deflate(agreed, &mut resources);
    let mut seen = Vec::new();
    super::receive(&mut connection, &mut resources, frames, &mut seen);
    seen
}

#[track_caller]
fn first_octets(frames: &[u8], expected: &[u8]) {
    let firsts: Vec<u8> = frames_in(frames).iter().map(|(first, _)| *first).collect();
    assert_eq!(firsts, expected);
}

#[test]
fn rfc7692_6_rsv1_is_set_in_the_first_frame_of_a_compressed_message() {
    for takeover in [false, true] {
        let mut pair = Pair::new(agreed(takeover, 15), 1 << 20);
        let text = json(1000, 1);
        let mut out = pair.send(1, false, Opcode::Text, true, &text);
        out.extend(pair.send(1, false, Opcode::Text, false, &text[..300]));
        out.extend(pair.send(1, false, Opcode::Continuation, false, &text[300..700]));
        out.extend(pair.send(1, false, Opcode::Continuation, true, &text[700..]));
        out.extend(pair.send(1, false, Opcode::Ping, true, b"ping"));
        out.extend(pair.send(1, false, Opcode::Binary, true, &text));
        first_octets(&out, &[0xc1, 0x41, 0x00, 0x80, 0x89, 0xc2]);
        let expected = [
            Seen::Text(text.clone()),
            Seen::Text(text.clone()),
            Seen::Ping(b"ping".to_vec()),
            Seen::Binary(text),
        ];
        assert_eq!(seen_by_client(pair.agreed, &out), expected);
        let figures = pair.compressors.figures();
        assert_eq!((figures.messages, figures.plain_bytes), (3, 3000));
        let wire: usize = frames_in(&out).iter().map(|(_, payload)| payload.len()).sum();
        assert_eq!(figures.wire_bytes, wire as u64 - 4);
        assert!(figures.saved_bytes >= figures.plain_bytes - figures.wire_bytes);
        // With takeover even what gets longer is compressed: nothing that was saved is lost by that.
        let noise = Random::new(3).bytes(1000);
        pair.send(1, false, Opcode::Binary, true, &noise);
        let after = pair.compressors.figures();
        assert_eq!(after.messages - figures.messages, u64::from(takeover));
        assert_eq!(after.saved_bytes, figures.saved_bytes);
    }
}

#[test]
fn rfc7692_7_2_3_6_empty_messages_and_fragments() {
    for takeover in [false, true] {
        let mut pair = Pair::new(agreed(takeover, 15), 1 << 20);
        let mut out = Vec::new();
        for parts in
            [&[&b""[..]][..], &[b"", b""], &[b"abc", b""], &[b"", b"abc"], &[b"", b"", b"ab", b"", b"c", b""]]
        {
            for (index, part) in parts.iter().enumerate() {
                let opcode = if index == 0 { Opcode::Text } else { Opcode::Continuation };
                out.extend(pair.send(3, false, opcode, index + 1 == parts.len(), part));
            }
        }
        let expected = ["", "", "abc", "abc", "abc"].map(|text| Seen::Text(text.into()));
        assert_eq!(seen_by_client(pair.agreed, &out), expected);
    }
}

#[test]
fn short_messages_and_those_that_do_not_shrink_go_out_plain() {
    let mut pair = Pair::new(agreed(false, 15), 1 << 20);
    pair.bytes_min = 100;
    let noise = Random::new(1).bytes(1000);
    let mut out = pair.whole(1, &[b'a'; 99]);
    out.extend(pair.whole(1, &[b'a'; 100]));
    out.extend(pair.whole(1, &noise));
    out.extend(pair.whole(1, b""));
    first_octets(&out, &[0x82, 0xc2, 0x82, 0x82]);
    assert_eq!(pair.compressors.figures().messages, 1);
    assert_eq!(seen_by_client(pair.agreed, &out)[2], Seen::Binary(noise.clone()));
    // With takeover the window has the message already, so that the peer's must get it too.
    let mut pair = Pair::new(agreed(true, 15), 1 << 20);
    let out = [pair.whole(1, &noise), pair.whole(1, &noise)].concat();
    first_octets(&out, &[0xc2, 0xc2]);
    assert!(out.len() < 1200, "{}", out.len());
    assert_eq!(seen_by_client(pair.agreed, &out), [Seen::Binary(noise.clone()), Seen::Binary(noise)]);
}

#[test]
fn rfc7692_7_1_2_no_distance_exceeds_the_window() {
    for window_bits in 8..=15 {
        for level in [1, 2, 3, 5, 6, 9] {
            for takeover in [false, true] {
                let mut pair = Pair::new(agreed(takeover, window_bits), 1 << 20);
                let (mut naive, mut out) = (Naive::default(), Vec::new());
                let mut random = Random::new(u64::from(window_bits));
                // Repeats itself at every distance, those around the window's size above all.
                let unit = random.bytes((1 << window_bits) - 4);
                let message: Vec<u8> =
                    (0..4).flat_map(|extra| [&unit[..], &unit[..extra]].concat()).collect();
                for message in [&message, &json(2 << window_bits, 1), &message] {
                    let sending = Sending { slot: 1, agreed: pair.agreed, level, bytes_min: 0, fresh: false };
                    out.clear();
                    pair.compressors.append_frame::<Server>(
                        sending,
                        Opcode::Binary,
                        true,
                        message,
                        &mut out,
                        &mut pair.masking,
                    );
                    let (first, payload) = frames_in(&out).remove(0);
                    if !takeover {
                        naive.reset();
                    }
                    if first == 0xc2 {
                        assert_eq!(naive.message(&payload).as_ref(), Some(message));
                    }
                }
                let most = naive.distance_max;
                assert!(
                    most > 0 && most <= 1 << window_bits,
                    "{most} with {window_bits} bits at level {level}"
                );
            }
        }
    }
}

#[test]
fn the_memory_of_a_compressor_is_what_it_says() {
    for window_bits in 8..=15 {
        let mut compressor = None;
        let info = measure(|| compressor = Some(Compressor::new(window_bits, 6)));
        let says = compressor.expect("made").bytes() as i64;
        let has = info.bytes_current;
        assert!((has - says).abs() <= says / 50, "{window_bits} bits: {has} for {says}");
    }
}

#[test]
fn the_least_recently_used_goes_first_and_its_peer_notices_nothing() {
    let one = Compressor::new(15, 6).bytes();
    let mut pair = Pair::new(agreed(true, 15), 3 * one);
    let text = json(2000, 1);
    let mut streams = vec![Vec::new(); 6];
    let mut send = |pair: &mut Pair, slot: usize| {
        let frame = pair.whole(slot as u32, &text);
        let shared_window = frame.len() < 100;
        streams[slot].extend(frame);
        shared_window
    };
    for slot in [0, 1, 2] {
        assert!(!send(&mut pair, slot));
    }
    assert!(send(&mut pair, 0), "its window is there");
    assert!(!send(&mut pair, 3), "takes the place of 1");
    assert_eq!(pair.compressors.contexts(), 3);
    assert!(send(&mut pair, 0) && send(&mut pair, 2) && send(&mut pair, 3));
    assert!(!send(&mut pair, 1), "starts afresh, in the place of 0");
    assert!(!send(&mut pair, 0));
    pair.compressors.forget(3);
    assert_eq!(pair.compressors.contexts(), 2);
    assert!(!send(&mut pair, 3) && send(&mut pair, 1));
    pair.compressors.forget(77);
    for (slot, stream) in streams.iter().enumerate().filter(|(_, stream)| !stream.is_empty()) {
        let seen = seen_by_client(pair.agreed, stream);
        assert!(seen.iter().all(|seen| *seen == Seen::Binary(text.clone())), "slot {slot}");
    }
    (0..6).for_each(|slot| pair.compressors.forget(slot));
    assert_eq!(pair.compressors.contexts(), 0);
    assert!(pair.compressors.bytes() <= 5 * one, "spare and shared: {}", pair.compressors.bytes());
}

#[test]
fn messages_in_fragments_hold_on_to_their_compressor() {
    let one = Compressor::new(15, 6).bytes();
    for takeover in [false, true] {
        let mut pair = Pair::new(agreed(takeover, 15), 2 * one);
        let text = json(3000, 2);
        let mut streams = vec![Vec::new(); 4];
        for (slot, stream) in streams[..3].iter_mut().enumerate() {
            stream.extend(pair.send(slot as u32, false, Opcode::Text, false, &text[..1000]));
        }
        assert_eq!(pair.compressors.contexts(), 2);
        first_octets(&streams[0], &[0x41]);
        first_octets(&streams[2], &[0x01]);
        // Whole messages of others, in between, do with the shared one.
        streams[3].extend(pair.whole(3, &text));
        assert_eq!(pair.compressors.contexts(), 2);
        for (slot, stream) in streams[..3].iter_mut().enumerate() {
            stream.extend(pair.send(slot as u32, false, Opcode::Continuation, false, b""));
            stream.extend(pair.send(slot as u32, false, Opcode::Continuation, true, &text[1000..]));
        }
        assert_eq!(pair.compressors.contexts(), if takeover { 2 } else { 0 });
        for stream in &streams[..3] {
            assert_eq!(seen_by_client(pair.agreed, stream), [Seen::Text(text.clone())]);
        }
        assert_eq!(seen_by_client(pair.agreed, &streams[3]), [Seen::Binary(text.clone())]);
    }
}

#[test]
fn a_message_made_for_everyone_can_come_between_those_of_the_connection() {
    each_seed(25, |mut random| {
        let mut pair = Pair::new(agreed(true, 12), 10 << 20);
        let mut shared = Compressor::new(12, 6);
        let (mut stream, mut naive, mut fresh) = (Vec::new(), Naive::default(), false);
        let mut expected = Vec::new();
        for _ in 0..20 {
            let message = json(50 + random.below(3000), random.next() % 3);
            let start = stream.len();
            // The shortest of them may not shrink: then none is made for everyone.
            if random.once_in(2) && append_shared(&mut shared, Opcode::Binary, &message, &mut stream) {
                // A server's frame that anybody can inflate by itself.
                let alone = seen_by_client(agreed(false, 12), &stream[start..]);
                assert_eq!(alone, [Seen::Binary(message.clone())]);
                fresh = true;
            } else {
                stream.extend(pair.send(9, fresh, Opcode::Binary, true, &message));
                fresh = false;
            }
            expected.push(message);
        }
        let of_naive: Vec<_> =
            frames_in(&stream).iter().map(|(_, payload)| naive.message(payload).expect("sound")).collect();
        assert_eq!(of_naive, expected);
        let seen: Vec<Seen> = expected.into_iter().map(Seen::Binary).collect();
        assert_eq!(seen_by_client(pair.agreed, &stream), seen);
    });
}

#[test]
fn a_message_for_everyone_that_does_not_shrink_is_not_made() {
    let mut shared = Compressor::new(15, 6);
    let mut out = b"before".to_vec();
    for payload in [&b""[..], b"a", b"abc", &Random::new(2).bytes(5000)] {
        assert!(!append_shared(&mut shared, Opcode::Binary, payload, &mut out));
        assert_eq!(out, b"before");
    }
    assert!(append_shared(&mut shared, Opcode::Text, &[b'a'; 20], &mut out));
    assert_eq!(seen_by_client(agreed(false, 15), &out[6..]), [Seen::Text(vec![b'a'; 20])]);
}

#[test]
fn a_warm_echo_without_takeover_allocates_nothing() {
    let agreed = agreed(false, 15);
    let (mut masking, mut compressors) = (Masking::new([7; 32]), Compressors::new(0));
    let sending = Sending { slot: 1, agreed, level: 6, bytes_min: 0, fresh: false };
    let mut frames = Vec::new();
    for bytes in [100, 1000, 10_000] {
        let message = json(bytes, 1);
        compressors.append_frame::<Client>(sending, Opcode::Text, true, &message, &mut frames, &mut masking);
    }
    let mut resources = Resources::new(Limits::default());
    let (mut input, mut out) = (frames.clone(), Vec::new());
    let mut echo = |input: &mut [u8], out: &mut Vec<u8>| {
        let mut connection = Connection::<Server>::with_deflate(agreed, &mut resources);
        let mut receiving = connection.receive(input, &mut resources);
        let mut messages = 0;
        while let Some(event) = receiving.next() {
            let Event::Message(message) = event else { continue };
            let payload = message.payload();
            compressors.append_frame::<Server>(sending, Opcode::Text, true, payload, out, &mut masking);
            messages += 1;
        }
        messages
    };
    assert_eq!(echo(&mut input, &mut out), 3);
    let answered = std::mem::take(&mut out);
    out.reserve(40_000);
    let info = measure(|| {
        input.copy_from_slice(&frames);
        echo(&mut input, &mut out);
    });
    assert_eq!(out, answered);
    assert_eq!(info.count_total, 0, "{info:?}");
}
