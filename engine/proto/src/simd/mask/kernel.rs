//! The one loop of masking, for a vector of any width.
//!
//! Both functions load the last vector before they store anything, so that the ends may overlap what
//! lies between them even when the work is done in place: every byte is computed from its original
//! value, and bytes that are written twice get the same value twice. So there is no loop for the rest.

/// Some bytes that are loaded, combined and stored at once.
pub(super) trait Vector: Copy {
    /// Width in bytes; a multiple of 4, so that the key keeps its phase from one vector to the next.
    const BYTES: usize;

    /// The key repeated over the whole width; its first octet is the least significant one of `key`.
    ///
    /// # Safety
    /// The processor has the instructions of this vector.
    unsafe fn of_key(key: u32) -> Self;

    /// Loads from any alignment.
    ///
    /// # Safety
    /// `from` is valid for reads of [`BYTES`](Self::BYTES); the processor has the instructions.
    unsafe fn load(from: *const u8) -> Self;

    /// Stores to any alignment.
    ///
    /// # Safety
    /// `to` is valid for writes of [`BYTES`](Self::BYTES); the processor has the instructions.
    unsafe fn store(self, to: *mut u8);

    /// Exclusive or.
    ///
    /// # Safety
    /// The processor has the instructions of this vector.
    unsafe fn xor(self, other: Self) -> Self;
}

/// The key as it stands `length` bytes later: its octet 0 moves on with the payload.
#[inline(always)]
pub(super) fn key_at(key: u32, length: usize) -> u32 {
    key.rotate_right(8 * (length % 4) as u32)
}

/// Combines `length` bytes with the key by two vectors, one at each end.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes; they are the same address or do
/// not overlap. `length` is at least one and at most two vectors. The processor has the instructions of `V`.
#[inline(always)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one argument holds for every vector")]
pub(super) unsafe fn xor_ends<V: Vector>(from: *const u8, to: *mut u8, length: usize, key: u32) {
    debug_assert!((V::BYTES..=2 * V::BYTES).contains(&length));
    let last = length - V::BYTES;
    // SAFETY: `last + V::BYTES` is `length`, so both vectors lie inside what the caller promised to be
    // readable and writable; the caller also vouches for the instructions.
    unsafe {
        let head = V::load(from).xor(V::of_key(key));
        let tail = V::load(from.add(last)).xor(V::of_key(key_at(key, last)));
        head.store(to);
        tail.store(to.add(last));
    }
}

/// Combines `length` bytes with the key by whole vectors and one more at the end.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `length` bytes; they are the same address or do
/// not overlap. `length` is at least one vector. The processor has the instructions of `V`.
#[inline(always)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one argument holds for every vector")]
pub(super) unsafe fn xor_run<V: Vector>(from: *const u8, to: *mut u8, length: usize, key: u32) {
    debug_assert!(length >= V::BYTES);
    if length <= 2 * V::BYTES {
        // SAFETY: everything is passed on as promised to us; the length has just been checked. This is
        // what the code below would do, without setting up its loop: a nanosecond on short messages.
        return unsafe { xor_ends::<V>(from, to, length, key) };
    }
    let last = length - V::BYTES;
    // SAFETY: `at` is below `last` in the loop and `last + V::BYTES` is `length`, so every vector lies
    // inside what the caller promised to be readable and writable; the caller also vouches for the
    // instructions.
    unsafe {
        let tail = V::load(from.add(last)).xor(V::of_key(key_at(key, last)));
        let pattern = V::of_key(key);
        let mut at = 0;
        while at < last {
            V::load(from.add(at)).xor(pattern).store(to.add(at));
            at += V::BYTES;
        }
        tail.store(to.add(last));
    }
}
