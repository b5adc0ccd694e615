//! One source of chance and one record of what came of it.

use std::ops::RangeInclusive;

/// A small seeded generator (SplitMix64: Steele, Lea, Flood 2014). Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// True with this probability. One that cannot happen draws nothing, so that switching one fault
    /// on leaves the others' draws as they were as long as it does not strike.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits: as many as a double holds exactly.
        probability > 0.0 && ((self.word() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    /// A number in `range`, all nearly equally likely.
    pub(super) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        match high.saturating_sub(low).checked_add(1) {
            Some(1) => low,
            Some(span) => low + self.word() % span,
            None => self.word(),
        }
    }

    /// An index below `length`, which must not be 0.
    pub(super) fn index(&mut self, length: usize) -> usize {
        (self.word() % length as u64) as usize
    }
}

/// A running hash of everything that happened: two runs are the same when theirs are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed ^ 0x517C_C1B7_2722_0A95)
    }

    pub(super) fn hash(self) -> u64 {
        self.0
    }

    pub(super) fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
        self.0 ^= self.0 >> 29;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_keeps_its_bounds() {
        let mut random = Random::new(7);
        assert!((0..1000).all(|_| !random.chance(0.0)));
        assert!((0..1000).all(|_| random.chance(1.0)));
        let struck = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_300..2_700).contains(&struck), "{struck}");
    }

    #[test]
    fn within_reaches_both_ends() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..1000).map(|_| random.within(3..=5)).collect();
        assert!(drawn.contains(&3) && drawn.contains(&5) && drawn.iter().all(|n| (3..=5).contains(n)));
        assert_eq!(random.within(9..=9), 9);
    }

    #[test]
    fn trace_tells_order_and_cuts_apart() {
        let hash = |pieces: &[&[u8]]| {
            let mut trace = Trace::new(0);
            pieces.iter().for_each(|piece| trace.bytes(piece));
            trace.hash()
        };
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"a", b"b"]), hash(&[b"b", b"a"]));
        assert_eq!(hash(&[b"a", b"b"]), hash(&[b"a", b"b"]));
    }
}
