//! Answers to ordinary requests.

use super::field::{InvalidHeader, check_value, push_header, push_line};
use super::{Request, Version};
use std::borrow::Cow;

/// The interim answer to a request that [expects it](Request::expects_continue) (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// These say where the message ends and what becomes of the connection: the writer decides them.
const RESERVED: &[&str] = &["Connection", "Content-Length", "Keep-Alive", "Transfer-Encoding", "Upgrade"];

/// One complete answer. Make it with a constructor, add headers, [`write`](Self::write) it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    content_type: Cow<'static, str>,
    /// Finished header lines, checked when they were added.
    lines: Vec<u8>,
    body: Cow<'static, [u8]>,
}

/// How an answer is written, which the request decides: see [`Request::write_as`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteAs {
    /// The request was a HEAD: the same head as for GET, and no body (RFC 9110 section 9.3.2).
    pub head_only: bool,
    /// The connection closes after this answer, and the answer says so.
    pub close: bool,
}

impl Request<'_> {
    /// How to write the answer to this request: no body for HEAD, and closing when the client asked for it.
    pub fn write_as(&self) -> WriteAs {
        WriteAs { head_only: self.method() == "HEAD", close: !self.keep_alive() }
    }
}

impl Response {
    /// An answer with no body. A status outside 200 to 599 is sent as 500; for 101 there is
    /// [`write_switching`](crate::handshake::write_switching).
    pub fn empty(status: u16) -> Self {
        Self::bytes(status, "", Cow::Borrowed(&[][..]))
    }

    /// An answer in plain UTF-8 text.
    pub fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", into_bytes(body.into()))
    }

    /// An answer that is an HTML page.
    pub fn html(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::bytes(status, "text/html; charset=utf-8", into_bytes(body.into()))
    }

    /// An answer in JSON, which the caller has serialised.
    pub fn json(status: u16, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::bytes(status, "application/json", body)
    }

    /// An answer of any type; an empty `content_type` is not sent.
    pub fn bytes(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        let status = if (200..=599).contains(&status) { status } else { 500 };
        Self { status, content_type: Cow::Borrowed(content_type), lines: Vec::new(), body: body.into() }
    }

    /// Adds a header; `Content-Type` replaces the one that the constructor set.
    ///
    /// # Errors
    /// The caller's fault: a name that is not a token, a value with control characters, or a header that
    /// the writer decides (Connection, Content-Length, Keep-Alive, Transfer-Encoding, Upgrade).
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        if name.eq_ignore_ascii_case("Content-Type") {
            check_value(name, value)?;
            self.content_type = Cow::Owned(value.into());
        } else {
            push_header(&mut self.lines, name, value, RESERVED)?;
        }
        Ok(self)
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, also when it will not be sent.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Appends the answer to `out`, ready to send.
    pub fn write(&self, out: &mut Vec<u8>, how: WriteAs) {
        // RFC 9110 sections 8.6, 15.3.5 and 15.4.5: neither has content, and 204 has no Content-Length.
        let bodiless = matches!(self.status, 204 | 304);
        out.reserve(256 + self.lines.len() + self.body.len());
        self.write_status(out);
        if !bodiless {
            if !self.content_type.is_empty() {
                push_line(out, "Content-Type", self.content_type.as_bytes());
            }
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, self.body.len());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&self.lines);
        self.write_connection(out, how);
        out.extend_from_slice(b"\r\n");
        if !bodiless && !how.head_only {
            out.extend_from_slice(&self.body);
        }
    }

    /// Appends the head of an answer whose body goes on until the connection closes (RFC 9112 section 6.3).
    /// The body is not written.
    pub fn write_open_ended(&self, out: &mut Vec<u8>) {
        self.write_status(out);
        if !self.content_type.is_empty() {
            push_line(out, "Content-Type", self.content_type.as_bytes());
        }
        out.extend_from_slice(&self.lines);
        self.write_connection(out, WriteAs { head_only: false, close: true });
        out.extend_from_slice(b"\r\n");
    }

    fn write_status(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_decimal(out, usize::from(self.status));
        out.push(b' ');
        out.extend_from_slice(phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Adds a header of the library's own.
    pub(super) fn push_static(&mut self, name: &'static str, value: &'static str) {
        push_line(&mut self.lines, name, value.as_bytes());
    }

    /// The persistence is always stated: it is the default of 1.1 but news to a 1.0 client
    /// (RFC 9112 section 9.3). A 426 names the protocol it asks for, and Upgrade is always also a
    /// connection option (RFC 9110 sections 7.8 and 15.5.22).
    fn write_connection(&self, out: &mut Vec<u8>, how: WriteAs) {
        let persistence = if how.close { "close" } else { "keep-alive" };
        out.extend_from_slice(b"Connection: ");
        out.extend_from_slice(persistence.as_bytes());
        out.extend_from_slice(if self.status == 426 {
            b", Upgrade\r\nUpgrade: websocket\r\n"
        } else {
            b"\r\n"
        });
    }
}

impl Version {
    /// As it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

fn into_bytes(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn push_decimal(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // The remainder is below 10.
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// The reason phrase (RFC 9110 section 15); empty for a status that is not in the list, which is allowed.
fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
