//! All topics and patterns of a server, by name.

use super::form::{Encoding, FORMS_MAX, Form};
use super::log::{Log, Missed};
use super::name::{TopicError, check_name, check_pattern, matches};
use super::patterns::Patterns;
use super::settings::{TopicRule, TopicSettings};
use super::shared::{Deflated, SharedDeflate};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use wsring_io::Time;

/// Names are spread over so many locks.
const SHELVES: usize = 64;

/// Patterns at most. Each costs what matching publishes append to it.
const PATTERNS_MAX: usize = 100_000;

/// Topics at most, unless set.
const TOPICS_MAX: usize = 2_000_000;

/// Memory of all logs together, unless set.
const RETAINED_BYTES_MAX: usize = 4 << 30;

/// Topics looked after at once, or as many more as share a lock.
const LOOKED_AFTER_MAX: usize = 1000;

/// Marks the clock as the real one.
const REAL: u64 = u64::MAX;

/// Publishers count on so many cache lines, so that they do not meet there.
const TALLIES: usize = 16;

/// What some of the publishing threads have published.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Tally {
    messages: AtomicU64,
    bytes: AtomicU64,
    deflated_messages: AtomicU64,
    deflated_bytes_in: AtomicU64,
    deflated_bytes_out: AtomicU64,
    deflated_nanoseconds: AtomicU64,
    saved_bytes: AtomicU64,
}

const _: () = assert!(size_of::<Tally>() == 64, "what one thread counts is one cache line");

thread_local! {
    static TALLY: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % TALLIES
    };
}

type Shelf = HashTable<Arc<Log>>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Registry {
    shelves: Box<[Mutex<Shelf>]>,
    hasher: DefaultHashBuilder,
    topics: AtomicUsize,
    topics_max: AtomicUsize,
    rules: RwLock<Vec<(String, Arc<TopicSettings>)>>,
    default: Arc<TopicSettings>,
    encodings: [OnceLock<Encoding>; FORMS_MAX],
    patterns: RwLock<Patterns>,
    /// Counts the changes of `patterns`.
    patterns_as_of: AtomicU32,
    /// As [`SharedDeflate::pack`] has it.
    shared_deflate: AtomicU64,
    retained_bytes: AtomicUsize,
    retained_bytes_max: AtomicUsize,
    last_epoch: AtomicU64,
    tallies: Box<[Tally]>,
    missed: [AtomicU64; 3],
    began: Instant,
    /// The time of a simulation; [`REAL`] without one.
    simulated: AtomicU64,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            shelves: (0..SHELVES).map(|_| Mutex::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            topics: AtomicUsize::new(0),
            topics_max: AtomicUsize::new(TOPICS_MAX),
            rules: RwLock::default(),
            default: Arc::default(),
            encodings: [const { OnceLock::new() }; FORMS_MAX],
            patterns: RwLock::default(),
            patterns_as_of: AtomicU32::new(0),
            shared_deflate: AtomicU64::new(SharedDeflate::default().pack()),
            retained_bytes: AtomicUsize::new(0),
            retained_bytes_max: AtomicUsize::new(RETAINED_BYTES_MAX),
            last_epoch: AtomicU64::new(0),
            tallies: (0..TALLIES).map(|_| Tally::default()).collect(),
            missed: [const { AtomicU64::new(0) }; 3],
            began: Instant::now(),
            simulated: AtomicU64::new(REAL),
        }
    }
}

impl Registry {
    /// The topic with a name, made when there is none.
    ///
    /// # Errors
    /// The caller's fault: not a name, or one topic too many.
    pub(crate) fn topic(&self, name: &str) -> Result<Arc<Log>, TopicError> {
        let hash = self.hasher.hash_one(name);
        let mut shelf = self.shelf(hash);
        if let Some(log) = shelf.find(hash, |log| log.name() == name) {
            return Ok(Arc::clone(log));
        }
        check_name(name)?;
        let max = self.topics_max.load(Ordering::Relaxed);
        if self.topics.fetch_add(1, Ordering::Relaxed) >= max {
            self.topics.fetch_sub(1, Ordering::Relaxed);
            return Err(TopicError::TooMany { name: name.into(), max });
        }
        let log = Log::new(name, self.next_epoch(), self.settings_for(name), false);
        shelf.insert_unique(hash, Arc::clone(&log), |log| self.hasher.hash_one(log.name()));
        Ok(log)
    }

