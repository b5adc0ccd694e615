//! From bytes to a checked [`Request`].

use super::fault::{check_line_ends, explain};
use super::field::{Fields, Only};
use super::target::Target;
use super::{Body, HEADERS_MAX, HeadLimits, Refusal, Request, Version, is_authority, shown};

impl<'a> Request<'a> {
    /// Parses and checks a request head: `bytes[..end]` with the `end` that
    /// [`head_end`](super::head_end) found. Bytes behind the blank line are not looked at.
    ///
    /// # Errors
    /// The peer's fault. 400: lines that do not end in CR LF, control characters, folded lines, white
    /// space before a colon, no or two Host fields in HTTP/1.1, two Origin fields, an ambiguous body
    /// length, a target that is no path and no http URL. 411: a body in chunks. 414 and 431: more than
    /// `limits` allow. 505: an HTTP version other than 1.0 and 1.1.
    pub fn parse(head: &'a [u8], limits: &HeadLimits) -> Result<Self, Refusal> {
        if head.len() > limits.bytes_max {
            return Err(limits.too_long(head));
        }
        let mut list = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut raw = httparse::Request::new(&mut list[..limits.fields_max()]);
        let end = match raw.parse(head) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Err(unfinished()),
            Err(error) => return Err(explain(head, error, limits)),
        };
        check_line_ends(&head[..end]).map_err(|fault| Refusal::new(400, fault))?;
        let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
            return Err(unfinished());
        };
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let count = raw.headers.len();
        let fields = Fields::new(list, count);
        let target = Target::split(target);
        target.check(method)?;
        check_host(&fields, version)?;
        check_origin(&fields)?;
        let body = body_of(&fields, version)?;
        Ok(Self { method, target, version, fields, body })
    }
}

fn unfinished() -> Refusal {
    Refusal::new(400, "the request head has no request line, or does not end in an empty line")
}

/// RFC 9112 section 3.2: one Host field in HTTP/1.1, at most one in 1.0, and of the right form.
fn check_host(fields: &Fields<'_>, version: Version) -> Result<(), Refusal> {
    match fields.only("Host") {
        Only::Missing if version == Version::Http10 => Ok(()),
        Only::Missing => Err(Refusal::new(400, "the header Host is missing")),
        Only::Repeated => Err(Refusal::new(400, "the header Host is there more than once")),
        Only::One(host) if std::str::from_utf8(host).is_ok_and(is_authority) => Ok(()),
        Only::One(host) => Err(Refusal::new(
            400,
            format!("the header Host is {}, expected a host name and perhaps a port", shown(host)),
        )),
    }
}

/// An Origin that could be read in two ways, or not at all, must not get past a check of origins
/// (RFC 6454 section 7.1 has exactly one field, in visible ASCII).
fn check_origin(fields: &Fields<'_>) -> Result<(), Refusal> {
    match fields.only("Origin") {
        Only::Missing => Ok(()),
        Only::Repeated => Err(Refusal::new(400, "the header Origin is there more than once")),
        Only::One(origin) if origin.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic()) => Ok(()),
        Only::One(origin) => {
            Err(Refusal::new(400, format!("the header Origin is {}, expected visible ASCII", shown(origin))))
        }
    }
}

/// RFC 9112 section 6.3, without the cases in which a recipient has to guess.
fn body_of(fields: &Fields<'_>, version: Version) -> Result<Body, Refusal> {
    let length = fields.only("Content-Length");
    if let Some(coding) = fields.values("Transfer-Encoding").next() {
        return Err(refuse_coding(fields, coding, &length, version));
    }
    match length {
        Only::Missing => Ok(Body::None),
        Only::Repeated => Err(Refusal::new(400, "the header Content-Length is there more than once")),
        Only::One(digits) => match parse_length(digits) {
            Some(0) => Ok(Body::None),
            Some(length) => Ok(Body::Length(length)),
            None => Err(Refusal::new(
                400,
                format!("the header Content-Length is {}, expected a decimal number", shown(digits)),
            )),
        },
    }
}

/// No transfer coding is decoded here; where there is more to object to than that, it is a 400.
fn refuse_coding(fields: &Fields<'_>, coding: &[u8], length: &Only<'_>, version: Version) -> Refusal {
    if !matches!(length, Only::Missing) {
        return Refusal::new(400, "the request has both Transfer-Encoding and Content-Length");
    }
    if version == Version::Http10 {
        return Refusal::new(400, "Transfer-Encoding does not exist in HTTP/1.0");
    }
    if fields.lists("Upgrade", "websocket") {
        return Refusal::new(400, "an opening handshake has no body, but Transfer-Encoding is there");
    }
    let coding = shown(coding);
    Refusal::new(411, format!("the body comes with Transfer-Encoding {coding}; send it with Content-Length"))
}

/// Digits and nothing else: no sign, no list of equal numbers, no overflow.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
