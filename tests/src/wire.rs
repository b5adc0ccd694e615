//! Frames, written and read the simplest way that RFC 6455 section 5.2 allows.

/// Opcodes (section 11.8).
pub const CONTINUATION: u8 = 0;
/// A text message, or its first fragment.
pub const TEXT: u8 = 1;
/// A binary message, or its first fragment.
pub const BINARY: u8 = 2;
/// Close.
pub const CLOSE: u8 = 8;
/// Ping.
pub const PING: u8 = 9;
/// Pong.
pub const PONG: u8 = 10;

/// One frame as it came, its payload unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends its message.
    pub fin: bool,
    /// RSV1 to RSV3.
    pub reserved: u8,
    /// What it is.
    pub opcode: u8,
    /// Whether it was masked.
    pub masked: bool,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame as a server sends it.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, reserved: 0, opcode, masked: false, payload: payload.into() }
    }

    /// The code and reason of a Close.
    ///
    /// # Panics
    /// When it is none, or malformed.
    pub fn close_reason(&self) -> (u16, String) {
        assert_eq!(self.opcode, CLOSE, "expected a Close, got {self:?}");
        assert!(self.payload.len() >= 2, "a Close without a code");
        let (code, reason) = self.payload.split_at(2);
        let reason = String::from_utf8(reason.to_vec()).expect("a reason is UTF-8");
        (u16::from_be_bytes([code[0], code[1]]), reason)
    }
}

/// A message in one frame, masked as a client must.
pub fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    fragment(opcode, true, payload)
}

/// One frame of a client.
pub fn fragment(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let key = (payload.len() as u32).wrapping_mul(0x9e37_79b9).wrapping_add(0x0102_0304).to_be_bytes();
    let mut frame = header(opcode, fin, payload.len() as u64, true);
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
    frame
}

/// One frame of a client that begins a compressed message (RFC 7692 section 6).
pub fn compressed(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = fragment(opcode, fin, payload);
    frame[0] |= 0x40;
    frame
}

/// A Close of a client.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    message(CLOSE, &[&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// The header up to the masking key, with the shortest form of the length.
pub fn header(opcode: u8, fin: bool, length: u64, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut header = vec![opcode | if fin { 0x80 } else { 0 }];
    match length {
        0..=125 => header.push(mask | length as u8),
        126..=65535 => {
            header.push(mask | 126);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend_from_slice(&length.to_be_bytes());
        }
    }
    header
}

/// The frame at the front of `bytes` and its length on the wire; `None` while it is not all there.
pub fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        length => (u64::from(length), 2),
    };
    let masked = second & 0x80 != 0;
    let key = match masked {
        true => *bytes.get(at..)?.first_chunk::<4>()?,
        false => [0; 4],
    };
    at += if masked { 4 } else { 0 };
    let payload = bytes.get(at..at + length as usize)?;
    let payload = match masked {
        true => payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect(),
        false => payload.to_vec(),
    };
    let frame =
        Frame { fin: first & 0x80 != 0, reserved: first >> 4 & 7, opcode: first & 15, masked, payload };
    Some((frame, at + length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 125, 126, 65535, 65536] {
            let payload = vec![7; length];
            let bytes = fragment(BINARY, false, &payload);
            let (frame, taken) = parse(&bytes).expect("it is all there");
            assert_eq!(taken, bytes.len());
            assert!(frame.masked && !frame.fin && frame.payload == payload);
            assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
        }
    }
}
