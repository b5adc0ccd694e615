//! Memory that one thread appends to while others read what is already there, and send from it.
//!
//! A [`Segment`] is a piece of a topic's log. Its bytes never change once they are appended and never
//! move, so that every shard reads and sends them where they lie: no copy, no lock. [`Appender`] is
//! its only writer.
//!
//! ```text
//!   | message 0 | message 1 | message 2 | free ............ | end 2 | end 1 | end 0 |
//! ```
//!
//! Where each message ends stands at the back, four bytes for each, so that a message is found by its
//! number, and the number by a position, without a lock either.

#![expect(unsafe_code, reason = "bytes that are read by many while one thread appends behind them")]

use crate::sync::{Accesses, Arc, AtomicU64, Ordering};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;

/// Bytes of the index for each message.
const END_BYTES: usize = 4;

/// Memory of a fixed size that is filled from its start. Made by [`Appender::new`]; share it by its
/// `Arc`, look at [`state`](Self::state) for how far it is filled, then read [`bytes`](Self::bytes).
pub struct Segment {
    /// From a `Box`, to which it returns; initialized as far as `state` says.
    memory: NonNull<[MaybeUninit<u8>]>,
    /// A packed [`State`], stored by the one appender after the bytes that it tells of.
    state: AtomicU64,
    accesses: Accesses,
}

/// How far a segment is filled. Its parts belong to one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How many messages were appended; below 2^31.
    pub messages: u32,
    /// How many bytes they are, all together.
    pub bytes: u32,
    /// Whether nothing more will be appended.
    pub sealed: bool,
}

impl State {
    const MESSAGES_MAX: u32 = (1 << 31) - 1;

    /// As `sealed:1 | messages:31 | bytes:32`.
    fn pack(self) -> u64 {
        u64::from(self.sealed) << 63 | u64::from(self.messages) << 32 | u64::from(self.bytes)
    }

    fn unpack(packed: u64) -> Self {
        Self {
            messages: (packed >> 32) as u32 & Self::MESSAGES_MAX,
            bytes: packed as u32,
            sealed: packed >> 63 != 0,
        }
    }
}

impl Segment {
    /// The largest capacity: what one send may name.
    pub const CAPACITY_MAX: usize = 1 << 30;

    /// How far it is filled by now: all of that can be read, and more may follow unless it is sealed.
    pub fn state(&self) -> State {
        // Acquire: whoever sees the state sees the bytes that were written before it.
        State::unpack(self.state.load(Ordering::Acquire))
    }

    /// Bytes that were appended; they stay as they are.
    ///
    /// # Panics
    /// When the range reaches beyond what was appended.
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        let there = self.state().bytes as usize;
        assert!(range.start <= range.end && range.end <= there, "bytes {range:?} of {there} in a segment");
        self.accesses.read(range.clone());
        // SAFETY: the range lies inside the memory, which is alive as long as `self`. The appender
        // has written everything below `there` before it stored the state that was just loaded
        // (Release, Acquire), and writes only behind it. Only `Appender::reuse` goes back to the
        // start: with exclusive access, so that this borrow has ended.
        unsafe { slice::from_raw_parts(self.base().wrapping_add(range.start), range.len()) }
    }

    /// The bytes of the message with this number, from 0.
    ///
    /// # Panics
    /// When there is none.
    pub fn message(&self, number: u32) -> &[u8] {
        self.bytes(self.start_of(number)..self.end_of(number))
    }

    /// Where the message with this number begins; for one more than there are, where the next will.
    ///
    /// # Panics
    /// When there is none.
    pub fn start_of(&self, number: u32) -> usize {
        number.checked_sub(1).map_or(0, |before| self.end_of(before))
    }

    /// Where the message with this number ends.
    ///
    /// # Panics
    /// When there is none.
    pub fn end_of(&self, number: u32) -> usize {
        let there = self.state().messages;
        assert!(number < there, "message {number} of {there} in a segment");
        let at = self.end_at(number);
        self.accesses.read(at..at + END_BYTES);
        let mut end = [0; END_BYTES];
        // SAFETY: the appender has written the end of every message below `there` before it stored the
        // state that was just loaded, at this place inside the memory, and never writes it again while
        // the segment is shared.
        unsafe {
            ptr::copy_nonoverlapping(self.base().wrapping_add(at).cast_const(), end.as_mut_ptr(), END_BYTES)
        };
        u32::from_ne_bytes(end) as usize
    }

    /// The number of the message that holds the byte at a position: the first that ends behind it.
    ///
    /// # Panics
    /// When nothing was appended there.
    pub fn message_at(&self, position: usize) -> u32 {
        let there = self.state();
        assert!(position < there.bytes as usize, "byte {position} of {} in a segment", there.bytes);
        let (mut low, mut high) = (0, there.messages);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.end_of(middle) <= position { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// How many bytes it can hold, four for each message included.
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    fn new(capacity: usize) -> Self {
        assert!(capacity <= Self::CAPACITY_MAX, "a segment of {capacity} bytes");
        // Not zeroed: pages that are not filled are never touched.
        let memory = Box::leak(Box::<[u8]>::new_uninit_slice(capacity)).into();
        Self { memory, state: AtomicU64::new(State::default().pack()), accesses: Accesses::new(capacity) }
    }

    fn base(&self) -> *mut u8 {
        self.memory.as_ptr().cast()
    }

    /// The place of a message's end in the index.
    fn end_at(&self, number: u32) -> usize {
        self.capacity() - END_BYTES * (number as usize + 1)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the memory came out of a `Box` of this very type in `new` and nobody else has freed
        // it; nobody can still borrow it, as every borrow of it borrows the segment.
        drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
    }
}

// SAFETY: a segment owns its memory, plain bytes, which any thread may free.
unsafe impl Send for Segment {}

// SAFETY: through a shared segment one can only read bytes that are below the state, which nobody
// writes any more; the one appender writes those above, and the state is atomic.
unsafe impl Sync for Segment {}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("capacity", &self.capacity()).field("state", &self.state()).finish()
    }
}

