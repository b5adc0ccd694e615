//! Masking with integers.

use super::kernel::{Vector, xor_run};

/// Combines `length` bytes with the key.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes; they are the same address or do
/// not overlap. `length` is at least 16.
pub(super) unsafe fn xor(from: *const u8, to: *mut u8, length: usize, key: u32) {
    // SAFETY: the pointers and the length are passed on as promised to us; integers need nothing.
    unsafe { xor_run::<u128>(from, to, length, key) }
}

/// A `Vector` that is an integer. Its bytes are taken in little-endian order whatever the machine's,
/// as the key's are.
macro_rules! integer_vector {
    ($integer:ty) => {
        impl Vector for $integer {
            const BYTES: usize = size_of::<Self>();

            #[inline(always)]
            unsafe fn of_key(key: u32) -> Self {
                let mut pattern = Self::from(key);
                let mut bits = u32::BITS;
                while bits < Self::BITS {
                    pattern |= pattern << bits;
                    bits *= 2;
                }
                pattern
            }

            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller promises that many readable bytes; no alignment is asked for.
                Self::from_le(unsafe { from.cast::<Self>().read_unaligned() })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller promises that many writable bytes; no alignment is asked for.
                unsafe { to.cast::<Self>().write_unaligned(self.to_le()) }
            }

            #[inline(always)]
            unsafe fn xor(self, other: Self) -> Self {
                self ^ other
            }
        }
    };
}

integer_vector!(u32);
integer_vector!(u64);
integer_vector!(u128);
