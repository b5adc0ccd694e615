//! JSON as it is sent.

use super::Code;
use super::command::MAX_NUMBER;
use std::io::Write;

/// What a subscriber has missed, or could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GapNotice {
    /// The first offset that is missing.
    pub(crate) from: u64,
    /// The offset after the last that is missing: where it goes on.
    pub(crate) to: u64,
    pub(crate) reason: GapReason,
}

/// Why it was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GapReason {
    /// Too slow, and the topic skips: it goes on at the oldest message that is kept.
    Skip,
    /// Too slow, and the topic conflates: it goes on at the latest message.
    Latest,
    /// Asked for after it was let go.
    Retention,
    /// Asked for with an offset of another life of the topic: how many are missing is not known.
    Epoch,
}

impl GapNotice {
    /// As the engine tells of it.
    pub(crate) fn of(gap: &wsring::Gap<'_>) -> Self {
        let reason = match gap.reason {
            wsring::GapReason::Skip => GapReason::Skip,
            wsring::GapReason::Latest => GapReason::Latest,
        };
        Self { from: gap.from, to: gap.to, reason }
    }
}

impl GapReason {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Latest => "latest",
            Self::Retention => "retention",
            Self::Epoch => "epoch",
        }
    }
}

/// `{"id":ID,"ok":{...}}`; the id as it was sent.
pub(crate) fn answer(out: &mut Vec<u8>, id: &[u8], result: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id);
    out.extend_from_slice(b",\"ok\":{");
    result(out);
    out.extend_from_slice(b"}}");
}

/// `{"id":ID,"error":{"code":CODE,"message":TEXT}}`; `null` for an id that could not be read.
pub(crate) fn refusal(out: &mut Vec<u8>, id: Option<&[u8]>, code: Code, message: &str) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.unwrap_or(b"null"));
    out.push(b',');
    error(out, code, message);
    out.push(b'}');
}

/// `{"error":{"code":CODE,"message":TEXT}}`, as HTTP answers have it.
pub(crate) fn error_body(code: Code, message: &str) -> Vec<u8> {
    let mut out = vec![b'{'];
    error(&mut out, code, message);
    out.extend_from_slice(b"}\n");
    out
}

/// `"error":{"code":CODE,"message":TEXT}`, to stand among other members.
pub(crate) fn error(out: &mut Vec<u8>, code: Code, message: &str) {
    out.extend_from_slice(b"\"error\":{\"code\":\"");
    out.extend_from_slice(code.word().as_bytes());
    out.extend_from_slice(b"\",\"message\":");
    string(out, message);
    out.push(b'}');
}

/// `{"topic":TOPIC,"gap":{...}}`.
pub(crate) fn gap_notice(out: &mut Vec<u8>, topic: &str, notice: GapNotice) {
    out.extend_from_slice(b"{\"topic\":");
    string(out, topic);
    out.extend_from_slice(b",\"gap\":");
    gap(out, notice);
    out.push(b'}');
}

/// `{"from":N,"to":N,"missed":N,"reason":WORD}`.
pub(crate) fn gap(out: &mut Vec<u8>, GapNotice { from, to, reason }: GapNotice) {
    member(out, b"{\"from\":", from);
    member(out, b",\"to\":", to);
    match reason {
        GapReason::Epoch => out.extend_from_slice(b",\"missed\":null"),
        _ => member(out, b",\"missed\":", to.saturating_sub(from)),
    }
    out.extend_from_slice(b",\"reason\":\"");
    out.extend_from_slice(reason.word().as_bytes());
    out.extend_from_slice(b"\"}");
}

/// `"topic":TOPIC,"epoch":N,"next":N` and what there is to say beside it; a pattern has no numbers.
pub(crate) fn subscribed(
    out: &mut Vec<u8>,
    topic: &str,
    epoch_and_next: Option<(u64, u64)>,
    gap: Option<GapNotice>,
    already: bool,
) {
    out.extend_from_slice(b"\"topic\":");
    string(out, topic);
    if let Some((epoch, next)) = epoch_and_next {
        member(out, b",\"epoch\":", epoch);
        member(out, b",\"next\":", next);
    }
    if already {
        out.extend_from_slice(b",\"already\":true");
    }
    gap_member(out, gap);
}

