//! The client's side: what the server answered (RFC 6455 sections 4.1 and 4.2.2).

use super::{ExtensionOffer, Opening, extension};
use crate::deflate::Deflate;
use crate::http::{Fields, HEADERS_MAX, HeadLimits, Only, check_line_ends, shown};

/// What both ends agreed on: the WebSocket is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    subprotocol: Option<String>,
    deflate: Option<Deflate>,
    headers: Vec<(String, Vec<u8>)>,
}

/// Why an opening failed. Apart from [`Status`](Self::Status), which is the server's decision, the
/// server is at fault, or is none that speaks WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The server answered with something else than 101.
    #[error("the server answered {status} {reason}, expected 101 Switching Protocols")]
    Status {
        /// The HTTP status: 401, 404, 503, ...
        status: u16,
        /// The server's words for it; may be empty.
        reason: String,
    },
    /// The answer's head is larger than the limits allow.
    #[error("the answer's head has more than {bytes_max} bytes or {headers_max} header fields")]
    TooLong {
        /// The limit in bytes.
        bytes_max: usize,
        /// The limit in header fields.
        headers_max: usize,
    },
    /// The answer is not HTTP/1.1.
    #[error("the answer is no HTTP/1.1 response: {0}")]
    Malformed(String),
    /// A header that the handshake needs is missing, repeated or has another value.
    #[error("the answer's header {name} {found}, expected {expected}")]
    Header {
        /// The header.
        name: &'static str,
        /// What the answer has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// The server chose a subprotocol that was not asked for.
    #[error("the server chose the subprotocol {found}, expected one of those asked for: {asked:?}")]
    Subprotocol {
        /// The server's choice.
        found: String,
        /// What [`Opening`] asked for.
        asked: Vec<String>,
    },
    /// The server chose an extension that was not offered, or did not write it as one.
    #[error("the server answered with the extensions {found}, expected only such as were offered")]
    Extension {
        /// The header's value.
        found: String,
    },
    /// The server chose permessage-deflate with parameters that do not fit what was offered.
    #[error("the server answered with {found}, expected {expected}")]
    Deflate {
        /// The extension as the server wrote it.
        found: String,
        /// What it should have had.
        expected: String,
    },
}

impl Agreement {
    /// The subprotocol that the server chose, one of those asked for.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// What the server agreed to of [`Opening::deflate`]; its parameters fit the offer.
    pub fn deflate(&self) -> Option<Deflate> {
        self.deflate
    }

    /// The extensions that the server chose, in its order; each was offered by name. Whether the
    /// parameters fit an offer made with [`Opening::extension`] is for the extension to say.
    pub fn extensions(&self) -> Vec<ExtensionOffer<'_>> {
        let mut chosen = Vec::new();
        for (_, value) in self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(EXTENSIONS)) {
            // Every value was parsed once before the agreement was made.
            let parsed = extension::parse(value, &mut chosen);
            debug_assert!(parsed.is_some(), "checked by `check`");
        }
        chosen
    }

    /// All headers of the answer in their order.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

pub(super) fn check(opening: &Opening, head: &[u8], limits: &HeadLimits) -> Result<Agreement, OpeningError> {
    let fields = parse(head, limits)?;
    expect(&fields, "Upgrade", "websocket", |value| value.eq_ignore_ascii_case(b"websocket"))?;
    if !fields.lists("Connection", "upgrade") {
        return Err(header_error(&fields, "Connection", "it to list upgrade".into()));
    }
    let accept_key = opening.accept_key();
    expect(&fields, "Sec-WebSocket-Accept", &accept_key.escape_ascii().to_string(), |value| {
        value == accept_key
    })?;
    let subprotocol = check_subprotocol(opening, &fields)?;
    let chosen = check_extensions(opening, &fields)?;
    let deflate = opening.deflate_options().map_or(Ok(None), |options| options.agreed(&chosen))?;
    let headers = fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    Ok(Agreement { subprotocol, deflate, headers })
}

/// The fields of a 101.
fn parse<'a>(head: &'a [u8], limits: &HeadLimits) -> Result<Fields<'a>, OpeningError> {
    let too_long = OpeningError::TooLong { bytes_max: limits.bytes_max, headers_max: limits.fields_max() };
    if head.len() > limits.bytes_max {
        return Err(too_long);
    }
    let mut list = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut raw = httparse::Response::new(&mut list[..limits.fields_max()]);
    let end = match raw.parse(head) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Err(malformed("the head does not end in an empty line")),
        Err(httparse::Error::TooManyHeaders) => return Err(too_long),
        Err(error) => return Err(malformed(&format!("{error}; it begins {}", shown(head)))),
    };
    check_line_ends(&head[..end]).map_err(malformed)?;
    match (raw.version, raw.code, raw.reason) {
        (Some(1), Some(101), _) => {}
        (Some(0), Some(101), _) => return Err(malformed("its version is HTTP/1.0")),
        (_, status, reason) => {
            let reason = reason.unwrap_or_default().to_owned();
            return Err(OpeningError::Status { status: status.unwrap_or_default(), reason });
        }
    }
    let count = raw.headers.len();
    Ok(Fields::new(list, count))
}

fn malformed(fault: &str) -> OpeningError {
    OpeningError::Malformed(fault.into())
}

/// A header that is there once and passes `good`.
fn expect(
    fields: &Fields<'_>,
    name: &'static str,
    expected: &str,
    good: impl Fn(&[u8]) -> bool,
) -> Result<(), OpeningError> {
    match fields.only(name) {
        Only::One(value) if good(value) => Ok(()),
        _ => Err(header_error(fields, name, expected.into())),
    }
}

fn header_error(fields: &Fields<'_>, name: &'static str, expected: String) -> OpeningError {
    let found = match fields.only(name) {
        Only::Missing => "is missing".into(),
        Only::One(value) => format!("is {}", shown(value)),
        Only::Repeated => "is there more than once".into(),
    };
    OpeningError::Header { name, found, expected }
}

/// RFC 6455 section 4.1, last item: none, or one of those asked for.
fn check_subprotocol(opening: &Opening, fields: &Fields<'_>) -> Result<Option<String>, OpeningError> {
    match fields.only(SUBPROTOCOL) {
        Only::Missing => Ok(None),
        Only::Repeated => Err(header_error(fields, SUBPROTOCOL, "at most one".into())),
        Only::One(value) => {
            let chosen = opening.subprotocols().iter().find(|asked| asked.as_bytes() == value);
            chosen.cloned().map(Some).ok_or_else(|| OpeningError::Subprotocol {
                found: shown(value),
                asked: opening.subprotocols().to_vec(),
            })
        }
    }
}

/// RFC 6455 section 4.1: an extension that was not asked for fails the connection.
fn check_extensions<'a>(
    opening: &Opening,
    fields: &'a Fields<'a>,
) -> Result<Vec<ExtensionOffer<'a>>, OpeningError> {
    let mut chosen = Vec::new();
    for value in fields.values(EXTENSIONS) {
        let parsed = extension::parse(value, &mut chosen);
        if parsed.is_none() || !chosen.iter().all(|extension| opening.offers(extension.name())) {
            return Err(OpeningError::Extension { found: shown(value) });
        }
    }
    Ok(chosen)
}
