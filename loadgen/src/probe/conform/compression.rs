//! permessage-deflate, where the server accepts it (RFC 7692 sections 6 and 7).

use super::bench::{Bench, client};
use super::outcome::{Outcome, Probing, each};
use super::probe::Section::Rfc7692;
use super::probe::{Needs, Probe};
use crate::probe::deflate::Deflater;
use crate::probe::frame::{BINARY, CONTINUATION, Frame, PING, RSV1, TEXT};

/// The offer that browsers make.
pub(super) const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// Long enough to be worth compressing, whatever the server's threshold. What repeats itself does so at a
/// distance of 700 bytes, beyond the smallest window.
fn text() -> String {
    let mut state = 1_u32;
    let mut letter = || {
        // The generator of Numerical Recipes; any would do that does not repeat itself soon.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    };
    let block: String = (0..700).map(|_| letter()).collect();
    block.repeat(5)
}

pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "deflate-answer",
        section: Rfc7692("7.1"),
        sent: "offers with and without each parameter",
        expected: "answers whose parameters fit the offer, or none",
        needs: Needs::Deflate,
        run: answers,
    },
    Probe {
        name: "deflate-offer-invalid",
        section: Rfc7692("7.1"),
        sent: "offers with unknown, repeated and invalid parameters",
        expected: "such an offer is declined",
        needs: Needs::Deflate,
        run: invalid_offers,
    },
    Probe {
        name: "deflate-echo",
        section: Rfc7692("7.2"),
        sent: "compressed messages, the same text twice, and an empty one",
        expected: "the same back, in the window and with the takeover that were agreed on",
        needs: Needs::DeflateEcho,
        run: |bench| echo(bench, OFFER),
    },
    Probe {
        name: "deflate-no-takeover",
        section: Rfc7692("7.1.1"),
        sent: "the same, where neither end may refer to its earlier messages",
        expected: "each message back, and each inflates by itself",
        needs: Needs::DeflateEcho,
        run: |bench| {
            echo(bench, "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        },
    },
    Probe {
        name: "deflate-window",
        section: Rfc7692("7.1.2"),
        sent: "the same, where the server has a window of 512 bytes",
        expected: "each message back, and no reference farther than that; or the offer is declined",
        needs: Needs::DeflateEcho,
        run: |bench| echo(bench, "permessage-deflate; server_max_window_bits=9"),
    },
    Probe {
        name: "deflate-plain",
        section: Rfc7692("6.1"),
        sent: "a message without compression where compression was agreed on",
        expected: "the same back",
        needs: Needs::DeflateEcho,
        run: |bench| {
            let (mut link, _) = bench.open_deflating(OFFER)?;
            link.send_frames(&[client(TEXT, b"plain")]);
            link.expect_message(TEXT, b"plain")?;
            Ok(Outcome::pass("sent it back"))
        },
    },
    Probe {
        name: "deflate-fragments",
        section: Rfc7692("6.1"),
        sent: "a compressed message in three fragments, RSV1 on the first alone, a Ping between them",
        expected: "the Pong, and the message back",
        needs: Needs::DeflateEcho,
        run: fragments,
    },
    Probe {
        name: "deflate-final-block",
        section: Rfc7692("7.2.3.4"),
        sent: "a compressed message in a block with BFINAL set",
        expected: "the same back",
        needs: Needs::DeflateEcho,
        run: final_block,
    },
    Probe {
        name: "deflate-continuation-bit",
        section: Rfc7692("6"),
        sent: "RSV1 on the second fragment of a compressed message",
        expected: "the connection is failed, with 1002",
        needs: Needs::Deflate,
        run: |bench| {
            refused(bench, &[1002], |deflater| {
                let compressed = deflater.message(b"in two parts");
                let (first, second) = compressed.split_at(compressed.len() / 2);
                vec![
                    client(TEXT, first).reserved(RSV1).unfinished(),
                    client(CONTINUATION, second).reserved(RSV1),
                ]
            })
        },
    },
    Probe {
        name: "deflate-control-bit",
        section: Rfc7692("6"),
        sent: "a Ping with RSV1",
        expected: "the connection is failed, with 1002",
        needs: Needs::Deflate,
        run: |bench| refused(bench, &[1002], |_| vec![client(PING, b"ping").reserved(RSV1)]),
    },
    Probe {
        name: "deflate-broken",
        section: Rfc7692("7.2.2"),
        sent: "a compressed message that is no DEFLATE",
        expected: "the connection is failed, with 1007 or 1002",
        needs: Needs::Deflate,
        run: |bench| refused(bench, &[1007, 1002], |_| vec![client(TEXT, &[0xFF; 12]).reserved(RSV1)]),
    },
    Probe {
        name: "deflate-utf8",
        section: Rfc7692("6.2"),
        sent: "compressed text that is not UTF-8",
        expected: "the connection is failed, with 1007: text is checked when it is inflated",
        needs: Needs::Deflate,
        run: |bench| {
            refused(bench, &[1007], |deflater| {
                vec![client(TEXT, &deflater.message(b"ab\xff")).reserved(RSV1)]
            })
        },
    },
];

fn answers(bench: &Bench) -> Probing {
    let offers = [
        "permessage-deflate",
        OFFER,
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10",
    ];
    Ok(each(offers.map(|offer| (offer.to_owned(), offer)), |offer| {
        bench.open_offering(offer)?;
        Ok(Outcome::pass("a right answer"))
    }))
}

fn invalid_offers(bench: &Bench) -> Probing {
    let offers = [
        "permessage-deflate; x-unknown",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=07",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ];
    Ok(each(offers.map(|offer| (offer.to_owned(), offer)), |offer| {
        let (_, answer) = bench.ask(&bench.request()?.with("Sec-WebSocket-Extensions", offer))?;
        // Refusing the handshake declines the offer as well.
        let chosen = answer.list("Sec-WebSocket-Extensions").filter(|_| answer.status == 101);
        match chosen {
            None => Ok(Outcome::pass("declined")),
            Some(chosen) => Err(Outcome::fail(format!("answered {chosen}"))),
        }
    }))
}

fn echo(bench: &Bench, offer: &str) -> Probing {
    let (mut link, mut deflater) = bench.open_deflating(offer)?;
    let text = text();
    for payload in [text.as_bytes(), text.as_bytes(), b"", text.as_bytes()] {
        link.send_frames(&[client(TEXT, &deflater.message(payload)).reserved(RSV1)]);
        link.expect_message(TEXT, payload)?;
    }
    Ok(Outcome::pass("sent all 4 back"))
}

fn fragments(bench: &Bench) -> Probing {
    let (mut link, mut deflater) = bench.open_deflating(OFFER)?;
    let text = text();
    let compressed = deflater.message(text.as_bytes());
    let (first, rest) = compressed.split_at(1);
    let (second, third) = rest.split_at(rest.len() / 2);
    link.send_frames(&[
        client(BINARY, first).reserved(RSV1).unfinished(),
        client(CONTINUATION, second).unfinished(),
        client(PING, b"between"),
    ]);
    link.expect_pong(b"between")?;
    link.send_frames(&[client(CONTINUATION, third)]);
    link.expect_message(BINARY, text.as_bytes())?;
    Ok(Outcome::pass("answered the Ping, then the message"))
}

fn final_block(bench: &Bench) -> Probing {
    let (mut link, mut deflater) = bench.open_deflating(OFFER)?;
    link.send_frames(&[client(TEXT, &deflater.message_with_final_block(b"final")).reserved(RSV1)]);
    link.expect_message(TEXT, b"final")?;
    Ok(Outcome::pass("sent it back"))
}

fn refused(bench: &Bench, codes: &[u16], frames: impl Fn(&mut Deflater) -> Vec<Frame>) -> Probing {
    let (mut link, mut deflater) = bench.open_deflating(OFFER)?;
    let bytes = frames(&mut deflater).iter().flat_map(Frame::encode).collect();
    Ok(bench.fault(&mut link, bytes, codes))
}
