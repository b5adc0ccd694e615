//! A feed: one form of one log, as one shard follows it for all its subscribers.
//!
//! ```text
//!   members   | ready: has all up to `next` ........ | behind: has a cursor of its own ... |
//! ```
//!
//! Those that are ready are sent the same bytes at the same time, so that a feed keeps their place once.
//! One that is still sending, or that has just come back, is behind and costs a publish nothing: it is not
//! even looked at.

use super::shells::Shells;
use super::subscriptions::{NONE, Subscriptions};
use crate::topic::Form;
use crate::topic::log::{Log, Place};
use crate::topic::registry::Registry;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use wsring_io::LocalSegment;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) log: Arc<Log>,
    /// Subscriptions by number, the ready ones first.
    pub(super) members: Vec<u32>,
    pub(super) ready: u32,
    /// The offset of the next message that the ready ones are to get.
    pub(super) next: u64,
    /// The segment that it comes from, or from behind which.
    piece: Option<Piece>,
    /// Where it begins there.
    position: u32,
    /// The shard's feed of the same log in another form.
    pub(super) other: u32,
    pub(crate) form: Form,
    /// Whether it is among those with news.
    pub(super) has_news: bool,
    /// Whether it is among those with members behind.
    pub(super) is_lagging: bool,
}

/// A segment as a shard holds it. Its count of references is the shard's own: each delivery changes it, and
/// shards must not meet there.
#[derive(Clone, Debug)]
struct Piece {
    segment: LocalSegment,
    /// Offset of its first message.
    base: u64,
}

/// Messages that lie side by side in a segment.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) segment: LocalSegment,
    pub(super) range: Range<u32>,
    pub(super) first: u64,
    pub(super) messages: u32,
}

/// How far a feed is.
pub(super) struct Stand {
    next: u64,
    piece: Option<Piece>,
    position: u32,
}

/// What comes next.
pub(super) enum Step {
    Batch(Batch),
    /// Retention was faster than the shard: nothing before this offset is kept.
    Overtaken(u64),
    /// Everything was sent out.
    Nothing,
}

impl Feed {
    pub(super) fn new(log: Arc<Log>, form: Form, next: u64, other: u32) -> Self {
        Self {
            log,
            members: Vec::new(),
            ready: 0,
            next,
            piece: None,
            position: 0,
            other,
            form,
            has_news: false,
            is_lagging: false,
        }
    }

    pub(super) fn behind(&self) -> &[u32] {
        &self.members[self.ready as usize..]
    }

    /// The next messages for those that are ready; the feed has then sent them out.
    pub(super) fn step(&mut self, registry: &Registry, shells: &mut Shells) -> Step {
        loop {
            if let Some(piece) = &self.piece {
                let state = piece.segment.state();
                if state.bytes > self.position {
                    let first = self.next;
                    let range = self.position..state.bytes;
                    self.position = state.bytes;
                    self.next = piece.base + u64::from(state.messages);
                    let messages = (self.next - first) as u32;
                    return Step::Batch(Batch { segment: Rc::clone(&piece.segment), range, first, messages });
                }
                if !state.sealed {
                    return Step::Nothing;
                }
            }
            let (place, bounds) = self.log.locate(registry, self.form, self.next);
            // Without a place everything is gone: sealed, and dropped for its age.
            let Some(place) = place else { return self.overtaken(bounds.next) };
            if place.base > self.next {
                return self.overtaken(place.base);
            }
            if self.piece.as_ref().is_some_and(|piece| Arc::ptr_eq(&piece.segment, &place.segment)) {
                return Step::Nothing;
            }
            self.enter(place, shells);
        }
    }

    /// Whether more follows what was sent out last.
    pub(super) fn has_more(&self, registry: &Registry) -> bool {
        let state = self.piece.as_ref().map(|piece| piece.segment.state());
        if state.is_some_and(|state| state.bytes > self.position) {
            return true;
        }
        let is_done = state.is_none_or(|state| state.sealed);
        is_done && self.log.bounds(registry, self.form).next > self.next
    }

    /// Where the feed stands.
    pub(super) fn place(&self) -> Stand {
        Stand { next: self.next, piece: self.piece.clone(), position: self.position }
    }

