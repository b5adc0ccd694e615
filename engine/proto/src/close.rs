//! Close codes and the payload of Close frames (RFC 6455 sections 5.5.1 and 7.4).

use crate::Violation;
use crate::limits::{CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX};
use std::fmt;

/// A code that may stand in a Close frame: there is no value of this type that may not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this end cannot accept.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was broken and no better code fits.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension that it needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry); what a consumer that is too slow is told.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from the server behind it (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it may be sent: 1000 to 1003 and 1007 to 1014 of the registry, 3000 to 3999
    /// for libraries, 4000 to 4999 for applications. 1005, 1006 and 1015 only ever describe a
    /// connection that ended without a code (section 7.4.1).
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says: nothing, or a code and a reason of at most 123 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReason<'a> {
    /// `None`: the frame was empty, which an API reports as 1005.
    pub code: Option<CloseCode>,
    /// For a log or a programmer, not for a user (section 7.1.6). Empty without a code.
    pub reason: &'a str,
}

impl<'a> CloseReason<'a> {
    /// Reads the payload of a Close frame (sections 5.5.1, 7.4, 8.1).
    ///
    /// # Errors
    /// The peer's fault: a lone byte, a code that may not be sent, a reason that is not UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Violation> {
        match payload {
            [] => Ok(Self { code: None, reason: "" }),
            [_] => Err(Violation::CloseCodeCut),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                let code = CloseCode::new(code).ok_or(Violation::CloseCodeInvalid { code })?;
                let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
                Ok(Self { code: Some(code), reason })
            }
        }
    }

    /// Writes the payload of a Close frame and says how long it is. A reason beyond 123 bytes is cut
    /// at a character boundary; a reason without a code is not sent.
    pub fn write(&self, payload: &mut [u8; CONTROL_BYTES_MAX]) -> usize {
        let Some(code) = self.code else { return 0 };
        let reason = cut(self.reason, CLOSE_REASON_BYTES_MAX);
        payload[..2].copy_from_slice(&code.get().to_be_bytes());
        payload[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
        2 + reason.len()
    }
}

/// `text` or as much of its beginning as `bytes_max` holds in whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent_and_codes_that_may_not() {
        for code in 0..=u16::MAX {
            let registered = matches!(code, 1000..=1003 | 1007..=1014);
            let private = matches!(code, 3000..=4999);
            assert_eq!(CloseCode::new(code).is_some(), registered || private, "{code}");
        }
    }

    #[test]
    fn payloads_are_read_and_written_alike() {
        let long = "é".repeat(100);
        let table = [
            (None, "", 0),
            (CloseCode::new(1000), "", 2),
            (CloseCode::new(4999), "bye é", 8),
            (CloseCode::new(3000), long.as_str(), 2 + 122),
        ];
        for (code, reason, length) in table {
            let mut payload = [0; CONTROL_BYTES_MAX];
            let written = CloseReason { code, reason }.write(&mut payload);
            assert_eq!(written, length, "{reason}");
            let read = CloseReason::parse(&payload[..written]).expect("what we write is valid");
            assert_eq!(read.code, code);
            assert!(reason.starts_with(read.reason));
        }
    }

    #[test]
    fn faulty_payloads_are_named() {
        let table: [(&[u8], Violation); 5] = [
            (&[3], Violation::CloseCodeCut),
            (&[0, 0], Violation::CloseCodeInvalid { code: 0 }),
            (&[3, 0xED], Violation::CloseCodeInvalid { code: 1005 }),
            (&[0xFF, 0xFF], Violation::CloseCodeInvalid { code: 65535 }),
            (&[3, 0xE8, 0xCE], Violation::InvalidUtf8),
        ];
        for (payload, fault) in table {
            assert_eq!(CloseReason::parse(payload), Err(fault));
        }
    }
}
