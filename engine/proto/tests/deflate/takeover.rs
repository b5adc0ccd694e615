//! Windows that are taken over from one message to the next (RFC 7692 sections 7.1.1 and 7.2).

use super::wire::{self, Frame};
use super::{Peer, Seen, agreed, check_both, compressed, json, oracle, receive};
use flate2::FlushCompress;
use wsring_proto::{Connection, Limits, Resources, Server};

/// Messages that repeat each other at every distance, made by a peer with this window.
fn conversation(window_bits: u8) -> (Vec<Frame>, Vec<Seen>) {
    let mut peer = Peer::new(true, window_bits, 9);
    let (mut frames, mut seen) = (Vec::new(), Vec::new());
    for (number, bytes) in [100, 3000, 0, 40_000, 100, 70_000, 300, 33_000, 1].into_iter().enumerate() {
        let message = json(bytes, number as u64 % 3);
        let payload = if bytes == 0 { vec![0x00] } else { peer.message(&message) };
        let cut = 1 + payload.len() / (1 + number % 3);
        frames.extend(compressed(2, &payload, cut));
        seen.push(Seen::Binary(message));
    }
    (frames, seen)
}

#[test]
fn rfc7692_7_2_2_the_window_is_kept_over_messages_whatever_its_size() {
    for window_bits in 9..=15 {
        let (frames, expected) = conversation(window_bits);
        check_both(agreed(true, window_bits), &frames, &expected);
    }
}

#[test]
fn a_second_message_shrinks_and_a_plain_one_between_does_not_matter() {
    let mut peer = Peer::new(true, 15, 6);
    let message = json(10_000, 7);
    let (first, second) = (peer.message(&message), peer.message(&message));
    assert!(second.len() < first.len() / 10, "{} after {}", second.len(), first.len());
    let frames = [Frame::new(0xc2, first), Frame::new(0x82, json(40_000, 8)), Frame::new(0xc2, second)];
    let expected = [&message, &json(40_000, 8), &message].map(|message| Seen::Binary(message.clone()));
    check_both(agreed(true, 15), &frames, &expected);
}

/// A block that refers `distance` bytes back and copies four (fixed Huffman codes, RFC 1951 section 3.2.6),
/// then the end of the message.
fn reference(distance: usize, last: bool) -> Vec<u8> {
    const BASE: [usize; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
        3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ];
    let mut bits: Vec<bool> = vec![last, true, false];
    let mut code =
        |value: usize, count: usize| (0..count).rev().for_each(|at| bits.push(value >> at & 1 == 1));
    // Length 4 is symbol 258, whose code is 2 in seven bits.
    code(2, 7);
    let symbol = BASE.iter().rposition(|base| *base <= distance).expect("a distance");
    code(symbol, 5);
    let extra = (symbol / 2).saturating_sub(1);
    (0..extra).for_each(|at| bits.push((distance - BASE[symbol]) >> at & 1 == 1));
    bits.extend([false; 7]);
    if last {
        bits.resize(bits.len().div_ceil(8) * 8, false);
    }
    // The header of the empty stored block.
    bits.extend([false; 3]);
    let octet = |bits: &[bool]| bits.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum();
    bits.chunks(8).map(octet).collect()
}

#[test]
fn rfc7692_7_2_1_a_message_may_refer_as_far_back_as_the_window_and_not_beyond_what_was_received() {
    let mut first = Peer::new(true, 15, 6);
    let message = json(40_000, 3);
    let payload = first.message(&message);
    for window_bits in 8..=15 {
        for distance in [4, 5, 200, 1 << (window_bits - 1), (1 << window_bits) - 1, 1 << window_bits] {
            let copied = message[message.len() - distance..][..4].to_vec();
            let payloads = [payload.clone(), reference(distance, false)];
            assert_eq!(oracle(true, &payloads), [Some(message.clone()), Some(copied.clone())]);
            let frames = payloads.map(|payload| Frame::new(0xc2, payload));
            let expected = [Seen::Binary(message.clone()), Seen::Binary(copied)];
            check_both(agreed(true, window_bits), &frames, &expected);
        }
    }
    let short = [
        Frame::new(0xc2, [0x00, 0x05, 0x00, 0xfa, 0xff, 1, 2, 3, 4, 5, 0x00]),
        Frame::new(0xc2, reference(6, false)),
    ];
    check_both(agreed(true, 15), &short, &[Seen::Binary(vec![1, 2, 3, 4, 5]), Seen::Failed(1007)]);
}

