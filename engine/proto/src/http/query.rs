//! Percent-encoding in paths and queries.

use std::borrow::Cow;

/// Decodes `%41` and the like (RFC 3986 section 2.1), for a path segment. A percent sign without two
/// hexadecimal digits stands for itself; bytes that are not UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    decode(text, Plus::Literal)
}

/// The first value of `name` in a query of the form `a=1&b=2`, decoded as browsers encode forms.
pub(super) fn value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, Plus::Space) == name).then(|| decode(value, Plus::Space))
    })
}

/// What `+` means: itself in paths, a space in forms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Literal,
    Space,
}

fn decode(text: &str, plus: Plus) -> Cow<'_, str> {
    let encoded = |byte: u8| byte == b'%' || (byte == b'+' && plus == Plus::Space);
    if !text.bytes().any(encoded) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (decoded_byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low), after)
            }
            (b'+', _) if plus == Plus::Space => (b' ', after),
            _ => (byte, after),
        };
        decoded.push(decoded_byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
