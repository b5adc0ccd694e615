//! Streams that are no deflate (RFC 1951), or no text: 1007, and whatever is done to a stream, what the crate
//! makes of it is what a second opinion makes of it.

use super::random::{Random, each_seed};
use super::wire::Frame;
use super::{Peer, Seen, agreed, check_both, compressed, json, oracle};
use flate2::FlushCompress;

#[test]
fn rfc1951_streams_that_are_broken_are_1007() {
    let table: [(&str, &[u8]); 12] = [
        ("block of type 3", &[0x06, 0x00]),
        ("stored with a wrong complement", &[0x00, 0x05, 0x00, 0xfa, 0xfe, 1, 2, 3, 4, 5, 0x00]),
        ("stored and cut", &[0x00, 0x05, 0x00, 0xfa, 0xff, 1, 2]),
        ("stored, cut by what the tail has", &[0x00, 0x05, 0x00, 0xfa, 0xff, 1]),
        ("distance before the beginning", &[0x02, 0x13, 0x00, 0x00]),
        ("compressed and cut", &[0xf2, 0x48, 0xcd]),
        ("compressed, without the empty block", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9]),
        ("tables cut", &[0x04, 0x00]),
        ("too many literal codes", &[0xfc, 0xff, 0xff, 0xff]),
        ("the tail kept", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff]),
        ("the tail kept and more", &[0x00, 0x00, 0x00, 0xff]),
        ("text", b"Hello, world, this was never compressed"),
    ];
    for (name, payload) in table {
        assert_eq!(oracle(false, &[payload.to_vec()]), [None], "{name}");
        for bytes in [1, 4, 100] {
            check_both(agreed(true, 15), &compressed(2, payload, bytes), &[Seen::Failed(1007)]);
        }
    }
}

#[test]
fn every_cut_of_a_message_is_1007() {
    for flush in [FlushCompress::Sync, FlushCompress::Finish] {
        let mut whole = Peer::new(false, 15, 6).flushed(&json(400, 1), flush);
        match flush {
            FlushCompress::Sync => whole.truncate(whole.len() - 4),
            _ => whole.push(0x00),
        }
        // Without its last octet the second has its BFINAL block whole, which is enough.
        let shortest_whole = whole.len() - usize::from(flush == FlushCompress::Finish);
        for cut in 1..shortest_whole {
            let payload = whole[..cut].to_vec();
            assert_eq!(oracle(false, std::slice::from_ref(&payload)), [None], "cut at {cut}");
            check_both(agreed(false, 15), &[Frame::new(0xc2, payload)], &[Seen::Failed(1007)]);
        }
        check_both(agreed(false, 15), &[Frame::new(0xc2, whole)], &[Seen::Binary(json(400, 1))]);
    }
}

#[test]
fn rfc6455_8_1_text_is_checked_when_it_is_inflated_and_while_it_is() {
    for wrong in [&b"caf\xe9"[..], b"\xff", b"\xed\xa0\x80", b"cut \xe2\x82"] {
        let payload = Peer::new(false, 15, 6).message(wrong);
        for bytes in [1, 100] {
            check_both(agreed(false, 15), &compressed(1, &payload, bytes), &[Seen::Failed(1007)]);
            check_both(agreed(false, 15), &compressed(2, &payload, bytes), &[Seen::Binary(wrong.to_vec())]);
        }
    }
    // A character in three fragments, each flushed by itself.
    let mut peer = Peer::new(true, 15, 6);
    let first = peer.flushed(b"\xf0\x90", FlushCompress::Sync);
    let second = peer.flushed(b"\x8d", FlushCompress::Sync);
    let third = peer.message(b"\x88 end");
    let frames = [Frame::new(0x41, first), Frame::new(0x00, second), Frame::new(0x80, third)];
    check_both(agreed(false, 15), &frames, &[Seen::Text("\u{10348} end".into())]);
    // Long enough to be inflated as it comes: it fails although its end is not there.
    let mut long = json(200_000, 2);
    long[100] = 0xff;
    let payload = Peer::new(false, 15, 1).message(&long);
    let unfinished = Frame::new(0x41, &payload[..payload.len() / 2]);
    assert!(payload.len() / 2 > 16 << 10, "{}", payload.len());
    check_both(agreed(false, 15), &[unfinished], &[Seen::Failed(1007)]);
}

#[test]
fn damaged_streams_are_what_a_second_opinion_makes_of_them() {
    each_seed(200, |mut random| {
        let takeover = random.once_in(2);
        let mut peer = Peer::new(takeover, 9 + random.below(7) as u8, random.below(10) as u32);
        let mut payloads = Vec::new();
        for _ in 0..1 + random.below(3) {
            let message = json(random.below(700), random.next());
            payloads.push(if message.is_empty() { vec![0x00] } else { peer.message(&message) });
        }
        for _ in 0..random.below(3) {
            let of = random.below(payloads.len());
            damage(&mut payloads[of], &mut random);
        }
        let mut expected = Vec::new();
        for message in oracle(takeover, &payloads) {
            let failed = message.is_none();
            expected.push(message.map_or(Seen::Failed(1007), Seen::Binary));
            if failed {
                break;
            }
        }
        let bytes = random.pick(&[1, 10, 5000]);
        let frames: Vec<Frame> = payloads
            .iter()
            .flat_map(|payload| {
                if payload.is_empty() { vec![Frame::new(0xc2, "")] } else { compressed(2, payload, bytes) }
            })
            .collect();
        check_both(agreed(takeover, 15), &frames, &expected);
    });
}

fn damage(payload: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(payload.len().max(1));
    match random.below(4) {
        0 => payload.truncate(at),
        1 => payload.insert(at.min(payload.len()), random.next() as u8),
        _ => {
            if let Some(octet) = payload.get_mut(at) {
                *octet ^= 1 << random.below(8);
            }
        }
    }
}
