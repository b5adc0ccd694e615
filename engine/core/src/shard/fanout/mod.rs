//! Fan-out on one shard: feeds, their subscribers, and what is to be sent to whom.
//!
//! Nothing is queued for a subscriber. At the end of a turn every feed with news sends its new bytes to the
//! members that are ready, straight from the log ([`deliver`]); those that could not take them fall behind,
//! and catch up from their own place in the log when their connection has room again ([`catch_up`]).
//! This module never looks into a message.

mod catch_up;
mod deliver;
mod feed;
mod gather;
#[cfg(test)]
mod model;
mod shells;
mod subscriptions;
mod survey;

use super::Local;
use crate::topic::log::{Log, News, shards_in};
use crate::topic::registry::Registry;
use crate::topic::{Form, Start, Subscribed};
pub(in crate::shard) use catch_up::Rest;
use feed::{Feed, NO_FEED};
use gather::Gathering;
use hashbrown::{HashMap, HashTable};
use shells::Shells;
use std::collections::VecDeque;
use std::sync::Arc;
pub(crate) use subscriptions::Circle;
use subscriptions::{NONE, Subscription, Subscriptions};
pub(crate) use survey::Survey;
use wsring_io::{Socket, Time};
use wsring_proto::Kind;

/// When a subscription has so many messages left out, it is time to look which of them are still kept.
const LEFT_OUT_MAX: usize = 1024;

/// Everything that a shard keeps of topics.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    subscriptions: Subscriptions,
    feeds: Vec<Option<Feed>>,
    vacant: Vec<u32>,
    /// The first feed of each log; the others hang on it.
    by_log: HashTable<u32>,
    /// Feeds with messages that were not sent out yet.
    news: Vec<u32>,
    /// Connections with room, and with subscriptions that are behind.
    hungry: Vec<Socket>,
    /// Empty, and take turns with those two, so that neither is ever grown anew.
    spare_news: Vec<u32>,
    spare_hungry: Vec<Socket>,
    /// Feeds with members behind.
    lagging: Vec<u32>,
    /// What segments are wrapped in.
    shells: Shells,
    /// Messages that single subscriptions are not to get.
    left_out: HashMap<u32, VecDeque<u64>>,
    /// When to look at those that are behind, and after topics.
    upkeep_due: Option<Time>,
    /// Whether any were behind at the last look.
    was_lagging: bool,
    /// Holds news back for others that are on their way.
    gathering: Gathering,
    /// Where looking after topics goes on.
    looked_after: usize,
    pub(crate) figures: Figures,
}

/// What a shard has delivered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Messages handed to connections.
    pub(crate) deliveries: u64,
    pub(crate) delivered_bytes: u64,
    /// Times that a log was found to have grown.
    pub(crate) news: u64,
}

impl Fanout {
    /// Subscriptions of all connections.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Logs that have a subscriber here.
    pub(crate) fn logs(&self) -> usize {
        self.by_log.len()
    }

    /// What the last turn has sent is out, or known not to be.
    pub(super) fn all_sent(&mut self) {
        self.subscriptions.rested();
    }

    /// Whether a turn has to follow at once.
    pub(crate) fn is_pressing(&self) -> bool {
        (!self.news.is_empty() && self.gathers_until().is_none()) || !self.hungry.is_empty()
    }

    /// Until when news are held back.
    pub(crate) fn gathers_until(&self) -> Option<Time> {
        self.gathering.until()
    }

    fn feed(&mut self, number: u32) -> &mut Feed {
        let feed = self.feeds[number as usize].as_mut();
        feed.unwrap_or_else(|| unreachable!("feeds are named only while they are there"))
    }

    /// The first feed of a log.
    fn first_of(&self, log: &Arc<Log>) -> u32 {
        let is_same = |number: &u32| {
            self.feeds[*number as usize].as_ref().is_some_and(|feed| Arc::ptr_eq(&feed.log, log))
        };
        self.by_log.find(hash(log), is_same).copied().unwrap_or(NO_FEED)
    }

    fn find(&mut self, log: &Arc<Log>, form: Form) -> u32 {
        let mut number = self.first_of(log);
        while number != NO_FEED && self.feed(number).form != form {
            number = self.feed(number).other;
        }
        number
    }

    /// The log has grown: all feeds of it have news.
    pub(crate) fn published(&mut self, log: &Arc<Log>, shard: usize) {
        log.looks(shard);
        self.figures.news += 1;
        let mut number = self.first_of(log);
        while number != NO_FEED {
            self.has_news(number);
            number = self.feed(number).other;
        }
    }

    fn has_news(&mut self, number: u32) {
        if !std::mem::replace(&mut self.feed(number).has_news, true) {
            self.news.push(number);
        }
    }

