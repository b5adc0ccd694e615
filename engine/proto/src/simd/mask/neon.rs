//! Masking with NEON: 16 bytes at once. Compiled, and tested like the others, only on that architecture.

use super::kernel::{Vector, xor_run};
use std::arch::aarch64::{uint8x16_t, vdupq_n_u32, veorq_u8, vld1q_u8, vreinterpretq_u8_u32, vst1q_u8};

/// Combines `length` bytes with the key.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes; they are the same address or do
/// not overlap. `length` is at least 16. The processor has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn xor(from: *const u8, to: *mut u8, length: usize, key: u32) {
    // SAFETY: everything is passed on as promised to us.
    unsafe { xor_run::<uint8x16_t>(from, to, length, key) }
}

#[allow(unused_unsafe, reason = "some of these are safe where the target always has NEON")]
impl Vector for uint8x16_t {
    const BYTES: usize = size_of::<Self>();

    #[inline(always)]
    unsafe fn of_key(key: u32) -> Self {
        // The key as it lies in memory, so that octet 0 comes first whatever the machine's order.
        // SAFETY: the caller promises NEON.
        unsafe { vreinterpretq_u8_u32(vdupq_n_u32(key.to_le())) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller promises NEON and 16 readable bytes; no alignment is asked for.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises NEON and 16 writable bytes; no alignment is asked for.
        unsafe { vst1q_u8(to, self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { veorq_u8(self, other) }
    }
}
