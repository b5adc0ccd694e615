//! What is going on: figures that each shard writes at the end of its turns, for anybody to read.

use crate::cluster::{Cluster, ConnectionId};
use crate::topic::{Deflated, Missed, Topic};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets of the histogram of turns.
pub(crate) const TURN_BUCKETS: usize = 24;

/// Turns shorter than 2^10 ns fall into the first bucket.
const TURN_BUCKET_SHIFT: u32 = 10;

/// Looks at a server while it runs, from any thread. Cheap to clone. Nothing that it reads takes a lock of a
/// shard's hot path: shards write their figures once a turn.
#[derive(Clone, Debug)]
pub struct Observer {
    cluster: Arc<Cluster>,
}

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One shard's totals since its start, as of the end of its last turn, but where it says otherwise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct ShardFigures {
            $($(#[$doc])* pub $name: u64,)*
            /// One in sixteen turns, and the first after 10 ms without one, by the time that they took beside
            /// waiting: the bucket with number i counts those below 2^(i+10) ns, and the last all that were
            /// longer.
            pub turn_nanoseconds: [u64; TURN_BUCKETS],
        }

        /// Where a shard writes them.
        #[derive(Debug, Default)]
        #[repr(align(64))]
        pub(crate) struct Board {
            $($name: AtomicU64,)*
            turn_nanoseconds: [AtomicU64; TURN_BUCKETS],
        }

        impl Board {
            pub(crate) fn write(&self, figures: &ShardFigures) {
                $(self.$name.store(figures.$name, Ordering::Relaxed);)*
            }

            fn read(&self) -> ShardFigures {
                ShardFigures {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    turn_nanoseconds: std::array::from_fn(|at| self.turn_nanoseconds[at].load(Ordering::Relaxed)),
                }
            }
        }
    };
}

figures! {
    /// Connections open at this moment.
    connections,
    /// Connections taken.
    accepted,
    /// Connections lost on their way in because the kernel was short of something, and times that accepting paused for it.
    accepts_failed,
    /// Subscriptions at this moment.
    subscriptions,
    /// Messages received on WebSockets.
    messages_received,
    /// Messages handed to subscribers, each counted for each.
    deliveries,
    /// Bytes of them, with their frames.
    delivered_bytes,
    /// Bytes received.
    bytes_received,
    /// Bytes handed to the kernel to send.
    bytes_sent,
    /// Sends.
    sends,
    /// Sends that had to wait, or stopped in the middle of a log, because the peer did not keep up.
    sends_blocked,
    /// Turns of the loop.
    turns,
    /// Calls into the kernel.
    enters,
    /// Completions.
    completions,
    /// Receives that found no buffer (`ENOBUFS`) and had to wait for one.
    buffers_exhausted,
    /// Overflows of the completion queue.
    overflows,
    /// Messages sent that were compressed for one connection (what topics compress for all is in
    /// [`TopicFigures`]), bytes of their payloads before and after, by how many they got shorter where they did, and
    /// the time that it took, in vain too.
    deflated_messages,
    /// See [`deflated_messages`](Self::deflated_messages).
    deflated_bytes_in,
    /// See [`deflated_messages`](Self::deflated_messages).
    deflated_bytes_out,
    /// See [`deflated_messages`](Self::deflated_messages).
    deflate_saved_bytes,
    /// See [`deflated_messages`](Self::deflated_messages).
    deflate_nanoseconds,
    /// Connections that have a compressor of their own at this moment.
    deflate_contexts,
    /// Memory of all compressors at this moment.
    deflate_context_bytes,
    /// Messages received that were compressed, bytes of their payloads before and after they were inflated, by how
    /// many they were shorter where they were, and the time that it took to read whatever came on connections that have
    /// agreed on compression.
    inflated_messages,
    /// See [`inflated_messages`](Self::inflated_messages).
    inflated_bytes_in,
    /// See [`inflated_messages`](Self::inflated_messages).
    inflated_bytes_out,
    /// See [`inflated_messages`](Self::inflated_messages).
    inflate_saved_bytes,
    /// See [`inflated_messages`](Self::inflated_messages).
    inflate_nanoseconds,
    /// Windows kept for connections whose peers refer to their earlier messages, at this moment.
    inflate_contexts,
    /// Memory that they may take, with that of all inflaters, at this moment.
    inflate_context_bytes,
    /// Time that the sampled turns took, beside waiting.
    turn_nanoseconds_sum,
}

