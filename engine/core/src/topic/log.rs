//! The log of one topic, or of one pattern: what all shards share of it.
//!
//! Whoever publishes takes the topic's lock, gives the message the next offset, and appends it in each form
//! that is in use. Then every shard that has subscribers is told, unless it was told before and has not
//! looked yet: one entry per shard and topic, however many messages and subscribers.

use super::form::{Form, Publication};
use super::records::Records;
use super::registry::Registry;
use super::settings::TopicSettings;
pub(crate) use super::stream::Place;
use super::stream::{Room, Stream};
use super::streams::Streams;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wsring_proto::Kind;

/// Shards that a word tells apart; of more, some share a bit and are told of more than they asked for.
const SHARD_BITS: usize = u64::BITS as usize;

/// One topic or pattern.
#[derive(Debug)]
pub(crate) struct Log {
    name: Box<str>,
    settings: Arc<TopicSettings>,
    epoch: u64,
    /// Shards that were told of news and have not looked yet, a bit each.
    told: AtomicU64,
    subscribers: AtomicU32,
    is_pattern: bool,
    /// Somebody needs what is published deflated, as it was published. A hint: it is then made before the lock.
    deflates: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The offset of the next message.
    next: u64,
    /// Shards with subscribers, a bit each.
    listeners: u64,
    /// How many shards those are.
    listening: u16,
    /// One of them shares its bit with another shard.
    shares_bits: bool,
    /// For which patterns `patterns` was found.
    patterns_as_of: u32,
    streams: Option<Box<Streams>>,
    patterns: Option<Box<[Arc<Log>]>>,
    missed: Option<Box<Missed>>,
}

/// Messages that subscribers have missed, by what the topic's policy then did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// They were closed ([`Behind::Close`](crate::Behind::Close)).
    pub closed: u64,
    /// They went on with the oldest kept ([`Behind::Skip`](crate::Behind::Skip)).
    pub skipped: u64,
    /// They went on with the newest ([`Behind::Latest`](crate::Behind::Latest)).
    pub latest: u64,
}

/// Whom to tell of a message: shards that were not told yet, a bit each.
pub(crate) type News = u64;

/// What a subscriber is told of where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) oldest: u64,
    pub(crate) next: u64,
}

impl Log {
    pub(crate) fn new(name: &str, epoch: u64, settings: Arc<TopicSettings>, is_pattern: bool) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            settings,
            epoch,
            told: AtomicU64::new(0),
            subscribers: AtomicU32::new(0),
            is_pattern,
            deflates: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn settings(&self) -> &TopicSettings {
        &self.settings
    }

    pub(crate) fn is_pattern(&self) -> bool {
        self.is_pattern
    }

    /// Subscribed connections, on all shards.
    pub(crate) fn subscribers(&self) -> u32 {
        self.subscribers.load(Ordering::Relaxed)
    }

    /// Appends a message. Gives its offset, how many are subscribed, and hands every log that now has news
    /// for some shard to `tell`: this one, and those of the patterns that stand for it.
    pub(crate) fn publish(
        self: &Arc<Self>,
        registry: &Registry,
        kind: Kind,
        payload: &[u8],
        mut tell: impl FnMut(&Arc<Self>, News),
    ) -> (u64, usize) {
        let mut records = Records::default();
        if self.deflates.load(Ordering::Relaxed) {
            records.deflate_ahead(&self.publication(0, kind, payload), registry);
        }
        let mut state = self.lock();
        let offset = state.next;
        let publication = self.publication(offset, kind, payload);
        let news = self.append(&mut state, &publication, &mut records, registry);
        let mut subscribers = self.subscribers() as usize;
        if state.patterns_as_of != registry.patterns_as_of() {
            state.find_patterns(&self.name, registry);
        }
        for pattern in state.patterns.iter().flatten() {
            let mut its_state = pattern.lock();
            // Its last subscriber may have left since it was found. Then it has been cleared, or will be when
            // this lock is free; what is appended after that would stay.
            if pattern.subscribers() == 0 {
                continue;
            }
            let news = pattern.append(&mut its_state, &publication, &mut records, registry);
            drop(its_state);
            subscribers += pattern.subscribers() as usize;
            if news != 0 {
                tell(pattern, news);
            }
        }
        drop(state);
        registry.count(payload.len());
        if news != 0 {
            tell(self, news);
        }
        (offset, subscribers)
    }

    pub(super) fn publication<'a>(&'a self, offset: u64, kind: Kind, payload: &'a [u8]) -> Publication<'a> {
        Publication { topic: &self.name, epoch: self.epoch, offset, kind, payload }
    }

    /// Appends to each form that is in use; the shards that have to be told of it.
    fn append(
        &self,
        state: &mut State,
        publication: &Publication<'_>,
        records: &mut Records,
        registry: &Registry,
    ) -> News {
        let next = state.next;
        state.next += 1;
        let room = self.room(registry);
        let streams = state.streams.get_or_insert_default();
        streams.append(publication, next, records, &room, registry);
        // Whoever takes its bit away looks at the segments after that, and they are written by now.
        state.listeners & !self.told.fetch_or(state.listeners, Ordering::AcqRel)
    }

