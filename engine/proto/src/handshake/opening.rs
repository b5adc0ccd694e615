//! The client's side: asking for a WebSocket (RFC 6455 section 4.1).

use super::key::{accept_key, client_key};
use super::{Agreement, ExtensionOffer, OpeningError, RESERVED, Url, agreement, extension};
use crate::deflate::DeflateOptions;
use crate::http::{HeadLimits, InvalidHeader, is_authority, is_token, push_header, push_line};

/// One attempt to open a WebSocket: [`write`](Self::write) it, collect the answer's head with
/// [`head_end`](crate::http::head_end), then [`check`](Self::check) that.
#[derive(Clone, Debug)]
pub struct Opening {
    key: [u8; 24],
    host: String,
    target: String,
    origin: Option<String>,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    deflate: Option<DeflateOptions>,
    headers: Vec<(String, String)>,
}

impl Opening {
    /// An opening for `/` at a host that is still to be named. The 16 bytes must be random and new for
    /// each connection (RFC 6455 section 4.1, item 7).
    pub fn new(key_entropy: [u8; 16]) -> Self {
        Self {
            key: client_key(key_entropy),
            host: String::new(),
            target: "/".into(),
            origin: None,
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            deflate: None,
            headers: Vec::new(),
        }
    }

    /// An opening with the host and target of this URL.
    pub fn for_url(url: &Url, key_entropy: [u8; 16]) -> Self {
        Self::new(key_entropy).host(&url.authority()).target(url.target())
    }

    /// The server's host, with its port unless that is the default: `example.com`, `[::1]:8080`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// Path and query: `/chat?room=1`.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        self.target = target.into();
        self
    }

    /// The origin of the page on whose behalf this is; only browsers need one.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Adds a subprotocol; the first added is preferred.
    #[must_use]
    pub fn subprotocol(mut self, subprotocol: &str) -> Self {
        self.subprotocols.push(subprotocol.into());
        self
    }

    /// Adds an extension offer as it stands in the header: `permessage-deflate; client_max_window_bits`.
    #[must_use]
    pub fn extension(mut self, offer: &str) -> Self {
        self.extensions.push(offer.into());
        self
    }

    /// Offers permessage-deflate with these options, which have to be
    /// [valid](DeflateOptions::check); [`Agreement::deflate`] says what became of it.
    #[must_use]
    pub fn deflate(mut self, options: DeflateOptions) -> Self {
        self.deflate = Some(options);
        self.extension(&options.offer())
    }

    /// Adds a header, such as `Authorization` or `Cookie`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Appends the request to `out`.
    ///
    /// # Errors
    /// The caller's fault, and `out` is as it was: no host, a target that does not begin with `/`, or
    /// something that cannot stand in its header.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), InvalidHeader> {
        let start = out.len();
        let written = self.try_write(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Checks the head of the server's answer; bytes behind it are frames.
    ///
    /// # Errors
    /// The server refused ([`OpeningError::Status`]), or what it says is no valid answer to this
    /// opening: then the connection has to be closed (RFC 6455 section 4.1).
    pub fn check(&self, head: &[u8], limits: &HeadLimits) -> Result<Agreement, OpeningError> {
        agreement::check(self, head, limits)
    }

    /// What the server has to prove itself with.
    pub(super) fn accept_key(&self) -> [u8; 28] {
        accept_key(&self.key)
    }

    pub(super) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// What was offered of permessage-deflate.
    pub(super) fn deflate_options(&self) -> Option<&DeflateOptions> {
        self.deflate.as_ref()
    }

    /// Whether an extension of this name was offered.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.extensions.iter().filter_map(|offer| parse_offer(offer)).any(|offer| offer.name() == name)
    }

    fn try_write(&self, out: &mut Vec<u8>) -> Result<(), InvalidHeader> {
        if self.host.is_empty() || !is_authority(&self.host) {
            return Err(InvalidHeader::Host(self.host.clone()));
        }
        // RFC 6455 section 3: a resource name with no fragment.
        let visible = self.target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !self.target.starts_with('/') || !visible {
            return Err(InvalidHeader::Target(self.target.clone()));
        }
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        push_line(out, "Host", self.host.as_bytes());
        out.extend_from_slice(b"Upgrade: websocket\r\nConnection: Upgrade\r\n");
        push_line(out, "Sec-WebSocket-Key", &self.key);
        push_line(out, "Sec-WebSocket-Version", b"13");
        self.push_asked(out)?;
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The parts that the caller chose.
    fn push_asked(&self, out: &mut Vec<u8>) -> Result<(), InvalidHeader> {
        if let Some(origin) = &self.origin {
            push_header(out, "Origin", origin, &[])?;
        }
        for (at, subprotocol) in self.subprotocols.iter().enumerate() {
            if !is_token(subprotocol.as_bytes()) || self.subprotocols[..at].contains(subprotocol) {
                return Err(InvalidHeader::Subprotocol(subprotocol.clone()));
            }
        }
        if !self.subprotocols.is_empty() {
            push_line(out, "Sec-WebSocket-Protocol", self.subprotocols.join(", ").as_bytes());
        }
        if let Some(offer) = self.extensions.iter().find(|offer| parse_offer(offer).is_none()) {
            return Err(InvalidHeader::Extension(offer.clone()));
        }
        if !self.extensions.is_empty() {
            push_line(out, "Sec-WebSocket-Extensions", self.extensions.join(", ").as_bytes());
        }
        self.headers.iter().try_for_each(|(name, value)| push_header(out, name, value, RESERVED))
    }
}

/// Exactly one offer.
fn parse_offer(text: &str) -> Option<ExtensionOffer<'_>> {
    let mut offers = Vec::new();
    extension::parse(text.as_bytes(), &mut offers)?;
    if offers.len() == 1 { offers.pop() } else { None }
}
