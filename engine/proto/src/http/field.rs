//! Header fields: what was received, and what may be sent.

use super::HEADERS_MAX;

/// A header that the application asked for and that cannot be sent as it stands. The caller's fault;
/// nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The name has other characters than a token may have, or none.
    #[error(
        "header name {0:?} is not a token: letters, digits and !#$%&'*+-.^_`|~ are allowed (RFC 9110 section 5.6.2)"
    )]
    Name(String),
    /// The value has a control character, which could end the line and begin another.
    #[error(
        "the value of header {name:?} has byte {byte:#04x} at position {position}: control characters other than tab are not allowed (RFC 9110 section 5.5)"
    )]
    Value {
        /// The header.
        name: String,
        /// The byte that is not allowed.
        byte: u8,
        /// Where in the value it is, from 0.
        position: usize,
    },
    /// The library writes this header itself; a second one would contradict it.
    #[error("header {0:?} is written by the library and cannot be set")]
    Reserved(String),
    /// A subprotocol that is not a token, or one that is named twice.
    #[error("subprotocol {0:?} is not a token, or is named twice (RFC 6455 section 4.1)")]
    Subprotocol(String),
    /// An extension offer that does not have the form of one.
    #[error(
        "extension offer {0:?} is not of the form `name; parameter; parameter=value` (RFC 6455 section 9.1)"
    )]
    Extension(String),
    /// The host of a client's request: missing, or not `name`, `name:port` or `[IPv6]:port`.
    #[error("host {0:?} is not of the form `name`, `name:port` or `[IPv6]:port`")]
    Host(String),
    /// The target of a client's request.
    #[error("target {0:?} does not begin with '/' or has other characters than visible ASCII without '#'")]
    Target(String),
}

/// The header fields of a parsed head, in the order of arrival.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    list: [httparse::Header<'a>; HEADERS_MAX],
    count: usize,
}

/// How often a field that belongs there once was found.
pub(crate) enum Only<'a> {
    Missing,
    One(&'a [u8]),
    Repeated,
}

impl<'a> Fields<'a> {
    /// The first `count` entries of `list` are the fields.
    pub(crate) fn new(list: [httparse::Header<'a>; HEADERS_MAX], count: usize) -> Self {
        Self { list, count: count.min(HEADERS_MAX) }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> {
        self.list[..self.count].iter().map(|header| (header.name, header.value))
    }

    /// The values of all fields of this name; names are the same in any case (RFC 9110 section 5.1).
    pub(crate) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn only(&self, name: &str) -> Only<'a> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (None, _) => Only::Missing,
            (Some(value), None) => Only::One(value),
            (Some(_), Some(_)) => Only::Repeated,
        }
    }

    /// The elements of the comma lists in all fields of this name (RFC 9110 section 5.6.1); empty ones
    /// and such that are not text are passed over.
    pub(crate) fn elements<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .filter_map(|element| std::str::from_utf8(element.trim_ascii()).ok())
            .filter(|element| !element.is_empty())
    }

    /// Whether a comma list under `name` has `element`, in any case.
    pub(crate) fn lists(&self, name: &str, element: &str) -> bool {
        self.elements(name).any(|found| found.eq_ignore_ascii_case(element))
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, value.escape_ascii().to_string())))
            .finish()
    }
}

/// Appends a header line after checking it; `reserved` are the names that only the library writes.
///
/// # Errors
/// The caller's fault; `out` is as it was.
pub(crate) fn push_header(
    out: &mut Vec<u8>,
    name: &str,
    value: &str,
    reserved: &[&str],
) -> Result<(), InvalidHeader> {
    if !is_token(name.as_bytes()) {
        return Err(InvalidHeader::Name(name.into()));
    }
    if reserved.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
        return Err(InvalidHeader::Reserved(name.into()));
    }
    check_value(name, value)?;
    push_line(out, name, value.as_bytes());
    Ok(())
}

/// RFC 9110 section 5.5: field values have visible characters, spaces, tabs and obs-text.
pub(super) fn check_value(name: &str, value: &str) -> Result<(), InvalidHeader> {
    match value.bytes().position(|byte| byte != b'\t' && byte.is_ascii_control()) {
        None => Ok(()),
        Some(position) => {
            Err(InvalidHeader::Value { name: name.into(), byte: value.as_bytes()[position], position })
        }
    }
}

/// Appends a header line that is known to be good.
pub(crate) fn push_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether this is a token: at least one `tchar` and nothing else (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
