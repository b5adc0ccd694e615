//! Section 5.5: control frames.

use super::support::wire::{self, Frame};
use super::{Seen, binary, check, check_frames, ping, pong, text};
use wsring_proto::{Client, Limits, Server};

const CONTROL: [u8; 3] = [0x8, 0x9, 0xA];

#[test]
fn rfc6455_5_5_a_fragmented_control_frame_is_1002() {
    for opcode in CONTROL {
        let mut expected = vec![Seen::Failed(1002)];
        if opcode == 0x8 {
            expected.push(Seen::Finished);
        }
        check_frames(&[Frame::new(opcode, "\u{3}\u{7f}")], &expected);
        check_frames(&[Frame::new(opcode, "")], &expected);
        assert_eq!(check::<Server>(&[opcode, 0x82], &Limits::default()), [Seen::Failed(1002)]);
        assert_eq!(check::<Client>(&[opcode, 0x02], &Limits::default()), [Seen::Failed(1002)]);
    }
}

#[test]
fn rfc6455_5_5_more_than_125_octets_of_control_are_1002() {
    for opcode in [0x89, 0x8A] {
        for length in [126, 127, 200, 65535, 65536] {
            let frames = [Frame::new(opcode, vec![b'x'; length]), Frame::new(0x88, "")];
            check_frames(&frames, &[Seen::Failed(1002), Seen::Finished]);
        }
        // The announcement suffices: no length was read yet.
        assert_eq!(check::<Server>(&[opcode, 0xFE], &Limits::default()), [Seen::Failed(1002)]);
        assert_eq!(check::<Client>(&[opcode, 0x7F], &Limits::default()), [Seen::Failed(1002)]);
    }
    check_frames(
        &[Frame::new(0x88, [&b"\x03\xe8"[..], &[b'x'; 124]].concat())],
        &[Seen::Failed(1002), Seen::Finished],
    );
}

#[test]
fn rfc6455_5_5_2_and_5_5_3_pings_and_pongs_carry_0_to_125_octets() {
    for length in [0, 1, 2, 4, 64, 124, 125] {
        let payload: Vec<u8> = (0..length).map(|index| 255 - index as u8).collect();
        let frames = [Frame::new(0x89, &payload), Frame::new(0x8A, &payload), Frame::new(0x82, "after")];
        check_frames(&frames, &[ping(&payload), pong(&payload), binary("after")]);
    }
}

#[test]
fn rfc6455_5_5_2_ten_pings_are_ten_events_in_order() {
    let payloads: Vec<String> = (0..10).map(|index| format!("payload-{index}")).collect();
    let frames: Vec<Frame> = payloads.iter().map(|payload| Frame::new(0x89, payload)).collect();
    check_frames(&frames, &payloads.iter().map(ping).collect::<Vec<_>>());
}

#[test]
fn rfc6455_5_4_control_frames_come_between_fragments() {
    let frames = [
        Frame::new(0x89, "before"),
        Frame::new(0x01, "one "),
        Frame::new(0x89, "first"),
        Frame::new(0x89, ""),
        Frame::new(0x00, "two "),
        Frame::new(0x8A, "unsolicited"),
        Frame::new(0x00, ""),
        Frame::new(0x89, "last"),
        Frame::new(0x80, "three"),
        Frame::new(0x8A, "after"),
    ];
    let expected = [
        ping("before"),
        ping("first"),
        ping(""),
        pong("unsolicited"),
        ping("last"),
        text("one two three"),
        pong("after"),
    ];
    check_frames(&frames, &expected);
}

#[test]
fn rfc6455_5_4_a_control_frame_does_not_break_a_split_code_point() {
    let frames = [
        Frame::new(0x01, b"\xF0\x90"),
        Frame::new(0x89, b"\xFF\xFE not text"),
        Frame::new(0x00, b"\x8D"),
        Frame::new(0x8A, b"\x80"),
        Frame::new(0x80, b"\x88"),
    ];
    check_frames(&frames, &[ping(b"\xFF\xFE not text"), pong(b"\x80"), text("𐍈")]);
}

#[test]
fn rfc6455_5_5_a_control_frame_in_three_pieces_is_one_event() {
    let payload = [b'p'; 125];
    let frames = [Frame::new(0x02, "a"), Frame::new(0x89, payload), Frame::new(0x80, "b")];
    let input = wire::stream(&frames, true);
    for first in 0..input.len() {
        for second in (first..input.len()).step_by(7) {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(super::feed::<Server>(&pieces, &Limits::default()), [ping(payload), binary("ab")]);
        }
    }
}
