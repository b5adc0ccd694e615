//! What is wrong with a head: the checks that the tokenizer leaves out, and reasons for those it makes.

use super::field::is_token;
use super::{HeadLimits, Refusal};

/// The most bytes of a request that a reason quotes.
const SHOWN_BYTES_MAX: usize = 48;

/// A piece of the peer's bytes for a text: quoted, escaped, and cut when it is long.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES_MAX) {
        Some(start) if bytes.len() > SHOWN_BYTES_MAX => format!("\"{}...\"", start.escape_ascii()),
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

/// RFC 9112 section 2.2 lets a recipient take a bare LF for a line end and a bare CR for a space. Parsers
/// that differ in this see different requests in the same bytes, so both are refused.
///
/// # Errors
/// The peer's fault, in one sentence.
pub(crate) fn check_line_ends(head: &[u8]) -> Result<(), &'static str> {
    for at in memchr::memchr2_iter(b'\r', b'\n', head) {
        let fault = match head[at] {
            b'\n' if at == 0 || head[at - 1] != b'\r' => "a line ends in a bare LF, expected CR LF",
            b'\r' if head.get(at + 1) != Some(&b'\n') => "a CR is not followed by LF",
            _ => continue,
        };
        return Err(fault);
    }
    Ok(())
}

/// The refusal of a head that the tokenizer did not take.
pub(super) fn explain(head: &[u8], error: httparse::Error, limits: &HeadLimits) -> Refusal {
    if error == httparse::Error::TooManyHeaders {
        let fields_max = limits.fields_max();
        return Refusal::new(431, format!("the request has more than {fields_max} header fields"));
    }
    if let Err(fault) = check_line_ends(head) {
        return Refusal::new(400, fault);
    }
    match error {
        httparse::Error::Version => explain_version(head),
        httparse::Error::HeaderName | httparse::Error::HeaderValue => explain_field(head),
        _ => Refusal::new(
            400,
            format!(
                "the request line is {}, expected a method, a target and HTTP/1.1 with one space between",
                shown(request_line(head))
            ),
        ),
    }
}

/// A version that has the right form but another number is 505, anything else is no request line.
fn explain_version(head: &[u8]) -> Refusal {
    let line = request_line(head);
    let found = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let reason = format!("the HTTP version is {}, expected HTTP/1.1", shown(found));
    let status = match found.strip_prefix(b"HTTP/") {
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => 505,
        _ => 400,
    };
    Refusal::new(status, reason)
}

/// Finds the field line that is at fault and says why.
fn explain_field(head: &[u8]) -> Refusal {
    let reason = lines(head).skip(1).find_map(field_fault);
    Refusal::new(400, reason.unwrap_or_else(|| "a header field is malformed".into()))
}

fn field_fault(line: &[u8]) -> Option<String> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        // RFC 9112 section 5.2.
        return Some("a header line begins with white space (obsolete line folding)".into());
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(format!("the header line {} has no colon", shown(line)));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.trim_ascii_end() != name {
        // RFC 9112 section 5.1.
        return Some(format!("there is white space between the header name {} and its colon", shown(name)));
    }
    if !is_token(name) {
        return Some(format!("the header name {} is not a token", shown(name)));
    }
    let control = value.iter().find(|&&byte| byte != b'\t' && byte.is_ascii_control())?;
    Some(format!("the value of header {} has the control character {control:#04x}", shown(name)))
}

fn request_line(head: &[u8]) -> &[u8] {
    lines(head).next().unwrap_or_default()
}

/// The lines of a head without their ends; empty ones in front and at the end are left out.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}
