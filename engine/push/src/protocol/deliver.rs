//! A message as its subscribers get it, `{"topic":TOPIC,"offset":N,"data":VALUE}`: made once for all of them.

use super::command::Parser;
use super::write;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wsring::Kind;

/// Appends the message. Text that is one JSON value stands there as it was published, other text as a
/// JSON string; binary as `data_base64`.
pub(crate) fn delivery(
    out: &mut Vec<u8>,
    parser: &mut Parser,
    topic: &str,
    offset: u64,
    kind: Kind,
    payload: &[u8],
) {
    out.extend_from_slice(b"{\"topic\":");
    write::string(out, topic);
    write::member(out, b",\"offset\":", offset);
    match (kind, std::str::from_utf8(payload)) {
        (Kind::Text, Ok(_)) if parser.is_json(payload) => {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(payload.trim_ascii());
        }
        (Kind::Text, Ok(text)) => {
            out.extend_from_slice(b",\"data\":");
            write::string(out, text);
        }
        _ => {
            out.extend_from_slice(b",\"data_base64\":\"");
            base64(out, payload);
            out.push(b'"');
        }
    }
    out.push(b'}');
}

/// Appends bytes in base64 (RFC 4648 section 4).
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let begin = out.len();
    out.resize(begin + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[begin..]);
    out.truncate(begin + written.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn delivered(kind: Kind, payload: &[u8]) -> String {
        let mut out = Vec::new();
        delivery(&mut out, &mut Parser::default(), "a/\"b", 7, kind, payload);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_passed_on_and_other_text_is_a_string() {
        let table = [
            (r#"{"b":1,"a":1,"a":1.50}"#, r#""data":{"b":1,"a":1,"a":1.50}"#),
            ("12345678901234567890123", r#""data":12345678901234567890123"#),
            (" [1 , 2]\n", r#""data":[1 , 2]"#),
            ("\"x\\u0041\"", r#""data":"x\u0041""#),
            ("null", r#""data":null"#),
            ("hello", r#""data":"hello""#),
            ("", r#""data":"""#),
            ("{\"a\":", r#""data":"{\"a\":""#),
            ("{} {}", r#""data":"{} {}""#),
            ("tru", r#""data":"tru""#),
            ("01", r#""data":"01""#),
            ("a\u{0}\"\n", "\"data\":\"a\\u0000\\\"\\n\""),
        ];
        for (payload, expected) in table {
            let text = delivered(Kind::Text, payload.as_bytes());
            assert_eq!(text, format!(r#"{{"topic":"a/\"b","offset":7,{expected}}}"#));
            serde_json::from_str::<Value>(&text).unwrap();
        }
        assert!(delivered(Kind::Text, "[".repeat(5000).as_bytes()).contains("\"data\":\"[[["));
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert!(
            delivered(Kind::Text, deep.as_bytes()).contains("\"data\":\"[[["),
            "as text: too deep for readers"
        );
    }

    #[test]
    fn binary_is_base64() {
        for (payload, expected) in [(&b""[..], ""), (b"\xff", "/w=="), (b"{}", "e30="), (b"abc", "YWJj")] {
            let text = delivered(Kind::Binary, payload);
            assert_eq!(text, format!(r#"{{"topic":"a/\"b","offset":7,"data_base64":"{expected}"}}"#));
        }
        assert!(delivered(Kind::Text, b"\xff").contains("data_base64"), "not text after all");
    }
}
