//! Messages that are long only when inflated: the limits bound what comes out, and nothing goes past them.

use super::random::each_seed;
use super::wire::{self, Frame};
use super::{Peer, Seen, agreed, check, check_both, compressed, receive};
use allocation_counter::measure;
use wsring_proto::deflate::Deflate;
use wsring_proto::{Client, Connection, Limits, Resources, Server};

fn limits(message_bytes_max: usize) -> Limits {
    Limits { message_bytes_max, ..Limits::default() }
}

/// `bytes` zeros, a thousand to one.
fn bomb(bytes: usize) -> Vec<u8> {
    Peer::new(false, 15, 9).message(&vec![0; bytes])
}

#[track_caller]
fn check_limited(agreed: Deflate, limits: &Limits, frames: &[Frame], expected: &[Seen]) {
    check::<Server>(agreed, limits, frames, expected);
    check::<Client>(agreed, limits, frames, expected);
}

#[test]
fn a_message_of_the_limit_passes_and_one_byte_more_is_1009() {
    for bytes in [0, 1, 200, 1000, 16 << 10, 100_000] {
        for of in [bytes, bytes + 1] {
            let message = vec![b'z'; of];
            let payload = if of == 0 { vec![0x00] } else { Peer::new(false, 15, 6).message(&message) };
            let expected = if of == bytes { Seen::Text(message) } else { Seen::Failed(1009) };
            for piece in [payload.len(), 3] {
                let frames = compressed(1, &payload, piece);
                check_limited(agreed(false, 15), &limits(bytes), &frames, std::slice::from_ref(&expected));
                check_limited(agreed(true, 15), &limits(bytes), &frames, std::slice::from_ref(&expected));
            }
        }
    }
}

#[test]
fn what_cannot_be_compressed_passes_at_the_limit_though_it_is_longer_on_the_wire() {
    let mut random = super::Random::new(5);
    for bytes in [1, 100, 5000, 70_000] {
        let message = random.bytes(bytes);
        let payload = Peer::new(false, 15, 6).message(&message);
        assert!(payload.len() > bytes);
        let frames = compressed(2, &payload, payload.len());
        check_limited(agreed(false, 15), &limits(bytes), &frames, &[Seen::Binary(message)]);
        check_limited(agreed(false, 15), &limits(bytes - 1), &frames, &[Seen::Failed(1009)]);
    }
}

#[test]
fn rfc6455_10_4_limits_on_the_wire_act_on_sight_of_the_header() {
    let small = Limits { frame_bytes_max: 100, message_bytes_max: 1000, ..Limits::default() };
    check_limited(agreed(false, 15), &small, &[Frame::new(0xc2, "").announcing(176)], &[]);
    check_limited(agreed(false, 15), &small, &[Frame::new(0xc2, "").announcing(177)], &[Seen::Failed(1009)]);
    check_limited(agreed(false, 15), &small, &[Frame::new(0x82, "").announcing(101)], &[Seen::Failed(1009)]);
    let wide = Limits { frame_bytes_max: u64::MAX, ..small };
    check_limited(agreed(false, 15), &wide, &[Frame::new(0xc2, "").announcing(1189)], &[]);
    check_limited(agreed(false, 15), &wide, &[Frame::new(0xc2, "").announcing(1190)], &[Seen::Failed(1009)]);
    let fragments = [Frame::new(0x42, [0x00, 0x00, 0x00, 0xff, 0xff]), Frame::new(0x80, "").announcing(1185)];
    check_limited(agreed(false, 15), &wide, &fragments, &[Seen::Failed(1009)]);
    let plain = [Frame::new(0x82, "").announcing(1001)];
    check_limited(agreed(false, 15), &wide, &plain, &[Seen::Failed(1009)]);
}

