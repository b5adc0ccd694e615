//! The request target and the authority it may name (RFC 9112 section 3.2).

use super::{Refusal, shown};

/// A request target in its parts. Splitting cannot fail; [`check`](Self::check) says whether the whole
/// has a form that is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) whole: &'a str,
    /// Only the absolute form has one.
    pub(super) authority: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn split(whole: &'a str) -> Self {
        let Some(after_scheme) = after_scheme(whole) else {
            let (path, query) = split_query(whole);
            return Self { whole, authority: None, path, query };
        };
        let authority_end = after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
        let (authority, rest) = after_scheme.split_at(authority_end);
        let (path, query) = split_query(rest);
        // RFC 9110 section 4.2.3: an empty path of an http URI means "/".
        Self { whole, authority: Some(authority), path: if path.is_empty() { "/" } else { path }, query }
    }

    pub(super) fn check(&self, method: &str) -> Result<(), Refusal> {
        let found = shown(self.whole.as_bytes());
        if !self.whole.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            let expected = "visible ASCII without '#'; other characters are percent-encoded";
            return Err(Refusal::new(400, format!("the request target is {found}, expected {expected}")));
        }
        match self.authority {
            Some(authority) if authority.is_empty() || !is_authority(authority) => {
                Err(Refusal::new(400, format!("the request target {found} does not name a host and port")))
            }
            Some(_) => Ok(()),
            None if self.path.starts_with('/') => Ok(()),
            // RFC 9112 section 3.2.4: the asterisk form is for OPTIONS alone.
            None if self.whole == "*" && method == "OPTIONS" => Ok(()),
            None => {
                let expected = "a path that begins with '/', or an http URL";
                Err(Refusal::new(400, format!("the request target is {found}, expected {expected}")))
            }
        }
    }
}

/// What follows `scheme://`, for the schemes that lead here.
fn after_scheme(whole: &str) -> Option<&str> {
    let (scheme, rest) = whole.split_once("://")?;
    ["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme)).then_some(rest)
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

/// Whether this is `host` or `host:port` (RFC 9110 section 7.2). A comma, which RFC 3986 allows in names,
/// is refused: it is how two Host fields look when something on the way has joined them.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host_ok, after_host) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((inside, after)) => (inside.parse::<std::net::Ipv6Addr>().is_ok(), after),
            None => (false, ""),
        },
        None => {
            let (host, after) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host.bytes().all(is_host_byte), after)
        }
    };
    let port_ok = match after_host.strip_prefix(':') {
        // RFC 3986 section 3.2.3: the port may be empty.
        Some(port) => {
            port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
        }
        None => after_host.is_empty(),
    };
    host_ok && port_ok
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&byte)
}
