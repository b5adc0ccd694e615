//! The opening handshake (RFC 6455 section 4).

use super::bench::{Bench, PIECE_PAUSE, client, opened};
use super::link::Link;
use super::outcome::{Outcome, Probing, each};
use super::probe::Section::Rfc6455;
use super::probe::{Needs, Probe};
use crate::probe::answer::Answer;
use crate::probe::deflate::Element;
use crate::probe::frame::PING;
use crate::probe::request::Request;
use std::thread;

/// Section 4.2.1.
const ERROR_CODE: &str = "return an HTTP response with an appropriate error code (such as 400 Bad Request)";
/// Section 4.2.2, item 4.
const VERSION_CODE: &str = "send an appropriate HTTP error code (such as 426 Upgrade Required)";
/// Section 4.2.2, item 4, of the key.
const KEY_NOT_DECODED: &str =
    "It is not necessary for the server to base64-decode the |Sec-WebSocket-Key| value.";
/// Section 4.1.
const CLIENT_WAITS: &str =
    "the client MUST wait for a response from the server before sending any further data";

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "accept",
        section: Rfc6455("4.2.2"),
        sent: "two openings, one with the key of section 1.3 and one with a fresh key",
        expected: "101, and a Sec-WebSocket-Accept that proves that the key was read",
        needs: Needs::Nothing,
        run: accept,
    },
    Probe {
        name: "answer-headers",
        section: Rfc6455("4.2.2"),
        sent: "an opening",
        expected: "HTTP/1.1 101, Upgrade: websocket and a Connection that lists Upgrade",
        needs: Needs::Nothing,
        run: answer_headers,
    },
    Probe {
        name: "version",
        section: Rfc6455("4.2.2"),
        sent: "Sec-WebSocket-Version: 99",
        expected: "426, and a Sec-WebSocket-Version that lists 13",
        needs: Needs::Nothing,
        run: version,
    },
    Probe {
        name: "version-missing",
        section: Rfc6455("4.2.1"),
        sent: "no Sec-WebSocket-Version",
        expected: "an HTTP error such as 400 or 426",
        needs: Needs::Nothing,
        run: |bench| refused(bench, &bench.request()?.without("Sec-WebSocket-Version")),
    },
    Probe {
        name: "key-missing",
        section: Rfc6455("4.2.1"),
        sent: "no Sec-WebSocket-Key",
        expected: "an HTTP error such as 400",
        needs: Needs::Nothing,
        run: |bench| refused(bench, &bench.request()?.without("Sec-WebSocket-Key")),
    },
    Probe {
        name: "key-length",
        section: Rfc6455("4.2.1"),
        sent: "keys of 15 and 17 bytes, and one that is no base64",
        expected: "an HTTP error such as 400",
        needs: Needs::Nothing,
        run: key_length,
    },
    Probe {
        name: "upgrade-missing",
        section: Rfc6455("4.2.1"),
        sent: "no Upgrade, and Upgrade: h2c",
        expected: "any answer but 101",
        needs: Needs::Nothing,
        run: |bench| without_switching(bench, [("Upgrade", ""), ("Upgrade", "h2c")]),
    },
    Probe {
        name: "connection-missing",
        section: Rfc6455("4.2.1"),
        sent: "no Connection, and Connection: keep-alive",
        expected: "any answer but 101",
        needs: Needs::Nothing,
        run: |bench| without_switching(bench, [("Connection", ""), ("Connection", "keep-alive")]),
    },
    Probe {
        name: "method",
        section: Rfc6455("4.1"),
        sent: "an opening by POST",
        expected: "an HTTP error such as 400 or 405",
        needs: Needs::Nothing,
        run: |bench| refused(bench, &bench.request()?.method("POST").with("Content-Length", "0")),
    },
    Probe {
        name: "header-case",
        section: Rfc6455("4.2.1"),
        sent: "header names in lower case and in capitals, Upgrade: WEBSOCKET, Connection: UPGRADE",
        expected: "101",
        needs: Needs::Nothing,
        run: header_case,
    },
    Probe {
        name: "connection-list",
        section: Rfc6455("4.2.1"),
        sent: "Connection: keep-alive, Upgrade",
        expected: "101: the list has the token",
        needs: Needs::Nothing,
        run: |bench| switches(bench, &bench.request()?.with("Connection", "keep-alive, Upgrade")),
    },
    Probe {
        name: "subprotocol",
        section: Rfc6455("4.2.2"),
        sent: "Sec-WebSocket-Protocol: probe.one, probe.two",
        expected: "none, or one of these two",
        needs: Needs::Nothing,
        run: subprotocol,
    },
    Probe {
        name: "subprotocol-unasked",
        section: Rfc6455("4.2.2"),
        sent: "no Sec-WebSocket-Protocol",
        expected: "no Sec-WebSocket-Protocol",
        needs: Needs::Nothing,
        run: |bench| unasked(bench, "Sec-WebSocket-Protocol"),
    },
    Probe {
        name: "extension",
        section: Rfc6455("9.1"),
        sent: "Sec-WebSocket-Extensions: x-probe-unknown; level=3",
        expected: "101, and no extension that was not offered",
        needs: Needs::Nothing,
        run: extension,
    },
    Probe {
        name: "extension-unasked",
        section: Rfc6455("9.1"),
        sent: "no Sec-WebSocket-Extensions",
        expected: "no Sec-WebSocket-Extensions",
        needs: Needs::Nothing,
        run: |bench| unasked(bench, "Sec-WebSocket-Extensions"),
    },
    Probe {
        name: "opening-in-pieces",
        section: Rfc6455("4.2.1"),
        sent: "an opening in three pieces",
        expected: "101: TCP is a stream",
        needs: Needs::Nothing,
        run: in_pieces,
    },
    Probe {
        name: "opening-and-frame",
        section: Rfc6455("4.1"),
        sent: "an opening and a Ping in one segment",
        expected: "101, and then a Pong with the same payload",
        needs: Needs::Nothing,
        run: with_frame,
    },
];

