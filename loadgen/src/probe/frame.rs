//! One frame, of which every part may be wrong (RFC 6455 section 5.2).

/// Goes on with a message.
pub(super) const CONTINUATION: u8 = 0x0;
/// Begins a message of text.
pub(super) const TEXT: u8 = 0x1;
/// Begins a message of any bytes.
pub(super) const BINARY: u8 = 0x2;
/// Begins or answers the closing handshake.
pub(super) const CLOSE: u8 = 0x8;
/// Asks for a Pong.
pub(super) const PING: u8 = 0x9;
/// Answers a Ping.
pub(super) const PONG: u8 = 0xA;

/// RSV1 in [`Frame::reserved`]: a compressed message begins (RFC 7692 section 6).
pub(super) const RSV1: u8 = 0b100;

/// Longest payload that is read, of a frame and of a message of many; what is announced longer is not waited for.
pub(super) const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

/// A frame as it is or was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Last fragment of its message.
    pub(super) fin: bool,
    /// RSV1, RSV2, RSV3 as bits 2, 1, 0.
    pub(super) reserved: u8,
    /// Four bits, of which only some values have a meaning.
    pub(super) opcode: u8,
    /// The masking key, if the frame is masked.
    pub(super) key: Option<[u8; 4]>,
    /// How the length is written.
    pub(super) form: LengthForm,
    /// The length as it is announced.
    pub(super) length: u64,
    /// The payload as it is meant: unmasked.
    pub(super) payload: Vec<u8>,
}

/// How the length of a payload is written: 7 bits, 7+16 bits or 7+64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LengthForm {
    /// In the second byte itself.
    Bits7,
    /// 126 in the second byte, then two bytes.
    Bits16,
    /// 127 in the second byte, then eight bytes.
    Bits64,
}

impl LengthForm {
    /// The shortest form that holds a length: the only right one.
    pub(super) fn shortest(length: u64) -> Self {
        match length {
            0..=125 => Self::Bits7,
            126..=0xFFFF => Self::Bits16,
            _ => Self::Bits64,
        }
    }
}

impl Frame {
    /// A whole message or control frame without a mask.
    pub(super) fn new(opcode: u8, payload: &[u8]) -> Self {
        let length = payload.len() as u64;
        Self {
            fin: true,
            reserved: 0,
            opcode,
            key: None,
            form: LengthForm::shortest(length),
            length,
            payload: payload.to_vec(),
        }
    }

    /// The same, masked with this key.
    pub(super) fn masked(self, key: [u8; 4]) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same, not the last of its message.
    pub(super) fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// The same with reserved bits.
    pub(super) fn reserved(self, bits: u8) -> Self {
        Self { reserved: bits, ..self }
    }

    /// The same, its length written so, whatever it is.
    pub(super) fn announcing(self, form: LengthForm, length: u64) -> Self {
        Self { form, length, ..self }
    }

    /// The whole frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.extend(self.payload_as_sent());
        bytes
    }

    /// All before the payload.
    pub(super) fn header(&self) -> Vec<u8> {
        let fin = u8::from(self.fin) << 7;
        let mask = u8::from(self.key.is_some()) << 7;
        let mut bytes = vec![fin | self.reserved << 4 | self.opcode];
        match self.form {
            LengthForm::Bits7 => bytes.push(mask | self.length as u8),
            LengthForm::Bits16 => {
                bytes.push(mask | 126);
                bytes.extend((self.length as u16).to_be_bytes());
            }
            LengthForm::Bits64 => {
                bytes.push(mask | 127);
                bytes.extend(self.length.to_be_bytes());
            }
        }
        bytes.extend(self.key.iter().flatten());
        bytes
    }

    /// The payload as it stands on the wire.
    pub(super) fn payload_as_sent(&self) -> Vec<u8> {
        let mut bytes = self.payload.clone();
        mask(&mut bytes, self.key);
        bytes
    }

    /// Puts the payload behind what has come of its message.
    ///
    /// # Errors
    /// Together they are more than [`PAYLOAD_BYTES_MAX`]: so many.
    pub(super) fn append_to(&self, message: &mut Vec<u8>) -> Result<(), u64> {
        let length = self.length.saturating_add(message.len() as u64);
        if length > PAYLOAD_BYTES_MAX {
            return Err(length);
        }
        message.extend_from_slice(&self.payload);
        Ok(())
    }

    /// Reads the frame at the front of `bytes`: it, and how many bytes it took; `None` while it is not
    /// whole.
    ///
    /// # Errors
    /// It announces more than [`PAYLOAD_BYTES_MAX`]: the frame without its payload.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Self> {
        let Some((mut frame, start)) = Self::decode_header(bytes) else { return Ok(None) };
        if frame.length > PAYLOAD_BYTES_MAX {
            return Err(frame);
        }
        let end = start + frame.length as usize;
        let Some(payload) = bytes.get(start..end) else { return Ok(None) };
        frame.payload = payload.to_vec();
        mask(&mut frame.payload, frame.key);
        Ok(Some((frame, end)))
    }

    /// The frame without its payload, and where that begins.
    fn decode_header(bytes: &[u8]) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (form, length, rest) = match second & 0x7F {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (LengthForm::Bits16, u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (LengthForm::Bits64, u64::from_be_bytes(*length), rest)
            }
            short => (LengthForm::Bits7, u64::from(short), rest),
        };
        let (key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        };
        let frame = Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0b111,
            opcode: first & 0x0F,
            key,
            form,
            length,
            payload: Vec::new(),
        };
        Some((frame, bytes.len() - rest.len()))
    }
}

/// Section 5.3: byte i with byte i modulo 4 of the key. Twice is never.
fn mask(bytes: &mut [u8], key: Option<[u8; 4]>) {
    let Some(key) = key else { return };
    bytes.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the frame, and reads it again from every beginning of it.
    fn check(frame: &Frame, bytes: &[u8]) {
        assert_eq!(frame.encode(), bytes);
        for cut in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let more = [bytes, &[0xFF]].concat();
        assert_eq!(Frame::decode(&more), Ok(Some((frame.clone(), bytes.len()))));
    }

    #[test]
    fn examples_of_section_5_7() {
        check(&Frame::new(TEXT, b"Hello"), b"\x81\x05Hello");
        let key = [0x37, 0xfa, 0x21, 0x3d];
        check(&Frame::new(TEXT, b"Hello").masked(key), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        check(&Frame::new(TEXT, b"Hel").unfinished(), b"\x01\x03Hel");
        check(&Frame::new(CONTINUATION, b"lo"), b"\x80\x02lo");
        check(&Frame::new(BINARY, &[7; 256]), &[&[0x82, 0x7E, 1, 0][..], &[7; 256]].concat());
        check(
            &Frame::new(BINARY, &[7; 65536]),
            &[&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat(),
        );
    }

    #[test]
    fn what_is_wrong_is_kept() {
        let frame = Frame::new(0xF, b"x").reserved(0b101).unfinished();
        check(&frame, &[0x5F, 1, b'x']);
        check(&frame.clone().announcing(LengthForm::Bits16, 1), &[0x5F, 126, 0, 1, b'x']);
        check(&frame.announcing(LengthForm::Bits64, 1), &[0x5F, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'x']);
        let huge = Frame::new(BINARY, b"").announcing(LengthForm::Bits64, 1 << 63);
        assert_eq!(Frame::decode(&huge.encode()), Err(huge));
    }
}
