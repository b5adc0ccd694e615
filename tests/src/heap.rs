//! A heap that counts. A test that wants it says
//!
//! ```
//! #[global_allocator]
//! static HEAP: wsring_tests::heap::Counting = wsring_tests::heap::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's heap, counted by thread (what was asked for) and in all (what is in use).
#[derive(Debug)]
pub struct Counting;

thread_local! {
    /// Without a destructor, so that it can be counted in for as long as a thread lives.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// How often this thread has asked for memory: allocations, and reallocations that grow.
pub fn asked_by_this_thread() -> u64 {
    ASKED.with(Cell::get)
}

/// Bytes in use by all threads.
pub fn bytes_in_use() -> usize {
    IN_USE.load(Ordering::SeqCst)
}

/// The most bytes that were in use at any time since this was last asked.
pub fn most_bytes_in_use() -> usize {
    MOST.swap(bytes_in_use(), Ordering::SeqCst)
}

fn count(bytes: usize) {
    ASKED.with(|asked| asked.set(asked.get() + 1));
    let in_use = IN_USE.fetch_add(bytes, Ordering::SeqCst) + bytes;
    MOST.fetch_max(in_use, Ordering::Relaxed);
}

fn uncount(bytes: usize) {
    IN_USE.fetch_sub(bytes, Ordering::SeqCst);
}

// SAFETY: every call goes to the system's heap with the arguments as they came, so that it keeps the
// contract wherever `System` does; the counters neither allocate nor unwind.
#[allow(unsafe_code, reason = "an allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's obligations are those of `System`, and passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        uncount(layout.size());
        // SAFETY: the memory came from `System` with this layout, as the caller guarantees for `self`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        uncount(layout.size());
        count(bytes);
        // SAFETY: as for `dealloc`; the new size is the caller's to answer for, as `System` has it.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}
