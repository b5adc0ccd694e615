//! The end of a turn: news go to all that are ready for it.

use super::super::{Local, Shard};
use super::Fanout;
use super::feed::{Batch, Feed, Step};
use super::shells::Shells;
use crate::limits::BATCH_JOIN_BYTES_MAX;
use crate::topic::registry::Registry;
use std::rc::Rc;
use std::sync::Arc;
use wsring_io::{Appender, Io, Outgoing};

impl<I: Io> Shard<I> {
    /// Sends what was published, and lets those catch up that have room.
    pub(in crate::shard) fn fan_out(&mut self) {
        self.local.fanout.shells.collect();
        if !self.holds_back() {
            let fanout = &mut self.local.fanout;
            // What is left to do is noted anew.
            std::mem::swap(&mut fanout.news, &mut fanout.spare_news);
            let mut news = std::mem::take(&mut fanout.spare_news);
            for number in news.drain(..) {
                self.send_out(number);
            }
            self.local.fanout.spare_news = news;
        }
        self.feed_hungry();
    }

    fn send_out(&mut self, number: u32) {
        let Local { fanout, cluster, .. } = &mut self.local;
        let Fanout { feeds, shells, .. } = fanout;
        let Some(feed) = &mut feeds[number as usize] else { return };
        feed.has_news = false;
        match feed.step(cluster.registry(), shells) {
            Step::Nothing => {}
            Step::Batch(batch) => match join(&batch, feed, cluster.registry(), shells) {
                None => self.deliver(number, &batch),
                Some(joined) => {
                    self.deliver(number, &joined);
                    self.local.fanout.shells.retire_joint(joined.segment);
                }
            },
            Step::Overtaken(oldest) => fanout.overtake(number, oldest, &mut self.table),
        }
        let Local { fanout, cluster, .. } = &mut self.local;
        let Some(feed) = &fanout.feeds[number as usize] else { return };
        if feed.has_more(cluster.registry()) {
            fanout.has_news(number);
        }
    }

    /// Sends a batch to everyone who is ready; who cannot take it falls behind.
    fn deliver(&mut self, number: u32, batch: &Batch) {
        let Fanout { feeds, subscriptions, hungry, .. } = &mut self.local.fanout;
        let Some(feed) = &mut feeds[number as usize] else { return };
        let (mut position, mut taken) = (0, 0);
        let is_deflated = feed.form.is_deflated();
        while position < feed.ready {
            let member = feed.members[position as usize];
            let slot = subscriptions.at(member).slot;
            let Some(session) = self.table.at(slot) else {
                position += 1;
                continue;
            };
            // Where other topics wait for their turn, this one gets in line.
            if session.takes_messages() && !session.topics.is_hungry {
                if session.output == 0 {
                    session.output = self.outputs.open(session.socket) as u32 + 1;
                }
                let output = self.outputs.at(session.output as usize - 1);
                if !output.is_empty() {
                    output.prepare(&mut self.io);
                }
                let segment = Rc::clone(&batch.segment);
                if output.push_log(Outgoing::Segment { segment, range: batch.range.clone(), tag: member }) {
                    position += 1;
                    taken += 1;
                    session.flow.stale |= is_deflated;
                    continue;
                }
                if !std::mem::replace(&mut session.topics.is_hungry, true) {
                    hungry.push(session.socket);
                }
            }
            session.topics.behind += 1;
            subscriptions.at(member).cursor = batch.first;
            feed.fall_behind(position, subscriptions);
        }
        let lags = !feed.behind().is_empty();
        let figures = &mut self.local.fanout.figures;
        figures.deliveries += taken * u64::from(batch.messages);
        figures.delivered_bytes += taken * batch.range.len() as u64;
        if lags {
            self.local.fanout.lags(number);
        }
    }
}

impl Fanout {
    /// Retention has dropped messages that the feed had not sent out: all who were ready are behind.
    fn overtake(&mut self, number: u32, oldest: u64, table: &mut super::super::table::Table) {
        let Self { feeds, subscriptions, hungry, .. } = self;
        let Some(feed) = &mut feeds[number as usize] else { return };
        for member in &feed.members[..feed.ready as usize] {
            let subscription = subscriptions.at(*member);
            subscription.cursor = feed.next;
            if let Some(session) = table.at(subscription.slot) {
                session.topics.behind += 1;
                if !std::mem::replace(&mut session.topics.is_hungry, true) {
                    hungry.push(session.socket);
                }
            }
        }
        feed.ready = 0;
        feed.next = oldest;
        self.lags(number);
        self.has_news(number);
    }
}

/// A batch that ends with its segment is short where the messages go on in the next one: both are copied
/// together, once for all who are sent them, rather than sent one after the other to each.
fn join(batch: &Batch, feed: &mut Feed, registry: &Registry, shells: &mut Shells) -> Option<Batch> {
    if !feed.has_more(registry) || batch.range.len() > BATCH_JOIN_BYTES_MAX {
        return None;
    }
    let before = feed.place();
    let Step::Batch(more) = feed.step(registry, shells) else { return None };
    let bytes = batch.range.len() + more.range.len();
    if bytes > BATCH_JOIN_BYTES_MAX || more.first != batch.first + u64::from(batch.messages) {
        feed.return_to(before, shells);
        return None;
    }
    let messages = batch.messages + more.messages;
    let mut appender = shells.joint(Appender::needed(0) * messages as usize + bytes);
    for part in [batch, &more] {
        let first = part.segment.message_at(part.range.start as usize);
        for number in first..first + part.messages {
            appender.append(&[part.segment.message(number)]);
        }
    }
    appender.seal();
    let segment = shells.wrap(Arc::clone(appender.segment()));
    Some(Batch { segment, range: 0..bytes as u32, first: batch.first, messages })
}
