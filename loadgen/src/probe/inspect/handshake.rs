//! The opening handshake header by header: what each is for, and whether the answer is right (RFC 6455
//! sections 4.1 and 4.2.2).

use super::picture::{Direction, Style, line};
use crate::probe::answer::Answer;
use crate::probe::deflate::{Agreed, NAME};
use crate::probe::paint::Tone;
use crate::probe::request::{GUID, Request};

/// What the answer means.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) text: String,
    /// What is wrong, so that a client must not go on.
    pub(super) faults: Vec<String>,
    pub(super) agreed: Option<Agreed>,
}

/// The request with explanations.
pub(super) fn request(request: &Request, style: Style) -> String {
    let mut out = heading(Direction::Sent, "opening handshake (RFC 6455 section 4.1)", style);
    let start = "asks for this resource, by GET and HTTP/1.1 (4.1 item 2)";
    explained(&mut out, &request.start, start, Tone::Faint, style);
    for (name, value) in &request.headers {
        explained(&mut out, &format!("{name}: {value}"), of_request(name), Tone::Faint, style);
    }
    out
}

fn of_request(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "host" => "which server is meant: one address may serve many (4.1 item 4)",
        "upgrade" => "the protocol to change to (4.1 item 5)",
        "connection" => "Upgrade is for this connection alone, no proxy passes it on (4.1 item 6)",
        "sec-websocket-key" => {
            "16 random bytes in base64; the answer must prove that they were read (4.1 item 7)"
        }
        "origin" => "the page on whose behalf this is; the server may refuse it (4.1 item 8, 10.2)",
        "sec-websocket-version" => "the version of RFC 6455 (4.1 item 9)",
        "sec-websocket-protocol" => {
            "subprotocols that the client speaks, the preferred first (4.1 item 10, 1.9)"
        }
        "sec-websocket-extensions" => "extensions that the client can use (4.1 item 11, 9.1)",
        "cookie" | "authorization" => "who asks (4.1 item 12, 10.5)",
        _ => "an additional header (4.1 item 12)",
    }
}

/// The answer with explanations, and with everything that is wrong about it.
pub(super) fn answer(request: &Request, answer: &Answer, style: Style) -> Explained {
    let mut judge = Judge { request, answer, style, faults: Vec::new(), agreed: None, out: String::new() };
    judge.out = heading(Direction::Received, "opening handshake, answered (section 4.2.2)", style);
    judge.start();
    for (name, value) in &answer.headers {
        judge.header(name, value);
    }
    if answer.status == 101 {
        judge.missing();
    }
    Explained { text: judge.out, faults: judge.faults, agreed: judge.agreed }
}

struct Judge<'a> {
    request: &'a Request,
    answer: &'a Answer,
    style: Style,
    faults: Vec<String>,
    agreed: Option<Agreed>,
    out: String,
}

impl Judge<'_> {
    fn start(&mut self) {
        let (status, http) = (self.answer.status, self.answer.start.starts_with("HTTP/1.1 "));
        match status {
            101 if http => self.say(&self.answer.start, "frames follow this head (4.2.2 item 5)"),
            101 => self.wrong(&self.answer.start, "a WebSocket opens over HTTP/1.1 (4.2.2)"),
            _ => self.wrong(&self.answer.start, &format!("expected 101; {}", status_meaning(status))),
        }
    }

    fn header(&mut self, name: &str, value: &str) {
        let text = format!("{name}: {value}");
        let switching = self.answer.status == 101;
        match name.to_ascii_lowercase().as_str() {
            "upgrade" if switching && !value.eq_ignore_ascii_case("websocket") => {
                self.wrong(&text, "expected websocket (4.2.2 item 5.2)");
            }
            "upgrade" => self.say(&text, "the protocol that is spoken from here on (4.2.2 item 5.2)"),
            "connection" if switching && !self.answer.lists("Connection", "upgrade") => {
                self.wrong(&text, "expected Upgrade (4.2.2 item 5.3)");
            }
            "connection" => self.say(&text, "what is for this connection alone (4.2.2 item 5.3)"),
            "sec-websocket-accept" => self.accept(&text, value),
            "sec-websocket-protocol" => self.subprotocol(&text, value),
            "sec-websocket-extensions" => self.extensions(&text),
            "sec-websocket-version" => self.say(&text, "the versions that the server speaks (4.4)"),
            _ => self.say(&text, "an additional header, without meaning for the WebSocket"),
        }
    }

    fn accept(&mut self, text: &str, value: &str) {
        let key = self.request.header("Sec-WebSocket-Key");
        let how = format!("base64 of the SHA-1 of \"{key}\" and \"{GUID}\" (4.2.2 item 5.4)");
        let expected = self.request.accept();
        if value == expected {
            self.say(text, &format!("right: it is {how}"));
        } else {
            self.wrong(text, &format!("expected {expected}"));
            explained_more(&mut self.out, &how, self.style);
        }
    }

    fn subprotocol(&mut self, text: &str, value: &str) {
        let offered = self.request.header("Sec-WebSocket-Protocol");
        if offered.split(',').any(|name| name.trim() == value) {
            self.say(text, "the subprotocol that the server chose (4.2.2 item 5.5)");
        } else {
            self.wrong(text, "it was not offered (4.2.2 item 5.5)");
        }
    }

    fn extensions(&mut self, text: &str) {
        let offer = self.request.header("Sec-WebSocket-Extensions");
        let chosen = self.answer.list("Sec-WebSocket-Extensions");
        if offer.is_empty() {
            return self.wrong(text, "no extension was offered (9.1)");
        }
        match Agreed::of(chosen.as_deref(), offer) {
            Ok(Some(agreed)) => {
                self.say(text, &agreement(agreed));
                self.agreed = Some(agreed);
            }
            Ok(None) => self.say(text, "no extension (9.1)"),
            Err(why) => self.wrong(text, &format!("{why} (RFC 7692 section 7.1)")),
        }
    }

    fn missing(&mut self) {
        for name in ["Upgrade", "Connection", "Sec-WebSocket-Accept"] {
            if self.answer.list(name).is_none() {
                self.wrong(&format!("(no {name})"), "the answer must have it (4.2.2 item 5)");
            }
        }
    }

    fn say(&mut self, text: &str, what: &str) {
        explained(&mut self.out, text, what, Tone::Faint, self.style);
    }

    fn wrong(&mut self, text: &str, what: &str) {
        explained(&mut self.out, text, &format!("WRONG: {what}"), Tone::Bad, self.style);
        self.faults.push(format!("{text}: {what}"));
    }
}