/// Feeds `frames` in pieces and says how much memory there was at most, in bytes.
fn most_memory(limits: Limits, frames: &[Frame], piece: usize, expected: &[Seen]) -> u64 {
    let mut input = wire::stream(frames, true);
    let mut resources = Resources::new(limits);
    // The first inflater is not the message's doing.
    let warm = wire::stream(&[Frame::new(0xc2, [0x00])], true);
    let mut connection = Connection::<Server>::with_deflate(agreed(false, 15), &mut resources);
    receive(&mut connection, &mut resources, &warm, &mut Vec::new());
    let mut codes = Vec::with_capacity(4);
    let info = measure(|| {
        for piece in input.chunks_mut(piece) {
            {
                let mut receiving = connection.receive(piece, &mut resources);
                while let Some(event) = receiving.next() {
                    if let wsring_proto::Event::Failed(violation) = event {
                        codes.push(Seen::Failed(violation.close_code().get()));
                    }
                }
            }
            // What is inflated, and what was gathered before it was.
            let held_max = (limits.message_bytes_max + (16 << 10)).min(limits.held_bytes_max);
            assert!(resources.held_bytes() <= held_max);
        }
        connection.abandon(&mut resources);
        assert_eq!(resources.held_bytes(), 0);
    });
    assert_eq!(codes, expected);
    info.bytes_max
}

#[test]
fn a_bomb_is_not_inflated_past_the_limit() {
    let payload = bomb(16 << 20);
    assert!(payload.len() < (16 << 20) / 1000);
    for max in [1000, 100_000, 1 << 20] {
        for (fragment, piece) in
            [(payload.len(), payload.len() * 2), (payload.len(), 1400), (500, 1400), (1, 64)]
        {
            let frames = compressed(2, &payload, fragment);
            let most = most_memory(limits(max), &frames, piece, &[Seen::Failed(1009)]);
            // The last growth has the old and the new buffer; and what was gathered before it was inflated.
            assert!(
                most <= 2 * max as u64 + (40 << 10),
                "{most} bytes of {max}, {fragment} in pieces of {piece}"
            );
        }
    }
}

#[test]
fn what_all_hold_together_bounds_what_is_inflated() {
    let limits = Limits { held_bytes_max: 50_000, ..Limits::default() };
    let frames = compressed(2, &bomb(1 << 20), 10_000);
    let most = most_memory(limits, &frames, 1 << 20, &[Seen::Failed(1009)]);
    assert!(most <= 150_000, "{most}");
    check_limited(agreed(true, 15), &limits, &frames, &[Seen::Failed(1009)]);
}

#[test]
fn one_bomb_fails_alone() {
    let limits = Limits { held_bytes_max: 200_000, context_bytes_max: 100_000, ..Limits::default() };
    let mut resources = Resources::new(limits);
    let mut waiting = Connection::<Server>::with_deflate(agreed(true, 15), &mut resources);
    let text = super::json(30_000, 4);
    let payload = Peer::new(true, 15, 6).message(&text);
    let halves = compressed(1, &payload, payload.len().div_ceil(2));
    let mut seen = Vec::new();
    receive(&mut waiting, &mut resources, &wire::stream(&halves[..1], true), &mut seen);
    let held = resources.held_bytes();
    let bomb = wire::stream(&compressed(2, &bomb(10 << 20), 3000), true);
    for _ in 0..100 {
        let mut attacker = Connection::<Server>::with_deflate(agreed(true, 15), &mut resources);
        let mut seen = Vec::new();
        receive(&mut attacker, &mut resources, &bomb, &mut seen);
        assert_eq!(seen, [Seen::Failed(1009)]);
        assert_eq!((resources.held_bytes(), resources.contexts()), (held, 1), "given back at once");
        assert!(resources.context_bytes() <= limits.context_bytes_max);
    }
    receive(&mut waiting, &mut resources, &wire::stream(&halves[1..], true), &mut seen);
    assert_eq!(seen, [Seen::Text(text)]);
}

#[test]
fn without_memory_for_inflaters_long_messages_wait_for_their_end() {
    let limits = Limits { context_bytes_max: 0, ..Limits::default() };
    let mut resources = Resources::new(limits);
    let message = super::Random::new(3).bytes(100_000);
    let input = wire::stream(&compressed(2, &Peer::new(false, 15, 6).message(&message), 1 << 20), true);
    let mut connections: Vec<_> =
        (0..20).map(|_| Connection::<Server>::with_deflate(agreed(false, 15), &mut resources)).collect();
    let (early, late) = input.split_at(90_000);
    for connection in &mut connections {
        receive(connection, &mut resources, early, &mut Vec::new());
    }
    assert_eq!(resources.context_bytes(), 0);
    for connection in &mut connections {
        let mut seen = Vec::new();
        receive(connection, &mut resources, late, &mut seen);
        assert_eq!(seen, [Seen::Binary(message.clone())]);
    }
    assert_eq!((resources.held_bytes(), resources.context_bytes()), (0, 0));
}

