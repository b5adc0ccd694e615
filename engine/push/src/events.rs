//! Messages as server-sent events (the HTML standard, section 9.2): each with the id that a browser
//! repeats as `Last-Event-ID` when it comes back.

use crate::protocol::write::gap;
use crate::protocol::{GapNotice, MAX_NUMBER, base64};
use std::io::Write;
use wsring::Kind;

/// What a stream begins with: how soon a browser comes back after a loss.
pub(crate) const BEGIN: &[u8] = b"retry: 2000\n\n";

/// Where a client was: the life of the topic, and the last message of it that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) epoch: u64,
    pub(crate) offset: u64,
}

impl EventId {
    /// From `EPOCH-OFFSET`; `None` when it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once('-')?;
        Some(Self { epoch: number(epoch)?, offset: number(offset)? })
    }
}

/// Appends a message: its text in as many `data` lines as it has lines; binary in base64, as an event
/// of the name `binary`.
pub(crate) fn event(out: &mut Vec<u8>, id: EventId, kind: Kind, payload: &[u8]) {
    push_id(out, id);
    match kind {
        Kind::Text => data(out, payload),
        Kind::Binary => {
            out.extend_from_slice(b"event: binary\ndata: ");
            base64(out, payload);
            out.push(b'\n');
        }
    }
    out.push(b'\n');
}

/// Appends a gap: an event of the name `gap`, whose id is that of the last message that is missing, so
/// that a client that comes back goes on behind it.
pub(crate) fn gap_event(out: &mut Vec<u8>, epoch: u64, notice: GapNotice) {
    if let Some(offset) = notice.to.checked_sub(1) {
        push_id(out, EventId { epoch, offset });
    }
    out.extend_from_slice(b"event: gap\ndata: ");
    gap(out, notice);
    out.extend_from_slice(b"\n\n");
}

fn push_id(out: &mut Vec<u8>, EventId { epoch, offset }: EventId) {
    // A Vec takes everything.
    let _ = writeln!(out, "id: {epoch}-{offset}");
}

/// The lines of a text. All three ends of a line end one here; the client puts LF between them.
fn data(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
        out.push(b'\n');
        let Some(end) = end else { break };
        let both = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + if both { 2 } else { 1 }..];
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= MAX_NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::GapReason;

    /// What a browser makes of a stream: the standard's algorithm, word for word and without haste.
    fn received(stream: &[u8]) -> Vec<(String, String, String)> {
        let text = std::str::from_utf8(stream).unwrap().replace("\r\n", "\n").replace('\r', "\n");
        let (mut id, mut name, mut data, mut events) =
            (String::new(), String::new(), String::new(), Vec::new());
        for line in text.split('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    events.push((id.clone(), std::mem::take(&mut name), std::mem::take(&mut data)));
                }
                name.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.into(),
                "data" => data.extend([value, "\n"]),
                "id" => id = value.into(),
                _ => {}
            }
        }
        events
    }

    #[test]
    fn every_text_arrives_line_by_line() {
        let table = [
            ("a", "a"),
            ("", ""),
            (" a", " a"),
            (":a", ":a"),
            ("data: x\nid: 7", "data: x\nid: 7"),
            ("a\nb", "a\nb"),
            ("a\n", "a\n"),
            ("\n", "\n"),
            ("a\r\nb\rc\n\nd", "a\nb\nc\n\nd"),
            ("\u{e9}\u{1f600}", "\u{e9}\u{1f600}"),
        ];
        for (text, expected) in table {
            let mut stream = BEGIN.to_vec();
            event(&mut stream, EventId { epoch: 4, offset: 7 }, Kind::Text, text.as_bytes());
            event(&mut stream, EventId { epoch: 4, offset: 8 }, Kind::Text, b"next");
            let [first, next] = &received(&stream)[..] else { panic!("{text:?}") };
            assert_eq!(*first, ("4-7".into(), String::new(), expected.into()));
            assert_eq!(*next, ("4-8".into(), String::new(), "next".into()));
        }
    }

    #[test]
    fn binary_and_gaps_have_names() {
        let mut stream = Vec::new();
        event(&mut stream, EventId { epoch: 1, offset: 0 }, Kind::Binary, b"\xff\n");
        gap_event(&mut stream, 1, GapNotice { from: 1, to: 5, reason: GapReason::Skip });
        let expected =
            [("1-0", "binary", "/wo="), ("1-4", "gap", r#"{"from":1,"to":5,"missed":4,"reason":"skip"}"#)];
        let expected = expected.map(|(id, name, data)| (id.into(), name.into(), data.into()));
        assert_eq!(received(&stream), expected);
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let table = [
            ("4-7", Some((4, 7))),
            ("0-0", Some((0, 0))),
            ("9007199254740991-9007199254740991", Some((MAX_NUMBER, MAX_NUMBER))),
            ("9007199254740992-1", None),
            ("", None),
            ("7", None),
            ("-7", None),
            ("4-", None),
            ("4-+7", None),
            ("4-7-1", None),
            ("a-b", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(epoch, offset)| EventId { epoch, offset });
            assert_eq!(EventId::parse(text), expected, "{text}");
        }
    }
}
