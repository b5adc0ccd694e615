//! The frames that the client sends and the servers answer, by their sizes (RFC 6455 section 5.2): one
//! unfragmented data frame per message, masked towards the server, unmasked back.

use clap::ValueEnum;

/// What messages are, as command lines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl Opcode {
    /// The first byte of a frame.
    pub fn first(self) -> u8 {
        match self {
            Self::Text => FIN_TEXT,
            Self::Binary => FIN_BINARY,
        }
    }

    /// As command lines and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// FIN and the opcode of a text frame.
pub const FIN_TEXT: u8 = 0x81;
/// FIN and the opcode of a binary frame.
pub const FIN_BINARY: u8 = 0x82;
/// The bit of the first byte (RSV1) that says that the message is compressed (RFC 7692 section 6).
pub const COMPRESSED: u8 = 0x40;
/// The bit of the second byte that says that a masking key follows.
pub const MASKED: u8 = 0x80;
/// Bytes of a masking key.
pub const MASK_BYTES: usize = 4;

/// The header of an unmasked frame: FIN, opcode and the length in its shortest form.
pub fn header(first: u8, payload_bytes: usize) -> Vec<u8> {
    match payload_bytes {
        0..=125 => vec![first, payload_bytes as u8],
        126..=0xffff => {
            let length = (payload_bytes as u16).to_be_bytes();
            vec![first, 126, length[0], length[1]]
        }
        _ => [&[first, 127], (payload_bytes as u64).to_be_bytes().as_slice()].concat(),
    }
}

/// Bytes on the wire of one message from the client.
pub fn request_bytes(payload_bytes: usize) -> usize {
    header(FIN_BINARY, payload_bytes).len() + MASK_BYTES + payload_bytes
}

/// One masked frame, filling `place`.
#[inline]
pub fn masked_frame(place: &mut [u8], header: &[u8], key: [u8; MASK_BYTES], payload: &[u8]) {
    let (head, masked) = place.split_at_mut(header.len() + MASK_BYTES);
    head[..header.len()].copy_from_slice(header);
    head[header.len()..].copy_from_slice(&key);
    mask_into(masked, payload, key);
}

/// `target` becomes `source` with the key laid over it (RFC 6455 section 5.3); equal lengths.
pub fn mask_into(target: &mut [u8], source: &[u8], key: [u8; MASK_BYTES]) {
    assert_eq!(target.len(), source.len());
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (target_words, target_tail) = target.as_chunks_mut::<8>();
    let (source_words, source_tail) = source.as_chunks::<8>();
    for (to, from) in target_words.iter_mut().zip(source_words) {
        *to = (u64::from_ne_bytes(*from) ^ wide).to_ne_bytes();
    }
    for (place, (to, from)) in target_tail.iter_mut().zip(source_tail).enumerate() {
        *to = from ^ key[place % MASK_BYTES];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_takes_the_shortest_form() {
        let cases: [(usize, &[u8]); 6] = [
            (0, &[0x82, 0]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (1024, &[0x82, 126, 4, 0]),
            (0xffff, &[0x82, 126, 0xff, 0xff]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (payload_bytes, expected) in cases {
            assert_eq!(header(FIN_BINARY, payload_bytes), expected, "{payload_bytes}");
        }
    }

    #[test]
    fn masking_agrees_with_the_definition() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..70_usize {
            let source: Vec<u8> = (0..length).map(|place| (place * 7) as u8).collect();
            let mut target = vec![0; source.len()];
            mask_into(&mut target, &source, key);
            for (place, byte) in target.iter().enumerate() {
                assert_eq!(*byte, source[place] ^ key[place % 4], "length {length}, byte {place}");
            }
        }
    }
}