#[test]
fn rfc7692_7_2_3_4_the_window_outlives_blocks_with_bfinal() {
    let mut peer = Peer::new(true, 15, 6);
    let message = json(20_000, 3);
    let whole = peer.message(&message);
    let mut second = reference(20_000, true);
    let behind = reference(20_001, true);
    // In the middle of a message: behind the BFINAL block, without its empty stored one, another.
    second.pop();
    second.extend(behind);
    let payloads = [whole, second, reference(4, false)];
    let mut expected = vec![message.clone()];
    expected.push([&message[..4], &message[3..7]].concat());
    expected.push(message[3..7].to_vec());
    let of_oracle: Vec<Vec<u8>> = oracle(true, &payloads).into_iter().flatten().collect();
    assert_eq!(of_oracle, expected);
    for bytes in [1, 2, 5, 100_000] {
        let frames: Vec<Frame> = payloads.iter().flat_map(|payload| compressed(2, payload, bytes)).collect();
        let expected: Vec<Seen> = expected.iter().cloned().map(Seen::Binary).collect();
        check_both(agreed(true, 15), &frames, &expected);
    }
}

#[test]
fn rfc7692_7_2_3_4_every_message_may_be_a_stream_of_its_own() {
    for (takeover, zero) in [(false, true), (true, true), (false, false), (true, false)] {
        let (mut frames, mut expected) = (Vec::new(), Vec::new());
        for seed in 0..5 {
            let message = json(9000, seed);
            let mut payload = Peer::new(false, 15, 6).flushed(&message, FlushCompress::Finish);
            // The octet that RFC 7692 section 7.2.3.4 asks for, and that some leave out.
            payload.extend(zero.then_some(0x00));
            frames.extend(compressed(1, &payload, 2000));
            expected.push(Seen::Text(message));
        }
        check_both(agreed(takeover, 15), &frames, &expected);
    }
}

#[test]
fn a_window_is_counted_as_long_as_its_connection_lives() {
    let limits = Limits { context_bytes_max: 100 << 10, ..Limits::default() };
    let mut resources = Resources::new(limits);
    let mut connections = Vec::new();
    while resources.has_room_for_context() {
        connections.push(Connection::<Server>::with_deflate(agreed(true, 15), &mut resources));
    }
    assert_eq!((connections.len(), resources.contexts(), resources.context_bytes()), (3, 3, 96 << 10));
    let without = Connection::<Server>::with_deflate(agreed(false, 15), &mut resources);
    assert_eq!((without.deflate().is_some(), resources.contexts()), (true, 3));
    let small = Connection::<Server>::with_deflate(agreed(true, 9), &mut resources);
    assert_eq!(resources.context_bytes(), (96 << 10) + 512);
    connections.push(small);
    // Given back by the end, by the peer's Close, by a fault.
    connections[0].abandon(&mut resources);
    connections[0].abandon(&mut resources);
    assert_eq!(resources.contexts(), 3);
    for (connection, frame) in [(1, Frame::new(0x88, "")), (2, Frame::new(0x83, ""))] {
        receive(&mut connections[connection], &mut resources, &wire::stream(&[frame], true), &mut Vec::new());
    }
    assert_eq!((resources.contexts(), resources.context_bytes()), (1, 512));
    assert!(resources.has_room_for_context());
}

#[test]
fn nothing_of_one_connection_reaches_the_next_in_its_place() {
    let secret = json(30_000, 1);
    let mut resources = Resources::new(Limits::default());
    for takeover in [false, true] {
        let mut connection = Connection::<Server>::with_deflate(agreed(takeover, 15), &mut resources);
        let frame = Frame::new(0xc2, Peer::new(true, 15, 6).message(&secret));
        let mut seen = Vec::new();
        receive(&mut connection, &mut resources, &wire::stream(&[frame], true), &mut seen);
        assert_eq!(seen, [Seen::Binary(secret.clone())]);
        connection.abandon(&mut resources);
        for distance in [1, 4, 1000, 30_000, 32_768] {
            let mut next = Connection::<Server>::with_deflate(agreed(takeover, 15), &mut resources);
            let frame = Frame::new(0xc2, reference(distance, false));
            let mut seen = Vec::new();
            receive(&mut next, &mut resources, &wire::stream(&[frame], true), &mut seen);
            assert_eq!(seen, [Seen::Failed(1007)], "{distance} back");
        }
    }
}
