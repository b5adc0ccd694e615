//! Where a client's masking keys come from.

use crate::simd::{self, Level};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of masking keys and the kernel that applies them: one per thread. A server needs one too
/// where code serves both roles; it is never asked for a key then.
pub struct Masking {
    keys: ChaCha8Rng,
    level: Level,
}

impl Masking {
    /// `seed` is 32 bytes of real entropy: nobody whose data is masked may be able to predict a key
    /// (RFC 6455 sections 5.3 and 10.3).
    pub fn new(seed: [u8; 32]) -> Self {
        Self { keys: ChaCha8Rng::from_seed(seed), level: Level::detect() }
    }

    /// A fresh key.
    pub fn key(&mut self) -> [u8; 4] {
        self.keys.next_u32().to_ne_bytes()
    }

    pub(crate) fn mask(&self, payload: &mut [u8], key: [u8; 4]) {
        simd::unmask(self.level, payload, key);
    }

    pub(crate) fn mask_append(&self, payload: &[u8], out: &mut Vec<u8>, key: [u8; 4]) {
        simd::unmask_append(self.level, payload, out, key);
    }
}

impl std::fmt::Debug for Masking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masking").field("level", &self.level).finish_non_exhaustive()
    }
}
