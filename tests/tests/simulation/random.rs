//! The scenario's own chance, apart from the network's, so that what clients do does not depend on
//! how their bytes travel.

use std::ops::RangeInclusive;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x5CE2_A210_0000_0000)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Bytes of which no run repeats within a message, so that a piece in the wrong place shows.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut state = self.clone();
        self.word();
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&state.word().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// Valid UTF-8 of exactly so many bytes, code points of every length among them.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let room = length - text.len();
            let character = char::from_u32(self.pick(&[0x61, 0xE9, 0x20AC, 0x1F600]) + self.below(9) as u32);
            text.push(character.filter(|character| character.len_utf8() <= room).unwrap_or('.'));
        }
        text
    }
}
