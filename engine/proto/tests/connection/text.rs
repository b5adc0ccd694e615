//! Section 8.1: text is UTF-8, and what can no longer become UTF-8 fails at once.

use super::support::wire::{Frame, fragments};
use super::{Seen, check_frames, text};

/// Sequences whose last octet no other octet can mend (RFC 3629 section 4).
const BEYOND_MENDING: [&[u8]; 17] = [
    b"\x80",
    b"\xBF",
    b"\xC0",
    b"\xC1",
    b"\xC3\x41",
    b"\xC3\xC3",
    b"\xE0\x9F",
    b"\xE2\x82\x41",
    b"\xED\xA0",
    b"\xED\xBF",
    b"\xF0\x8F",
    b"\xF0\x90\x8D\x7F",
    b"\xF4\x90",
    b"\xF4\x8F\xC0",
    b"\xF5",
    b"\xF8",
    b"\xFF",
];

const CHARACTERS: [&str; 9] =
    ["\0", "\u{7f}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10ffff}"];

#[test]
fn rfc6455_8_1_text_that_is_not_utf8_is_1007() {
    for wrong in BEYOND_MENDING {
        for (before, after) in [("", ""), ("", "after"), ("κόσμε", ""), ("a long beginning κόσμε", "and end")]
        {
            let payload = [before.as_bytes(), wrong, after.as_bytes()].concat();
            check_frames(&[Frame::new(0x81, &payload), Frame::new(0x89, "")], &[Seen::Failed(1007)]);
            for bytes in [1, 3] {
                check_frames(&fragments(0x1, &payload, bytes), &[Seen::Failed(1007)]);
            }
            check_frames(&[Frame::new(0x82, &payload)], &[super::binary(&payload)]);
        }
    }
}

#[test]
fn rfc6455_8_1_it_fails_on_the_octet_within_an_unfinished_frame() {
    for wrong in BEYOND_MENDING {
        let payload = [b"\xCE\xBA\xE1\xBD\xB9", wrong].concat();
        let on_the_octet = Frame::new(0x81, &payload).announcing(60);
        check_frames(&[on_the_octet], &[Seen::Failed(1007)]);
        let before_it = Frame::new(0x81, &payload[..payload.len() - 1]).announcing(60);
        check_frames(&[before_it], &[]);
        let in_a_continuation = [Frame::new(0x01, "κ"), Frame::new(0x00, &payload).announcing(60_000)];
        check_frames(&in_a_continuation, &[Seen::Failed(1007)]);
    }
}

#[test]
fn rfc6455_8_1_it_fails_on_the_fragment_before_the_message_ends() {
    for wrong in BEYOND_MENDING {
        check_frames(&[Frame::new(0x01, "κόσμε"), Frame::new(0x00, wrong)], &[Seen::Failed(1007)]);
        let (last, begun) = wrong.split_last().expect("none is empty");
        check_frames(&[Frame::new(0x01, begun), Frame::new(0x00, [*last])], &[Seen::Failed(1007)]);
    }
}

#[test]
fn rfc6455_8_1_a_code_point_may_be_split_anywhere() {
    for character in CHARACTERS {
        let payload = format!("{character}{character}a{character}");
        for bytes in 1..=4 {
            check_frames(&fragments(0x1, payload.as_bytes(), bytes), &[text(&payload)]);
        }
        check_frames(&[Frame::new(0x81, &payload)], &[text(&payload)]);
    }
}

#[test]
fn rfc6455_8_1_a_message_does_not_end_within_a_code_point() {
    for character in CHARACTERS.iter().filter(|character| character.len() > 1) {
        for end in 1..character.len() {
            let cut = &character.as_bytes()[..end];
            check_frames(&[Frame::new(0x81, cut)], &[Seen::Failed(1007)]);
            check_frames(&[Frame::new(0x81, [b"before ", cut].concat())], &[Seen::Failed(1007)]);
            check_frames(&[Frame::new(0x01, cut), Frame::new(0x80, "")], &[Seen::Failed(1007)]);
            check_frames(&[Frame::new(0x01, cut), Frame::new(0x00, "")], &[]);
            check_frames(&[Frame::new(0x01, ""), Frame::new(0x80, cut)], &[Seen::Failed(1007)]);
        }
    }
}

#[test]
fn rfc6455_8_1_the_state_of_one_text_does_not_reach_the_next() {
    let frames = [
        Frame::new(0x01, b"\xCE"),
        Frame::new(0x80, b"\xBA"),
        Frame::new(0x02, b"\xF0\x90"),
        Frame::new(0x80, b""),
        Frame::new(0x01, b""),
        Frame::new(0x80, b"\xBA"),
    ];
    check_frames(&frames, &[text("κ"), super::binary(b"\xF0\x90"), Seen::Failed(1007)]);
}
