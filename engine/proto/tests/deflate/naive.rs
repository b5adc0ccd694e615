//! A second opinion on deflate streams: RFC 1951 and RFC 7692 section 7.2.2 read again, one bit at a time,
//! without any code of the crate or of the library it inflates with.

/// The receiving end of one direction.
#[derive(Default)]
pub(crate) struct Naive {
    /// Everything received, since the last message or since ever.
    output: Vec<u8>,
    /// How far back anything referred.
    pub(crate) distance_max: usize,
}

const LENGTH_BASE: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];
const LENGTH_EXTRA: [usize; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
];
const CODE_LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(usize::from(bit))
    }

    fn bits(&mut self, count: usize) -> Option<usize> {
        (0..count).try_fold(0, |sum, index| Some(sum + (self.bit()? << index)))
    }

    fn align(&mut self) {
        self.at = self.at.div_ceil(8) * 8;
    }
}

/// A Huffman code: how many symbols of each length there are, and the symbols in the order of their codes.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// Section 3.2.2; a code that is incomplete is only right if it has one symbol of one bit or none.
    fn new(lengths: &[usize]) -> Option<Self> {
        let mut code = Self { counts: [0; 16], symbols: Vec::new() };
        let mut left: i64 = 1;
        for length in 1..=15 {
            let of_length = lengths.iter().enumerate().filter(|(_, of)| **of == length);
            let before = code.symbols.len();
            code.symbols.extend(of_length.map(|(symbol, _)| symbol));
            code.counts[length] = code.symbols.len() - before;
            left = left * 2 - code.counts[length] as i64;
            if left < 0 {
                return None;
            }
        }
        let longest = lengths.iter().max().copied().unwrap_or(0);
        (left == 0 || longest <= 1).then_some(code)
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut before) = (0, 0, 0);
        for length in 1..=15 {
            code = code * 2 + bits.bit()?;
            first *= 2;
            let count = self.counts[length];
            if code < first + count {
                return self.symbols.get(before + code - first).copied();
            }
            (before, first) = (before + count, first + count);
        }
        None
    }
}

impl Naive {
    /// Forgets what was received, as without takeover.
    pub(crate) fn reset(&mut self) {
        self.output.clear();
    }

    /// The message with this payload; `None` if it is broken.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let start = self.output.len();
        let bytes = [payload, &[0x00, 0x00, 0xFF, 0xFF]].concat();
        let mut bits = Bits { bytes: &bytes, at: 0 };
        // Empty, or nothing behind a block with BFINAL: what the tail would end has not begun.
        let mut at_start = true;
        loop {
            if bits.at == payload.len() * 8 && at_start {
                break;
            }
            let (last, before) = (bits.bit()? == 1, self.output.len());
            match bits.bits(2)? {
                0 => {
                    self.stored(&mut bits)?;
                    // The tail is an empty block of its own, no payload of another.
                    if bits.at == bytes.len() * 8 && before == self.output.len() {
                        break;
                    }
                }
                1 => {
                    let lengths: Vec<usize> = (0..288).map(fixed_length).collect();
                    self.compressed(&mut bits, &Code::new(&lengths)?, &Code::new(&[5; 32])?)?;
                }
                2 => self.dynamic(&mut bits)?,
                _ => return None,
            }
            at_start = last;
            if last {
                bits.align();
            }
        }
        Some(self.output[start..].to_vec())
    }

    fn stored(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        bits.align();
        let (length, complement) = (bits.bits(16)?, bits.bits(16)?);
        if length != complement ^ 0xFFFF {
            return None;
        }
        for _ in 0..length {
            self.output.push(bits.bits(8)? as u8);
        }
        Some(())
    }

    fn dynamic(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let (literals, distances, lengths) = (bits.bits(5)? + 257, bits.bits(5)? + 1, bits.bits(4)? + 4);
        if literals > 286 || distances > 30 {
            return None;
        }
        let mut code_lengths = [0; 19];
        for &index in &CODE_LENGTH_ORDER[..lengths] {
            code_lengths[index] = bits.bits(3)?;
        }
        let complete: usize =
            code_lengths.iter().filter(|length| **length > 0).map(|length| 128 >> length).sum();
        let code = Code::new(&code_lengths).filter(|_| complete == 128)?;
        let mut all = Vec::new();
        while all.len() < literals + distances {
            let (value, count) = match code.symbol(bits)? {
                16 => (*all.last()?, 3 + bits.bits(2)?),
                17 => (0, 3 + bits.bits(3)?),
                18 => (0, 11 + bits.bits(7)?),
                length => (length, 1),
            };
            all.extend(std::iter::repeat_n(value, count));
        }
        if all.len() > literals + distances || all[256] == 0 {
            return None;
        }
        let (literals, distances) = all.split_at(literals);
        self.compressed(bits, &Code::new(literals)?, &Code::new(distances)?)
    }

    fn compressed(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        loop {
            match literals.symbol(bits)? {
                literal @ 0..256 => self.output.push(literal as u8),
                256 => return Some(()),
                symbol => {
                    let symbol = symbol - 257;
                    let length = LENGTH_BASE.get(symbol)? + bits.bits(LENGTH_EXTRA[symbol])?;
                    let symbol = distances.symbol(bits)?;
                    let extra = (symbol / 2).saturating_sub(1);
                    let distance = DISTANCE_BASE.get(symbol)? + bits.bits(extra)?;
                    self.distance_max = self.distance_max.max(distance);
                    for _ in 0..length {
                        let from = self.output.len().checked_sub(distance)?;
                        self.output.push(self.output[from]);
                    }
                }
            }
        }
    }
}

fn fixed_length(symbol: usize) -> usize {
    match symbol {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}
