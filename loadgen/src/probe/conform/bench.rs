//! What all probes use: ways to open connections, and how a fault of ours is judged by what follows.

use super::link::{Arrival, End, Link, close_text, described};
use super::outcome::{Outcome, Probing};
use crate::probe::answer::Answer;
use crate::probe::deflate::{Agreed, Deflater, Inflater};
use crate::probe::frame::{CLOSE, Frame, PING};
use crate::probe::meaning::CloseBody;
use crate::probe::request::Request;
use crate::probe::target::Target;
use std::time::Duration;

/// The payload of the Ping behind everything wrong.
const AFTER: &[u8] = b"after the fault";

/// Between two pieces that are to arrive one after the other.
pub(super) const PIECE_PAUSE: Duration = Duration::from_millis(25);

/// RFC 6455 section 7.1.7.
const SHOULD_CLOSE: &str = "the endpoint SHOULD send a Close frame with an appropriate status code";
/// RFC 6455 section 7.1.7.
pub(super) const MAY_OMIT: &str = "An endpoint MAY omit sending a Close frame if it believes the other side is unlikely \
                        to be able to receive and process the Close frame";

/// The server, and what is known of it.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) target: Target,
    /// Whether messages come back.
    pub(super) echo: bool,
}

impl Bench {
    /// The right opening handshake.
    pub(super) fn request(&self) -> Result<Request, Outcome> {
        self.target.request().map_err(|error| Outcome::fail(format!("no random bytes for a key: {error}")))
    }

    /// Sends a request on a new connection and takes the answer, whatever it is.
    pub(super) fn ask(&self, request: &Request) -> Result<(Link, Answer), Outcome> {
        let mut link = Link::connect(&self.target)?;
        link.send(&request.encode());
        let answer = link.answer()?;
        Ok((link, answer))
    }

    /// The same, and the WebSocket must be open.
    pub(super) fn switch(&self, request: &Request) -> Result<(Link, Answer), Outcome> {
        let (link, answer) = self.ask(request)?;
        opened(&answer)?;
        Ok((link, answer))
    }

    /// An open WebSocket.
    pub(super) fn open(&self) -> Result<Link, Outcome> {
        self.switch(&self.request()?).map(|(link, _)| link)
    }

    /// An open WebSocket with what was agreed on this offer of permessage-deflate, if it was.
    pub(super) fn open_offering(&self, offer: &str) -> Result<(Link, Option<Agreed>), Outcome> {
        let request = self.request()?.with("Sec-WebSocket-Extensions", offer);
        let (mut link, answer) = self.switch(&request)?;
        let chosen = answer.list("Sec-WebSocket-Extensions");
        let agreed = Agreed::of(chosen.as_deref(), offer).map_err(Outcome::fail)?;
        link.inflater = agreed.map(Inflater::new);
        Ok((link, agreed))
    }

    /// The same, and without the extension the probe does not apply.
    pub(super) fn open_deflating(&self, offer: &str) -> Result<(Link, Deflater), Outcome> {
        match self.open_offering(offer)? {
            (link, Some(agreed)) => Ok((link, Deflater::new(agreed))),
            _ => Err(Outcome::not_applicable(format!("declined {offer}"))),
        }
    }

    /// Opens a WebSocket, sends what must fail it, and judges what follows.
    pub(super) fn refused(&self, frames: &[Frame], codes: &[u16]) -> Probing {
        let mut link = self.open()?;
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        Ok(self.fault(&mut link, bytes, codes))
    }

    /// Sends what must fail the connection, and a Ping with it in one piece, whose Pong shows that the server
    /// went on.
    pub(super) fn fault(&self, link: &mut Link, mut bytes: Vec<u8>, codes: &[u16]) -> Outcome {
        bytes.extend(client(PING, AFTER).encode());
        link.send(&bytes);
        self.failed(link, codes)
    }

    /// Judges whether the server fails the connection with one of these codes. Other frames do not tell: a
    /// greeting may come at any time, and a server may look at a message only when its application asks.
    pub(super) fn failed(&self, link: &mut Link, codes: &[u16]) -> Outcome {
        let mut answered = None;
        loop {
            match link.arrival() {
                Arrival::Frame(frame) if frame.opcode == CLOSE => return judge_close(&frame.payload, codes),
                Arrival::Frame(frame) if frame.opcode == PING => {}
                Arrival::Frame(frame) => {
                    answered.get_or_insert_with(|| described(frame.opcode, &frame.payload));
                }
                Arrival::End(end @ (End::Fin | End::Reset)) => {
                    return Outcome::tolerated(end.text(), MAY_OMIT);
                }
                nothing => {
                    let text =
                        answered.map_or_else(|| link.text(&nothing), |what| format!("answered {what}"));
                    return Outcome::fail(format!("{text}: it stays open"));
                }
            }
        }
    }

    /// Whether the server still answers on this connection.
    pub(super) fn alive(&self, link: &mut Link) -> Result<(), Outcome> {
        link.send_frames(&[client(PING, b"still there?")]);
        link.expect_pong(b"still there?")
    }
}

/// Judges the Close that a fault must cause.
pub(super) fn judge_close(payload: &[u8], codes: &[u16]) -> Outcome {
    let found = close_text(payload);
    match CloseBody::parse(payload) {
        CloseBody::Code(code, _) if codes.contains(&code) => Outcome::pass(format!("closed with {code}")),
        CloseBody::Wrong(_) => Outcome::fail(found),
        CloseBody::Empty | CloseBody::Code(..) => Outcome::tolerated(found, SHOULD_CLOSE),
    }
}

/// A frame as a client sends it, masked with a fresh key.
pub(super) fn client(opcode: u8, payload: &[u8]) -> Frame {
    let mut key = [0x5A; 4];
    // Without entropy a fixed key is as good: nothing here is secret.
    let _ = getrandom::fill(&mut key);
    Frame::new(opcode, payload).masked(key)
}

/// A Close frame as a client sends it.
pub(super) fn client_close(code: u16, reason: &[u8]) -> Frame {
    client(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Whether the answer opens the WebSocket.
pub(super) fn opened(answer: &Answer) -> Result<(), Outcome> {
    if answer.status == 101 {
        return Ok(());
    }
    Err(Outcome::fail(format!("answered {}", answer.status_line())))
}