    /// The subscription of a connection to a log, in any form.
    fn of_connection(&mut self, of: &Circle, log: &Arc<Log>) -> Option<u32> {
        let mut number = of.entry;
        for _ in 0..of.count {
            let feed = self.subscriptions.at(number).feed;
            if Arc::ptr_eq(&self.feed(feed).log, log) {
                return Some(number);
            }
            number = self.subscriptions.at(number).next;
        }
        None
    }

    /// The logs that a connection is subscribed to.
    pub(crate) fn logs_of(&mut self, of: &Circle) -> Vec<Arc<Log>> {
        let mut logs = Vec::with_capacity(of.count as usize);
        let mut number = of.entry;
        for _ in 0..of.count {
            let Subscription { feed, next, .. } = *self.subscriptions.at(number);
            logs.push(Arc::clone(&self.feed(feed).log));
            number = next;
        }
        logs
    }

    pub(crate) fn is_subscribed(&mut self, of: &Circle, log: &Arc<Log>) -> bool {
        self.of_connection(of, log).is_some()
    }

    fn feed_for(&mut self, log: &Arc<Log>, form: Form, registry: &Registry, shard: usize) -> u32 {
        let found = self.find(log, form);
        if found != NO_FEED {
            return found;
        }
        let first = self.first_of(log);
        let next = log.listen(registry, shard, form, first == NO_FEED);
        let other = if first == NO_FEED { NO_FEED } else { self.feed(first).other };
        let feed = Feed::new(Arc::clone(log), form, next, other);
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.feeds.push(None);
            self.feeds.len() as u32 - 1
        });
        self.feeds[number as usize] = Some(feed);
        if first == NO_FEED {
            let Self { by_log, feeds, .. } = self;
            let rehash = |number: &u32| feeds[*number as usize].as_ref().map_or(0, |feed| hash(&feed.log));
            by_log.insert_unique(hash(log), number, rehash);
        } else {
            self.feed(first).other = number;
        }
        number
    }

    /// Nobody follows a feed any more.
    fn drop_feed(&mut self, number: u32, shard: usize) {
        let (log, form, other) = {
            let feed = self.feed(number);
            (Arc::clone(&feed.log), feed.form, feed.other)
        };
        let first = self.first_of(&log);
        if first == number {
            if let Ok(entry) = self.by_log.find_entry(hash(&log), |other| *other == number) {
                match other {
                    NO_FEED => drop(entry.remove()),
                    other => *entry.into_mut() = other,
                }
            }
        } else {
            let mut before = first;
            while self.feed(before).other != number {
                before = self.feed(before).other;
            }
            self.feed(before).other = other;
        }
        let is_last = self.first_of(&log) == NO_FEED;
        self.feeds[number as usize] = None;
        self.news.retain(|news| *news != number);
        self.lagging.retain(|lagging| *lagging != number);
        self.vacant.push(number);
        log.unlisten(shard, form, is_last);
    }
}

impl Local {
    /// Subscribes a connection.
    pub(crate) fn subscribe(
        &mut self,
        socket: Socket,
        of: &mut Circle,
        log: &Arc<Log>,
        form: Form,
        start: Start,
    ) -> Subscribed {
        let registry = self.cluster.registry();
        // Of a pattern there may be another handle than the one that is in use.
        let used = if log.is_pattern() { registry.find_pattern(log.name()) } else { None };
        if let Some(number) = self.fanout.of_connection(of, used.as_ref().unwrap_or(log)) {
            let next = self.fanout.place_of(number);
            return Subscribed { next, missed: None, already: true };
        }
        let log = if log.is_pattern() {
            registry.subscribe_pattern(log)
        } else {
            log.subscribed();
            Arc::clone(log)
        };
        let fanout = &mut self.fanout;
        let feed = fanout.feed_for(&log, form, registry, self.shard);
        if form.is_deflated() {
            log.subscribed_in(form);
        }
        let bounds = log.bounds(registry, form);
        let wanted = match start {
            Start::Now => bounds.next,
            Start::Offset(offset) => offset.min(bounds.next),
            Start::Last(messages) => bounds.next.saturating_sub(messages).max(bounds.oldest),
        };
        let cursor = wanted.max(bounds.oldest);
        let subscription = Subscription { cursor, feed, slot: socket.slot(), position: 0, next: NONE };
        let number = fanout.subscriptions.add(of, subscription);
        let Fanout { feeds, subscriptions, .. } = fanout;
        if let Some(feed) = &mut feeds[feed as usize] {
            feed.add(number, subscriptions);
            if cursor == feed.next {
                let position = subscriptions.at(number).position;
                feed.catch_up(position, subscriptions);
            } else {
                of.behind += 1;
                fanout.is_hungry(of, socket);
                fanout.lags(subscription.feed);
            }
        }
        let missed = (wanted < cursor).then_some(wanted..cursor);
        Subscribed { next: cursor, missed, already: false }
    }