impl Board {
    /// Notes how long a turn took.
    pub(crate) fn turn(&self, nanoseconds: u64) {
        let bits = u64::BITS - (nanoseconds >> TURN_BUCKET_SHIFT).leading_zeros();
        let bucket = &self.turn_nanoseconds[(bits as usize).min(TURN_BUCKETS - 1)];
        // One writer, so that no addition is lost.
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What all topics come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicFigures {
    /// Topics at this moment.
    pub topics: usize,
    /// Patterns with subscribers at this moment.
    pub patterns: usize,
    /// Messages published.
    pub published: u64,
    /// Bytes of their payloads.
    pub published_bytes: u64,
    /// Memory of all logs.
    pub retained_bytes: usize,
    /// Messages that subscribers have missed.
    pub missed: Missed,
    /// Subscriptions that are behind, as of the last look, at most a quarter of a second ago.
    pub behind: usize,
    /// What deflating messages once for all subscribers has come to.
    pub deflated: Deflated,
}

/// A subscription that is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Whose.
    pub connection: ConnectionId,
    /// From where, when addresses are known ([`Settings::peer_addresses`](crate::Settings::peer_addresses)).
    pub peer: Option<IpAddr>,
    /// The topic or pattern.
    pub topic: String,
    /// The next message it is to get.
    pub offset: u64,
    /// The next message that will be published.
    pub head: u64,
}

impl Slow {
    /// Messages that it is behind.
    pub fn behind(&self) -> u64 {
        self.head.saturating_sub(self.offset)
    }
}

impl Observer {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// Each shard's figures.
    pub fn shards(&self) -> Vec<ShardFigures> {
        self.cluster.boards().map(Board::read).collect()
    }

    /// What all topics come to.
    pub fn topics(&self) -> TopicFigures {
        let registry = self.cluster.registry();
        let (published, published_bytes) = registry.published();
        TopicFigures {
            topics: registry.topics(),
            patterns: registry.patterns(),
            published,
            published_bytes,
            retained_bytes: registry.retained_bytes().load(Ordering::Relaxed),
            missed: registry.missed(),
            behind: self.cluster.surveys().map(|survey| survey.behind).sum(),
            deflated: registry.deflated_figures(),
        }
    }

    /// The subscriptions furthest behind, as of the last look, at most a quarter of a second ago. At most a
    /// hundred for each shard.
    pub fn slow(&self, most: usize) -> Vec<Slow> {
        let mut all: Vec<Slow> = Vec::new();
        for survey in self.cluster.surveys() {
            all.extend(survey.slow.iter().map(|slow| Slow {
                connection: slow.connection,
                peer: slow.peer,
                topic: slow.log.name().to_owned(),
                offset: slow.offset,
                head: slow.head,
            }));
        }
        all.sort_by_key(|slow| std::cmp::Reverse(slow.behind()));
        all.truncate(most);
        all
    }

    /// The smallest offset that a subscriber of a topic waits for, as of the last look; the next one to be
    /// published when none is behind.
    pub fn slowest(&self, topic: &Topic) -> u64 {
        let mut slowest = topic.info().head;
        for survey in self.cluster.surveys() {
            let of_topic = survey.slowest.iter().filter(|(log, _)| Arc::ptr_eq(log, topic.log()));
            slowest = of_topic.fold(slowest, |slowest, (_, offset)| slowest.min(*offset));
        }
        slowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_fall_into_buckets_by_powers_of_two() {
        let table = [(0, 0), (1023, 0), (1024, 1), (2047, 1), (2048, 2), (1 << 32, 23), (u64::MAX, 23)];
        for (nanoseconds, bucket) in table {
            let board = Board::default();
            board.turn(nanoseconds);
            let counts = board.read().turn_nanoseconds;
            assert_eq!((counts[bucket], counts.iter().sum::<u64>()), (1, 1), "{nanoseconds}");
        }
    }
}
