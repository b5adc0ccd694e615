//! The closing handshake (RFC 6455 sections 5.5.1, 7.1 and 7.4).

use super::bench::{Bench, client, client_close};
use super::link::{Arrival, End, Link, close_text, described};
use super::outcome::{Outcome, Probing, each};
use super::probe::Section::Rfc6455;
use super::probe::{Needs, Probe};
use crate::probe::frame::{BINARY, CLOSE, PING, PONG, TEXT};
use crate::probe::meaning::CloseBody;

/// Section 5.5.1.
const TYPICALLY: &str =
    "When sending a Close frame in response, the endpoint typically echos the status code it received.";
/// Section 7.4.2; nothing says what a receiver does about such a code.
const NOT_USED: &str = "Status codes in the range 0-999 are not used. Status codes in the range 1000-2999 are reserved \
                        for definition by this protocol";
/// Section 7.1.1.
const ANY_MEANS: &str = "An endpoint MAY close the connection via any means available when necessary";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "close",
        section: Rfc6455("5.5.1"),
        sent: "Close frames with 1000, 1001, 3000 and 4999 and a reason",
        expected: "a Close with the same code",
        needs: Needs::Nothing,
        run: |bench| {
            let codes = [1000, 1001, 3000, 4999].map(|code| (code.to_string(), code));
            Ok(each(codes, |code| close(bench, code)))
        },
    },
    Probe {
        name: "close-empty",
        section: Rfc6455("5.5.1"),
        sent: "a Close without a code",
        expected: "a Close, without a code or with 1000",
        needs: Needs::Nothing,
        run: close_empty,
    },
    Probe {
        name: "close-ends-tcp",
        section: Rfc6455("7.1.1"),
        sent: "a Close",
        expected: "a Close, and then the end of the TCP connection by the server",
        needs: Needs::Nothing,
        run: close_ends_tcp,
    },
    Probe {
        name: "after-close",
        section: Rfc6455("5.5.1"),
        sent: "a Close, and a Ping and a message behind it",
        expected: "a Close and nothing else",
        needs: Needs::Nothing,
        run: after_close,
    },
    Probe {
        name: "close-code-invalid",
        section: Rfc6455("7.4"),
        sent: "Close frames with 0, 999, 1004, 1005, 1006, 1015, 2999, 5000 and 65535",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let codes = [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535];
            Ok(each(codes.map(|code| (code.to_string(), code)), |code| close_code_invalid(bench, code)))
        },
    },
    Probe {
        name: "close-one-byte",
        section: Rfc6455("5.5.1"),
        sent: "a Close of one byte",
        expected: "the connection is failed, with 1002",
        needs: Needs::Nothing,
        run: |bench| bench.refused(&[client(CLOSE, &[3])], &[1002]),
    },
    Probe {
        name: "close-reason-invalid",
        section: Rfc6455("8.1"),
        sent: "a Close with 1000 and a reason that is not UTF-8",
        expected: "the connection is failed, with 1007 or 1002",
        needs: Needs::Nothing,
        run: |bench| {
            let outcome = bench.refused(&[client_close(1000, b"bye\xff")], &[1007, 1002])?;
            Ok(if outcome.found.starts_with("closed with 1000") {
                Outcome::fail(format!("{}: took the reason for text", outcome.found))
            } else {
                outcome
            })
        },
    },
];

/// The payload of what is sent behind a Close.
const AFTER: &[u8] = b"after";

/// The payload of the server's Close; what comes before it is passed over, but for the answer to what was sent
/// behind ours.
fn server_close(link: &mut Link) -> Result<Vec<u8>, Outcome> {
    loop {
        match link.arrival() {
            Arrival::Frame(frame) if frame.opcode == CLOSE => return Ok(frame.payload),
            Arrival::Frame(frame) if frame.opcode == PONG && frame.payload != AFTER => {}
            Arrival::Frame(frame) if frame.opcode <= BINARY || frame.opcode == PING => {}
            nothing => return Err(Outcome::fail(link.text(&nothing))),
        }
    }
}

fn close(bench: &Bench, code: u16) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client_close(code, b"bye")]);
    let payload = server_close(&mut link)?;
    let found = close_text(&payload);
    match CloseBody::parse(&payload) {
        CloseBody::Code(answered, _) if answered == code => Ok(Outcome::pass("closed with the same code")),
        CloseBody::Wrong(_) => Err(Outcome::fail(found)),
        _ => Ok(Outcome::tolerated(found, TYPICALLY)),
    }
}

fn close_empty(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client(CLOSE, b"")]);
    let payload = server_close(&mut link)?;
    let found = close_text(&payload);
    match CloseBody::parse(&payload) {
        CloseBody::Empty | CloseBody::Code(1000, _) => Ok(Outcome::pass(found)),
        CloseBody::Code(..) => Ok(Outcome::tolerated(found, TYPICALLY)),
        CloseBody::Wrong(_) => Err(Outcome::fail(found)),
    }
}

fn close_ends_tcp(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client_close(1000, b"")]);
    server_close(&mut link)?;
    match link.arrival() {
        Arrival::End(End::Fin) => Ok(Outcome::pass("closed, then ended the connection")),
        Arrival::End(End::Reset) => Ok(Outcome::tolerated("closed, then reset the connection", ANY_MEANS)),
        Arrival::Silence => {
            Err(Outcome::fail(format!("closed, but left TCP open for {:?}", bench.target.patience)))
        }
        other => Err(Outcome::fail(format!("closed, and then {}", link.text(&other)))),
    }
}

fn after_close(bench: &Bench) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client_close(1000, b""), client(PING, AFTER), client(TEXT, AFTER)]);
    link.finish_writing();
    server_close(&mut link)?;
    match link.arrival() {
        // Whether TCP ends in time is another probe's question.
        Arrival::End(_) | Arrival::Silence => Ok(Outcome::pass("closed and sent nothing more")),
        Arrival::Frame(frame) => {
            let what = described(frame.opcode, &frame.payload);
            Err(Outcome::fail(format!("sent {what} behind its Close")))
        }
    }
}

fn close_code_invalid(bench: &Bench, code: u16) -> Probing {
    let mut link = bench.open()?;
    link.send_frames(&[client_close(code, b"")]);
    let outcome = bench.failed(&mut link, &[1002]);
    // A Close with another right code ends the connection as well; one with the wrong code itself fails.
    let other_code = outcome.found.starts_with("closed with");
    Ok(match outcome.words {
        Some(_) if other_code => Outcome::tolerated(outcome.found, NOT_USED),
        _ => outcome,
    })
}
