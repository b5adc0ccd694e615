//! The provided buffers: one block of memory cut into equal pieces, and the ring of entries through
//! which the kernel is told which pieces it may fill (`io_uring_register_buf_ring(3)`).

#![expect(
    unsafe_code,
    reason = "memory that is shared with the kernel has no safe face in the crate io-uring"
)]

use super::{Buffer, GROUP};
use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

const PAGE_BYTES: usize = 4096;
/// Between two buffers, as the engine has it, so that equal offsets of neighbours do not fall into the
/// same cache set.
const GAP_BYTES: usize = 64;

/// All buffers of a ring. Never freed: the kernel may write into them for as long as the process lives.
pub(super) struct Buffers {
    memory: NonNull<u8>,
    entries: NonNull<BufRingEntry>,
    buffer_bytes: usize,
    mask: u16,
    /// Of entries written; what the kernel may see of it is stored by [`publish`](Self::publish).
    tail: u16,
}

impl Buffers {
    /// Allocates `count` buffers (a power of two), registers their ring and hands all to the kernel.
    ///
    /// # Errors
    /// What the kernel said about the registration.
    pub(super) fn register(submitter: &Submitter<'_>, count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "the kernel takes powers of two only");
        let memory = zeroed_pages(usize::from(count) * (buffer_bytes + GAP_BYTES));
        let entries = zeroed_pages(usize::from(count) * size_of::<BufRingEntry>()).cast();
        // SAFETY: the call demands that the `count` entries at this address stay valid until the
        // group is unregistered; they were just allocated in that size, page-aligned, and are never freed.
        unsafe { submitter.register_buf_ring_with_flags(entries.as_ptr() as u64, count, GROUP, 0) }?;
        let mut buffers = Self { memory, entries, buffer_bytes, mask: count - 1, tail: 0 };
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// Notes that the kernel may fill buffer `id` again, from the next [`publish`](Self::publish) on.
    /// The caller holds the buffer: no token for it is left and no send reads from it.
    pub(super) fn give_back(&mut self, id: u16) {
        debug_assert!(id <= self.mask);
        let address = self.address(id).as_ptr() as u64;
        let place = usize::from(self.tail & self.mask);
        // SAFETY: `place` is masked to the entries allocated.
        let mut entry = unsafe { self.entries.add(place) };
        // SAFETY: the kernel does not read an entry at or beyond the published tail, and as no more
        // buffers than entries exist, it is done with what this one said before.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers given back so far.
    pub(super) fn publish(&self) {
        // SAFETY: the argument is the first entry of the registered ring, as the call demands.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail lies inside the first entry, is aligned, lives as long as the process, and
        // both sides touch it with atomic operations only.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: the kernel must see the entries before it sees the tail that covers them.
        tail.store(self.tail, Ordering::Release);
    }

    /// The whole of a buffer that the caller holds, not only the bytes received.
    pub(super) fn bytes_mut(&mut self, buffer: &Buffer) -> &mut [u8] {
        let start = self.address(buffer.id);
        // SAFETY: the range lies inside the allocation (`id` comes from the kernel and is checked in
        // `address`), is initialised, and nobody else touches it: the kernel gave the buffer away with
        // the completion from which the token was made, a send consumes the token, and tokens cannot
        // be copied. The borrow of `self` keeps two slices from existing at a time.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.buffer_bytes) }
    }

    /// Where buffer `id` begins.
    pub(super) fn address(&self, id: u16) -> NonNull<u8> {
        assert!(id <= self.mask, "no such buffer");
        // SAFETY: checked above, so that the offset stays inside the allocation.
        unsafe { self.memory.add(usize::from(id) * (self.buffer_bytes + GAP_BYTES)) }
    }

    /// How many bytes fit into each.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }
}

/// Zeroed memory on a page boundary, which is where the kernel wants a buffer ring.
fn zeroed_pages(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes.max(1), PAGE_BYTES).expect("a size within the address space");
    // SAFETY: the layout's size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