    /// Takes steps back.
    pub(super) fn return_to(&mut self, stand: Stand, shells: &mut Shells) {
        let ahead = std::mem::replace(&mut self.piece, stand.piece);
        (self.next, self.position) = (stand.next, stand.position);
        if let Some(ahead) = ahead {
            shells.retire(ahead.segment);
        }
    }

    /// What comes next lies behind a gap, so that nothing of the present segment does.
    fn overtaken(&mut self, by: u64) -> Step {
        self.piece = None;
        if by > self.next { Step::Overtaken(by) } else { Step::Nothing }
    }

    fn enter(&mut self, place: Place, shells: &mut Shells) {
        let number = (self.next - place.base) as u32;
        self.position = place.segment.start_of(number) as u32;
        let piece = Piece { segment: shells.wrap(place.segment), base: place.base };
        if let Some(before) = self.piece.replace(piece) {
            shells.retire(before.segment);
        }
    }

    /// Where a member that is behind goes on, up to what the feed has sent out; `Overtaken` when retention
    /// has dropped that, `Nothing` when it is not behind any more.
    pub(super) fn step_from(&self, registry: &Registry, shells: &mut Shells, cursor: u64) -> Step {
        if cursor >= self.next {
            return Step::Nothing;
        }
        let kept = self.log.settings().retention.messages.max(1);
        let oldest = self.next.saturating_sub(kept);
        if let Some(piece) = self.piece.as_ref().filter(|piece| piece.base <= cursor && oldest <= cursor) {
            return batch(&piece.segment, piece.base, cursor, self.position);
        }
        let (place, bounds) = self.log.locate(registry, self.form, cursor);
        let Some(place) = place.filter(|_| bounds.oldest <= cursor) else {
            return Step::Overtaken(bounds.oldest);
        };
        // What the feed has not sent out yet is left to it.
        let state = place.segment.state();
        let messages = u64::from(state.messages).min(self.next.saturating_sub(place.base)) as u32;
        let end = place.segment.start_of(messages) as u32;
        let segment = shells.wrap(place.segment);
        shells.retire(Rc::clone(&segment));
        batch(&segment, place.base, cursor, end)
    }

    /// The ready member at a position falls behind.
    pub(super) fn fall_behind(&mut self, position: u32, subscriptions: &mut Subscriptions) {
        self.ready -= 1;
        self.swap(position, self.ready, subscriptions);
    }

    /// A member that was behind is ready.
    pub(super) fn catch_up(&mut self, position: u32, subscriptions: &mut Subscriptions) {
        self.swap(position, self.ready, subscriptions);
        self.ready += 1;
    }

    pub(super) fn is_behind(&self, position: u32) -> bool {
        position >= self.ready
    }

    pub(super) fn add(&mut self, number: u32, subscriptions: &mut Subscriptions) {
        subscriptions.at(number).position = self.members.len() as u32;
        self.members.push(number);
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, mut position: u32, subscriptions: &mut Subscriptions) {
        if !self.is_behind(position) {
            self.ready -= 1;
            self.swap(position, self.ready, subscriptions);
            position = self.ready;
        }
        let last = self.members.len() as u32 - 1;
        self.swap(position, last, subscriptions);
        self.members.pop();
        if self.members.len() < self.members.capacity() / 4 {
            self.members.shrink_to(self.members.len() * 2);
        }
    }

    fn swap(&mut self, one: u32, other: u32, subscriptions: &mut Subscriptions) {
        self.members.swap(one as usize, other as usize);
        for position in [one, other] {
            subscriptions.at(self.members[position as usize]).position = position;
        }
    }
}

fn batch(segment: &LocalSegment, base: u64, cursor: u64, end: u32) -> Step {
    // A message that was never encoded leaves a hole before the segment.
    let first = cursor.max(base);
    let number = (first - base) as u32;
    let start = segment.start_of(number) as u32;
    if start >= end {
        return Step::Nothing;
    }
    let after = segment.message_at(end as usize - 1) + 1;
    let segment = Rc::clone(segment);
    Step::Batch(Batch { segment, range: start..end, first, messages: after - number })
}

/// No feed.
pub(super) const NO_FEED: u32 = NONE;