    /// The topic with a name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Log>> {
        let hash = self.hasher.hash_one(name);
        self.shelf(hash).find(hash, |log| log.name() == name).map(Arc::clone)
    }

    /// How many topics there are.
    pub(crate) fn topics(&self) -> usize {
        self.topics.load(Ordering::Relaxed)
    }

    /// The log of a pattern: the one that is in use, or a new one.
    ///
    /// # Errors
    /// The caller's fault: not a pattern, or one too many.
    pub(crate) fn pattern(&self, pattern: &str) -> Result<Arc<Log>, TopicError> {
        check_pattern(pattern)?;
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = patterns.find(pattern) {
            return Ok(Arc::clone(log));
        }
        if patterns.len() >= PATTERNS_MAX {
            return Err(TopicError::TooMany { name: pattern.into(), max: PATTERNS_MAX });
        }
        Ok(Log::new(pattern, self.next_epoch(), self.settings_for(pattern), true))
    }

    /// The log that is in use for a pattern.
    pub(crate) fn find_pattern(&self, pattern: &str) -> Option<Arc<Log>> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).find(pattern).cloned()
    }

    /// What is published to topics that a pattern stands for goes to it too from now on. Gives the log that
    /// is in use for the pattern, which may be another one.
    pub(crate) fn subscribe_pattern(&self, log: &Arc<Log>) -> Arc<Log> {
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = patterns.find(log.name()) {
            used.subscribed();
            return Arc::clone(used);
        }
        log.subscribed();
        patterns.insert(log);
        self.patterns_as_of.fetch_add(1, Ordering::Release);
        Arc::clone(log)
    }

    /// The reverse; the last subscriber ends the pattern.
    pub(crate) fn unsubscribe_pattern(&self, log: &Arc<Log>) {
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        if log.unsubscribed() {
            patterns.remove(log.name());
            self.patterns_as_of.fetch_add(1, Ordering::Release);
            log.clear(self);
        }
    }

    /// Changes whenever a pattern comes or goes.
    #[inline]
    pub(super) fn patterns_as_of(&self) -> u32 {
        self.patterns_as_of.load(Ordering::Acquire)
    }

    /// The patterns that stand for a name, and as of when.
    pub(super) fn patterns_for(&self, name: &str) -> (Vec<Arc<Log>>, u32) {
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that both belong together.
        (patterns.matching(name), self.patterns_as_of())
    }

    /// Adds a form.
    ///
    /// # Panics
    /// When there are [`FORMS_MAX`] already, the published one included.
    pub(crate) fn add_form(&self, encoding: Encoding) -> Form {
        let mut encoding = Some(encoding);
        for (number, place) in self.encodings.iter().enumerate().skip(1) {
            if place.get().is_none()
                && let Some(taken) = encoding.take()
                && let Err(refused) = place.set(taken)
            {
                encoding = Some(refused);
            }
            if encoding.is_none() {
                return Form(number as u8);
            }
        }
        panic!("a server has at most {FORMS_MAX} forms, the published one included");
    }

    /// How a form is made, whatever its variant; `None` for the published one.
    pub(crate) fn encoding(&self, form: Form) -> Option<&Encoding> {
        self.encodings.get(usize::from(form.plain().0))?.get()
    }

    /// How deflated variants are made.
    pub(crate) fn shared_deflate(&self) -> SharedDeflate {
        SharedDeflate::unpack(self.shared_deflate.load(Ordering::Relaxed))
    }

    pub(crate) fn set_shared_deflate(&self, settings: SharedDeflate) {
        self.shared_deflate.store(settings.pack(), Ordering::Relaxed);
    }

    /// Replaces the rules for topics made from now on; the first one that matches counts.
    pub(crate) fn set_rules(&self, rules: Vec<TopicRule>) -> Result<(), TopicError> {
        rules.iter().try_for_each(|rule| check_pattern(&rule.pattern))?;
        let rules = rules.into_iter().map(|rule| (rule.pattern, Arc::new(rule.settings))).collect();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    pub(crate) fn set_topics_max(&self, max: usize) {
        self.topics_max.store(max, Ordering::Relaxed);
    }

    pub(crate) fn set_retained_bytes_max(&self, max: usize) {
        self.retained_bytes_max.store(max, Ordering::Relaxed);
    }

    pub(crate) fn retained_bytes(&self) -> &AtomicUsize {
        &self.retained_bytes
    }

    pub(crate) fn retained_bytes_max(&self) -> usize {
        self.retained_bytes_max.load(Ordering::Relaxed)
    }

    /// Patterns that somebody is subscribed to.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Counts a published message.
    pub(super) fn count(&self, bytes: usize) {
        let tally = self.tally();
        tally.messages.fetch_add(1, Ordering::Relaxed);
        tally.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a message that was deflated for all: its frame before and after.
    pub(super) fn deflated(&self, bytes_in: usize, bytes_out: usize, took: Duration) {
        let tally = self.tally();
        tally.deflated_messages.fetch_add(1, Ordering::Relaxed);
        tally.deflated_bytes_in.fetch_add(bytes_in as u64, Ordering::Relaxed);
        tally.deflated_bytes_out.fetch_add(bytes_out as u64, Ordering::Relaxed);
        tally.deflated_nanoseconds.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Counts bytes that need not be sent to the subscribers of a message.
    pub(super) fn saved(&self, bytes: u64) {
        self.tally().saved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn tally(&self) -> &Tally {
        &self.tallies[TALLY.with(|number| *number)]
    }

    /// Messages published, and bytes of their payloads.
    pub(crate) fn published(&self) -> (u64, u64) {
        (self.sum(|tally| &tally.messages), self.sum(|tally| &tally.bytes))
    }

    /// What deflating for all has come to.
    pub(crate) fn deflated_figures(&self) -> Deflated {
        Deflated {
            messages: self.sum(|tally| &tally.deflated_messages),
            bytes_in: self.sum(|tally| &tally.deflated_bytes_in),
            bytes_out: self.sum(|tally| &tally.deflated_bytes_out),
            nanoseconds: self.sum(|tally| &tally.deflated_nanoseconds),
            saved_bytes: self.sum(|tally| &tally.saved_bytes),
        }
    }

    fn sum(&self, of: fn(&Tally) -> &AtomicU64) -> u64 {
        self.tallies.iter().map(|tally| of(tally).load(Ordering::Relaxed)).sum()
    }

    /// Counts messages that a subscriber has missed.
    pub(crate) fn miss(&self, missed: Missed) {
        let counts = [missed.closed, missed.skipped, missed.latest];
        for (total, count) in self.missed.iter().zip(counts) {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Messages that subscribers of all topics have missed.
    pub(crate) fn missed(&self) -> Missed {
        let [closed, skipped, latest] = [0, 1, 2].map(|at| self.missed[at].load(Ordering::Relaxed));
        Missed { closed, skipped, latest }
    }

    /// The clock that ages are measured by.
    pub(super) fn now(&self) -> Time {
        match self.simulated.load(Ordering::Relaxed) {
            REAL => Time(self.began.elapsed().as_nanos() as u64),
            simulated => Time(simulated),
        }
    }

    /// Sets a simulation's clock.
    pub(crate) fn simulate_time(&self, now: Time) {
        self.simulated.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.simulated.load(Ordering::Relaxed) != REAL
    }

    /// Looks after the topics of a few locks, from where the last call has stopped: drops what is too old,
    /// and topics of which nothing is left, no message, no subscriber, and nobody who holds them.
    pub(crate) fn look_after(&self, from: &mut usize) {
        let mut looked_at = 0;
        for _ in 0..SHELVES {
            let mut shelf = lock(&self.shelves[*from % SHELVES]);
            *from = (*from + 1) % SHELVES;
            let before = shelf.len();
            looked_at += before;
            shelf.retain(|log| {
                // Asked first: whoever holds it may publish after the look and then let go of it. Once nobody
                // does, nobody can before the shelf is free.
                let is_held = Arc::strong_count(log) > 1;
                log.look_after(self) || is_held
            });
            self.topics.fetch_sub(before - shelf.len(), Ordering::Relaxed);
            if shelf.len() < shelf.capacity() / 4 {
                shelf.shrink_to_fit(|log| self.hasher.hash_one(log.name()));
            }
            if looked_at >= LOOKED_AFTER_MAX {
                return;
            }
        }
    }

    fn settings_for(&self, name: &str) -> Arc<TopicSettings> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter().find(|(pattern, _)| pattern == name || matches(pattern, name));
        Arc::clone(rule.map_or(&self.default, |(_, settings)| settings))
    }

    /// Names the life of a topic that begins: microseconds since 1970, and no two alike.
    fn next_epoch(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = now.as_micros() as u64;
        let next = |last: u64| Some(now.max(last + 1));
        let before = self.last_epoch.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.map_or(now, |last| now.max(last + 1))
    }

    fn shelf(&self, hash: u64) -> MutexGuard<'_, Shelf> {
        // The table itself uses the lowest bits, and the highest seven.
        lock(&self.shelves[(hash >> 32) as usize % SHELVES])
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
