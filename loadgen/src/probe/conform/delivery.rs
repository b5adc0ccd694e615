//! However the bytes are cut, and however many there are (RFC 6455 sections 5.4 and 10.4).

use super::bench::{Bench, PIECE_PAUSE, client};
use super::outcome::{Outcome, Probing, Verdict};
use super::probe::Section::Rfc6455;
use super::probe::{Needs, Probe};
use crate::probe::frame::{BINARY, LengthForm, PING, TEXT};
use std::thread;

/// Section 10.4.
const LIMITS: &str = "Implementations that have implementation- and/or platform-specific limitations regarding the \
                      frame size or total message size after reassembly from multiple frames MUST protect themselves \
                      against exceeding those limits.";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "byte-by-byte",
        section: Rfc6455("5.2"),
        sent: "a Ping, and a message if there is an echo, each byte in a segment of its own",
        expected: "the answers that whole frames have",
        needs: Needs::Nothing,
        run: byte_by_byte,
    },
    Probe {
        name: "many-frames",
        section: Rfc6455("5.4"),
        sent: "100 messages in one segment, the last frame behind it",
        expected: "100 messages back, in their order",
        needs: Needs::Echo,
        run: many_frames,
    },
    Probe {
        name: "large-message",
        section: Rfc6455("10.4"),
        sent: "a Binary message of 900,000 bytes",
        expected: "the same back, or 1009 where that is beyond the server's limit",
        needs: Needs::Echo,
        run: large_message,
    },
    Probe {
        name: "huge-announced",
        section: Rfc6455("10.4"),
        sent: "the header of a frame of 2^62 bytes",
        expected: "the connection is closed, with 1009",
        needs: Needs::Nothing,
        run: huge_announced,
    },
];

fn byte_by_byte(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    for (at, byte) in client(PING, b"in pieces").encode().into_iter().enumerate() {
        link.send(&[byte]);
        // Around the two bytes of the header and the first of the key.
        if at < 3 {
            thread::sleep(PIECE_PAUSE);
        }
    }
    link.expect_pong(b"in pieces")?;
    if bench.echo {
        // Long enough for a length of 16 bits.
        let payload = [b'x'; 130];
        for byte in client(TEXT, &payload).encode() {
            link.send(&[byte]);
        }
        link.expect_message(TEXT, &payload)?;
    }
    Ok(Outcome::pass("answered"))
}

fn many_frames(bench: &Bench) -> Probing {
    const MESSAGES: usize = 100;
    let mut link = bench.open()?;
    let texts: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    let mut bytes: Vec<u8> = texts.iter().flat_map(|text| client(TEXT, text.as_bytes()).encode()).collect();
    let rest = bytes.split_off(bytes.len() - 3);
    link.send(&bytes);
    link.send(&rest);
    let mut due = texts.iter().peekable();
    while let Some(text) = due.peek() {
        let (opcode, echo) = link.message()?;
        if opcode == TEXT && echo == text.as_bytes() {
            due.next();
        } else if texts.iter().any(|text| echo == text.as_bytes()) {
            let echo = echo.escape_ascii();
            return Err(Outcome::fail(format!("answered \"{echo}\" where \"{text}\" was due")));
        }
    }
    Ok(Outcome::pass("sent all 100 back"))
}

fn large_message(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    let payload: Vec<u8> = (0..900_000_u32).map(|at| (at ^ at >> 8) as u8).collect();
    link.send_frames(&[client(BINARY, &payload)]);
    match link.expect_message(BINARY, &payload) {
        Err(outcome) if outcome.found.starts_with("closed with 1009") => {
            Ok(Outcome::pass("closed with 1009: beyond its limit"))
        }
        Err(outcome) => Err(outcome),
        Ok(()) => Ok(Outcome::pass("sent it back")),
    }
}

fn huge_announced(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    link.send(&client(BINARY, b"begun").announcing(LengthForm::Bits64, 1 << 62).encode());
    let outcome = bench.failed(&mut link, &[1009]);
    // Nothing says that there must be a limit, nor which code tells of it.
    Ok(match outcome.verdict {
        Verdict::Pass => outcome,
        _ => Outcome::tolerated(outcome.found, LIMITS),
    })
}