fn agreement(agreed: Agreed) -> String {
    let takeover =
        |kept| if kept { "with its earlier messages as context" } else { "each message by itself" };
    format!(
        "{NAME}: the server compresses {} in a window of {} bytes, the client {} in {} (RFC 7692 section 7.1)",
        takeover(agreed.server_takeover),
        1 << agreed.server_bits,
        takeover(agreed.client_takeover),
        1 << agreed.client_bits
    )
}

/// What a status other than 101 tells someone who wants a WebSocket.
fn status_meaning(status: u16) -> &'static str {
    match status {
        200..=299 => "this path is served by plain HTTP and is no WebSocket",
        300..=399 => "the server sends on to another URL; WebSocket clients need not follow (4.1)",
        401 | 407 => "the server wants to know who asks: --header 'Authorization: ...'",
        403 => "the server refuses this client, perhaps for its Origin: --header 'Origin: ...'",
        404 => "there is nothing at this path",
        400 | 426 => "the server did not take this for a WebSocket handshake that it speaks",
        429 | 503 => "the server has no room at present",
        500..=599 => "the server, or one behind it, is in trouble",
        _ => "the server did not open a WebSocket",
    }
}

fn heading(direction: Direction, what: &str, style: Style) -> String {
    let text = format!("{} {what}", direction.arrow());
    format!("\n{}\n\n", style.paint.tone(direction.tone(), text))
}

fn explained(out: &mut String, text: &str, what: &str, tone: Tone, style: Style) {
    line(
        out,
        format_args!("   {}\n       {}", style.paint.tone(Tone::Strong, text), style.paint.tone(tone, what)),
    );
}

/// One more line of an explanation.
fn explained_more(out: &mut String, what: &str, style: Style) {
    line(out, format_args!("       {}", style.paint.tone(Tone::Faint, what)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::paint::Paint;

    const STYLE: Style = Style { paint: Paint::Plain, bytes_max: 20, deflate: false };

    /// What is found wrong about an answer with these lines.
    fn faults(lines: &str) -> Vec<String> {
        let request = Request::new(&"ws://server.example.com/chat".parse().unwrap(), *b"the sample nonce")
            .with("Sec-WebSocket-Protocol", "chat, superchat");
        let explained = answer(&request, &Answer::parse(lines.as_bytes()).unwrap(), STYLE);
        assert_eq!(explained.text.matches("WRONG").count(), explained.faults.len());
        explained.faults
    }

    #[test]
    fn the_answer_of_section_1_3_is_right_and_each_change_is_found() {
        let right = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n";
        assert_eq!(faults(right), Vec::<String>::new());
        let table = [
            ("HTTP/1.1 101", "HTTP/1.0 101", "over HTTP/1.1"),
            ("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 404 Not Found", "nothing at this path"),
            ("Upgrade: websocket", "Upgrade: h2c", "expected websocket"),
            ("Upgrade: websocket\r\n", "", "(no Upgrade)"),
            ("Connection: Upgrade", "Connection: close", "expected Upgrade"),
            ("s3pP", "S3pP", "expected s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Protocol: chat", "Protocol: chess", "not offered"),
            ("Protocol: chat", "Extensions: x-other", "no extension was offered"),
        ];
        for (from, to, expected) in table {
            let found = faults(&right.replacen(from, to, 1));
            assert!(found.len() == 1 && found[0].contains(expected), "{from} -> {to}: {found:?}");
        }
    }
}
