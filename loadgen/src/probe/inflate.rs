//! DEFLATE read naively (RFC 1951), bit by bit: zlib looks back farther than a small window allows, and says
//! nothing of a stream that is cut.

/// The largest window of DEFLATE.
const WINDOW_BYTES_MAX: usize = 1 << 15;

/// Lengths of the symbols 257 to 285, and how many extra bits each has (section 3.2.5).
#[rustfmt::skip]
const LENGTHS: [(u16, u32); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2),
    (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5),
    (163, 5), (195, 5), (227, 5), (258, 0),
];
/// The same for distances.
#[rustfmt::skip]
const DISTANCES: [(u16, u32); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3), (33, 4), (49, 4), (65, 5),
    (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10),
    (3073, 10), (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];
/// The order in which lengths of code lengths are sent (section 3.2.7).
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A stream that is read piece by piece, each ending where a block does.
#[derive(Debug)]
pub(super) struct Stream {
    /// The latest bytes of what was read before.
    history: Vec<u8>,
    window_bytes: usize,
    output_bytes_max: usize,
}

impl Stream {
    /// A stream that refers back so far at most.
    pub(super) fn new(window_bits: u8, output_bytes_max: usize) -> Self {
        Self { history: Vec::new(), window_bytes: 1 << window_bits, output_bytes_max }
    }

    /// Forgets what was read before.
    pub(super) fn reset(&mut self) {
        self.history.clear();
    }

    /// Reads blocks until the input is over, behind a final block as well.
    ///
    /// # Errors
    /// The sender's fault, in words.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Vec<u8>, String> {
        let start = self.history.len();
        let mut reading = Reading {
            bits: Bits { input, at: 0 },
            out: std::mem::take(&mut self.history),
            stream: self,
            start,
        };
        while reading.bits.at < input.len() * 8 {
            reading.block()?;
        }
        let out = reading.out;
        let message = out[start..].to_vec();
        self.history = out[out.len() - out.len().min(WINDOW_BYTES_MAX)..].to_vec();
        Ok(message)
    }
}

/// Bits, the least significant of each byte first.
struct Bits<'a> {
    input: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Result<u32, String> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.input.get(self.at / 8).ok_or("it is cut")?;
            value |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Ok(value)
    }

    fn skip_to_byte(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A canonical Huffman code (section 3.2.2).
struct Code {
    /// How many symbols have codes of each length.
    counts: [u16; 16],
    /// Symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().filter(|length| **length > 0).for_each(|length| counts[usize::from(*length)] += 1);
        let mut symbols: Vec<u16> =
            (0..lengths.len() as u16).filter(|at| lengths[usize::from(*at)] > 0).collect();
        symbols.sort_by_key(|at| lengths[usize::from(*at)]);
        Self { counts, symbols }
    }

    /// The next symbol: among the codes of each length, the first is twice what follows the last of the
    /// length before.
    fn symbol(&self, bits: &mut Bits<'_>) -> Result<u16, String> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            let count = i32::from(*count);
            code |= bits.take(1)? as i32;
            if code - first < count {
                return Ok(self.symbols[(index + code - first) as usize]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err("it has a code without a symbol".into())
    }
}

struct Reading<'a> {
    bits: Bits<'a>,
    /// The history and, from `start`, the output.
    out: Vec<u8>,
    stream: &'a Stream,
    start: usize,
}

impl Reading<'_> {
    fn block(&mut self) -> Result<(), String> {
        let last = self.bits.take(1)? == 1;
        match self.bits.take(2)? {
            0 => self.stored()?,
            1 => {
                let lengths: Vec<u8> = [(8, 144), (9, 112), (7, 24), (8, 8)]
                    .iter()
                    .flat_map(|(length, count)| std::iter::repeat_n(*length, *count))
                    .collect();
                self.compressed(&Code::new(&lengths), &Code::new(&[5; 30]))?;
            }
            2 => {
                let (literals, distances) = self.codes()?;
                self.compressed(&literals, &distances)?;
            }
            _ => return Err("it has a block of a type that does not exist".into()),
        }
        if last {
            self.bits.skip_to_byte();
        }
        Ok(())
    }

    fn stored(&mut self) -> Result<(), String> {
        self.bits.skip_to_byte();
        let (length, check) = (self.bits.take(16)?, self.bits.take(16)?);
        if length != !check & 0xFFFF {
            return Err("the length of a stored block does not fit its complement".into());
        }
        for _ in 0..length {
            let byte = self.bits.take(8)? as u8;
            self.push(byte)?;
        }
        Ok(())
    }

    /// The codes of a block that has its own (section 3.2.7).
    fn codes(&mut self) -> Result<(Code, Code), String> {
        let literals = self.bits.take(5)? as usize + 257;
        let distances = self.bits.take(5)? as usize + 1;
        let given = self.bits.take(4)? as usize + 4;
        let mut lengths = [0; 19];
        for at in &LENGTH_ORDER[..given] {
            lengths[*at] = self.bits.take(3)? as u8;
        }
        let code = Code::new(&lengths);
        let mut lengths: Vec<u8> = Vec::new();
        while lengths.len() < literals + distances {
            let (value, count) = match code.symbol(&mut self.bits)? {
                16 => {
                    (*lengths.last().ok_or("it repeats a length before the first")?, 3 + self.bits.take(2)?)
                }
                17 => (0, 3 + self.bits.take(3)?),
                18 => (0, 11 + self.bits.take(7)?),
                length => (length as u8, 1),
            };
            lengths.extend(std::iter::repeat_n(value, count as usize));
        }
        let (literals, distances) = lengths[..literals + distances].split_at(literals);
        Ok((Code::new(literals), Code::new(distances)))
    }

    fn compressed(&mut self, literals: &Code, distances: &Code) -> Result<(), String> {
        loop {
            let symbol = literals.symbol(&mut self.bits)?;
            match symbol {
                0..=255 => self.push(symbol as u8)?,
                256 => return Ok(()),
                _ => {
                    let length = self.extended(LENGTHS.get(usize::from(symbol) - 257))?;
                    let symbol = distances.symbol(&mut self.bits)?;
                    let distance = self.extended(DISTANCES.get(usize::from(symbol)))?;
                    self.copy(distance, length)?;
                }
            }
        }
    }

    fn extended(&mut self, entry: Option<&(u16, u32)>) -> Result<usize, String> {
        let (base, extra) = entry.ok_or("it has a symbol that does not exist")?;
        Ok(usize::from(*base) + self.bits.take(*extra)? as usize)
    }

    fn copy(&mut self, distance: usize, length: usize) -> Result<(), String> {
        let window = self.stream.window_bytes;
        if distance > window {
            return Err(format!("it refers {distance} bytes back, where the window has {window}"));
        }
        for _ in 0..length {
            let from = self.out.len().checked_sub(distance);
            let byte = self.out[from.ok_or("it refers to what was not sent, or to an earlier message")?];
            self.push(byte)?;
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), String> {
        if self.out.len() - self.start >= self.stream.output_bytes_max {
            return Err(format!("it is inflated to more than {} bytes", self.stream.output_bytes_max));
        }
        self.out.push(byte);
        Ok(())
    }
}
