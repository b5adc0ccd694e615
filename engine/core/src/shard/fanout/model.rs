//! Logs, feeds and cursors against the naive way: a queue of its own for every subscriber.

use super::feed::{Batch, Feed, Step};
use super::shells::Shells;
use crate::topic::log::Log;
use crate::topic::registry::Registry;
use crate::topic::{Behind, Encoding, Form, Framing, Retention, Start, TopicSettings};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use wsring_io::Time;
use wsring_proto::Kind;

const SHARDS: usize = 2;
const SUBSCRIBERS: usize = 6;
/// As it was published and encoded, both also deflated.
const FORMS: usize = 4;
const TIMES_MAX: u64 = 400;

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Act {
    Publish {
        length: usize,
        times: usize,
    },
    Subscribe {
        at: usize,
        shard: usize,
        form: usize,
        start: Start,
    },
    Leave(usize),
    /// Takes nothing from now on, or takes again.
    Stall(usize),
    Resume(usize),
    /// A shard sends out what is new.
    Turn(usize),
    /// A subscriber that is behind is sent one batch.
    CatchUp(usize),
    Wait(u64),
    LookAfter,
}

fn step() -> impl Strategy<Value = Act> {
    let at = 0..SUBSCRIBERS;
    let lengths = prop_oneof![0..40_usize, 0..300_usize, 0..3000_usize];
    let starts = prop_oneof![
        Just(Start::Now),
        (0..60_u64).prop_map(Start::Offset),
        (0..60_u64).prop_map(Start::Last),
    ];
    prop_oneof![
        6 => (lengths, prop_oneof![Just(1_usize), 1..30_usize])
            .prop_map(|(length, times)| Act::Publish { length, times }),
        3 => (at.clone(), 0..SHARDS, 0..FORMS, starts)
            .prop_map(|(at, shard, form, start)| Act::Subscribe { at, shard, form, start }),
        1 => at.clone().prop_map(Act::Leave),
        2 => at.clone().prop_map(Act::Stall),
        2 => at.clone().prop_map(Act::Resume),
        6 => (0..SHARDS).prop_map(Act::Turn),
        6 => at.prop_map(Act::CatchUp),
        1 => (0..TIMES_MAX).prop_map(Act::Wait),
        1 => Just(Act::LookAfter),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    let bytes = prop_oneof![Just(1_usize), 1..2000_usize, 1..20_000_usize, Just(1 << 20)];
    let messages = prop_oneof![Just(u64::MAX), 1..20_u64];
    let age = prop_oneof![Just(None), (1..TIMES_MAX).prop_map(|millis| Some(Duration::from_millis(millis)))];
    (bytes, messages, age).prop_map(|(bytes, messages, age)| Retention { bytes, messages, age })
}

struct Message {
    payload: Vec<u8>,
    at: Time,
}

/// A subscriber, twice: as a place in the log, and as a queue.
struct Subscriber {
    shard: usize,
    form: Form,
    /// Its place, while it is behind.
    cursor: Option<u64>,
    is_stalled: bool,
    queue: VecDeque<u64>,
}

struct Model {
    registry: Registry,
    log: Arc<Log>,
    forms: [Form; FORMS],
    feeds: Vec<(usize, Feed)>,
    subscribers: [Option<Subscriber>; SUBSCRIBERS],
    messages: Vec<Message>,
    now: u64,
    shells: Shells,
}

impl Model {
    fn new(retention: Retention) -> Self {
        let registry = Registry::default();
        registry.simulate_time(Time(0));
        let made = registry.add_form(Encoding::new(Framing::Binary, |publication, out| {
            out.extend_from_slice(&publication.offset.to_be_bytes());
            out.extend_from_slice(publication.payload);
        }));
        let settings = TopicSettings { retention, behind: Behind::Skip };
        let log = Log::new("news", 1, Arc::new(settings), false);
        let subscribers = Default::default();
        Self {
            registry,
            log,
            forms: [Form::PUBLISHED, Form::PUBLISHED.deflated(), made, made.deflated()],
            feeds: Vec::new(),
            subscribers,
            messages: Vec::new(),
            now: 0,
            shells: Shells::default(),
        }
    }

    fn act(&mut self, step: &Act) {
        match *step {
            Act::Publish { length, times } => (0..times).for_each(|_| self.publish(length)),
            Act::Subscribe { at, shard, form, start } => {
                self.leave(at);
                self.subscribe(at, shard, self.forms[form], start);
            }
            Act::Leave(at) => self.leave(at),
            Act::Stall(at) | Act::Resume(at) => {
                if let Some(subscriber) = &mut self.subscribers[at] {
                    subscriber.is_stalled = matches!(step, Act::Stall(_));
                }
            }
            Act::Turn(shard) => self.turn(shard),
            Act::CatchUp(at) => drop(self.catch_up(at)),
            Act::Wait(millis) => {
                self.now += millis * 1_000_000;
                self.registry.simulate_time(Time(self.now));
            }
            Act::LookAfter => drop(self.log.look_after(&self.registry)),
        }
        self.check_room();
    }

    fn publish(&mut self, length: usize) {
        let number = self.messages.len();
        let payload: Vec<u8> = (0..length).map(|at| (at * 31 + number) as u8).collect();
        let (offset, _) = self.log.publish(&self.registry, Kind::Binary, &payload, |_, _| {});
        assert_eq!(offset, number as u64, "each message gets the next offset");
        self.messages.push(Message { payload, at: Time(self.now) });
        self.subscribers.iter_mut().flatten().for_each(|subscriber| subscriber.queue.push_back(offset));
    }

    /// The number of a shard's feed in a form.
    fn feed(&mut self, shard: usize, form: Form) -> usize {
        let is_it = |(of, feed): &(usize, Feed)| *of == shard && feed.form == form;
        if let Some(found) = self.feeds.iter().position(is_it) {
            return found;
        }
        let is_first = self.feeds.iter().all(|(of, _)| *of != shard);
        let next = self.log.listen(&self.registry, shard, form, is_first);
        self.feeds.push((shard, Feed::new(Arc::clone(&self.log), form, next, super::NO_FEED)));
        self.feeds.len() - 1
    }

    fn subscribe(&mut self, at: usize, shard: usize, form: Form, start: Start) {
        let feed = self.feed(shard, form);
        let bounds = self.log.bounds(&self.registry, form);
        assert_eq!(bounds.next, self.messages.len() as u64);
        let cursor = match start {
            Start::Now => bounds.next,
            Start::Offset(offset) => offset.clamp(bounds.oldest, bounds.next),
            Start::Last(count) => bounds.next.saturating_sub(count).max(bounds.oldest),
        };
        let queue = (cursor..bounds.next).collect();
        let cursor = (cursor != self.feeds[feed].1.next).then_some(cursor);
        self.subscribers[at] = Some(Subscriber { shard, form, cursor, is_stalled: false, queue });
    }

    fn leave(&mut self, at: usize) {
        let Some(Subscriber { shard, form, .. }) = self.subscribers[at].take() else { return };
        let stays = |other: &Subscriber| other.shard == shard && other.form == form;
        if !self.subscribers.iter().flatten().any(stays) {
            let feed = self.feed(shard, form);
            drop(self.feeds.swap_remove(feed));
            let is_last = self.feeds.iter().all(|(of, _)| *of != shard);
            self.log.unlisten(shard, form, is_last);
        }
    }

    /// Those that are ready get what is new.
    fn turn(&mut self, shard: usize) {
        for number in 0..self.feeds.len() {
            if self.feeds[number].0 != shard {
                continue;
            }
            loop {
                let (_, feed) = &mut self.feeds[number];
                let (form, before) = (feed.form, feed.next);
                let (step, first) = match feed.step(&self.registry, &mut self.shells) {
                    Step::Nothing => break,
                    Step::Batch(batch) => (Some(batch), before),
                    Step::Overtaken(oldest) => {
                        feed.next = oldest;
                        (None, before)
                    }
                };
                for subscriber in self.subscribers.iter_mut().flatten() {
                    if subscriber.shard != shard || subscriber.form != form || subscriber.cursor.is_some() {
                        continue;
                    }
                    match step.as_ref().filter(|_| !subscriber.is_stalled) {
                        Some(batch) => take(&mut subscriber.queue, batch, form, &self.messages),
                        None => subscriber.cursor = Some(first),
                    }
                }
            }
        }
    }

    /// Whether there was something for it to do.
    fn catch_up(&mut self, at: usize) -> bool {
        let Some(subscriber) = &mut self.subscribers[at] else { return false };
        let Some(cursor) = subscriber.cursor.filter(|_| !subscriber.is_stalled) else { return false };
        let (shard, form) = (subscriber.shard, subscriber.form);
        let feed = self.feeds.iter().find(|(of, feed)| *of == shard && feed.form == form);
        let (_, feed) = feed.expect("who is subscribed has a feed");
        let next = feed.next;
        match feed.step_from(&self.registry, &mut self.shells, cursor) {
            Step::Nothing => {
                subscriber.cursor = (cursor > next).then_some(cursor);
                return cursor <= next;
            }
            Step::Batch(batch) => {
                take(&mut subscriber.queue, &batch, form, &self.messages);
                subscriber.cursor = Some(batch.first + u64::from(batch.messages));
            }
            Step::Overtaken(oldest) => {
                assert!(oldest > cursor, "something was missed");
                while subscriber.queue.front().is_some_and(|offset| *offset < oldest) {
                    subscriber.queue.pop_front();
                }
                subscriber.cursor = Some(oldest);
            }
        }
        true
    }

    /// What retention promises, of all forms.
    fn check_room(&self) {
        let kept = &self.log.settings().retention;
        let next = self.messages.len() as u64;
        for form in self.forms {
            let bounds = self.log.bounds(&self.registry, form);
            assert!(bounds.next == next && bounds.oldest <= next);
            assert!(next - bounds.oldest <= kept.messages, "{bounds:?} of {kept:?}");
            if form == Form::PUBLISHED && kept.age.is_none() && next > 0 {
                assert!(bounds.oldest < next, "the newest is always kept");
            }
            if let (Some(age), Some(message)) = (kept.age, self.messages.get(bounds.oldest as usize)) {
                // A segment goes when its last message does, and takes in what comes within an eighth.
                let age = age + age / 8 + Duration::from_nanos(1);
                assert!(Time(self.now).since(message.at) <= age, "{bounds:?} of {kept:?}");
            }
        }
        let longest = self.messages.iter().map(|message| message.payload.len() + 8 + 10 + 4).max();
        let most = kept.bytes.max(longest.unwrap_or(0));
        let bytes = self.log.bytes();
        assert!(bytes <= FORMS * most, "{bytes} bytes in {FORMS} forms, of {kept:?}");
        let counted = self.registry.retained_bytes().load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(counted, bytes);
    }

    /// In the end everybody reads: every queue is empty then, and everybody is ready.
    fn finish(mut self) {
        for subscriber in self.subscribers.iter_mut().flatten() {
            subscriber.is_stalled = false;
        }
        (0..SHARDS).for_each(|shard| self.turn(shard));
        for at in 0..SUBSCRIBERS {
            while self.catch_up(at) {}
            let Some(subscriber) = &self.subscribers[at] else { continue };
            assert_eq!((&subscriber.queue, subscriber.cursor), (&VecDeque::new(), None));
        }
        (0..SUBSCRIBERS).for_each(|at| self.leave(at));
        self.log.clear(&self.registry);
        assert_eq!(self.registry.retained_bytes().load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

/// A batch is what the queue has at its front, byte for byte.
fn take(queue: &mut VecDeque<u64>, batch: &Batch, form: Form, messages: &[Message]) {
    let mut at = batch.range.start as usize;
    for offset in batch.first..batch.first + u64::from(batch.messages) {
        assert_eq!(queue.pop_front(), Some(offset), "in order, and once");
        let payload = &messages[offset as usize].payload;
        let payload = match form.plain() {
            Form::PUBLISHED => payload.clone(),
            _ => [&offset.to_be_bytes()[..], payload].concat(),
        };
        let bytes = batch.segment.bytes(at..batch.range.end as usize);
        let (is_deflated, header, length) = header(bytes);
        let body = &bytes[header..header + length];
        assert!(form.is_deflated() || !is_deflated, "message {offset} comes plain to who wants it so");
        match is_deflated {
            true => assert!(inflate(body) == payload && body.len() < payload.len(), "message {offset}"),
            false => assert!(body == payload, "message {offset} is whole"),
        }
        at += header + length;
    }
    assert_eq!(at, batch.range.end as usize, "nothing else is in the batch");
}

/// Of a server's whole binary message (RFC 6455, section 5.2): whether it is deflated (RFC 7692, section 6), the
/// length of its header and that of its payload.
fn header(frame: &[u8]) -> (bool, usize, usize) {
    assert!(
        matches!(frame[0], 0x82 | 0xc2),
        "final, binary, at most the first bit reserved: {:#x}",
        frame[0]
    );
    let (header, length) = match frame[1] {
        126 => (4, u16::from_be_bytes([frame[2], frame[3]]).into()),
        length => (2, length.into()),
    };
    assert_eq!(header, if length < 126 { 2 } else { 4 }, "the shortest there is");
    (frame[0] == 0xc2, header, length)
}

/// RFC 7692, section 7.2.2, by an inflater that knows nothing of any other message.
fn inflate(body: &[u8]) -> Vec<u8> {
    let mut inflater = flate2::write::DeflateDecoder::new(Vec::new());
    inflater.write_all(body).unwrap();
    inflater.write_all(&[0x00, 0x00, 0xff, 0xff]).unwrap();
    inflater.flush().unwrap();
    inflater.get_ref().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cursors_give_what_queues_would(
        retention in retention(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new(retention);
        steps.iter().for_each(|step| model.act(step));
        model.finish();
    }
}
