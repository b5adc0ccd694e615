//! One frame header: bits of RFC 6455 section 5.2, parsed and written.

use crate::limits::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX};
use crate::{CloseReason, Masking, Role, Violation};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASK: u8 = 0x80;
const LENGTH: u8 = 0x7F;

/// Seven bits hold lengths up to this; 126 and 127 announce 16 and 64 bits.
const LENGTH_7_MAX: u64 = 125;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// Goes on with a fragmented message.
    Continuation = 0x0,
    /// Begins a text message.
    Text = 0x1,
    /// Begins a binary message.
    Binary = 0x2,
    /// Begins or answers the closing handshake.
    Close = 0x8,
    /// Asks for a Pong.
    Ping = 0x9,
    /// Answers a Ping, or says that the sender lives.
    Pong = 0xA,
}

impl Opcode {
    /// Close, Ping and Pong: short, whole, and allowed between fragments (section 5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    fn parse(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            opcode => return Err(Violation::ReservedOpcode { opcode }),
        })
    }
}

/// A frame header that keeps every rule that can be judged from the header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Last fragment of its message.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 as bits 2, 1, 0.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, of a frame that a client sent.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow; below 2^63.
    pub length: u64,
}

/// The outcome of looking at the beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The header, and how many bytes it took.
    Header(Header, usize),
    /// The header takes this many bytes in all and they are not there.
    Needs(usize),
}

/// Appends a frame to `out`, masked with a fresh key when the role masks.
pub fn append<R: Role>(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8], masking: &mut Masking) {
    let mask = R::MASKS.then(|| masking.key());
    let header = Header { fin, reserved: 0, opcode, mask, length: payload.len() as u64 };
    out.extend_from_slice(&header.encode());
    match mask {
        Some(key) => masking.mask_append(payload, out, key),
        None => out.extend_from_slice(payload),
    }
}

/// Appends a Close frame to `out` (section 5.5.1).
pub fn append_close<R: Role>(out: &mut Vec<u8>, reason: CloseReason<'_>, masking: &mut Masking) {
    let mut payload = [0; CONTROL_BYTES_MAX];
    let length = reason.write(&mut payload);
    append::<R>(out, Opcode::Close, true, &payload[..length], masking);
}

/// Reads a header for its opcode and payload length alone, whatever else is wrong with it: to
/// step over frames of a connection that has failed already. `None`: more bytes are needed.
pub(crate) fn parse_leniently(bytes: &[u8]) -> Option<(u8, u64)> {
    let [first, second, rest @ ..] = bytes else { return None };
    if bytes.len() < header_bytes(*second) {
        return None;
    }
    let length = match second & LENGTH {
        LENGTH_16 => u64::from(u16::from_be_bytes(*rest.first_chunk()?)),
        LENGTH_64 => u64::from_be_bytes(*rest.first_chunk()?),
        short => u64::from(short),
    };
    Some((first & OPCODE, length))
}

/// How many bytes the header takes that begins with these, once two are known.
pub(crate) fn header_bytes(second: u8) -> usize {
    let length = match second & LENGTH {
        LENGTH_16 => 2,
        LENGTH_64 => 8,
        _ => 0,
    };
    2 + length + if second & MASK == 0 { 0 } else { 4 }
}

