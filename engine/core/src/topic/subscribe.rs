//! What is said when a connection subscribes, and when it has missed something.

use std::ops::Range;

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the next message that is published.
    Now,
    /// With the message that has this offset; with the next one when there are not that many yet.
    Offset(u64),
    /// With so many messages that were published before, as far as they are kept.
    Last(u64),
}

/// What became of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The offset of the first message that will come.
    pub next: u64,
    /// Messages that were asked for and are not kept any more.
    pub missed: Option<Range<u64>>,
    /// The connection was subscribed before, and nothing has changed.
    pub already: bool,
}

/// Messages that a subscriber has missed because it was too slow for what its topic keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap<'a> {
    /// The topic, or pattern, that it is subscribed to.
    pub topic: &'a str,
    /// Which life of the topic the offsets belong to.
    pub epoch: u64,
    /// The first message that it has missed.
    pub from: u64,
    /// The message that it goes on with.
    pub to: u64,
    /// What the topic's policy did.
    pub reason: GapReason,
}

/// See [`Gap`]. Subscribers that a policy closes are not told of a gap but of the reason for the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// It goes on with the oldest message that is kept.
    Skip,
    /// It goes on with the newest message.
    Latest,
}
