//! The server's side: what a client asks for.

use super::key::{accept_key, is_key};
use super::{EXTENSIONS_MAX, ExtensionOffer, SUBPROTOCOLS_MAX, extension};
use crate::http::{Body, Only, Refusal, Request, Version, is_token, shown};

/// A request that is an opening handshake to the letter of RFC 6455 section 4.2.1.
///
/// Choose from it, then answer with [`write_switching`](super::write_switching), or refuse it with a
/// [`Refusal`] of your own. It borrows from the request's bytes, not from the [`Request`].
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    accept_key: [u8; 28],
    subprotocols: Vec<&'a str>,
    extensions: Vec<ExtensionOffer<'a>>,
}

impl<'a> Offer<'a> {
    /// Checks that the request is an opening handshake of version 13.
    ///
    /// # Errors
    /// The peer's fault: 426 for another version of the protocol, 400 for everything else, with a reason
    /// that says what was found and what was expected.
    pub fn check(request: &Request<'a>) -> Result<Self, Refusal> {
        check_request_line(request)?;
        check_fields(request)?;
        check_version(request)?;
        let key = check_key(request)?;
        Ok(Self {
            accept_key: accept_key(key),
            subprotocols: parse_subprotocols(request)?,
            extensions: parse_extensions(request)?,
        })
    }

    /// The proof that the server read this handshake: the value of Sec-WebSocket-Accept.
    pub fn accept_key(&self) -> [u8; 28] {
        self.accept_key
    }

    /// The subprotocols in the client's order of preference: tokens, each once.
    pub fn protocols(&self) -> impl ExactSizeIterator<Item = &'a str> {
        self.subprotocols.iter().copied()
    }

    /// The first of `supported`, which is in the server's order of preference, that the client offers
    /// too; names differ by case (RFC 6455 section 4.2.2, /subprotocol/).
    pub fn choose<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        supported.iter().copied().find(|candidate| self.subprotocols.contains(candidate))
    }

    /// The extensions in the client's order of preference (RFC 6455 section 9.1). The same name may be
    /// there several times, with other parameters.
    pub fn extensions(&self) -> &[ExtensionOffer<'a>] {
        &self.extensions
    }
}

/// RFC 6455 section 4.2.1, item 1: GET, HTTP/1.1. Bodies are refused although HTTP allows them with GET:
/// the bytes behind the head are frames to us and might be a body to somebody in between.
fn check_request_line(request: &Request<'_>) -> Result<(), Refusal> {
    if request.method() != "GET" {
        let found = shown(request.method().as_bytes());
        return Err(Refusal::new(
            400,
            format!("the method is {found}, expected GET for an opening handshake"),
        ));
    }
    if request.version() < Version::Http11 {
        let found = request.version().as_str();
        return Err(Refusal::new(400, format!("the version is {found}, expected HTTP/1.1 or above")));
    }
    if let Body::Length(length) = request.body() {
        return Err(Refusal::new(
            400,
            format!("an opening handshake has no body, but Content-Length is {length}"),
        ));
    }
    Ok(())
}

/// RFC 6455 section 4.2.1, items 2 to 4.
fn check_fields(request: &Request<'_>) -> Result<(), Refusal> {
    if request.host().is_none_or(str::is_empty) {
        return Err(Refusal::new(400, "the header Host is empty, expected the server's host name"));
    }
    for (name, element) in [("Upgrade", "websocket"), ("Connection", "upgrade")] {
        if !request.fields().lists(name, element) {
            let found = found(request, name);
            return Err(Refusal::new(
                400,
                format!("the header {name} {found}, expected it to list {element}"),
            ));
        }
    }
    Ok(())
}

/// RFC 6455 section 4.2.1, item 6, and section 4.4.
fn check_version(request: &Request<'_>) -> Result<(), Refusal> {
    match request.fields().only("Sec-WebSocket-Version") {
        Only::One(b"13") => Ok(()),
        Only::Repeated => Err(Refusal::upgrade_required(
            "the header Sec-WebSocket-Version is there more than once, expected one with 13",
        )),
        _ => {
            let found = found(request, "Sec-WebSocket-Version");
            Err(Refusal::upgrade_required(format!("the header Sec-WebSocket-Version {found}, expected 13")))
        }
    }
}

/// RFC 6455 section 4.2.1, item 5.
fn check_key<'a>(request: &Request<'a>) -> Result<&'a [u8], Refusal> {
    match request.fields().only("Sec-WebSocket-Key") {
        Only::One(key) if is_key(key) => Ok(key),
        Only::Repeated => Err(Refusal::new(400, "the header Sec-WebSocket-Key is there more than once")),
        _ => {
            let found = found(request, "Sec-WebSocket-Key");
            Err(Refusal::new(
                400,
                format!("the header Sec-WebSocket-Key {found}, expected 16 bytes in base64 (24 characters)"),
            ))
        }
    }
}

/// RFC 6455 section 4.1, item 10: tokens, each once, over all headers of this name.
fn parse_subprotocols<'a>(request: &Request<'a>) -> Result<Vec<&'a str>, Refusal> {
    let name = "Sec-WebSocket-Protocol";
    let mut subprotocols = Vec::new();
    for value in request.fields().values(name) {
        let count_before = subprotocols.len();
        let elements = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        for element in elements.filter(|element| !element.is_empty()) {
            let subprotocol = match std::str::from_utf8(element) {
                Ok(text) if is_token(element) && !subprotocols.contains(&text) => text,
                _ => {
                    let found = shown(element);
                    return Err(Refusal::new(400, format!("{name} has {found}, expected tokens, each once")));
                }
            };
            if subprotocols.len() == SUBPROTOCOLS_MAX {
                return Err(Refusal::new(400, format!("{name} has more than {SUBPROTOCOLS_MAX} elements")));
            }
            subprotocols.push(subprotocol);
        }
        if subprotocols.len() == count_before {
            return Err(Refusal::new(400, format!("{name} is empty, expected at least one token")));
        }
    }
    Ok(subprotocols)
}

/// RFC 6455 section 9.1: a value outside the grammar fails the handshake.
fn parse_extensions<'a>(request: &Request<'a>) -> Result<Vec<ExtensionOffer<'a>>, Refusal> {
    let name = "Sec-WebSocket-Extensions";
    let mut offers = Vec::new();
    for value in request.fields().values(name) {
        if extension::parse(value, &mut offers).is_none() {
            let found = shown(value);
            return Err(Refusal::new(
                400,
                format!(
                    "{name} is {found}, expected at most {EXTENSIONS_MAX} of the form `name; parameter; parameter=value`"
                ),
            ));
        }
    }
    Ok(offers)
}

/// What a reason says about a header that should have been otherwise.
fn found(request: &Request<'_>, name: &str) -> String {
    request.header(name).map_or_else(|| "is missing".into(), |value| format!("is {}", shown(value)))
}
