//! Those that are behind: they go on from their own place in the log when their connection has room.

use super::super::Shard;
use super::feed::{Batch, Step};
use super::subscriptions::{Circle, NONE, Subscription};
use crate::limits::LOG_TURN_SUBSCRIPTIONS_MAX;
use crate::topic::log::Log;
use crate::topic::{Behind, Missed};
use crate::{CloseCode, Gap, GapReason};
use bytes::Bytes;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use wsring_io::{Io, LocalSegment, Op, Outgoing, Socket};

/// Those that stop in one turn mostly stop in the same few messages.
const RESTS_LOOKED_AT_MAX: usize = 8;

/// What a look at one subscription came to.
enum Served {
    /// It has what there is, or as much of it as one send takes.
    Yes,
    /// Retention was faster: from the first to before the second offset it has missed everything.
    Missed { log: Arc<Log>, from: u64, to: u64, reason: GapReason },
    /// Retention was faster, and the topic's policy is to close.
    TooSlow,
    /// There is no room for more in this turn.
    Full,
}

/// The rest of a message that some connections have received the beginning of.
#[derive(Debug)]
pub(in crate::shard) struct Rest {
    segment: LocalSegment,
    message: u32,
    bytes: Bytes,
}

impl<I: Io> Shard<I> {
    /// Sends what is waiting in logs to the connections that have room for it.
    pub(super) fn feed_hungry(&mut self) {
        let fanout = &mut self.local.fanout;
        // Those that are still hungry after it are noted anew.
        std::mem::swap(&mut fanout.hungry, &mut fanout.spare_hungry);
        let mut hungry = std::mem::take(&mut fanout.spare_hungry);
        for socket in hungry.drain(..) {
            self.catch_up(socket);
        }
        self.local.fanout.spare_hungry = hungry;
        self.rests.clear();
    }

    /// One turn's worth for one connection, each of its subscriptions in turn.
    fn catch_up(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        session.topics.is_hungry = false;
        let (mut number, looks) = (session.topics.entry, session.topics.count);
        for _ in 0..looks.min(LOG_TURN_SUBSCRIPTIONS_MAX) {
            let Some(session) = self.table.get(socket) else { return };
            if !session.takes_messages() || session.topics.behind == 0 || number == NONE {
                return;
            }
            session.topics.entry = number;
            match self.serve(socket, number) {
                Served::Yes => {}
                Served::Full => break,
                Served::TooSlow => {
                    return self.close(socket, CloseCode::TRY_AGAIN_LATER, "too slow: the topic has gone on");
                }
                Served::Missed { log, from, to, reason } => {
                    // What it does with its subscriptions must not concern what is being sent already.
                    if let Some(output) = self.output(socket) {
                        self.outputs.at(output).settle();
                    }
                    let gap = Gap { topic: log.name(), epoch: log.epoch(), from, to, reason };
                    self.with_handler(socket, |handler, conn| handler.missed(conn, &gap));
                    // What it does with its subscriptions meanwhile is its own; they are looked at anew.
                    break;
                }
            }
            number = self.local.fanout.subscriptions.at(number).next;
        }
        let Some(session) = self.table.get(socket) else { return };
        if session.topics.behind > 0 && session.takes_messages() {
            self.local.fanout.is_hungry(&mut session.topics, socket);
        }
    }

    /// Sends a subscription that is behind what comes next.
    fn serve(&mut self, socket: Socket, number: u32) -> Served {
        loop {
            let (fanout, registry) = (&mut self.local.fanout, self.local.cluster.registry());
            let Subscription { cursor, feed, position, .. } = *fanout.subscriptions.at(number);
            let super::Fanout { feeds, shells, .. } = fanout;
            let Some(feed) = feeds[feed as usize].as_ref().filter(|feed| feed.is_behind(position)) else {
                return Served::Yes;
            };
            let next = feed.next;
            let batch = match feed.step_from(registry, shells, cursor) {
                // One that begins ahead of what its feed has sent out waits for that.
                Step::Nothing if cursor > next => return Served::Yes,
                Step::Nothing => {
                    self.go_on_at(socket, number, next);
                    return Served::Yes;
                }
                Step::Overtaken(oldest) => return self.overtaken(socket, number, oldest),
                Step::Batch(batch) => fanout.without_left_out(number, batch),
            };
            if batch.messages == 0 {
                self.go_on_at(socket, number, batch.first + 1);
                continue;
            }
            // What is left out behind them is passed over in another turn: should the send stop short, the
            // place to go on from is counted back from the cursor.
            return if self.push(socket, number, batch) { Served::Yes } else { Served::Full };
        }
    }

    /// Adds messages to what the connection is sent in this turn, unless there is no room for them.
    fn push(&mut self, socket: Socket, number: u32, batch: Batch) -> bool {
        let Some(output) = self.output(socket) else { return false };
        let Batch { segment, range, first, messages } = batch;
        let bytes = range.len() as u64;
        if !self.outputs.at(output).push_log(Outgoing::Segment { segment, range, tag: number }) {
            return false;
        }
        let fanout = &mut self.local.fanout;
        fanout.figures.deliveries += u64::from(messages);
        fanout.figures.delivered_bytes += bytes;
        let feed = fanout.subscriptions.at(number).feed;
        if fanout.feed(feed).form.is_deflated()
            && let Some(session) = self.table.get(socket)
        {
            session.flow.stale = true;
        }
        self.go_on_at(socket, number, first + u64::from(messages));
        true
    }