#[test]
fn inflaters_of_messages_under_way_keep_to_the_budget() {
    let limits = Limits { context_bytes_max: 200_000, ..Limits::default() };
    let mut resources = Resources::new(limits);
    let message = super::Random::new(3).bytes(100_000);
    let input = wire::stream(&compressed(2, &Peer::new(false, 15, 6).message(&message), 1 << 20), true);
    let mut connections: Vec<_> =
        (0..20).map(|_| Connection::<Server>::with_deflate(agreed(false, 15), &mut resources)).collect();
    for connection in &mut connections {
        receive(connection, &mut resources, &input[..50_000], &mut Vec::new());
        assert!(resources.context_bytes() <= limits.context_bytes_max);
    }
    assert!(resources.context_bytes() > 0, "some are inflated as they come");
    connections.iter_mut().for_each(|connection| connection.abandon(&mut resources));
    assert_eq!(resources.held_bytes(), 0);
}

#[test]
fn floods_of_empty_blocks_and_fragments_hold_nothing() {
    // Stored, fixed and a mixture, none of which has a byte of output.
    let blocks: [&[u8]; 2] = [&[0x00, 0x00, 0x00, 0xff, 0xff], &[0x02, 0x08, 0x20, 0x80, 0x00]];
    for block in blocks {
        let mut payload = block.repeat(20_000);
        payload.push(0x00);
        let mut frames = compressed(2, &payload, 4000);
        frames.push(Frame::new(0x89, "still here"));
        let most = most_memory(Limits::default(), &frames, 1400, &[]);
        assert!(most <= 100 << 10, "{most}");
    }
    let mut frames = vec![Frame::new(0x42, "")];
    frames.extend((0..50_000).map(|_| Frame::new(0x00, "")));
    frames.push(Frame::new(0x80, [0x00]));
    let most = most_memory(Limits::default(), &frames, 1400, &[]);
    assert!(most <= 4 << 10, "{most}");
}

#[test]
fn floods_of_ended_streams_are_refused() {
    // RFC 7692 section 7.2.3.4 allows BFINAL; each costs a window put back, so there may be some.
    for (count, passes) in [(16, true), (40, false), (1000, false)] {
        let mut payload = [0x03, 0x00].repeat(count);
        payload.push(0x00);
        let expected = if passes { Seen::Binary(Vec::new()) } else { Seen::Failed(1007) };
        check_both(agreed(true, 15), &compressed(2, &payload, 1 << 20), &[expected]);
    }
    let chunk = [&[0x01, 200, 0, 55, 255][..], &[b'x'; 200]].concat();
    let mut payload = chunk.repeat(300);
    payload.push(0x00);
    check_both(agreed(true, 15), &compressed(2, &payload, 1 << 20), &[Seen::Binary(vec![b'x'; 60_000])]);
}

#[test]
fn bombs_of_any_shape_stay_within_the_limit() {
    each_seed(30, |mut random| {
        let bytes = 1 << (10 + random.below(12));
        let max = 1 << (8 + random.below(12));
        let unit_bytes = 1 + random.below(40);
        let unit = random.bytes(unit_bytes);
        let message: Vec<u8> = unit.iter().copied().cycle().take(bytes).collect();
        let payload =
            Peer::new(false, 9 + random.below(7) as u8, 1 + random.below(9) as u32).message(&message);
        let fragment = 1 + random.below(payload.len());
        let piece = 1 + random.below(3000);
        let expected: &[Seen] = if bytes > max { &[Seen::Failed(1009)] } else { &[] };
        let most = most_memory(limits(max), &compressed(2, &payload, fragment), piece, expected);
        assert!(most <= 2 * max as u64 + (48 << 10), "{most} of {max}");
    });
}
