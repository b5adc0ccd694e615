//! What numbers of the protocol mean, in words.

use super::frame::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use std::borrow::Cow;

/// The name of an opcode (RFC 6455 section 5.2).
pub(super) fn opcode_name(opcode: u8) -> Cow<'static, str> {
    match opcode {
        CONTINUATION => "Continuation".into(),
        TEXT => "Text".into(),
        BINARY => "Binary".into(),
        CLOSE => "Close".into(),
        PING => "Ping".into(),
        PONG => "Pong".into(),
        reserved => format!("reserved opcode {reserved:#x}").into(),
    }
}

/// What a close code says (RFC 6455 section 7.4.1 and the IANA registry).
pub(super) fn close_code(code: u16) -> &'static str {
    match code {
        1000 => "normal closure: the purpose of the connection is fulfilled",
        1001 => "going away: the server goes down, or the browser leaves the page",
        1002 => "protocol error",
        1003 => "unsupported data: a type of message that this end cannot accept",
        1004 => "reserved: must not be sent",
        1005 => "reserved for \"no code was there\": must not be sent",
        1006 => "reserved for \"closed without a Close frame\": must not be sent",
        1007 => "invalid data: a message does not fit its type, such as text that is not UTF-8",
        1008 => "policy violation",
        1009 => "message too big to process",
        1010 => "an extension is missing that the client needs",
        1011 => "internal error: the server met a condition that it did not expect",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway: the server behind this one gave no right answer",
        1015 => "reserved for \"the TLS handshake failed\": must not be sent",
        0..=999 => "not used: must not be sent",
        1016..=2999 => "reserved for future versions of the protocol: must not be sent",
        3000..=3999 => "registered with IANA by a library, framework or application",
        4000..=4999 => "private: the application's own meaning",
        5000.. => "outside all ranges: must not be sent",
    }
}

/// Whether a Close may have this code (section 7.4 and the IANA registry).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The payload of a Close frame (sections 5.5.1 and 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CloseBody {
    /// No code.
    Empty,
    /// A code that may be sent, and a reason.
    Code(u16, String),
    /// Something that must not be there.
    Wrong(String),
}

impl CloseBody {
    pub(super) fn parse(payload: &[u8]) -> Self {
        let [high, low, reason @ ..] = payload else {
            return if payload.is_empty() {
                Self::Empty
            } else {
                Self::Wrong("has one byte where a code of two bytes belongs".into())
            };
        };
        let code = u16::from_be_bytes([*high, *low]);
        if !may_be_sent(code) {
            return Self::Wrong(format!("has the code {code}, {}", close_code(code)));
        }
        match std::str::from_utf8(reason) {
            Ok(reason) => Self::Code(code, reason.into()),
            Err(_) => Self::Wrong(format!("has the code {code} and a reason that is not UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_close_frames() {
        let code = |code, reason: &str| CloseBody::Code(code, reason.into());
        let right: [(&[u8], CloseBody); 3] =
            [(b"", CloseBody::Empty), (b"\x03\xe8", code(1000, "")), (b"\x0f\xa0bye", code(4000, "bye"))];
        for (payload, expected) in right {
            assert_eq!(CloseBody::parse(payload), expected);
        }
        let wrong: [(&[u8], &str); 3] =
            [(b"\x03", "one byte"), (b"\x03\xed", "the code 1005"), (b"\x03\xe8\xff", "not UTF-8")];
        for (payload, expected) in wrong {
            let CloseBody::Wrong(why) = CloseBody::parse(payload) else { panic!("{payload:?}") };
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn every_code_that_may_not_be_sent_says_so() {
        for code in 0..=u16::MAX {
            assert_eq!(close_code(code).contains("must not be sent"), !may_be_sent(code), "{code}");
            assert_eq!(wsring_proto::CloseCode::new(code).is_some(), may_be_sent(code), "{code}");
        }
    }
}
