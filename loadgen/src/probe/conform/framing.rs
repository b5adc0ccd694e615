//! Frames as such (RFC 6455 sections 5.1 to 5.3).

use super::bench::{Bench, MAY_OMIT, client, judge_close};
use super::link::{Arrival, End};
use super::outcome::{Outcome, Probing, Verdict, each};
use super::probe::Section::Rfc6455;
use super::probe::{ECHO, Needs, Probe};
use crate::probe::frame::{BINARY, CLOSE, Frame, LengthForm, PING, PONG, TEXT};

/// Section 5.2 binds the sender; what a receiver does about it, nothing says.
const MINIMAL: &str = "the minimal number of bytes MUST be used to encode the length";
/// The same.
const TOP_BIT: &str = "a 64-bit unsigned integer (the most significant bit MUST be 0)";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: ECHO,
        section: Rfc6455("6.1"),
        sent: "a Text and a Binary message",
        expected: "the same back (for a server that does something else: --no-echo)",
        needs: Needs::Echo,
        run: echo,
    },
    Probe {
        name: "unmasked",
        section: Rfc6455("5.1"),
        sent: "a Text frame without a mask",
        expected: "the connection is closed, with 1002",
        needs: Needs::Nothing,
        run: |bench| bench.refused(&[Frame::new(TEXT, b"unmasked")], &[1002]),
    },
    Probe {
        name: "server-mask",
        section: Rfc6455("5.1"),
        sent: "a Ping",
        expected: "a Pong without a mask: \"A server MUST NOT mask any frames that it sends to the client\"",
        needs: Needs::Nothing,
        run: server_mask,
    },
    Probe {
        name: "reserved-bits",
        section: Rfc6455("5.2"),
        sent: "Text frames with RSV1, RSV2, RSV3, and no extension agreed on",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let cases = [(0b100, "RSV1"), (0b010, "RSV2"), (0b001, "RSV3")];
            Ok(each(cases.map(|(bits, name)| (name.into(), bits)), |bits| {
                bench.refused(&[client(TEXT, b"reserved").reserved(bits)], &[1002])
            }))
        },
    },
    Probe {
        name: "reserved-opcodes",
        section: Rfc6455("5.2"),
        sent: "frames with the opcodes 3, 7, 11 and 15",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let cases = [3, 7, 11, 15].map(|opcode| (format!("opcode {opcode}"), opcode));
            Ok(each(cases, |opcode| bench.refused(&[client(opcode, b"reserved")], &[1002])))
        },
    },
    Probe {
        name: "lengths",
        section: Rfc6455("5.2"),
        sent: "Binary messages of 0, 1, 125, 126, 127, 65535 and 65536 bytes",
        expected: "each back, its own length in the shortest form",
        needs: Needs::Echo,
        run: lengths,
    },
    Probe {
        name: "length-not-minimal",
        section: Rfc6455("5.2"),
        sent: "a length of 5 in 16 and in 64 bits",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: length_not_minimal,
    },
    Probe {
        name: "length-top-bit",
        section: Rfc6455("5.2"),
        sent: "a length of 64 bits whose most significant bit is 1",
        expected: "the connection is failed, with 1002 or 1009",
        needs: Needs::Nothing,
        run: |bench| {
            let frame = client(BINARY, b"12345").announcing(LengthForm::Bits64, 1 << 63 | 5);
            let outcome = bench.refused(&[frame], &[1002, 1009])?;
            Ok(match outcome.verdict {
                Verdict::Fail if outcome.found.ends_with("it stays open") => {
                    Outcome::tolerated(outcome.found, TOP_BIT)
                }
                _ => outcome,
            })
        },
    },
];

fn echo(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    for (opcode, payload) in [(TEXT, &b"Hello"[..]), (BINARY, b"\x00\xff\x80")] {
        link.send_frames(&[client(opcode, payload)]);
        link.expect_message(opcode, payload)?;
    }
    Ok(Outcome::pass("sent both back"))
}

fn server_mask(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    bench.alive(&mut link)?;
    match link.masked {
        0 => Ok(Outcome::pass("answered without a mask")),
        count => Err(Outcome::fail(format!("masked {count} of its frames"))),
    }
}

fn lengths(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        link.send_frames(&[client(BINARY, &payload)]);
        link.expect_message(BINARY, &payload)?;
        if let Some((length, form)) = link.long {
            return Err(Outcome::fail(format!("wrote the length {length} in {form:?}")));
        }
    }
    Ok(Outcome::pass("sent all 7 back"))
}

fn length_not_minimal(bench: &Bench) -> Probing {
    let forms = [(LengthForm::Bits16, "16 bits"), (LengthForm::Bits64, "64 bits")];
    Ok(each(forms.map(|(form, name)| (name.into(), form)), |form| {
        let mut link = bench.open()?;
        link.send_frames(&[client(TEXT, b"12345").announcing(form, 5), client(PING, b"behind it")]);
        loop {
            match link.arrival() {
                Arrival::Frame(frame) if frame.opcode == CLOSE => {
                    return Ok(judge_close(&frame.payload, &[1002]));
                }
                Arrival::Frame(frame) if frame.opcode == PONG && frame.payload == b"behind it" => {
                    return Ok(Outcome::tolerated("read it like any other", MINIMAL));
                }
                Arrival::Frame(_) => {}
                Arrival::End(end @ (End::Fin | End::Reset)) => {
                    return Ok(Outcome::tolerated(end.text(), MAY_OMIT));
                }
                nothing => return Err(Outcome::fail(link.text(&nothing))),
            }
        }
    }))
}
