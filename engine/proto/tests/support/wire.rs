//! Frames as a peer would write them, right or wrong.

/// One frame; everything about it can be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// FIN, the reserved bits and the opcode, as section 5.2 draws them.
    first: u8,
    payload: Vec<u8>,
    /// In place of the payload's own length.
    announced: Option<u64>,
    /// Octets of extended length, 0, 2 or 8, in place of the fewest.
    extended: Option<usize>,
    /// Masked where it must not be, and the other way round.
    wrong_mask: bool,
    key: [u8; 4],
}

impl Frame {
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first,
            payload: payload.as_ref().to_vec(),
            announced: None,
            extended: None,
            wrong_mask: false,
            key: [0x37, 0xfa, 0x21, 0x3d],
        }
    }

    /// Claims a length that the payload does not have.
    pub(crate) fn announcing(self, length: u64) -> Self {
        Self { announced: Some(length), ..self }
    }

    /// Writes the length in 2 or 8 octets though fewer would do.
    pub(crate) fn extended(self, octets: usize) -> Self {
        Self { extended: Some(octets), ..self }
    }

    /// Unmasked from a client, masked from a server.
    pub(crate) fn wrongly_masked(self) -> Self {
        Self { wrong_mask: true, ..self }
    }

    pub(crate) fn key(self, key: [u8; 4]) -> Self {
        Self { key, ..self }
    }

    pub(crate) fn append(&self, out: &mut Vec<u8>, from_client: bool) {
        let masked = from_client != self.wrong_mask;
        let mask_bit = if masked { 128 } else { 0 };
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        let fewest = match length {
            0..126 => 0,
            126..65536 => 2,
            _ => 8,
        };
        let octets = length.to_be_bytes();
        out.push(self.first);
        match self.extended.unwrap_or(fewest) {
            0 => out.push(mask_bit + octets[7]),
            2 => out.extend([mask_bit + 126, octets[6], octets[7]]),
            _ => {
                out.push(mask_bit + 127);
                out.extend(octets);
            }
        }
        if masked {
            out.extend(self.key);
        }
        let key = if masked { self.key } else { [0; 4] };
        out.extend(self.payload.iter().enumerate().map(|(index, octet)| octet ^ key[index % 4]));
    }
}

/// The frames one behind the other, as one end sends them.
pub(crate) fn stream(frames: &[Frame], from_client: bool) -> Vec<u8> {
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.append(&mut out, from_client));
    out
}

/// `payload` as a message in fragments of at most `bytes`; `first` is the opcode.
pub(crate) fn fragments(opcode: u8, payload: &[u8], bytes: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = payload.chunks(bytes).map(|chunk| Frame::new(0, chunk)).collect();
    if let Some(first) = frames.first_mut() {
        first.first = opcode;
    }
    if let Some(last) = frames.last_mut() {
        last.first |= 0x80;
    }
    frames
}