    /// A shard is about to look at what is new.
    pub(crate) fn looks(&self, shard: usize) {
        self.told.fetch_and(!bit(shard), Ordering::AcqRel);
    }

    /// A shard has its first subscriber in a form; `is_first`: and in any. It is told of what is published
    /// from this offset on.
    pub(crate) fn listen(&self, registry: &Registry, shard: usize, form: Form, is_first: bool) -> u64 {
        let mut state = self.lock();
        if is_first {
            state.listeners |= bit(shard);
            state.listening += 1;
            state.shares_bits |= shard >= SHARD_BITS;
        }
        let next = state.next;
        let streams = state.streams.get_or_insert_default();
        streams.listen(self, form, next, &self.room(registry), registry);
        self.deflates.store(streams.deflates(), Ordering::Relaxed);
        next
    }

    /// A shard has lost its last subscriber in a form; `is_last`: and in any other.
    pub(crate) fn unlisten(&self, shard: usize, form: Form, is_last: bool) {
        let mut state = self.lock();
        if is_last {
            state.listening -= 1;
            // Where bits may be shared they stay until no shard listens.
            if state.listening == 0 {
                (state.listeners, state.shares_bits) = (0, false);
            } else if !state.shares_bits {
                state.listeners &= !bit(shard);
            }
        }
        if let Some(streams) = &mut state.streams {
            streams.unlisten(form);
            self.deflates.store(streams.deflates(), Ordering::Relaxed);
        }
    }

    /// One connection more gets a deflated variant.
    pub(crate) fn subscribed_in(&self, form: Form) {
        self.lock().streams.iter_mut().for_each(|streams| streams.subscribed(form));
    }

    /// The reverse.
    pub(crate) fn unsubscribed_in(&self, form: Form) {
        self.lock().streams.iter_mut().for_each(|streams| streams.unsubscribed(form));
    }

    pub(crate) fn subscribed(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was the last.
    pub(crate) fn unsubscribed(&self) -> bool {
        self.subscribers.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// The oldest offset that is kept in a form, and the next one.
    pub(crate) fn bounds(&self, registry: &Registry, form: Form) -> Bounds {
        self.locate(registry, form, u64::MAX).1
    }

    /// Where the message with an offset lies, or, for the offset after the newest, where the next one may.
    pub(crate) fn locate(&self, registry: &Registry, form: Form, offset: u64) -> (Option<Place>, Bounds) {
        let mut state = self.lock();
        let next = state.next;
        if self.settings.retention.age.is_some()
            && let Some(stream) = state.stream_mut(form)
        {
            stream.expire(&self.room(registry));
        }
        let Some(stream) = state.stream(form) else { return (None, Bounds { oldest: next, next }) };
        let bounds = Bounds { oldest: stream.oldest(next, &self.settings.retention), next };
        (stream.locate(offset), bounds)
    }

    /// Counts messages that a subscriber has missed.
    pub(crate) fn miss(&self, registry: &Registry, missed: Missed) {
        registry.miss(missed);
        let mut state = self.lock();
        let total = state.missed.get_or_insert_default();
        total.closed += missed.closed;
        total.skipped += missed.skipped;
        total.latest += missed.latest;
    }

    pub(crate) fn missed(&self) -> Missed {
        self.lock().missed.as_deref().copied().unwrap_or_default()
    }

    /// Memory of all forms.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().streams.as_ref().map_or(0, |streams| streams.bytes())
    }

    /// Drops what has become too old, and forms that nobody has used for a while. Says whether anything is
    /// left to keep.
    pub(crate) fn look_after(&self, registry: &Registry) -> bool {
        let mut state = self.lock();
        let Some(streams) = &mut state.streams else { return false };
        streams.look_after(&self.room(registry));
        let is_kept = streams.keeps_any();
        if !is_kept && !streams.is_read() {
            // It costs what it did before it was first used.
            state.streams = None;
        }
        is_kept
    }

    fn room<'a>(&'a self, registry: &'a Registry) -> Room<'a> {
        Room {
            retention: &self.settings.retention,
            gauge: registry.retained_bytes(),
            gauge_max: registry.retained_bytes_max(),
            now: registry.now(),
        }
    }

    /// Forgets everything: what is appended here reaches nobody any more.
    pub(crate) fn clear(&self, registry: &Registry) {
        let mut state = self.lock();
        if let Some(mut streams) = state.streams.take() {
            streams.clear(registry.retained_bytes());
        }
        self.deflates.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stream(&self, form: Form) -> Option<&Stream> {
        self.streams.as_ref()?.find(form)
    }

    fn stream_mut(&mut self, form: Form) -> Option<&mut Stream> {
        self.streams.as_mut()?.find_mut(form)
    }

    #[cold]
    fn find_patterns(&mut self, name: &str, registry: &Registry) {
        let (found, as_of) = registry.patterns_for(name);
        self.patterns = (!found.is_empty()).then(|| found.into_boxed_slice());
        self.patterns_as_of = as_of;
    }
}

fn bit(shard: usize) -> u64 {
    1 << (shard % SHARD_BITS)
}

/// The shards among `shards` that a word names.
pub(crate) fn shards_in(news: News, shards: usize) -> impl Iterator<Item = usize> {
    (0..shards).filter(move |shard| news & bit(*shard) != 0)
}