impl Header {
    /// Reads a header from the front of `bytes`. Faults of the first two bytes are found as soon as
    /// those are there.
    ///
    /// # Errors
    /// The peer's fault: a reserved opcode, a control frame that is long or fragmented, a length not
    /// in its shortest form or with its top bit set. Reserved bits, masking and the order of
    /// fragments depend on the connection and are not judged here.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Parsed, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(Parsed::Needs(2)) };
        let opcode = Opcode::parse(first & OPCODE)?;
        let fin = first & FIN != 0;
        if opcode.is_control() {
            check_control(fin, second & LENGTH)?;
        }
        let needs = header_bytes(*second);
        if bytes.len() < needs {
            return Ok(Parsed::Needs(needs));
        }
        let length = parse_length(second & LENGTH, rest)?;
        let mask = if second & MASK == 0 { None } else { bytes[..needs].last_chunk::<4>().copied() };
        let reserved = (first & RESERVED) >> 4;
        Ok(Parsed::Header(Self { fin, reserved, opcode, mask, length }, needs))
    }

    /// The header as bytes, lengths in their shortest form.
    #[inline]
    pub fn encode(&self) -> Encoded {
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[0] = if self.fin { FIN } else { 0 } | self.reserved << 4 | self.opcode as u8;
        let mut end = match self.length {
            length @ 0..=LENGTH_7_MAX => {
                bytes[1] = length as u8;
                2
            }
            length if length <= u64::from(u16::MAX) => {
                bytes[1] = LENGTH_16;
                bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            length => {
                bytes[1] = LENGTH_64;
                bytes[2..10].copy_from_slice(&length.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[1] |= MASK;
            bytes[end..end + 4].copy_from_slice(&key);
            end += 4;
        }
        Encoded { bytes, length: end as u8 }
    }
}

/// A written header.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

impl std::ops::Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Section 5.5: a control frame is whole and has at most 125 bytes.
fn check_control(fin: bool, length: u8) -> Result<(), Violation> {
    if !fin {
        return Err(Violation::ControlFragmented);
    }
    if usize::from(length) > CONTROL_BYTES_MAX {
        return Err(Violation::ControlTooLong { length: u64::from(length) });
    }
    Ok(())
}

/// Section 5.2: 7, 7+16 or 7+64 bits in network order, the shortest that fits.
#[inline]
fn parse_length(short: u8, rest: &[u8]) -> Result<u64, Violation> {
    let (length, longer_than) = match short {
        LENGTH_16 => {
            (u64::from(u16::from_be_bytes(*rest.first_chunk().expect("length checked"))), LENGTH_7_MAX)
        }
        LENGTH_64 => (u64::from_be_bytes(*rest.first_chunk().expect("length checked")), u64::from(u16::MAX)),
        short => return Ok(u64::from(short)),
    };
    if length <= longer_than {
        return Err(Violation::LengthNotMinimal { length });
    }
    if length >> 63 != 0 {
        return Err(Violation::LengthTooLarge { length });
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u64, mask: Option<[u8; 4]>) -> Header {
        Header { fin: true, reserved: 0, opcode: Opcode::Binary, mask, length }
    }

    #[test]
    fn examples_of_section_5_7() {
        let table: [(&[u8], Header); 5] = [
            (&[0x81, 0x05], Header { opcode: Opcode::Text, ..header(5, None) }),
            (
                &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d],
                Header { opcode: Opcode::Text, ..header(5, Some([0x37, 0xfa, 0x21, 0x3d])) },
            ),
            (&[0x01, 0x03], Header { fin: false, opcode: Opcode::Text, ..header(3, None) }),
            (&[0x82, 0x7E, 0x01, 0x00], header(256, None)),
            (&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], header(65536, None)),
        ];
        for (bytes, expected) in table {
            assert_eq!(Header::parse(bytes), Ok(Parsed::Header(expected, bytes.len())));
            assert_eq!(&*expected.encode(), bytes);
        }
    }

    #[test]
    fn every_boundary_length_is_written_and_read_alike_and_waits_for_each_byte() {
        for length in [0, 1, 125, 126, 127, 65535, 65536, 65537, u64::from(u32::MAX), (1 << 63) - 1] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = header(length, mask);
                let bytes = header.encode();
                for cut in 0..bytes.len() {
                    let needs = if cut < 2 { 2 } else { bytes.len() };
                    assert_eq!(
                        Header::parse(&bytes[..cut]),
                        Ok(Parsed::Needs(needs)),
                        "{length} cut at {cut}"
                    );
                }
                assert_eq!(Header::parse(&bytes), Ok(Parsed::Header(header, bytes.len())));
            }
        }
    }

    #[test]
    fn faults_are_named_as_soon_as_their_bytes_are_there() {
        let table: [(&[u8], Violation); 8] = [
            (&[0x83, 0], Violation::ReservedOpcode { opcode: 3 }),
            (&[0x8F, 0], Violation::ReservedOpcode { opcode: 15 }),
            (&[0x09, 0], Violation::ControlFragmented),
            (&[0x89, 126], Violation::ControlTooLong { length: 126 }),
            (&[0x88, 0xFF], Violation::ControlTooLong { length: 127 }),
            (&[0x82, 126, 0, 125], Violation::LengthNotMinimal { length: 125 }),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Violation::LengthNotMinimal { length: 65535 }),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::LengthTooLarge { length: 1 << 63 }),
        ];
        for (bytes, fault) in table {
            assert_eq!(Header::parse(bytes), Err(fault));
        }
    }
}
