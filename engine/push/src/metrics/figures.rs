//! The figures as the engine will give them.

/// What one shard has done.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardFigures {
    pub(crate) connections: u64,
    pub(crate) subscriptions: u64,
    pub(crate) deliveries: u64,
    pub(crate) delivered_bytes: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_received: u64,
    pub(crate) turns: u64,
    pub(crate) enters: u64,
    pub(crate) completions: u64,
    pub(crate) buffers_exhausted: u64,
    pub(crate) overflows: u64,
    pub(crate) sends: u64,
    pub(crate) sends_pending: u64,
    pub(crate) behind: u64,
    pub(crate) accepted: u64,
    pub(crate) turn_nanoseconds: [u64; 24],
    pub(crate) turn_nanoseconds_sum: u64,
}

/// What all topics together have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicFigures {
    pub(crate) topics: u64,
    pub(crate) published: u64,
    pub(crate) published_bytes: u64,
    pub(crate) retained_bytes: u64,
    pub(crate) missed_closed: u64,
    pub(crate) missed_skipped: u64,
    pub(crate) missed_latest: u64,
}