fn accept(bench: &Bench) -> Probing {
    let requests = [bench.target.request_with(*b"the sample nonce"), bench.request()?];
    for request in requests {
        let (_, answer) = bench.switch(&request)?;
        let (found, expected) = (answer.list("Sec-WebSocket-Accept"), request.accept());
        if found.as_deref() != Some(&expected) {
            let found = found.unwrap_or_else(|| "nothing".into());
            return Err(Outcome::fail(format!(
                "answered the key {} with {found}, expected {expected}",
                request.header("Sec-WebSocket-Key")
            )));
        }
    }
    Ok(Outcome::pass("proved both keys"))
}

fn answer_headers(bench: &Bench) -> Probing {
    let (_, answer) = bench.switch(&bench.request()?)?;
    let wrong = |what: &str, found: Option<String>| {
        let found = found.map_or_else(|| "is missing".into(), |found| format!("is {found:?}"));
        Err(Outcome::fail(format!("answered 101, but {what} {found}")))
    };
    if !answer.start.starts_with("HTTP/1.1 ") {
        return wrong("the status line", Some(answer.start));
    }
    let upgrade = answer.list("Upgrade");
    if !upgrade.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return wrong("Upgrade", upgrade);
    }
    if !answer.lists("Connection", "upgrade") {
        return wrong("Connection", answer.list("Connection"));
    }
    Ok(Outcome::pass("answered with all of them"))
}

fn version(bench: &Bench) -> Probing {
    let (_, answer) = bench.ask(&bench.request()?.with("Sec-WebSocket-Version", "99"))?;
    let found = format!("answered {}", answer.status_line());
    match (answer.status, answer.list("Sec-WebSocket-Version")) {
        (101, _) => Err(Outcome::fail(found)),
        (_, None) => Err(Outcome::fail(format!("{found} without Sec-WebSocket-Version"))),
        (_, Some(list)) if !answer.lists("Sec-WebSocket-Version", "13") => {
            Err(Outcome::fail(format!("{found} and Sec-WebSocket-Version: {list}")))
        }
        (426, Some(list)) => Ok(Outcome::pass(format!("{found} and Sec-WebSocket-Version: {list}"))),
        (_, Some(list)) => {
            Ok(Outcome::tolerated(format!("{found} and Sec-WebSocket-Version: {list}"), VERSION_CODE))
        }
    }
}

/// The request must be refused by an HTTP error.
fn refused(bench: &Bench, request: &Request) -> Probing {
    bench.ask(request).map(|(_, answer)| judge_refusal(&answer))
}

fn judge_refusal(answer: &Answer) -> Outcome {
    let found = format!("answered {}", answer.status_line());
    match answer.status {
        400..=499 => Outcome::pass(found),
        500..=599 => Outcome::tolerated(found, ERROR_CODE),
        _ => Outcome::fail(found),
    }
}

