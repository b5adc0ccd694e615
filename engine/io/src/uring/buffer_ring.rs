//! Receive buffers: memory that the kernel fills and the shard reads and changes in place.
//!
//! Each buffer is in one [`Place`] at a time. The kernel takes buffers from a ring in the order in
//! which they came back, and sees those that came back during a turn all at once.

#![expect(unsafe_code, reason = "memory shared with the kernel")]

use crate::Received;
use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The one buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// Bytes between the end of a buffer and the start of the next. A stride that is a power of two would
/// put the first bytes of all buffers, which is where small messages are, into the same few sets of
/// the cache; one line more spreads them over all.
const STRIDE_EXTRA: usize = 64;

/// Where a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the ring: the kernel may write to it, at the latest from the next [`Buffers::publish`] on.
    Kernel,
    /// With the shard, as a [`Received`].
    Lent,
}

/// The provided-buffer ring and the memory of its buffers.
pub(super) struct Buffers {
    memory: Mapping,
    /// Offset of the first buffer; the ring's entries lie before it.
    data: usize,
    stride: usize,
    bytes_each: u32,
    /// The ring's tail, ahead of the one that the kernel has seen by those that came back since.
    tail: u16,
    published: u16,
    mask: u16,
    places: Box<[Place]>,
    in_kernel: u32,
}

impl Buffers {
    /// Maps memory for `count` buffers, a power of two, of `bytes_each` bytes.
    pub(super) fn new(count: u16, bytes_each: u32) -> io::Result<Self> {
        debug_assert!(count.is_power_of_two());
        let stride = bytes_each as usize + STRIDE_EXTRA;
        let data = usize::from(count) * size_of::<BufRingEntry>();
        let memory = Mapping::new(data + usize::from(count) * stride)?;
        Ok(Self {
            memory,
            data,
            stride,
            bytes_each,
            tail: 0,
            published: 0,
            mask: count - 1,
            places: vec![Place::Lent; usize::from(count)].into_boxed_slice(),
            in_kernel: 0,
        })
    }

    /// Makes the ring known to `uring` as [`GROUP`] and hands it every buffer. The caller keeps
    /// `self` until that ring can no longer write.
    pub(super) fn register(&mut self, uring: &IoUring) -> io::Result<()> {
        let entries = self.memory.start.as_ptr() as u64;
        let count = self.places.len() as u16;
        // SAFETY: the address is page-aligned (mmap), spans `count` zeroed entries and stays mapped
        // until after the ring is closed: the owner drops the ring first (see mod.rs).
        unsafe { uring.submitter().register_buf_ring_with_flags(entries, count, GROUP, 0) }?;
        for id in 0..count {
            self.release(Received { id, length: 0 });
        }
        self.publish();
        Ok(())
    }

    /// How many buffers the kernel can fill.
    pub(super) fn in_kernel(&self) -> u32 {
        self.in_kernel
    }

    /// Takes the buffer that a completion names out of the ring.
    ///
    /// # Panics
    /// When the kernel did not have that buffer: the ring's memory would be in two hands.
    pub(super) fn take(&mut self, id: u16, length: u32) -> Received {
        let place = &mut self.places[usize::from(id)];
        assert_eq!(*place, Place::Kernel, "the kernel filled buffer {id}, which it did not have");
        *place = Place::Lent;
        self.in_kernel -= 1;
        Received { id, length: length.min(self.bytes_each) }
    }

    /// Takes a buffer back; the kernel gets it at the next [`publish`](Self::publish).
    ///
    /// # Panics
    /// When the buffer is not lent, which means that it comes from another speaker.
    pub(super) fn release(&mut self, received: Received) {
        let place = &mut self.places[usize::from(received.id)];
        assert_eq!(*place, Place::Lent, "buffer {} is not out on lease here", received.id);
        *place = Place::Kernel;
        self.write_entry(received.id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see every buffer that came back, in one step.
    pub(super) fn publish(&mut self) {
        let returned = self.tail.wrapping_sub(self.published);
        if returned > 0 {
            self.in_kernel += u32::from(returned);
            self.published = self.tail;
            self.store_tail();
        }
    }

    /// Never gives the memory back, for when the kernel may still write to it.
    pub(super) fn leak(&mut self) {
        self.memory.length = 0;
    }

    /// The filled part of a lent buffer.
    ///
    /// # Panics
    /// As [`release`](Self::release).
    pub(super) fn bytes(&self, received: &Received) -> &[u8] {
        let start = self.start_of(received);
        // SAFETY: `start_of` has checked that the buffer is lent, so the kernel does not write to it,
        // and `take` that the length lies within it. Only `bytes_mut`, which needs `&mut self`, could
        // write, and the borrow excludes that.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), received.length as usize) }
    }

    /// As [`bytes`](Self::bytes), to be changed in place.
    ///
    /// # Panics
    /// As [`release`](Self::release).
    pub(super) fn bytes_mut(&mut self, received: &Received) -> &mut [u8] {
        let start = self.start_of(received);
        // SAFETY: as in `bytes`; `&mut self` makes this the only reference into the memory.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), received.length as usize) }
    }

    fn start_of(&self, received: &Received) -> NonNull<u8> {
        let place = self.places[usize::from(received.id)];
        assert_eq!(place, Place::Lent, "buffer {} is not out on lease here", received.id);
        assert!(received.length <= self.bytes_each, "a lease longer than the buffers here");
        self.start(received.id)
    }

    fn start(&self, id: u16) -> NonNull<u8> {
        let offset = self.data + usize::from(id) * self.stride;
        // SAFETY: `id` indexes `places` wherever this is called, so the offset lies in the mapping.
        unsafe { self.memory.start.add(offset) }
    }

    /// Writes the entry at the tail. The kernel does not read it before [`store_tail`](Self::store_tail).
    fn write_entry(&mut self, id: u16) {
        let address = self.start(id).as_ptr() as u64;
        let index = usize::from(self.tail & self.mask);
        let entries = self.memory.start.cast::<BufRingEntry>();
        // SAFETY: `index` is below the number of entries, which the mapping starts with.
        let entry = unsafe { entries.add(index) };
        // SAFETY: aligned (entries start on a page), zeroed at first, so initialised; and the kernel
        // reads only entries between its head and the published tail, of which this is none: the
        // ring has as many entries as there are buffers, and this buffer is not in it.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(address);
        entry.set_len(self.bytes_each);
        entry.set_bid(id);
    }

    fn store_tail(&mut self) {
        let entries = self.memory.start.cast::<BufRingEntry>().as_ptr();
        // SAFETY: `entries` is the address of the ring's first entry, initialised since it was mapped.
        let tail = unsafe { BufRingEntry::tail(entries) };
        // SAFETY: the tail is an aligned u16 within the mapping that the kernel only reads; no Rust
        // reference covers it (`write_entry` sets the other fields and has ended).
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: entries before the tail that makes them visible.
        tail.store(self.tail, Ordering::Release);
    }
}

/// Anonymous memory of its own pages, zeroed.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(length: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping wherever the kernel likes touches no memory in use.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mmap answered null"))?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length == 0 {
            return;
        }
        // SAFETY: the mapping is ours, whole, and nothing refers to it any more: references borrow
        // the owner, and the owner outlives the kernel's use.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
