//! Sections 5.1 and 5.2: masking, reserved bits, opcodes, lengths.

use super::support::wire::Frame;
use super::{Seen, binary, check, check_frames, feed, text, wire};
use wsring_proto::{Client, Limits, Server};

const OPCODES: [u8; 6] = [0x0, 0x1, 0x2, 0x8, 0x9, 0xA];

#[test]
fn rfc6455_5_7_the_examples() {
    let limits = Limits::default();
    let unmasked: &[(&[u8], &[Seen])] = &[
        (b"\x81\x05\x48\x65\x6c\x6c\x6f", &[text("Hello")]),
        (b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", &[text("Hello")]),
        (b"\x89\x05\x48\x65\x6c\x6c\x6f", &[super::ping("Hello")]),
    ];
    for (input, expected) in unmasked {
        assert_eq!(check::<Client>(input, &limits), *expected);
    }
    let masked: &[(&[u8], &[Seen])] = &[
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &[text("Hello")]),
        (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &[super::pong("Hello")]),
    ];
    for (input, expected) in masked {
        assert_eq!(check::<Server>(input, &limits), *expected);
    }
    for (head, length) in [(&b"\x82\x7E\x01\x00"[..], 256), (b"\x82\x7F\0\0\0\0\0\x01\0\0", 65536)] {
        let payload = vec![7; length];
        assert_eq!(check::<Client>(&[head, &payload].concat(), &limits), [binary(payload)]);
    }
}

#[test]
fn rfc6455_5_1_the_client_masks_every_frame_and_the_server_none() {
    for opcode in OPCODES {
        for payload in [&b""[..], b"\x03\xe8"] {
            let frames = [Frame::new(0x82, "before"), Frame::new(0x80 | opcode, payload).wrongly_masked()];
            check_frames(&frames[1..], failed_at(opcode, 1002).as_slice());
            let expected = [&[binary("before")], failed_at(opcode, 1002).as_slice()].concat();
            check_frames(&frames, &expected);
        }
    }
}

/// A fault in a frame is reported once; when the frame is itself a Close, nothing more is coming.
fn failed_at(opcode: u8, code: u16) -> Vec<Seen> {
    if opcode == 0x8 { vec![Seen::Failed(code), Seen::Finished] } else { vec![Seen::Failed(code)] }
}

#[test]
fn rfc6455_5_3_any_key_at_any_phase_unmasks() {
    let payload: Vec<u8> = (0..=255).collect();
    for key in [[0; 4], [255; 4], [1, 2, 3, 4], [0x80, 0, 0, 1]] {
        for length in [1, 2, 3, 4, 5, 31, 32, 33, 64, 100, 255] {
            check_frames(&[Frame::new(0x82, &payload[..length]).key(key)], &[binary(&payload[..length])]);
        }
    }
}

#[test]
fn rfc6455_5_2_a_reserved_bit_is_1002_on_every_opcode() {
    for bits in 1..8 {
        for opcode in OPCODES {
            for payload in [&b""[..], b"\x03\xe8 reserved"] {
                let frames = [Frame::new(0x80 | bits << 4 | opcode, payload)];
                check_frames(&frames, &failed_at(opcode, 1002));
            }
        }
    }
    let frames = [Frame::new(0x01, "in a "), Frame::new(0xC0, "continuation"), Frame::new(0x88, "")];
    check_frames(&frames, &[Seen::Failed(1002), Seen::Finished]);
}

#[test]
fn rfc6455_5_2_a_reserved_opcode_is_1002_as_soon_as_two_octets_are_there() {
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        for fin in [0, 0x80] {
            check_frames(&[Frame::new(fin | opcode, "")], &[Seen::Failed(1002)]);
            check_frames(&[Frame::new(fin | opcode, "reserved")], &[Seen::Failed(1002)]);
            assert_eq!(check::<Server>(&[fin | opcode, 0x85], &Limits::default()), [Seen::Failed(1002)]);
            assert_eq!(check::<Client>(&[fin | opcode, 0x05], &Limits::default()), [Seen::Failed(1002)]);
        }
    }
}

#[test]
fn rfc6455_5_2_every_form_of_length_is_read() {
    for length in [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 200_000] {
        let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let frames = [Frame::new(0x82, &payload), Frame::new(0x81, "next")];
        check_frames(&frames, &[binary(&payload), text("next")]);
    }
}

#[test]
fn rfc6455_5_2_a_length_in_more_octets_than_needed_is_1002() {
    for (octets, lengths) in [(2, &[0, 1, 5, 124, 125][..]), (8, &[0, 5, 125, 126, 127, 65534, 65535])] {
        for &length in lengths {
            for first in [0x81, 0x82, 0x01, 0x02] {
                let frame = Frame::new(first, vec![b'a'; length]).extended(octets);
                check_frames(&[frame, Frame::new(0x88, "")], &[Seen::Failed(1002), Seen::Finished]);
            }
        }
    }
}

#[test]
fn rfc6455_5_2_the_top_bit_of_a_64_bit_length_is_zero() {
    for length in [1 << 63, 1 << 63 | 5, u64::MAX, u64::MAX - 13] {
        for first in [0x81, 0x82, 0x02] {
            check_frames(&[Frame::new(first, "abc").announcing(length)], &[Seen::Failed(1002)]);
        }
    }
}

#[test]
fn rfc6455_10_4_a_length_beyond_the_limit_is_1009_on_sight_of_the_header() {
    let limit = Limits::default().frame_bytes_max;
    for length in [limit + 1, u64::from(u32::MAX), u64::from(u32::MAX) + 1, 1 << 62, (1 << 63) - 1] {
        check_frames(&[Frame::new(0x82, "").announcing(length)], &[Seen::Failed(1009)]);
    }
    check_frames(&[Frame::new(0x82, "").announcing(limit)], &[]);
}

#[test]
fn rfc6455_7_1_7_messages_before_a_bad_frame_are_delivered_and_nothing_after_it() {
    let frames = [
        Frame::new(0x81, "good"),
        Frame::new(0x89, "ping"),
        Frame::new(0xC2, "bad"),
        Frame::new(0x81, "never seen"),
        Frame::new(0x89, "never answered"),
        Frame::new(0xFF, "bad too"),
    ];
    check_frames(&frames, &[text("good"), super::ping("ping"), Seen::Failed(1002)]);
}

#[test]
fn rfc6455_5_2_a_header_cut_off_anywhere_says_nothing_yet() {
    for length in [5, 126, 70_000] {
        for from_client in [true, false] {
            let whole = wire::stream(&[Frame::new(0x82, vec![1; length])], from_client);
            for end in 0..14 {
                let seen = match from_client {
                    true => feed::<Server>(&[&whole[..end.min(whole.len() - 1)]], &Limits::default()),
                    false => feed::<Client>(&[&whole[..end.min(whole.len() - 1)]], &Limits::default()),
                };
                assert_eq!(seen, []);
            }
        }
    }
}