/// `{"topic":TOPIC,"subscribed":{"epoch":N,"next":N}}`, what a connection to one topic begins with.
pub(crate) fn beginning(out: &mut Vec<u8>, topic: &str, epoch: u64, next: u64, gap: Option<GapNotice>) {
    out.extend_from_slice(b"{\"topic\":");
    string(out, topic);
    member(out, b",\"subscribed\":{\"epoch\":", epoch);
    member(out, b",\"next\":", next);
    gap_member(out, gap);
    out.extend_from_slice(b"}}");
}

fn gap_member(out: &mut Vec<u8>, notice: Option<GapNotice>) {
    if let Some(notice) = notice {
        out.extend_from_slice(b",\"gap\":");
        gap(out, notice);
    }
}

/// `"offset":N,"epoch":N,"subscribers":N`.
pub(crate) fn published(out: &mut Vec<u8>, offset: u64, epoch: u64, subscribers: usize) {
    member(out, b"\"offset\":", offset);
    member(out, b",\"epoch\":", epoch);
    member(out, b",\"subscribers\":", subscribers as u64);
}

/// A number behind what introduces it.
pub(crate) fn member(out: &mut Vec<u8>, front: &[u8], number: u64) {
    debug_assert!(number <= MAX_NUMBER, "{number} is no number that every reader takes");
    out.extend_from_slice(front);
    // A Vec takes everything.
    let _ = write!(out, "{number}");
}

/// A JSON string (RFC 8259 section 7).
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + 1;
        match escape {
            b"" => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            escape => out.extend_from_slice(escape),
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_string_comes_back() {
        let all: String =
            (0..0x180).filter_map(char::from_u32).chain(['\u{2028}', '\u{1f600}', '\u{ffff}']).collect();
        for text in ["", "a", "\"", "\\", "a\nb", "\u{0}\u{1f}\u{7f}", "\\u0041", all.as_str()] {
            let json = written(|out| string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{json}");
            assert!(json.bytes().all(|byte| byte >= 0x20), "{json}");
        }
    }

    #[test]
    fn messages_have_their_form() {
        let notice = |reason| GapNotice { from: 3, to: 9, reason };
        let table = [
            (written(|out| answer(out, b"1", |_| {})), r#"{"id":1,"ok":{}}"#),
            (
                written(|out| answer(out, b"\"a\\n\"", |out| published(out, 7, 5, 3))),
                r#"{"id":"a\n","ok":{"offset":7,"epoch":5,"subscribers":3}}"#,
            ),
            (
                written(|out| refusal(out, None, Code::BadJson, "no \"JSON\"")),
                r#"{"id":null,"error":{"code":"bad_json","message":"no \"JSON\""}}"#,
            ),
            (
                written(|out| refusal(out, Some(b"-1.5"), Code::Forbidden, "x")),
                r#"{"id":-1.5,"error":{"code":"forbidden","message":"x"}}"#,
            ),
            (
                written(|out| gap_notice(out, "a/\"b", notice(GapReason::Skip))),
                r#"{"topic":"a/\"b","gap":{"from":3,"to":9,"missed":6,"reason":"skip"}}"#,
            ),
            (
                written(|out| gap(out, notice(GapReason::Epoch))),
                r#"{"from":3,"to":9,"missed":null,"reason":"epoch"}"#,
            ),
            (
                String::from_utf8(error_body(Code::TooLarge, "m")).unwrap(),
                "{\"error\":{\"code\":\"too_large\",\"message\":\"m\"}}\n",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(text, expected);
            serde_json::from_str::<Value>(&text).unwrap();
        }
        assert_eq!(json!(Code::ALL.len()), 16);
    }

    #[test]
    fn codes_are_words_of_their_own_and_errors_in_http() {
        let mut words: Vec<_> = Code::ALL.iter().map(|code| code.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