fn key_length(bench: &Bench) -> Probing {
    let keys = ["AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "!!!!!!!!!!!!!!!!!!!!!!=="];
    Ok(each(keys.map(|key| (key.to_owned(), key)), |key| {
        let (_, answer) = bench.ask(&bench.request()?.with("Sec-WebSocket-Key", key))?;
        Ok(match answer.status {
            101 => Outcome::tolerated("took it for a key", KEY_NOT_DECODED),
            _ => judge_refusal(&answer),
        })
    }))
}

/// With this header taken away or changed, the request is none for a WebSocket.
fn without_switching<const COUNT: usize>(bench: &Bench, changes: [(&str, &str); COUNT]) -> Probing {
    let cases = changes.map(|(name, value)| (format!("{name}: {value}"), (name, value)));
    Ok(each(cases, |(name, value)| {
        let request = bench.request()?;
        let request = if value.is_empty() { request.without(name) } else { request.with(name, value) };
        let (_, answer) = bench.ask(&request)?;
        let found = format!("answered {}", answer.status_line());
        Ok(if answer.status == 101 { Outcome::fail(found) } else { Outcome::pass(found) })
    }))
}

/// The request must be accepted, and the connection work.
fn switches(bench: &Bench, request: &Request) -> Probing {
    let (mut link, _) = bench.switch(request)?;
    bench.alive(&mut link)?;
    Ok(Outcome::pass("opened"))
}

fn header_case(bench: &Bench) -> Probing {
    type Rename = fn(&str) -> String;
    let cases: [(String, Rename); 2] =
        [("lower case".into(), str::to_ascii_lowercase), ("capitals".into(), str::to_ascii_uppercase)];
    Ok(each(cases, |rename| {
        let request = bench.request()?.with("Upgrade", "WEBSOCKET").with("Connection", "UPGRADE");
        switches(bench, &request.rename(rename))
    }))
}

fn subprotocol(bench: &Bench) -> Probing {
    let offered = ["probe.one", "probe.two"];
    let (_, answer) = bench.ask(&bench.request()?.with("Sec-WebSocket-Protocol", &offered.join(", ")))?;
    // A server that insists on a subprotocol of its own may refuse.
    if (400..500).contains(&answer.status) {
        return Ok(Outcome::pass(format!("answered {}", answer.status_line())));
    }
    opened(&answer)?;
    match answer.list("Sec-WebSocket-Protocol") {
        None => Ok(Outcome::pass("chose none")),
        Some(chosen) if offered.contains(&chosen.as_str()) => Ok(Outcome::pass(format!("chose {chosen}"))),
        Some(chosen) => Err(Outcome::fail(format!("chose {chosen:?}, which was not offered"))),
    }
}

fn extension(bench: &Bench) -> Probing {
    let offer = "x-probe-unknown; level=3";
    let (_, answer) = bench.switch(&bench.request()?.with("Sec-WebSocket-Extensions", offer))?;
    let list = answer.list("Sec-WebSocket-Extensions").unwrap_or_default();
    match Element::parse_list(&list).iter().find(|element| element.name != "x-probe-unknown") {
        Some(other) => Err(Outcome::fail(format!("chose {:?}, which was not offered", other.name))),
        None if list.is_empty() => Ok(Outcome::pass("chose none")),
        None => Err(Outcome::fail("accepted an extension that does not exist")),
    }
}

/// The answer must not have a header for which nothing was offered.
fn unasked(bench: &Bench, name: &str) -> Probing {
    let request = bench.request()?;
    if !request.header(name).is_empty() {
        return Err(Outcome::not_applicable("asked for by --header"));
    }
    let (_, answer) = bench.switch(&request)?;
    match answer.list(name) {
        None => Ok(Outcome::pass("answered without it")),
        Some(value) => Err(Outcome::fail(format!("answered {name}: {value}"))),
    }
}

fn in_pieces(bench: &Bench) -> Probing {
    let mut link = Link::connect(&bench.target)?;
    let request = bench.request()?.encode();
    // Within the request line, and within a header.
    for piece in [&request[..8], &request[8..request.len() / 2], &request[request.len() / 2..]] {
        link.send(piece);
        thread::sleep(PIECE_PAUSE);
    }
    opened(&link.answer()?)?;
    bench.alive(&mut link)?;
    Ok(Outcome::pass("opened"))
}

fn with_frame(bench: &Bench) -> Probing {
    let mut link = Link::connect(&bench.target)?;
    link.send(&[bench.request()?.encode(), client(PING, b"early").encode()].concat());
    let answered = link.answer().and_then(|answer| opened(&answer)).and_then(|()| link.expect_pong(b"early"));
    let Err(lost) = answered else { return Ok(Outcome::pass("answered both")) };
    // Whatever became of what came too early, the server must go on.
    bench.alive(&mut bench.open()?)?;
    Ok(Outcome::tolerated(lost.found, CLIENT_WAITS))
}
