//! WebSocket URLs (RFC 6455 section 3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A checked `ws://` or `wss://` URL; make it with [`str::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    target: String,
}

/// How a WebSocket URL is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ws`: TCP, port 80 unless the URL says otherwise.
    Ws,
    /// `wss`: TLS over TCP, port 443 unless the URL says otherwise.
    Wss,
}

/// Why a text is not a WebSocket URL. The caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins otherwise.
    #[error("{0:?} does not begin with ws:// or wss://")]
    Scheme(String),
    /// The host is missing, or is none.
    #[error(
        "{0:?} is no host: expected a name in ASCII (others in Punycode), an IPv4 address or an IPv6 address in brackets"
    )]
    Host(String),
    /// The port is not a number that a server can listen on.
    #[error("{0:?} is no port: expected a number from 1 to 65535")]
    Port(String),
    /// It has a fragment.
    #[error(
        "{0:?} has a fragment; a WebSocket URL has none, and '#' in a path is written %23 (RFC 6455 section 3)"
    )]
    Fragment(String),
    /// It has a user name.
    #[error("the URL has user information before '@'; send credentials in a header or in the query instead")]
    UserInfo,
    /// Path or query have characters that a URL cannot have.
    #[error("path and query {0:?} have other characters than visible ASCII: percent-encode them")]
    Target(String),
}

impl Url {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also when it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query as they stand in the request line; at least `/`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and port as they stand in the Host header: brackets around IPv6, no port when it is the
    /// scheme's own (RFC 6455 section 4.1, item 4).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl Scheme {
    /// The port that a URL without one means.
    pub fn port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.target)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = split_scheme(text).ok_or_else(|| UrlError::Scheme(text.into()))?;
        if rest.contains('#') {
            return Err(UrlError::Fragment(text.into()));
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None | Some("") => scheme.port(),
            Some(digits) => parse_port(digits).ok_or_else(|| UrlError::Port(digits.into()))?,
        };
        let host = parse_host(host).ok_or_else(|| UrlError::Host(host.into()))?;
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Target(target.into()));
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, host, port, target: format!("{slash}{target}") })
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let known =
        [Scheme::Ws, Scheme::Wss].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme))?;
    Some((known, rest))
}

/// The host, in brackets if it has them, and the port without its colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    let host_end = match authority.strip_prefix('[') {
        Some(inside) => {
            inside.find(']').map(|end| end + 2).ok_or_else(|| UrlError::Host(authority.into()))?
        }
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, after) = authority.split_at(host_end);
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(UrlError::Host(authority.into())),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (port != 0).then_some(port)
}

fn parse_host(host: &str) -> Option<String> {
    if let Some(inside) = host.strip_prefix('[') {
        let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let host = host.to_ascii_lowercase();
    let name_ok = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    // RFC 1035 section 2.3.4: a name has at most 253 characters when it is written with dots.
    if !name_ok || host.is_empty() || host.len() > 253 || host.starts_with('.') || host.contains("..") {
        return None;
    }
    // What ends in a number is an address and no name; `1.2.3` and `0x7f` mean different things to
    // different readers.
    let last_label = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if last_label.bytes().all(|byte| byte.is_ascii_digit()) || last_label.starts_with("0x") {
        return host.parse::<Ipv4Addr>().ok().map(|address| address.to_string());
    }
    Some(host)
}
