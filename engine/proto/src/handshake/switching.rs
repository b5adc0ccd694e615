//! The server's answer that opens the WebSocket (RFC 6455 section 4.2.2, item 5).

use super::{RESERVED, extension};
use crate::http::{InvalidHeader, is_token, push_header, push_line};

/// For [`write_switching`] without headers of one's own.
pub const NO_HEADERS: &[(&str, &str)] = &[];

/// Appends the `101 Switching Protocols` to `out`; frames may follow right behind it.
///
/// `accept_key` comes from [`Offer::accept_key`](super::Offer::accept_key), `subprotocol` from
/// [`Offer::choose`](super::Offer::choose), so that nothing of the client's own bytes goes back.
/// `extensions` is the value of Sec-WebSocket-Extensions, as
/// [`DeflateOptions::accept`](crate::deflate::DeflateOptions::accept) gives it.
///
/// # Errors
/// The caller's fault, and `out` is as it was: a subprotocol that is not a token,
/// extensions outside the grammar of RFC 6455 section 9.1, a header with characters that could end its line,
/// or one that the handshake writes itself.
pub fn write_switching<N: AsRef<str>, V: AsRef<str>>(
    out: &mut Vec<u8>,
    accept_key: &[u8; 28],
    subprotocol: Option<&str>,
    extensions: Option<&str>,
    headers: &[(N, V)],
) -> Result<(), InvalidHeader> {
    let start = out.len();
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    );
    push_line(out, "Sec-WebSocket-Accept", accept_key);
    let added = push_chosen(out, subprotocol, extensions, headers);
    match added {
        Ok(()) => out.extend_from_slice(b"\r\n"),
        Err(_) => out.truncate(start),
    }
    added
}

fn push_chosen<N: AsRef<str>, V: AsRef<str>>(
    out: &mut Vec<u8>,
    subprotocol: Option<&str>,
    extensions: Option<&str>,
    headers: &[(N, V)],
) -> Result<(), InvalidHeader> {
    if let Some(subprotocol) = subprotocol {
        if !is_token(subprotocol.as_bytes()) {
            return Err(InvalidHeader::Subprotocol(subprotocol.into()));
        }
        push_line(out, "Sec-WebSocket-Protocol", subprotocol.as_bytes());
    }
    if let Some(extensions) = extensions {
        if extension::parse(extensions.as_bytes(), &mut Vec::new()).is_none() {
            return Err(InvalidHeader::Extension(extensions.into()));
        }
        push_line(out, "Sec-WebSocket-Extensions", extensions.as_bytes());
    }
    headers.iter().try_for_each(|(name, value)| push_header(out, name.as_ref(), value.as_ref(), RESERVED))
}
