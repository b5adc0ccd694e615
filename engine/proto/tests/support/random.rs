//! Randomness that replays from a seed.

use std::ops::Range;

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Text of `characters` code points of one to four octets.
    pub(crate) fn text(&mut self, characters: usize) -> String {
        let of = [
            'a',
            '\0',
            '\u{7f}',
            '\u{80}',
            'é',
            '\u{7ff}',
            '\u{800}',
            '\u{d7ff}',
            '\u{ffff}',
            '𐍈',
            '\u{10ffff}',
        ];
        (0..characters).map(|_| self.pick(&of)).collect()
    }

    /// Cuts `length` bytes into pieces, mostly short.
    pub(crate) fn cuts(&mut self, length: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < length {
            let longest = self.pick(&[1, 3, 8, 40, 200_000]);
            let to = length.min(from + 1 + self.below(longest));
            pieces.push(from..to);
            from = to;
        }
        pieces
    }
}

/// Runs `test` with the seeds from 0 up to `usual`; `PROTO_SEEDS=100000` says how many instead, and
/// `PROTO_SEED=7` runs the one that a failure named.
pub(crate) fn each_seed(usual: u64, test: impl Fn(Random)) {
    let seeds = match number("PROTO_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PROTO_SEEDS").unwrap_or(usual),
    };
    for seed in seeds {
        let _named = Named(seed);
        test(Random::new(seed));
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is to be a number, not {text:?}")))
}

/// Says how to replay a test that panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with PROTO_SEED={}", self.0);
        }
    }
}
