//! Ping, Pong, and what holds for all control frames (RFC 6455 section 5.5).

use super::bench::{Bench, client};
use super::link::Arrival;
use super::outcome::{Outcome, Probing, each};
use super::probe::Section::Rfc6455;
use super::probe::{Needs, Probe};
use crate::probe::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use crate::probe::meaning::opcode_name;

/// Section 5.5.3.
const LATEST_ONLY: &str = "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to \
                           previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most \
                           recently processed Ping frame.";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "ping",
        section: Rfc6455("5.5.2"),
        sent: "Pings of 0, 5 and 125 bytes",
        expected: "a Pong for each, with the same payload",
        needs: Needs::Nothing,
        run: ping,
    },
    Probe {
        name: "ping-in-message",
        section: Rfc6455("5.4"),
        sent: "a Ping between two fragments of a Text message",
        expected: "the Pong before the message is finished; then the message is one",
        needs: Needs::Nothing,
        run: ping_in_message,
    },
    Probe {
        name: "many-pings",
        section: Rfc6455("5.5.3"),
        sent: "50 Pings in one segment",
        expected: "50 Pongs in their order",
        needs: Needs::Nothing,
        run: many_pings,
    },
    Probe {
        name: "pong-unsolicited",
        section: Rfc6455("5.5.3"),
        sent: "a Pong for which nobody asked, then a Ping",
        expected: "nothing but the Pong for the Ping",
        needs: Needs::Nothing,
        run: pong_unsolicited,
    },
    Probe {
        name: "control-fragmented",
        section: Rfc6455("5.5"),
        sent: "a Ping and a Close with FIN 0",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let frames = [client(PING, b"part"), client(CLOSE, &1000_u16.to_be_bytes())];
            Ok(each(frames.map(|frame| (named(frame.opcode), frame)), |frame| {
                let (opcode, unfinished) = (frame.opcode, frame.unfinished());
                match opcode {
                    CLOSE => close_refused(bench, unfinished),
                    _ => bench.refused(&[unfinished], &[1002]),
                }
            }))
        },
    },
    Probe {
        name: "control-too-long",
        section: Rfc6455("5.5"),
        sent: "a Ping, a Pong and a Close of 126 bytes",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let close = client(CLOSE, &[&1000_u16.to_be_bytes()[..], &[b'x'; 124]].concat());
            let frames = [client(PING, &[b'x'; 126]), client(PONG, &[b'x'; 126]), close];
            Ok(each(frames.map(|frame| (named(frame.opcode), frame)), |frame| match frame.opcode {
                CLOSE => close_refused(bench, frame),
                _ => bench.refused(&[frame], &[1002]),
            }))
        },
    },
];

fn named(opcode: u8) -> String {
    opcode_name(opcode).into_owned()
}

/// A Close that breaks a rule must not be answered as if it were right: with its own code.
fn close_refused(bench: &Bench, close: Frame) -> Probing {
    let outcome = bench.refused(&[close], &[1002])?;
    Ok(if outcome.found.starts_with("closed with 1000") {
        Outcome::fail(format!("{}: took it for a right one", outcome.found))
    } else {
        outcome
    })
}

fn ping(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    for payload in [&b""[..], b"Hello", &[0xA5; 125]] {
        link.send_frames(&[client(PING, payload)]);
        link.expect_pong(payload)?;
    }
    Ok(Outcome::pass("answered all 3"))
}

fn ping_in_message(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client(TEXT, b"Hel").unfinished(), client(PING, b"between")]);
    link.expect_pong(b"between")?;
    if bench.echo {
        link.send_frames(&[client(CONTINUATION, b"lo")]);
        link.expect_message(TEXT, b"Hello")?;
        return Ok(Outcome::pass("answered the Ping, then the message"));
    }
    Ok(Outcome::pass("answered the Ping"))
}

fn many_pings(bench: &Bench) -> Probing {
    const PINGS: u32 = 50;
    let mut link = bench.open()?;
    let pings: Vec<_> = (0..PINGS).map(|number| client(PING, &number.to_be_bytes())).collect();
    link.send_frames(&pings);
    let mut answered: Vec<u32> = Vec::new();
    while answered.last() != Some(&(PINGS - 1)) {
        match link.arrival() {
            Arrival::Frame(frame) if frame.opcode == PONG => {
                // Another Pong answers nothing: it may be a heartbeat.
                let number = frame.payload.try_into().map(u32::from_be_bytes);
                answered.extend(number.ok().filter(|number| *number < PINGS));
            }
            Arrival::Frame(frame) if frame.opcode != CLOSE => {}
            nothing => {
                let (count, text) = (answered.len(), link.text(&nothing));
                return Err(Outcome::fail(format!("{text} after {count} Pongs, and the last Ping has none")));
            }
        }
    }
    if !answered.is_sorted() {
        return Err(Outcome::fail("answered in another order"));
    }
    let count = answered.len();
    if count == PINGS as usize {
        return Ok(Outcome::pass("answered all 50"));
    }
    Ok(Outcome::tolerated(format!("answered {count} of 50, the last among them"), LATEST_ONLY))
}

fn pong_unsolicited(bench: &Bench) -> Probing {
    let unsolicited = b"unsolicited";
    let mut link = bench.open()?;
    link.send_frames(&[client(PONG, unsolicited), client(PING, b"ping")]);
    loop {
        match link.arrival() {
            Arrival::Frame(frame) if frame.opcode == PONG && frame.payload == b"ping" => {
                return Ok(Outcome::pass("answered the Ping alone"));
            }
            // A Pong with another payload may be the server's heartbeat.
            Arrival::Frame(frame) if frame.opcode == PONG && frame.payload != unsolicited => {}
            Arrival::Frame(frame) if frame.opcode <= BINARY || frame.opcode == PING => {}
            other => return Err(Outcome::fail(link.text(&other))),
        }
    }
}
