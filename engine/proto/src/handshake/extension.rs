//! The Sec-WebSocket-Extensions header (RFC 6455 section 9.1).

use super::EXTENSIONS_MAX;
use crate::http::is_token;
use std::borrow::Cow;

/// One element of a Sec-WebSocket-Extensions list: in a request something the client can do, in an
/// answer something both will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionOffer<'a> {
    name: &'a str,
    params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

impl<'a> ExtensionOffer<'a> {
    /// The extension, a token: `permessage-deflate`.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The parameters in their order; a value that was quoted is given without quotes and escapes, and
    /// is a token like any other.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&'a str, Option<&str>)> {
        self.params.iter().map(|(name, value)| (*name, value.as_deref()))
    }
}

/// Parses the value of one header and appends what it lists; `None` when it is malformed or there is
/// too much of it. An empty list element is passed over (RFC 9110 section 5.6.1.2), an empty list is not.
pub(super) fn parse<'a>(value: &'a [u8], offers: &mut Vec<ExtensionOffer<'a>>) -> Option<()> {
    let mut rest = std::str::from_utf8(value).ok()?;
    let found_before = offers.len();
    loop {
        rest = trim(rest);
        if !rest.is_empty() && !rest.starts_with(',') {
            let (offer, after) = parse_offer(rest)?;
            offers.push(offer);
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => break,
            None => return None,
        }
    }
    (offers.len() > found_before && offers.len() <= EXTENSIONS_MAX).then_some(())
}

/// `extension = extension-token *( ";" extension-param )`; returns what is left behind it.
fn parse_offer(text: &str) -> Option<(ExtensionOffer<'_>, &str)> {
    let (name, mut rest) = take_token(text)?;
    let mut params = Vec::new();
    while let Some(after) = trim(rest).strip_prefix(';') {
        let (param, after) = take_token(trim(after))?;
        let (value, after) = match trim(after).strip_prefix('=') {
            Some(after) => take_value(trim(after)).map(|(value, after)| (Some(value), after))?,
            None => (None, after),
        };
        params.push((param, value));
        if params.len() > EXTENSIONS_MAX {
            return None;
        }
        rest = after;
    }
    Some((ExtensionOffer { name, params }, trim(rest)))
}

/// A token or a quoted string which, without its escapes, is a token too.
fn take_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return take_token(text).map(|(token, rest)| (Cow::Borrowed(token), rest));
    };
    let mut value = Cow::Borrowed("");
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            '\\' if !escaped => {
                escaped = true;
                value = Cow::Owned(value.into_owned());
            }
            '"' if !escaped => return is_token(value.as_bytes()).then(|| (value, &quoted[at + 1..])),
            _ => {
                escaped = false;
                match &mut value {
                    Cow::Borrowed(value) => *value = &quoted[..at + character.len_utf8()],
                    Cow::Owned(value) => value.push(character),
                }
            }
        }
    }
    None
}

/// The token at the start of `text`, and what is left.
fn take_token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token(&[byte])).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Optional white space is spaces and tabs (RFC 9110 section 5.6.3).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
