//! An opening handshake as the client sends it, right or with something wrong (RFC 6455 section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use wsring_proto::handshake::Url;

/// The bytes that a server appends to the key (section 1.3).
pub(super) const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Request line and headers in their order.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The request line: method, target and version.
    pub(super) start: String,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
}

impl Request {
    /// The right one for this URL and these 16 bytes of entropy.
    pub(super) fn new(url: &Url, key: [u8; 16]) -> Self {
        let headers = [
            ("Host", url.authority()),
            ("Upgrade", "websocket".into()),
            ("Connection", "Upgrade".into()),
            ("Sec-WebSocket-Key", STANDARD.encode(key)),
            ("Sec-WebSocket-Version", "13".into()),
        ];
        Self {
            start: format!("GET {} HTTP/1.1", url.target()),
            headers: headers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        }
    }

    /// The same with another request line.
    pub(super) fn method(mut self, method: &str) -> Self {
        self.start = self.start.replacen("GET", method, 1);
        self
    }

    /// The same with one more header, or in place of the one of this name.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        match self.headers.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(name)) {
            Some((_, found)) => *found = value.into(),
            None => self.headers.push((name.into(), value.into())),
        }
        self
    }

    /// The same without a header.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    /// The same with every name written otherwise.
    pub(super) fn rename(mut self, rename: fn(&str) -> String) -> Self {
        self.headers.iter_mut().for_each(|(name, _)| *name = rename(name));
        self
    }

    /// The value of a header; empty when there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// What the server has to prove itself with (section 4.2.2).
    pub(super) fn accept(&self) -> String {
        STANDARD.encode(Sha1::digest([self.header("Sec-WebSocket-Key"), GUID].concat()))
    }

    /// As it goes over the wire.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::new(&"ws://server.example.com/chat".parse().unwrap(), *b"the sample nonce")
    }

    #[test]
    fn the_example_of_section_1_3() {
        assert_eq!(request().header("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(request().accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let key = wsring_proto::handshake::accept_key(b"another key");
        assert_eq!(request().with("Sec-WebSocket-Key", "another key").accept().as_bytes(), key);
        let text = String::from_utf8(request().encode()).unwrap();
        assert!(text.starts_with("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"), "{text}");
        assert!(text.ends_with("Sec-WebSocket-Version: 13\r\n\r\n"), "{text}");
    }

    #[test]
    fn one_thing_at_a_time_is_made_wrong() {
        let wrong = request().without("upgrade").with("SEC-WEBSOCKET-VERSION", "12").with("X", "y");
        assert_eq!(wrong.header("Upgrade"), "");
        assert_eq!(wrong.header("Sec-WebSocket-Version"), "12");
        assert_eq!(wrong.header("X"), "y");
        assert_eq!(request().method("POST").start, "POST /chat HTTP/1.1");
        assert_eq!(request().rename(str::to_uppercase).headers[1].0, "UPGRADE");
    }
}
