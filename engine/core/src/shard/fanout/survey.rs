//! A look at all that are behind, four times a second while there are any: policies act on those that
//! have stopped reading for good, and whoever asks can see who is slow.

use super::super::{Local, Shard};
use crate::CloseCode;
use crate::cluster::{ACCEPTOR, ConnectionId};
use crate::topic::log::Log;
use crate::topic::{Behind, Missed};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wsring_io::{Io, Socket, Time};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Connections that are named, at most.
const NAMED_MAX: usize = 100;

/// What was seen of those that are behind.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Furthest behind first.
    pub(crate) slow: Vec<Surveyed>,
    /// Of each log with members behind, the smallest offset that one waits for.
    pub(crate) slowest: Vec<(Arc<Log>, u64)>,
    /// Subscriptions that are behind.
    pub(crate) behind: usize,
}

/// A subscription that is behind.
#[derive(Clone, Debug)]
pub(crate) struct Surveyed {
    pub(crate) connection: ConnectionId,
    pub(crate) log: Arc<Log>,
    /// The next message it is to get, and the next one that will be published.
    pub(crate) offset: u64,
    pub(crate) head: u64,
    pub(crate) peer: Option<IpAddr>,
}

impl Surveyed {
    pub(crate) fn behind(&self) -> u64 {
        self.head.saturating_sub(self.offset)
    }
}

impl<I: Io> Shard<I> {
    /// When there is something to look at next.
    pub(in crate::shard) fn next_upkeep(&self) -> Option<Time> {
        self.local.fanout.upkeep_due
    }

    /// Looks when it is time to, while there is anything to look at: those that are behind, and, on the
    /// first shard, topics that have grown old.
    pub(in crate::shard) fn upkeep_on(&mut self) {
        let Local { fanout, cluster, shard, now, .. } = &mut self.local;
        let registry = cluster.registry();
        if registry.is_simulated() {
            registry.simulate_time(*now);
        }
        let looks_after = *shard == ACCEPTOR && registry.topics() > 0;
        match fanout.upkeep_due {
            None if fanout.lagging.is_empty() && !looks_after => return,
            None => return fanout.upkeep_due = Some(now.after(EVERY)),
            Some(due) if due > *now => return,
            Some(_) => {}
        }
        if looks_after {
            registry.look_after(&mut fanout.looked_after);
        }
        // One look more than there is anything to see: what was seen last is not true any more.
        if !fanout.lagging.is_empty() || std::mem::take(&mut fanout.was_lagging) {
            self.survey();
        }
        let fanout = &mut self.local.fanout;
        let goes_on = looks_after || !fanout.lagging.is_empty();
        fanout.upkeep_due = goes_on.then(|| self.local.now.after(EVERY));
    }

    fn survey(&mut self) {
        let fanout = &mut self.local.fanout;
        let mut survey = Survey::default();
        let mut too_slow = Vec::new();
        for number in std::mem::take(&mut fanout.lagging) {
            self.survey_feed(number, &mut survey, &mut too_slow);
        }
        for (socket, log, missed) in too_slow {
            log.miss(self.local.cluster.registry(), Missed { closed: missed, ..Missed::default() });
            self.close(socket, CloseCode::TRY_AGAIN_LATER, "too slow: the topic has gone on");
        }
        self.local.fanout.was_lagging = !self.local.fanout.lagging.is_empty();
        survey.slow.sort_unstable_by_key(|slow| std::cmp::Reverse(slow.behind()));
        survey.slow.truncate(NAMED_MAX);
        self.local.cluster.set_survey(self.local.shard, survey);
    }

    fn survey_feed(&mut self, number: u32, survey: &mut Survey, too_slow: &mut Vec<(Socket, Arc<Log>, u64)>) {
        let super::Fanout { feeds, subscriptions, lagging, .. } = &mut self.local.fanout;
        let Some(feed) = &mut feeds[number as usize] else { return };
        feed.is_lagging = !feed.behind().is_empty();
        if !feed.is_lagging {
            return;
        }
        lagging.push(number);
        let bounds = feed.log.bounds(self.local.cluster.registry(), feed.form);
        let closes = feed.log.settings().behind == Behind::Close;
        let mut slowest = u64::MAX;
        for member in feed.behind() {
            let subscription = subscriptions.at(*member);
            let offset = subscription.cursor;
            let Some(session) = self.table.at(subscription.slot) else { continue };
            slowest = slowest.min(offset);
            if closes && offset < bounds.oldest && session.is_open_stream() {
                too_slow.push((session.socket, Arc::clone(&feed.log), bounds.next - offset));
            }
            let connection = ConnectionId { shard: self.local.shard as u32, socket: session.socket };
            let (log, head) = (Arc::clone(&feed.log), bounds.next);
            let peer = self.local.peers.get(&subscription.slot).copied();
            survey.slow.push(Surveyed { connection, log, offset, head, peer });
            if survey.slow.len() >= NAMED_MAX * 4 {
                survey.slow.sort_unstable_by_key(|slow| std::cmp::Reverse(slow.behind()));
                survey.slow.truncate(NAMED_MAX);
            }
        }
        survey.behind += feed.behind().len();
        survey.slowest.push((Arc::clone(&feed.log), slowest));
    }
}
