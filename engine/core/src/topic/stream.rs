//! One form of a topic's messages: segments from the oldest that is kept to the one that grows.
//!
//! ```text
//!    offsets   100            164            228         251 = next
//!              |--- segment ---|--- segment ---|--- grows |·····|
//!              ^ oldest
//! ```
//!
//! Whoever publishes appends under the topic's lock; shards read the segments without it. A segment that
//! retention drops lives on until the last shard has let go of it.

use super::settings::Retention;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wsring_io::{Appender, Segment, Time};

/// Capacity of a topic's first segment; each further one has twice as much, up to the following share of
/// what may be retained, and at most [`SEGMENT_BYTES_MAX`]. A message that is longer gets its own.
const SEGMENT_BYTES_MIN: usize = 512;
const SEGMENT_BYTES_MAX: usize = 256 * 1024;
const SEGMENTS_PER_RETENTION: usize = 8;

/// A segment has room for so much however few messages are kept, for what is published in a burst.
const FEW_MESSAGES_BYTES: usize = 16 * 1024;

/// The messages of a topic in one form.
#[derive(Debug, Default)]
pub(super) struct Stream {
    segments: VecDeque<Held>,
    /// Writes to the last of them.
    appender: Option<Appender>,
    /// Capacity of all of them.
    bytes: usize,
    /// Shards with subscribers in this form.
    pub(super) users: u32,
    /// Whether it had none when the topic was last looked after.
    pub(super) was_unused: bool,
}

#[derive(Debug)]
struct Held {
    segment: Arc<Segment>,
    /// Offset of its first message.
    base: u64,
    /// When its first message came, and its last.
    from: Time,
    to: Time,
}

/// Where a message lies.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) segment: Arc<Segment>,
    /// Offset of the segment's first message.
    pub(crate) base: u64,
}

/// What a stream may take up.
pub(super) struct Room<'a> {
    pub(super) retention: &'a Retention,
    /// Bytes of all topics together.
    pub(super) gauge: &'a AtomicUsize,
    pub(super) gauge_max: usize,
    pub(super) now: Time,
}

impl Stream {
    /// An empty one that a shard listens to.
    pub(super) fn in_use() -> Self {
        Self { users: 1, ..Self::default() }
    }

    /// Appends a message, of which `next` is the offset.
    pub(super) fn append(&mut self, parts: &[&[u8]], next: u64, room: &Room<'_>) {
        let is_old = |held: &Held| {
            room.retention
                .age
                .is_some_and(|age| room.now.since(held.from) > age / SEGMENTS_PER_RETENTION as u32)
        };
        // Offsets are counted along a segment, so that one with a message missing (its encoding has
        // panicked) ends there.
        let follows = |held: &Held| held.base + u64::from(held.segment.state().messages) == next;
        let grows = self.segments.back().is_some_and(|held| !is_old(held) && follows(held));
        if !(grows && self.appender.as_mut().is_some_and(|appender| appender.append(parts))) {
            let length = parts.iter().map(|part| part.len()).sum();
            self.roll(length, next, room);
            let taken = self.appender.as_mut().is_some_and(|appender| appender.append(parts));
            debug_assert!(taken, "a segment is made so that the message fits");
        }
        if let Some(held) = self.segments.back_mut() {
            held.to = room.now;
        }
    }

    /// Begins a segment in which a message of `length` bytes fits; retention makes room for it.
    fn roll(&mut self, length: usize, next: u64, room: &Room<'_>) {
        let capacity = self.next_capacity(Appender::needed(length), room.retention);
        if let Some(mut appender) = self.appender.take() {
            appender.seal();
        }
        let pressed = room.gauge.load(Ordering::Relaxed) + capacity > room.gauge_max;
        let most = if pressed { 0 } else { room.retention.bytes };
        let mut reused = None;
        while let Some(front) = self.segments.front() {
            let unwanted = front.base + u64::from(front.segment.state().messages)
                <= next.saturating_sub(room.retention.messages.max(1));
            if self.bytes + capacity <= most && !unwanted {
                break;
            }
            let dropped = self.drop_front(room.gauge);
            if reused.is_none() {
                let dropped = dropped.filter(|segment| segment.capacity() == capacity);
                reused = dropped.and_then(Appender::reuse);
            }
        }
        let appender = reused.unwrap_or_else(|| Appender::new(capacity));
        self.bytes += capacity;
        room.gauge.fetch_add(capacity, Ordering::Relaxed);
        let segment = Arc::clone(appender.segment());
        self.segments.push_back(Held { segment, base: next, from: room.now, to: room.now });
        self.appender = Some(appender);
    }

    fn next_capacity(&self, needed: usize, retention: &Retention) -> usize {
        let most = (retention.bytes / SEGMENTS_PER_RETENTION).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        let last = self.segments.back().map_or(SEGMENT_BYTES_MIN / 2, |held| held.segment.capacity());
        // Where few messages are kept, not much room is taken.
        let kept = usize::try_from(retention.messages).unwrap_or(usize::MAX).saturating_mul(needed);
        let most = most.min(kept.max(FEW_MESSAGES_BYTES));
        needed.max(last.saturating_mul(2).min(most)).next_multiple_of(64)
    }

    fn drop_front(&mut self, gauge: &AtomicUsize) -> Option<Arc<Segment>> {
        let held = self.segments.pop_front()?;
        let bytes = held.segment.capacity();
        self.bytes -= bytes;
        gauge.fetch_sub(bytes, Ordering::Relaxed);
        Some(held.segment)
    }

    /// Drops what is older than retention allows.
    pub(super) fn expire(&mut self, room: &Room<'_>) {
        let Some(age) = room.retention.age else { return };
        while self.segments.front().is_some_and(|held| room.now.since(held.to) >= age) {
            if self.segments.len() == 1
                && let Some(mut appender) = self.appender.take()
            {
                appender.seal();
            }
            self.drop_front(room.gauge);
        }
    }

    /// Drops everything, as when its topic ends or nobody needs the form.
    pub(super) fn clear(&mut self, gauge: &AtomicUsize) {
        if let Some(mut appender) = self.appender.take() {
            appender.seal();
        }
        while self.drop_front(gauge).is_some() {}
    }

    /// Offset of the oldest message that is kept; `next` when none is.
    pub(super) fn oldest(&self, next: u64, retention: &Retention) -> u64 {
        let front = self.segments.front().map_or(next, |held| held.base);
        front.max(next.saturating_sub(retention.messages.max(1)))
    }

    /// The segment of a message, or of the next one that is kept; for the offset after the newest the one
    /// that grows.
    pub(super) fn locate(&self, offset: u64) -> Option<Place> {
        let after = self.segments.partition_point(|held| held.base <= offset);
        let at = after.saturating_sub(1);
        let ends = |held: &Held| {
            let state = held.segment.state();
            state.sealed && offset >= held.base + u64::from(state.messages)
        };
        let at =
            if self.segments.get(at).is_some_and(ends) && after < self.segments.len() { after } else { at };
        let held = self.segments.get(at)?;
        Some(Place { segment: Arc::clone(&held.segment), base: held.base })
    }

    /// Memory it takes up, beside what shards still hold of what was dropped.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Every message that is kept, with its offset.
    pub(super) fn messages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.segments.iter().flat_map(|held| {
            let messages = held.segment.state().messages;
            (0..messages).map(|number| (held.base + u64::from(number), held.segment.message(number)))
        })
    }
}
