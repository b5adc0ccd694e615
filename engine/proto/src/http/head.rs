//! Where a head ends and how large it may become.

use super::Refusal;

/// The most header fields that any head may have, whatever its [`HeadLimits`] say: they are kept in an
/// array on the stack.
pub const HEADERS_MAX: usize = 100;

/// What one head (request line or status line, and header fields) may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes up to and including the blank line.
    pub bytes_max: usize,
    /// Header fields; more than [`HEADERS_MAX`] means [`HEADERS_MAX`].
    pub headers_max: usize,
}

impl Default for HeadLimits {
    /// 8192 bytes and 100 header fields: what common proxies and browsers stay below.
    fn default() -> Self {
        Self { bytes_max: 8192, headers_max: HEADERS_MAX }
    }
}

impl HeadLimits {
    /// The refusal of a head that does not fit: 414 when the request line alone is too long
    /// (RFC 9112 section 3), else 431 (RFC 6585 section 5).
    pub(super) fn too_long(&self, bytes: &[u8]) -> Refusal {
        let bytes_max = self.bytes_max;
        let within = bytes.get(..bytes_max).unwrap_or(bytes);
        if memchr::memchr(b'\n', within).is_none() {
            return Refusal::new(414, format!("the request line does not end within {bytes_max} bytes"));
        }
        Refusal::new(431, format!("the request head does not end within {bytes_max} bytes"))
    }

    /// How many fields may really be kept.
    pub(crate) fn fields_max(&self) -> usize {
        self.headers_max.min(HEADERS_MAX)
    }
}

/// Finds the blank line that ends a head: the index of the first byte behind it, `None` while it is not
/// there yet. Hand `bytes[..index]` to [`Request::parse`](super::Request::parse); what follows is body,
/// or frames sent right behind the handshake.
///
/// `searched` is how many of `bytes` an earlier call has looked at, zero at first. The search goes on
/// from there, so a head that arrives one byte at a time costs one look at each byte.
///
/// A line that ends in a bare LF counts here although [`Request::parse`](super::Request::parse) refuses
/// it: its sender gets an answer at once and not a timeout.
pub fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    // The last two bytes looked at before may be the beginning of LF CR LF.
    let start = searched.saturating_sub(2).min(bytes.len());
    memchr::memchr_iter(b'\n', &bytes[start..]).find_map(|offset| {
        let after = start + offset + 1;
        match &bytes[after..] {
            [b'\n', ..] => Some(after + 1),
            [b'\r', b'\n', ..] => Some(after + 2),
            _ => None,
        }
    })
}

/// Looks at a request head that has not ended yet; go on collecting when all is well.
///
/// # Errors
/// The peer's fault: more bytes than `limits` allow (414 or 431), or a first byte with which no HTTP
/// request begins (400), which mostly is a TLS handshake on a port without TLS.
pub fn check_unfinished(bytes: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    // At the bound exactly, the blank line could only come beyond it.
    if bytes.len() >= limits.bytes_max {
        return Err(limits.too_long(bytes));
    }
    match bytes.first() {
        Some(0x16) => {
            Err(Refusal::new(400, "these bytes look like a TLS handshake; this port speaks plain HTTP"))
        }
        // RFC 9112 section 2.2: an empty line before the request line is passed over.
        Some(&first) if !super::field::is_token_byte(first) && first != b'\r' && first != b'\n' => {
            Err(Refusal::new(400, format!("no HTTP request begins with byte {first:#04x}")))
        }
        _ => Ok(()),
    }
}
