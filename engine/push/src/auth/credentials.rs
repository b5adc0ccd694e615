//! Where a client puts its token or key.

use std::borrow::Cow;
use wsring::Request;

/// The prefix of a subprotocol that carries a token: a browser's WebSocket can set no header, and a
/// token in the URL ends up in logs.
pub(crate) const SUBPROTOCOL_PREFIX: &str = "bearer.";

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    None,
    /// A token or an API key.
    Bearer(Cow<'a, str>),
    ApiKey(Cow<'a, str>),
}

impl<'a> Credentials<'a> {
    /// The first that is there of the headers Authorization and X-Api-Key, the query's `token`, and the
    /// list of subprotocols.
    pub(crate) fn of(request: &Request<'a>) -> Self {
        if let Some(bearer) = request.header_str("Authorization").and_then(bearer) {
            return Self::Bearer(Cow::Borrowed(bearer));
        }
        if let Some(key) = request.header_str("X-Api-Key") {
            return Self::ApiKey(Cow::Borrowed(key));
        }
        if let Some(token) = request.query_value("token") {
            return Self::Bearer(token);
        }
        let carried =
            request.tokens("Sec-WebSocket-Protocol").find_map(|name| name.strip_prefix(SUBPROTOCOL_PREFIX));
        carried.map_or(Self::None, |token| Self::Bearer(Cow::Borrowed(token)))
    }
}

/// The token of `Bearer TOKEN` (RFC 6750 section 2.1); the scheme matters not by case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer() {
        let table = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ];
        for (value, expected) in table {
            assert_eq!(bearer(value), expected, "{value}");
        }
    }
}