    /// The topic's policy acts on a subscription of which retention has dropped messages.
    fn overtaken(&mut self, socket: Socket, number: u32, oldest: u64) -> Served {
        let (fanout, registry) = (&mut self.local.fanout, self.local.cluster.registry());
        let Subscription { cursor: from, feed, .. } = *fanout.subscriptions.at(number);
        let feed = fanout.feed(feed);
        let (log, next) = (Arc::clone(&feed.log), feed.next);
        let (to, reason) = match log.settings().behind {
            Behind::Close => {
                let closed = next.saturating_sub(from);
                log.miss(registry, Missed { closed, ..Missed::default() });
                return Served::TooSlow;
            }
            Behind::Skip => (oldest, GapReason::Skip),
            Behind::Latest => (oldest.max(next.saturating_sub(1)), GapReason::Latest),
        };
        let missed = match reason {
            GapReason::Skip => Missed { skipped: to - from, ..Missed::default() },
            GapReason::Latest => Missed { latest: to - from, ..Missed::default() },
        };
        log.miss(registry, missed);
        // Retention may be ahead of what the feed has sent out: the feed then goes there too.
        self.go_on_at(socket, number, to);
        Served::Missed { log, from, to, reason }
    }

    /// A subscription that is behind goes on at an offset; when its feed is there too, it is ready.
    fn go_on_at(&mut self, socket: Socket, number: u32, offset: u64) {
        let fanout = &mut self.local.fanout;
        let subscription = fanout.subscriptions.at(number);
        subscription.cursor = offset;
        let (feed, position) = (subscription.feed, subscription.position);
        let super::Fanout { feeds, subscriptions, left_out, .. } = fanout;
        let Some(feed) = &mut feeds[feed as usize] else { return };
        if offset != feed.next || !feed.is_behind(position) || still_leaves_out(left_out, number, offset) {
            return;
        }
        feed.catch_up(position, subscriptions);
        if let Some(session) = self.table.get(socket) {
            session.topics.behind -= 1;
        }
    }

    /// A send from a log did not go out whole. The message that it stopped in is finished from a copy, for
    /// which the connection waits; everything after it is left in the log.
    pub(in crate::shard) fn send_short(
        &mut self,
        socket: Socket,
        segment: &LocalSegment,
        unsent: Range<u32>,
        number: u32,
    ) {
        let Some(session) = self.table.get(socket).filter(|session| !session.is_closing()) else { return };
        let fanout = &mut self.local.fanout;
        let message = segment.message_at(unsent.start as usize);
        let after = segment.message_at(unsent.end as usize - 1) + 1;
        let left = u64::from(after - message - 1);
        fanout.figures.deliveries -= left;
        fanout.figures.delivered_bytes -= u64::from(unsent.end) - segment.end_of(message) as u64;
        let begin = segment.start_of(message);
        let rest = rest_of(&mut self.rests, segment, message).slice(unsent.start as usize - begin..);
        session.flow.pending(rest.len());
        session.clock.heard = self.local.tick;
        if left > 0 {
            fanout.step_back(&mut session.topics, number, left);
        }
        self.io.submit(Op::Send { socket, bytes: Outgoing::Shared(rest), notify: true });
    }
}

impl super::Fanout {
    /// So many messages that a subscription was sent have not gone out. It may be gone itself by now, though
    /// its place is not another's yet.
    fn step_back(&mut self, of: &mut Circle, number: u32, messages: u64) {
        let Self { feeds, subscriptions, .. } = self;
        let subscription = subscriptions.at(number);
        if subscription.feed == NONE {
            return;
        }
        let (feed_number, position) = (subscription.feed, subscription.position);
        let Some(feed) = &mut feeds[feed_number as usize] else { return };
        if feed.is_behind(position) {
            subscription.cursor -= messages;
            return;
        }
        subscription.cursor = feed.next - messages;
        feed.fall_behind(position, subscriptions);
        of.behind += 1;
        self.lags(feed_number);
    }

    /// The part of a batch before the first message that the subscription is not to get. When it begins with
    /// that very message, the part is empty.
    fn without_left_out(&mut self, number: u32, mut batch: Batch) -> Batch {
        let Some(offsets) = self.left_out.get_mut(&number) else { return batch };
        while offsets.front().is_some_and(|offset| *offset < batch.first) {
            offsets.pop_front();
        }
        let Some(offset) = offsets.front() else {
            self.left_out.remove(&number);
            return batch;
        };
        let before = (offset - batch.first).min(u64::from(batch.messages)) as u32;
        if before < batch.messages {
            let first = batch.segment.message_at(batch.range.start as usize);
            batch.messages = before;
            batch.range.end = batch.segment.start_of(first + before) as u32;
        }
        batch
    }
}

/// Whether a subscription is still to pass over a message, from an offset on.
fn still_leaves_out(left_out: &mut HashMap<u32, VecDeque<u64>>, number: u32, from: u64) -> bool {
    if left_out.is_empty() {
        return false;
    }
    let is_ahead =
        left_out.get(&number).is_some_and(|offsets| offsets.back().is_some_and(|last| *last >= from));
    if !is_ahead {
        left_out.remove(&number);
    }
    is_ahead
}

/// A copy of a message, the same for all that stopped in it in this turn.
fn rest_of(rests: &mut Vec<Rest>, segment: &LocalSegment, message: u32) -> Bytes {
    let same = |rest: &&Rest| rest.message == message && Rc::ptr_eq(&rest.segment, segment);
    if let Some(rest) = rests.iter().rev().take(RESTS_LOOKED_AT_MAX).find(same) {
        return rest.bytes.clone();
    }
    let bytes = Bytes::copy_from_slice(segment.message(message));
    rests.push(Rest { segment: Rc::clone(segment), message, bytes: bytes.clone() });
    bytes
}