    /// Takes one subscription away; whether there was one.
    pub(crate) fn unsubscribe(&mut self, of: &mut Circle, log: &Arc<Log>) -> bool {
        let Some(number) = self.fanout.of_connection(of, log) else { return false };
        let subscription = self.fanout.subscriptions.remove(of, number);
        self.fanout.left_out.remove(&number);
        if self.leave(&subscription) {
            of.behind -= 1;
        }
        true
    }

    /// Takes all subscriptions of a connection away.
    pub(crate) fn unsubscribe_all(&mut self, of: &mut Circle) {
        let Circle { entry: mut number, count, .. } = std::mem::take(of);
        for _ in 0..count {
            let subscription = self.fanout.subscriptions.release(number);
            self.fanout.left_out.remove(&number);
            // What is freed keeps the order of the circle no longer, but its copy does.
            number = subscription.next;
            self.leave(&subscription);
        }
    }

    /// A subscription that is gone leaves its feed; whether it was behind.
    fn leave(&mut self, subscription: &Subscription) -> bool {
        let Fanout { feeds, subscriptions, .. } = &mut self.fanout;
        let Some(feed) = &mut feeds[subscription.feed as usize] else { return false };
        let was_behind = feed.is_behind(subscription.position);
        feed.remove(subscription.position, subscriptions);
        let (log, is_empty) = (Arc::clone(&feed.log), feed.members.is_empty());
        if feed.form.is_deflated() {
            log.unsubscribed_in(feed.form);
        }
        if is_empty {
            self.fanout.drop_feed(subscription.feed, self.shard);
        }
        if log.is_pattern() {
            self.cluster.registry().unsubscribe_pattern(&log);
        } else {
            log.unsubscribed();
        }
        was_behind
    }

    /// A connection is not to get one message of a topic: its own.
    pub(crate) fn leave_out(&mut self, of: &mut Circle, socket: Socket, log: &Arc<Log>, offset: u64) {
        let Some(number) = self.fanout.of_connection(of, log) else { return };
        let Fanout { feeds, subscriptions, left_out, .. } = &mut self.fanout;
        let Subscription { feed: feed_number, position, .. } = *subscriptions.at(number);
        let Some(feed) = &mut feeds[feed_number as usize] else { return };
        if !feed.is_behind(position) {
            // The others are sent one stretch of the log, this one has to be sent two.
            subscriptions.at(number).cursor = feed.next;
            feed.fall_behind(position, subscriptions);
            of.behind += 1;
        }
        let offsets = left_out.entry(number).or_default();
        if offsets.len() >= LEFT_OUT_MAX {
            let oldest = log.bounds(self.cluster.registry(), feed.form).oldest;
            offsets.retain(|offset| *offset >= oldest);
        }
        offsets.push_back(offset);
        self.fanout.lags(feed_number);
        self.fanout.is_hungry(of, socket);
    }

    /// Publishes from this shard's own thread: what concerns it takes no detour through its inbox.
    pub(crate) fn publish(&mut self, log: &Arc<Log>, kind: Kind, payload: &[u8]) -> (u64, usize) {
        let (cluster, shard, fanout) = (&self.cluster, self.shard, &mut self.fanout);
        log.publish(cluster.registry(), kind, payload, |log: &Arc<Log>, news: News| {
            for told in shards_in(news, cluster.shards()) {
                if told == shard {
                    fanout.published(log, shard);
                } else {
                    cluster.send(told, super::Command::Published(Arc::clone(log)));
                }
            }
        })
    }
}

impl Fanout {
    /// The offset of the next message that a subscription is to get.
    fn place_of(&mut self, number: u32) -> u64 {
        let Subscription { cursor, feed, position, .. } = *self.subscriptions.at(number);
        let feed = self.feed(feed);
        if feed.is_behind(position) { cursor } else { feed.next }
    }

    /// A connection has room, and subscriptions that are behind.
    pub(crate) fn is_hungry(&mut self, of: &mut Circle, socket: Socket) {
        if !std::mem::replace(&mut of.is_hungry, true) {
            self.hungry.push(socket);
        }
    }

    /// A feed has members behind.
    fn lags(&mut self, number: u32) {
        if !std::mem::replace(&mut self.feed(number).is_lagging, true) {
            self.lagging.push(number);
        }
    }
}

/// Of a log's address: it stays where it is.
fn hash(log: &Arc<Log>) -> u64 {
    let address = Arc::as_ptr(log).addr() as u64;
    // Spreads what differs by multiples of its size over all bits (Knuth, 6.4).
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
