//! The oracle: what a follower of one topic must see.

use super::message::Gap;
use super::source::Topic;
use serde_json::Value;

/// One follower's place in one topic, through all its connections.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    pub(crate) topic: Topic,
    /// The offset that has to come next, once it has subscribed.
    pub(crate) next: Option<u64>,
    /// Where it began.
    first: u64,
    pub(crate) received: u64,
    pub(crate) missed: u64,
    /// Of those, for being slow, by the policies that go on.
    pub(crate) skipped: u64,
    pub(crate) latest: u64,
}

impl Follow {
    pub(crate) fn new(topic: Topic) -> Self {
        Self { topic, next: None, first: 0, received: 0, missed: 0, skipped: 0, latest: 0 }
    }

    /// What `subscribe` is answered: where it begins, and what it has missed meanwhile.
    pub(crate) fn begins(&mut self, answer: &Value) {
        assert_eq!(answer["epoch"], self.topic.epoch, "{answer}");
        if let Some(gap) = answer.get("gap") {
            self.gap(&Gap::of(gap));
        }
        let begins = answer["next"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        match self.next {
            Some(next) => assert_eq!(begins, next, "{}: {answer}", self.topic.name),
            None => self.first = begins,
        }
        self.next = Some(begins);
    }

    /// It begins with this offset, as nothing but the first message tells.
    pub(crate) fn begins_at(&mut self, offset: u64) {
        if self.next.is_none() {
            (self.first, self.next) = (offset, Some(offset));
        }
    }

    /// A message has come, of this number by its source.
    pub(crate) fn message(&mut self, offset: u64, number: u64) {
        assert_eq!(number, offset, "{}: each source numbers as the topic does", self.topic.name);
        assert_eq!(Some(offset), self.next, "{}: once, and in order", self.topic.name);
        self.next = Some(offset + 1);
        self.received += 1;
    }

    pub(crate) fn gap(&mut self, gap: &Gap) {
        assert_eq!(Some(gap.from), self.next, "{}: a gap begins where it was: {gap:?}", self.topic.name);
        assert!(gap.to > gap.from, "{gap:?}");
        let missed = gap.to - gap.from;
        self.missed += missed;
        match gap.reason.as_str() {
            "skip" => self.skipped += missed,
            "latest" => self.latest += missed,
            "retention" => {}
            reason => panic!("{}: no gap should have the reason {reason}", self.topic.name),
        }
        self.next = Some(gap.to);
    }

    /// Everything from where it began to the head was received, or announced as missing.
    pub(crate) fn check_complete(&self, head: u64) {
        let Some(next) = self.next else { return };
        assert_eq!(next, head, "{}", self.topic.name);
        assert_eq!(self.received + self.missed, head - self.first, "{}", self.topic.name);
    }
}
