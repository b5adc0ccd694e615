//! A request that is answered with an error.

use super::Response;
use std::borrow::Cow;

/// A request that cannot be served: turn it into a [`Response`], send that with
/// [`close`](super::WriteAs::close), then close the connection; where the next request would begin is
/// not certain after a fault.
///
/// The reason tells the client's author what was found and what was expected. It holds at most a short,
/// escaped piece of what the client sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Refusal {
    status: u16,
    reason: Cow<'static, str>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Refusal {
    /// A refusal with this status (400 to 599) and a reason in one sentence.
    pub fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new() }
    }

    /// 426: the request has to be a WebSocket handshake of version 13 (RFC 6455 section 4.4,
    /// RFC 9110 section 15.5.22).
    pub fn upgrade_required(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 426, reason: reason.into(), headers: vec![("Sec-WebSocket-Version", "13")] }
    }

    /// 405: this path has other methods; `allow` lists them, as in `GET, HEAD` (RFC 9110 section 15.5.6).
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let reason = format!("this path has the methods {allow}");
        Self { status: 405, reason: reason.into(), headers: vec![("Allow", allow)] }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What was found and what was expected, in one sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let mut response = Self::text(refusal.status, format!("{}\n", refusal.reason));
        // The reason may quote the request: no browser is to take it for anything but text.
        response.push_static("X-Content-Type-Options", "nosniff");
        for (name, value) in refusal.headers {
            response.push_static(name, value);
        }
        response
    }
}