/// The only writer of a [`Segment`]; it cannot be copied. It may move to another thread.
#[derive(Debug)]
pub struct Appender {
    segment: Arc<Segment>,
    /// What the segment's state says, which nobody else changes.
    state: State,
}

impl Appender {
    /// A new, empty segment of `capacity` bytes on the heap, where it stays. Nothing is zeroed.
    ///
    /// # Panics
    /// When `capacity` exceeds [`Segment::CAPACITY_MAX`].
    pub fn new(capacity: usize) -> Self {
        Self { segment: Arc::new(Segment::new(capacity)), state: State::default() }
    }

    /// Empties a segment of which this is the last owner, so that a warm log allocates nothing.
    /// `None` when others still hold it, an appender among them; then it is let go of.
    pub fn reuse(mut segment: Arc<Segment>) -> Option<Self> {
        let state = State::default();
        // Exclusive, so that neither a borrow of its bytes nor another appender is left. And whatever
        // the other owners did with it happened before: they let go of it first.
        Arc::get_mut(&mut segment)?.state = AtomicU64::new(state.pack());
        Some(Self { segment, state })
    }

    /// The capacity that a message of `length` bytes takes up.
    pub fn needed(length: usize) -> usize {
        length + END_BYTES
    }

    /// Appends one message, given in parts. False, and nothing has changed, when it does not fit or
    /// the segment is sealed.
    pub fn append(&mut self, parts: &[&[u8]]) -> bool {
        // Saturating: the same slice may be named more than once.
        let length = parts.iter().fold(0_usize, |length, part| length.saturating_add(part.len()));
        let taken = length.saturating_add(END_BYTES);
        if taken > self.room() || self.state.sealed || self.state.messages == State::MESSAGES_MAX {
            return false;
        }
        let mut at = self.state.bytes as usize;
        self.segment.accesses.write(at..at + length);
        for part in parts {
            // SAFETY: the part fits, for `length` is the sum of all and no more than the room behind
            // what is filled. The destination lies behind what the state tells of, where nobody reads
            // and only this appender writes: one is made with each segment, another only when that
            // one is gone. A part cannot reach there: what can be borrowed of the segment is below.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), self.segment.base().wrapping_add(at), part.len());
            }
            at += part.len();
        }
        // No more than `CAPACITY_MAX`.
        let end = (at as u32).to_ne_bytes();
        let place = self.segment.end_at(self.state.messages);
        self.segment.accesses.write(place..place + END_BYTES);
        // SAFETY: the room held the end too, below those of the messages before and above all bytes,
        // where nobody reads before the state tells of this message, and only this appender writes.
        unsafe { ptr::copy_nonoverlapping(end.as_ptr(), self.segment.base().wrapping_add(place), END_BYTES) };
        self.state.bytes = at as u32;
        self.state.messages += 1;
        self.publish();
        true
    }

    /// How many bytes are left, of which a message takes up [`needed`](Self::needed); none once it is
    /// sealed.
    pub fn room(&self) -> usize {
        let taken = self.state.bytes as usize + END_BYTES * self.state.messages as usize;
        if self.state.sealed { 0 } else { self.segment.capacity() - taken }
    }

    /// What it appends to.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Tells the readers that nothing more will come.
    pub fn seal(&mut self) {
        self.state.sealed = true;
        self.publish();
    }

    fn publish(&self) {
        // Release: the bytes are there for whoever sees this.
        self.segment.state.store(self.state.pack(), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(appender: &Appender, bytes: &[u8], messages: u32, sealed: bool) {
        let segment = appender.segment();
        assert_eq!(segment.state(), State { messages, bytes: bytes.len() as u32, sealed });
        assert_eq!(segment.bytes(0..bytes.len()), bytes);
        let taken = bytes.len() + END_BYTES * messages as usize;
        assert_eq!(appender.room(), if sealed { 0 } else { segment.capacity() - taken });
        let ends: Vec<usize> = (0..messages).map(|number| segment.end_of(number)).collect();
        assert_eq!(ends.last().copied().unwrap_or(0), bytes.len());
        for position in 0..bytes.len() {
            let number = segment.message_at(position);
            assert!((segment.start_of(number)..segment.end_of(number)).contains(&position));
        }
    }

    #[test]
    fn a_message_is_appended_whole_or_not_at_all() {
        let mut appender = Appender::new(8 + 6 * END_BYTES);
        type Step<'a> = (&'a [&'a [u8]], bool, &'a [u8], u32);
        let steps: &[Step<'_>] = &[
            (&[], true, b"", 1),
            (&[b"", b""], true, b"", 2),
            (&[b"ab", b"", b"c"], true, b"abc", 3),
            (&[b"defgh", b"ijklmnopq"], false, b"abc", 3),
            (&[b"d"], true, b"abcd", 4),
            (&[b"ef", b"gh"], true, b"abcdefgh", 5),
            (&[b"i"], false, b"abcdefgh", 5),
            (&[], true, b"abcdefgh", 6),
        ];
        check(&appender, b"", 0, false);
        for (parts, fits, bytes, messages) in steps {
            assert_eq!(appender.append(parts), *fits, "{parts:?}");
            check(&appender, bytes, *messages, false);
        }
        assert_eq!(appender.segment().bytes(2..5), b"cde");
        assert_eq!(appender.segment().bytes(8..8), b"");
    }

    #[test]
    fn nothing_follows_the_seal() {
        let mut appender = Appender::new(8 + 2 * END_BYTES);
        assert!(appender.append(&[b"last"]));
        appender.seal();
        assert!(!appender.append(&[b"x"]) && !appender.append(&[]));
        appender.seal();
        check(&appender, b"last", 1, true);
    }

    #[test]
    fn states_survive_the_round_trip() {
        for messages in [0, 1, State::MESSAGES_MAX] {
            for bytes in [0, 1, u32::MAX] {
                for sealed in [false, true] {
                    let state = State { messages, bytes, sealed };
                    assert_eq!(State::unpack(state.pack()), state);
                }
            }
        }
    }

    #[test]
    fn only_the_last_owner_uses_it_again() {
        let mut appender = Appender::new(4 + END_BYTES);
        assert!(appender.append(&[b"old"]));
        appender.seal();
        let (segment, reader) = (appender.segment().clone(), appender.segment().clone());
        assert!(Appender::reuse(segment.clone()).is_none(), "its appender still has it");
        drop(appender);
        assert!(Appender::reuse(segment.clone()).is_none(), "a reader still has it");
        drop(reader);
        let memory = segment.bytes(0..3).as_ptr();
        let mut again = Appender::reuse(segment).expect("nobody else has it");
        check(&again, b"", 0, false);
        assert!(again.append(&[b"new!"]));
        check(&again, b"new!", 1, false);
        assert_eq!(again.segment().bytes(0..1).as_ptr(), memory);
    }

    #[test]
    fn reads_beyond_the_end_panic() {
        let mut appender = Appender::new(8 + END_BYTES);
        assert!(appender.append(&[b"four"]));
        for range in [0..5, 4..9, 9..9, Range { start: 3, end: 2 }] {
            let segment = appender.segment().clone();
            let read = std::panic::AssertUnwindSafe(|| segment.bytes(range.clone()).len());
            assert!(std::panic::catch_unwind(read).is_err(), "{range:?}");
        }
        assert!(std::panic::catch_unwind(|| Appender::new(Segment::CAPACITY_MAX + 1)).is_err());
    }

    #[test]
    fn others_read_while_it_grows() {
        const MESSAGES: u32 = if cfg!(miri) { 50 } else { 20_000 };
        let mut appender = Appender::new((8 + END_BYTES) * MESSAGES as usize);
        let read_all = |segment: &Segment| {
            let mut seen = 0;
            while seen < MESSAGES {
                let state = segment.state();
                assert_eq!(state.bytes, 8 * state.messages, "both belong together");
                assert!(state.messages >= seen && (!state.sealed || state.messages == MESSAGES));
                let new = segment.bytes(8 * seen as usize..state.bytes as usize);
                for message in new.chunks(8) {
                    assert_eq!(message, u64::from(seen).to_le_bytes());
                    seen += 1;
                }
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let segment = appender.segment().clone();
                scope.spawn(move || read_all(&segment));
            }
            for message in 0..u64::from(MESSAGES) {
                let (front, back) = (&message.to_le_bytes()[..3], &message.to_le_bytes()[3..]);
                assert!(appender.append(&[front, back]));
            }
            appender.seal();
        });
    }
}
