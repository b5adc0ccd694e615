//! The examples of RFC 7692 section 7.2.3, and RSV1.

use super::wire::Frame;
use super::{Seen, agreed, check_both, compressed, oracle};

const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
/// Refers to the first.
const HELLO_AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
const STORED: &[u8] = &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
const FINAL: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
const TWO_BLOCKS: &[u8] = &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];

fn hello() -> Seen {
    Seen::Text(b"Hello".to_vec())
}

#[test]
fn rfc7692_7_2_3_every_example_in_every_fragmentation() {
    let examples: [(&str, &[u8]); 4] = [
        ("7.2.3.1 one compressed block", HELLO),
        ("7.2.3.3 no compression", STORED),
        ("7.2.3.4 BFINAL", FINAL),
        ("7.2.3.5 two blocks", TWO_BLOCKS),
    ];
    for (name, payload) in examples {
        assert_eq!(oracle(false, &[payload.to_vec()]), [Some(b"Hello".to_vec())], "{name}");
        for takeover in [false, true] {
            for bytes in 1..=payload.len() {
                check_both(agreed(takeover, 15), &compressed(1, payload, bytes), &[hello()]);
            }
        }
    }
}

#[test]
fn rfc7692_7_2_3_1_the_frames_of_the_rfc() {
    let whole = [Frame::new(0xc1, HELLO)];
    let fragments = [Frame::new(0x41, [0xf2, 0x48, 0xcd]), Frame::new(0x80, [0xc9, 0xc9, 0x07, 0x00])];
    check_both(agreed(false, 15), &whole, &[hello()]);
    check_both(agreed(false, 15), &fragments, &[hello()]);
}

#[test]
fn rfc7692_7_2_3_2_sharing_the_window() {
    let twice = [Frame::new(0xc1, HELLO), Frame::new(0xc1, HELLO)];
    let shared = [Frame::new(0xc1, HELLO), Frame::new(0xc1, HELLO_AGAIN)];
    check_both(agreed(false, 15), &twice, &[hello(), hello()]);
    check_both(agreed(true, 15), &twice, &[hello(), hello()]);
    check_both(agreed(true, 15), &shared, &[hello(), hello()]);
    // Without takeover there is nothing to refer to.
    check_both(agreed(false, 15), &shared, &[hello(), Seen::Failed(1007)]);
}

#[test]
fn rfc7692_7_2_3_6_empty_messages() {
    let empty = Seen::Binary(Vec::new());
    for payload in
        [&[0x00][..], &[0x02, 0x00], &[0x03, 0x00, 0x00], &[0x01], &[0x00, 0x00, 0x00, 0xff, 0xff, 0x00]]
    {
        let frames = [Frame::new(0xc2, payload), Frame::new(0x82, "")];
        check_both(agreed(true, 15), &frames, &[empty.clone(), empty.clone()]);
    }
    // Not as the RFC has them, but clear all the same: nothing at all, and no 00 behind BFINAL.
    for payload in [&[][..], &[0x03, 0x00]] {
        check_both(agreed(false, 15), &[Frame::new(0xc2, payload)], std::slice::from_ref(&empty));
    }
    let fragments = [Frame::new(0x42, ""), Frame::new(0x00, ""), Frame::new(0x80, [0x00])];
    check_both(agreed(false, 15), &fragments, &[empty]);
}

#[test]
fn rfc7692_6_a_message_without_rsv1_is_plain() {
    let frames = [
        Frame::new(0x81, "plain"),
        Frame::new(0xc1, HELLO),
        Frame::new(0x01, "pl"),
        Frame::new(0x80, "ain"),
        Frame::new(0xc1, HELLO_AGAIN),
    ];
    let plain = Seen::Text(b"plain".to_vec());
    check_both(agreed(true, 15), &frames, &[plain.clone(), hello(), plain, hello()]);
}

#[test]
fn rfc7692_6_1_rsv1_stands_in_the_first_frame_of_a_message_alone() {
    let wrong: [&[Frame]; 6] = [
        &[Frame::new(0x41, &HELLO[..3]), Frame::new(0xc0, &HELLO[3..])],
        &[Frame::new(0x01, "plain"), Frame::new(0xc0, HELLO)],
        &[Frame::new(0xc9, "")],
        &[Frame::new(0xca, HELLO)],
        &[Frame::new(0xa1, HELLO)],
        &[Frame::new(0xd1, HELLO)],
    ];
    for frames in wrong {
        check_both(agreed(true, 15), frames, &[Seen::Failed(1002)]);
    }
}

#[test]
fn control_frames_come_between_fragments() {
    let ping = Seen::Ping(b"between".to_vec());
    let frames = [
        Frame::new(0x41, &HELLO[..2]),
        Frame::new(0x89, "between"),
        Frame::new(0x00, &HELLO[2..4]),
        Frame::new(0x89, "between"),
        Frame::new(0x80, &HELLO[4..]),
    ];
    check_both(agreed(true, 15), &frames, &[ping.clone(), ping, hello()]);
}
