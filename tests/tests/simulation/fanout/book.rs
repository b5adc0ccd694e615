//! What was published, by topic and by pattern, and what may have become of it: the oracle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wsring::{Kind, TopicSettings};
use wsring_io::Time;

pub(crate) const TOPICS: [&str; 5] = ["a/x", "a/y", "b/x", "b/y/z", "c"];
pub(crate) const PATTERNS: [&str; 3] = ["a/+", "b/#", "#"];

/// Forms: as it was published, one more for topics, and two for each pattern, so that everything that
/// comes tells which subscription it comes from.
pub(crate) const FORMS: usize = 2 + 2 * PATTERNS.len();

/// A topic by its place in [`TOPICS`], or behind those a pattern.
pub(crate) type Filter = usize;

/// One message.
pub(crate) struct Publication {
    pub(crate) topic: usize,
    pub(crate) offset: u64,
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
    at: Time,
    /// A subscription that is not to get it: its publisher's.
    pub(crate) spares: Option<u64>,
}

/// Everything that a topic or pattern stands for, in order.
pub(crate) struct Log {
    pub(crate) settings: TopicSettings,
    /// Numbers of publications.
    pub(crate) messages: Vec<usize>,
    /// Messages that handlers were told of, skipped and conflated.
    pub(crate) missed: [u64; 2],
}

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) publications: Vec<Publication>,
    pub(crate) logs: Vec<Log>,
    /// Logs are bounded all together too, so that any of them may keep nothing but its newest message.
    pub(crate) is_pressed: bool,
    pub(crate) faults: Vec<String>,
    /// Subscriptions there were.
    pub(crate) subscriptions: u64,
    /// Connections there were.
    pub(crate) lives: u64,
    /// By connection: its subscriptions by what to.
    pub(crate) live: HashMap<u64, HashMap<Filter, u64>>,
}

#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fault(&self, fault: String) {
        self.book().faults.push(fault);
    }
}

impl Book {
    /// The payload of the next message: no two are alike, and a piece in the wrong place shows.
    pub(crate) fn payload(&self, length: usize) -> Vec<u8> {
        let number = self.publications.len();
        let mut payload = format!("m{number}:").into_bytes();
        payload.extend((0..length).map(|at| b'a' + ((at * 7 + number + at / 26) % 26) as u8));
        payload
    }

    /// Notes what was published.
    pub(crate) fn published(&mut self, topic: usize, offset: u64, kind: Kind, payload: Vec<u8>, at: Time) {
        let number = self.publications.len();
        if offset != self.logs[topic].messages.len() as u64 {
            self.faults.push(format!("{} gave {offset} to message {number}", TOPICS[topic]));
        }
        self.logs[topic].messages.push(number);
        for (pattern, log) in PATTERNS.iter().zip(&mut self.logs[TOPICS.len()..]) {
            if matches(pattern, TOPICS[topic]) {
                log.messages.push(number);
            }
        }
        self.publications.push(Publication { topic, offset, kind, payload, at, spares: None });
    }

    /// Whether retention may have dropped a message by now; `at` counts from the first there was.
    pub(crate) fn may_be_gone(&self, filter: Filter, at: usize, now: Time) -> bool {
        let log = &self.logs[filter];
        let newer = log.messages.len() - 1 - at;
        let kept = &log.settings.retention;
        let age = now.since(self.publications[log.messages[at]].at);
        let length = |number: &usize| self.publications[*number].payload.len() + 64;
        let bytes: usize = log.messages[at..].iter().map(length).sum();
        // A log drops whole segments, of which some are not full, and some hold a long message too.
        let longest = log.messages.iter().map(length).max().unwrap_or(0);
        let is_full = 3 * (bytes + longest) + 1_024 >= kept.bytes || newer as u64 >= kept.messages;
        newer > 0 && (self.is_pressed || is_full) || kept.age.is_some_and(|most| age >= most)
    }
}

/// As the handbook says: `+` is one level, `#` all that follow, none included.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<&str> = name.split('/').collect();
    let (levels, is_open) = match pattern.strip_suffix('#') {
        Some(levels) => (levels.trim_end_matches('/'), true),
        None => (pattern, false),
    };
    let levels: Vec<&str> = levels.split('/').filter(|level| !level.is_empty()).collect();
    let fits = levels.iter().zip(&name).all(|(level, part)| *level == "+" || level == part);
    fits && (name.len() == levels.len() || is_open && name.len() > levels.len())
}

/// A message in a form, as it is to come: whether it is text, and its payload.
pub(crate) fn encoded(form: usize, publication: &Publication) -> (Kind, Vec<u8>) {
    let Publication { topic, offset, kind, payload, .. } = publication;
    if form == 0 {
        return (*kind, payload.clone());
    }
    let mut bytes = Vec::new();
    encode(form, TOPICS[*topic], *offset, payload, &mut bytes);
    (kind_of(form), bytes)
}

pub(crate) fn encode(form: usize, topic: &str, offset: u64, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("f{form} {topic} {offset} ").as_bytes());
    out.extend_from_slice(payload);
}

/// Which kind of message a form that is not the published one makes.
pub(crate) fn kind_of(form: usize) -> Kind {
    if form < 2 + PATTERNS.len() { Kind::Text } else { Kind::Binary }
}

/// The form, the number and the subscription that a message belongs to, by what it says.
pub(crate) fn identify(payload: &[u8], book: &Book) -> Option<(usize, usize, Filter)> {
    let text = std::str::from_utf8(payload).ok()?;
    let (form, rest) = match text.strip_prefix('f') {
        Some(rest) => (rest.split(' ').next()?.parse().ok()?, rest.split(' ').nth(3)?),
        None => (0, text),
    };
    let number: usize = rest.strip_prefix('m')?.split(':').next()?.parse().ok()?;
    let topic = book.publications.get(number)?.topic;
    let filter = if form < 2 { topic } else { TOPICS.len() + (form - 2) % PATTERNS.len() };
    Some((form, number, filter))
}

/// A time that a log keeps messages for.
pub(crate) const AGES: [Option<Duration>; 4] = [None, None, None, Some(Duration::from_millis(900))];
