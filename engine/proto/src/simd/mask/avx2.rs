//! Masking with AVX2: 32 bytes at once.

use super::kernel::{Vector, xor_run};
use std::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_storeu_si256, _mm256_xor_si256,
};

/// Combines `length` bytes with the key.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes; they are the same address or do
/// not overlap. `length` is at least 32. The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn xor(from: *const u8, to: *mut u8, length: usize, key: u32) {
    // SAFETY: everything is passed on as promised to us.
    unsafe { xor_run::<__m256i>(from, to, length, key) }
}

impl Vector for __m256i {
    const BYTES: usize = size_of::<Self>();

    #[inline(always)]
    unsafe fn of_key(key: u32) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_set1_epi32(key.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX2 and 32 readable bytes; no alignment is asked for.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises AVX2 and 32 writable bytes; no alignment is asked for.
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_xor_si256(self, other) }
    }
}
