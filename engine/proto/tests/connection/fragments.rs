//! Section 5.4: messages in fragments.

use super::support::wire::{Frame, fragments};
use super::{Seen, binary, check_frames, text};

#[test]
fn rfc6455_5_4_fragments_make_one_message_however_they_are_cut() {
    let payload = "Здравствуй, 世界! ".repeat(8);
    for bytes in [1, 2, 3, 5, 16, 64, 100, 1000] {
        check_frames(&fragments(0x1, payload.as_bytes(), bytes), &[text(&payload)]);
        check_frames(&fragments(0x2, payload.as_bytes(), bytes), &[binary(&payload)]);
    }
}

#[test]
fn rfc6455_5_4_empty_fragments_count_for_nothing() {
    for (first, expected) in [(0x1, text("")), (0x2, binary(""))] {
        let frames = [Frame::new(first, ""), Frame::new(0, ""), Frame::new(0, ""), Frame::new(0x80, "")];
        check_frames(&frames, &[expected]);
    }
    let frames = [Frame::new(1, ""), Frame::new(0, "middle"), Frame::new(0x80, ""), Frame::new(0x81, "next")];
    check_frames(&frames, &[text("middle"), text("next")]);
}

#[test]
fn rfc6455_5_4_a_continuation_continues_something() {
    for first in [0x80, 0x00] {
        for payload in ["", "continues nothing"] {
            check_frames(&[Frame::new(first, payload)], &[Seen::Failed(1002)]);
            let after_a_message = [Frame::new(0x81, "whole"), Frame::new(first, payload)];
            check_frames(&after_a_message, &[text("whole"), Seen::Failed(1002)]);
            let after_fragments = [Frame::new(0x01, "a"), Frame::new(0x80, "b"), Frame::new(first, payload)];
            check_frames(&after_fragments, &[text("ab"), Seen::Failed(1002)]);
        }
    }
}

#[test]
fn rfc6455_5_4_messages_are_not_interleaved() {
    for begun in [Frame::new(0x01, "begun"), Frame::new(0x02, ""), Frame::new(0x01, "")] {
        for first in [0x81, 0x82, 0x01, 0x02] {
            check_frames(&[begun.clone(), Frame::new(first, "another")], &[Seen::Failed(1002)]);
            let frames = [begun.clone(), Frame::new(0x00, ""), Frame::new(first, "")];
            check_frames(&frames, &[Seen::Failed(1002)]);
        }
    }
}

#[test]
fn rfc6455_5_4_every_message_starts_afresh() {
    let mut frames = Vec::new();
    let mut expected = Vec::new();
    for length in [0, 1, 3, 40, 1030, 2, 0, 17] {
        let payload = vec![b'a' + (length % 26) as u8; length];
        frames.extend([Frame::new(0x02, &payload), Frame::new(0x80, b"\xFF"), Frame::new(0x81, &payload)]);
        expected.extend([binary([&payload[..], b"\xFF"].concat()), text(&payload)]);
    }
    check_frames(&frames, &expected);
}
