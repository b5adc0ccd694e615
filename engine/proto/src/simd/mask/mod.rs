//! Masking (RFC 6455 section 5.3): octet `i` of the payload is combined by XOR with octet `i mod 4`
//! of the key. The same operation masks and unmasks.
//!
//! Most messages are short, so up to [`INLINE_BYTES_MAX`] bytes nothing is dispatched or called: two
//! overlapping words, one at each end, cover any such length without a loop. Longer payloads go to
//! the widest vectors of the [`Level`], by the same idea: one vector at each end, whole ones between.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

use super::level::{Instructions, Level};
use kernel::{key_at, xor_ends};
use std::mem::MaybeUninit;

/// Longest payload that is done on the spot: twice the widest integer.
const INLINE_BYTES_MAX: usize = 32;

/// Masks or unmasks `data` in place and returns the key for the byte that follows it: the key rotated
/// by the length, so that a payload may come in pieces of any size.
///
/// Source: RFC 6455 section 5.3.
#[inline]
pub fn unmask(level: Level, data: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let to = data.as_mut_ptr();
    // SAFETY: `to` is valid for reads and writes of `data.len()` bytes, and `from` is the same address.
    unsafe { xor(level, to, to, data.len(), u32::from_le_bytes(key)) }
    key_after(key, data.len())
}

/// Writes `from`, masked or unmasked, to `to`, and returns the key for the byte that follows.
///
/// # Panics
/// When `from` and `to` differ in length.
///
/// Source: RFC 6455 section 5.3.
#[inline]
pub fn unmask_copy(level: Level, from: &[u8], to: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    assert_eq!(from.len(), to.len(), "source and destination of a masked copy differ in length");
    // SAFETY: `from` is valid for reads and `to` for writes of `from.len()` bytes, which is the length
    // of both; a shared and an exclusive borrow do not overlap.
    unsafe { xor(level, from.as_ptr(), to.as_mut_ptr(), from.len(), u32::from_le_bytes(key)) }
    key_after(key, from.len())
}

/// Appends `from`, masked or unmasked, to `to`, and returns the key for the byte that follows.
/// Allocates only when the spare capacity of `to` does not suffice; the room is not zeroed first.
///
/// Source: RFC 6455 section 5.3.
#[inline]
pub fn unmask_append(level: Level, from: &[u8], to: &mut Vec<u8>, key: [u8; 4]) -> [u8; 4] {
    to.reserve(from.len());
    let spare: *mut MaybeUninit<u8> = to.spare_capacity_mut().as_mut_ptr();
    // SAFETY: `from` is valid for reads of `from.len()` bytes; the reservation above made at least as
    // many behind `spare` valid for writes, and `to` is borrowed exclusively, so they do not overlap.
    unsafe { xor(level, from.as_ptr(), spare.cast(), from.len(), u32::from_le_bytes(key)) }
    let length = to.len() + from.len();
    // SAFETY: `length` is within the capacity that was reserved, and the call above has written every
    // byte between the old length and this one.
    unsafe { to.set_len(length) }
    key_after(key, from.len())
}

/// The key as it stands `length` bytes later.
#[inline]
fn key_after(key: [u8; 4], length: usize) -> [u8; 4] {
    key_at(u32::from_le_bytes(key), length).to_le_bytes()
}

/// Chooses how to go over `length` bytes.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes, and they are the same address or
/// do not overlap.
#[inline]
unsafe fn xor(level: Level, from: *const u8, to: *mut u8, length: usize, key: u32) {
    match length {
        // SAFETY: the caller's promise about the pointers is handed on.
        0..4 => unsafe { xor_bytes(from, to, length, key) },
        // SAFETY: as above, and the length is one to two vectors of 4.
        4..8 => unsafe { xor_ends::<u32>(from, to, length, key) },
        // SAFETY: as above, and the length is one to two vectors of 8.
        8..16 => unsafe { xor_ends::<u64>(from, to, length, key) },
        // SAFETY: as above, and the length is one to two vectors of 16.
        16..=INLINE_BYTES_MAX => unsafe { xor_ends::<u128>(from, to, length, key) },
        // SAFETY: as above, and the length is beyond all the arms before.
        _ => unsafe { xor_long(level, from, to, length, key) },
    }
}

/// Up to three bytes.
///
/// # Safety
/// As for [`xor`].
#[inline]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one argument holds for both places")]
unsafe fn xor_bytes(from: *const u8, to: *mut u8, length: usize, key: u32) {
    for (index, key) in key.to_le_bytes().into_iter().enumerate().take(length) {
        // SAFETY: `index` is below `length`, so both places are inside what the caller promised.
        unsafe { to.add(index).write(from.add(index).read() ^ key) }
    }
}

/// More than [`INLINE_BYTES_MAX`] bytes, on the vectors of `level`.
///
/// # Safety
/// As for [`xor`]; `length` is above [`INLINE_BYTES_MAX`].
#[inline]
unsafe fn xor_long(level: Level, from: *const u8, to: *mut u8, length: usize, key: u32) {
    match level.instructions() {
        // SAFETY: the caller's promise about the pointers is handed on, and 33 bytes or more are at
        // least the 16 that are asked for.
        Instructions::Portable => unsafe { portable::xor(from, to, length, key) },
        // SAFETY: as above for 32 bytes; this level exists only on a processor with AVX2.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { avx2::xor(from, to, length, key) },
        // SAFETY: as above for 32 bytes; this level exists only on a processor with AVX2 and AVX-512F.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => unsafe { avx512::xor(from, to, length, key) },
        // SAFETY: as above for 16 bytes; this level exists only on a processor with NEON.
        #[cfg(target_arch = "aarch64")]
        Instructions::Neon => unsafe { neon::xor(from, to, length, key) },
    }
}
