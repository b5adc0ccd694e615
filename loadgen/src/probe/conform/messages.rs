//! Fragments, and text as UTF-8 (RFC 6455 sections 5.4, 5.6 and 8.1).

use super::bench::{Bench, client};
use super::outcome::{Outcome, Probing, each};
use super::probe::Section::Rfc6455;
use super::probe::{Needs, Probe};
use crate::probe::answer::shown;
use crate::probe::frame::{BINARY, CONTINUATION, Frame, TEXT};

/// Text of one to four bytes to the code point, and the ends of what there is.
const TEXT_OF_ALL_LENGTHS: &str =
    "a\u{7f}\u{80}\u{e9}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "fragments",
        section: Rfc6455("5.4"),
        sent: "a Binary message in fragments, empty ones among them",
        expected: "one message back, in one frame or several",
        needs: Needs::Echo,
        run: fragments,
    },
    Probe {
        name: "continuation-of-nothing",
        section: Rfc6455("5.4"),
        sent: "a Continuation where no message was begun, and one behind a finished message",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: continuation_of_nothing,
    },
    Probe {
        name: "interleaved",
        section: Rfc6455("5.4"),
        sent: "a Text message inside of an unfinished one",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| bench.refused(&[client(TEXT, b"one").unfinished(), client(TEXT, b"two")], &[1002]),
    },
    Probe {
        name: "utf8-valid",
        section: Rfc6455("5.6"),
        sent: "text with code points of every length, up to U+10FFFF",
        expected: "the same back",
        needs: Needs::Echo,
        run: |bench| {
            let mut link = bench.open()?;
            link.send_frames(&[client(TEXT, TEXT_OF_ALL_LENGTHS.as_bytes())]);
            link.expect_message(TEXT, TEXT_OF_ALL_LENGTHS.as_bytes())?;
            Ok(Outcome::pass("sent it back"))
        },
    },
    Probe {
        name: "utf8-split",
        section: Rfc6455("5.6"),
        sent: "the same text, one byte to the fragment: \"a particular text frame might include a partial UTF-8 sequence\"",
        expected: "the same back",
        needs: Needs::Echo,
        run: |bench| {
            let mut link = bench.open()?;
            link.send_frames(&in_fragments(TEXT, TEXT_OF_ALL_LENGTHS.as_bytes(), 1));
            link.expect_message(TEXT, TEXT_OF_ALL_LENGTHS.as_bytes())?;
            Ok(Outcome::pass("sent it back"))
        },
    },
    Probe {
        name: "utf8-invalid",
        section: Rfc6455("8.1"),
        sent: "text with 0xFF, an overlong form, a surrogate, and a code point beyond U+10FFFF",
        expected: "the connection is failed, with 1007",
        needs: Needs::Nothing,
        run: |bench| {
            let cases: [&[u8]; 4] = [b"ab\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
            Ok(each(cases.map(|text| (shown(text), text)), |text| {
                bench.refused(&[client(TEXT, text)], &[1007])
            }))
        },
    },
    Probe {
        name: "utf8-cut",
        section: Rfc6455("8.1"),
        sent: "text that ends within a code point, in one frame and in two",
        expected: "the connection is failed, with 1007",
        needs: Needs::Nothing,
        run: |bench| {
            let cases = [
                ("one frame", vec![client(TEXT, b"ab\xe2\x82")]),
                ("two frames", vec![client(TEXT, b"ab\xe2").unfinished(), client(CONTINUATION, b"\x82")]),
            ];
            Ok(each(cases.map(|(name, frames)| (name.into(), frames)), |frames| {
                bench.refused(&frames, &[1007])
            }))
        },
    },
    Probe {
        name: "utf8-invalid-fragment",
        section: Rfc6455("8.1"),
        sent: "a code point that is broken by the second fragment",
        expected: "the connection is failed, with 1007",
        needs: Needs::Nothing,
        run: |bench| {
            let frames = [client(TEXT, b"ab\xe2").unfinished(), client(CONTINUATION, b"\x28\xa1")];
            bench.refused(&frames, &[1007])
        },
    },
];

/// A message in frames of so many bytes.
fn in_fragments(opcode: u8, payload: &[u8], bytes: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> =
        payload.chunks(bytes).map(|part| client(CONTINUATION, part).unfinished()).collect();
    if let Some(first) = frames.first_mut() {
        first.opcode = opcode;
    }
    if let Some(last) = frames.last_mut() {
        last.fin = true;
    }
    frames
}

fn fragments(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    let parts: [&[u8]; 6] = [b"", b"one ", b"", b"two ", b"three", b""];
    let mut frames: Vec<Frame> = parts.iter().map(|part| client(CONTINUATION, part).unfinished()).collect();
    frames[0].opcode = BINARY;
    frames[5].fin = true;
    link.send_frames(&frames);
    link.expect_message(BINARY, b"one two three")?;
    Ok(Outcome::pass("put it together"))
}

fn continuation_of_nothing(bench: &Bench) -> Probing {
    let cases = [("first of all", false), ("behind a message", true)];
    Ok(each(cases.map(|(name, message)| (name.into(), message)), |message| {
        let mut link = bench.open()?;
        if message {
            link.send_frames(&[client(TEXT, b"a").unfinished(), client(CONTINUATION, b"b")]);
            if bench.echo {
                link.expect_message(TEXT, b"ab")?;
            }
        }
        Ok(bench.fault(&mut link, client(CONTINUATION, b"c").encode(), &[1002]))
    }))
}
