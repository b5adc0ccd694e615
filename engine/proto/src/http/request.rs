//! A request head that was checked.

use super::field::Fields;
use super::query;
use super::target::Target;
use std::borrow::Cow;

/// A request head that passed every check of [`parse`](Self::parse), so that asking it cannot fail.
///
/// It borrows the bytes it was parsed from and is some 3 KiB large, because its fields are in an array:
/// keep it on the stack while the request is decided. A decision that comes later, or elsewhere, needs
/// an [`OwnedRequest`](super::OwnedRequest).
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) target: Target<'a>,
    pub(super) version: Version,
    pub(super) fields: Fields<'a>,
    pub(super) body: Body,
}

/// The HTTP versions that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no Host needed, one request per connection unless it asks for more.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// What follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: the next byte begins the next request.
    None,
    /// This many bytes, at least one. The number is the client's claim: bound it before allocating.
    Length(u64),
}

impl<'a> Request<'a> {
    /// The method as it was sent, a token in its own case: `GET`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The path as it was sent, up to the `?`, not decoded (see [`percent_decode`](super::percent_decode));
    /// begins with `/`, or is `*` with OPTIONS.
    pub fn path(&self) -> &'a str {
        self.target.path
    }

    /// What follows the first `?`, not decoded.
    pub fn query(&self) -> Option<&'a str> {
        self.target.query
    }

    /// The first value of `name` in a query of the form `a=1&b=2`, with percent-encoding and `+` decoded
    /// as browsers encode forms; empty when it has no `=`.
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        query::value(self.target.query?, name)
    }

    /// The whole request target as it was sent: visible ASCII, no `#`.
    pub fn target(&self) -> &'a str {
        self.target.whole
    }

    /// The HTTP version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The host, perhaps with a port, that the client wants to reach. A target that is a URL goes before
    /// the Host field (RFC 9112 section 3.2.2). `None` in HTTP/1.0 alone; may be empty, except in a handshake.
    pub fn host(&self) -> Option<&'a str> {
        self.target.authority.or_else(|| self.header_str("Host"))
    }

    /// The origin of the page that sent this, which browsers always send with a handshake (RFC 6455
    /// section 10.2); `null` when the browser keeps it secret. One that cannot be read is refused with
    /// the request, so `None` means that none was sent.
    pub fn origin(&self) -> Option<&'a str> {
        self.header_str("Origin")
    }

    /// The value of the first header of this name, in any case, without white space around it.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.values(name).next()
    }

    /// Like [`header`](Self::header); `None` also when the value is not UTF-8.
    pub fn header_str(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// All headers in the order in which they came, as `(name, value)`.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> {
        self.fields.iter()
    }

    /// The elements of the comma-separated list that all headers of this name make together (RFC 9110
    /// section 5.6.1), without white space around them. Empty ones and such that are not UTF-8 are
    /// passed over; commas in quoted strings separate too.
    pub fn tokens<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'a str> + 'r {
        self.fields.elements(name)
    }

    /// All cookies as `(name, value)`, in the order in which they came (RFC 6265 section 5.4). Values
    /// are as they were sent, quotes included; pairs without `=` or not in UTF-8 are passed over.
    pub fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .values("Cookie")
            .flat_map(|value| value.split(|&byte| byte == b';'))
            .filter_map(|pair| std::str::from_utf8(pair.trim_ascii()).ok()?.split_once('='))
            .map(|(name, value)| (name.trim_ascii(), value.trim_ascii()))
    }

    /// The value of the first cookie of this name, which matters by case.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        self.cookies().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether the connection may carry another request after this one (RFC 9112 section 9.3).
    pub fn keep_alive(&self) -> bool {
        match self.version {
            Version::Http10 => {
                self.fields.lists("Connection", "keep-alive") && !self.fields.lists("Connection", "close")
            }
            Version::Http11 => !self.fields.lists("Connection", "close"),
        }
    }

    /// What follows the head.
    pub fn body(&self) -> Body {
        self.body
    }

    /// Whether the client waits for [`CONTINUE`](super::CONTINUE) before it sends the body (RFC 9110
    /// section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version >= Version::Http11
            && self.body != Body::None
            && self.fields.lists("Expect", "100-continue")
    }

    /// Whether this asks for a WebSocket: then [`Offer::check`](crate::handshake::Offer::check) it.
    pub fn wants_upgrade(&self) -> bool {
        self.fields.lists("Upgrade", "websocket")
    }

    pub(crate) fn fields(&self) -> &Fields<'a> {
        &self.fields
    }
}
