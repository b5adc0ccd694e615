//! What is going on, for those who watch: figures that the shards have written, as OpenMetrics.

mod text;

#[cfg(test)]
mod tests;

pub(crate) use text::CONTENT_TYPE;

use crate::protocol::Code;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use text::{Exposition, Type};
use wsring::{Deflated, ShardFigures, TopicFigures};

/// Ranks of slow subscribers that are shown: `/debug/slow` shows more, and names them.
pub(crate) const SLOW_RANKS: usize = 5;

/// What was refused, by code. Errors alone count here, so that sharing it costs nothing that matters.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Code::COUNT]);

impl Refusals {
    pub(crate) fn count(&self, code: Code) {
        self.0[code as usize].fetch_add(1, Relaxed);
    }
}

/// Everything that is shown, read at one moment.
#[derive(Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) shards: &'a [ShardFigures],
    pub(crate) topics: TopicFigures,
    /// Messages by which the slowest subscribers are behind, furthest first.
    pub(crate) slowest: &'a [u64],
    pub(crate) refusals: &'a Refusals,
}

/// A family with one sample per shard.
type PerShard = (&'static str, Type, &'static str, fn(&ShardFigures) -> u64);

const PER_SHARD: &[PerShard] = &[
    ("wsring_connections", Type::Gauge, "Open connections.", |shard| shard.connections),
    ("wsring_accepted_connections", Type::Counter, "Connections accepted.", |shard| shard.accepted),
    ("wsring_subscriptions", Type::Gauge, "Subscriptions of open connections.", |shard| shard.subscriptions),
    ("wsring_deliveries", Type::Counter, "Messages delivered to subscribers.", |shard| shard.deliveries),
    ("wsring_delivered_bytes", Type::Counter, "Bytes of delivered messages, framed.", |shard| {
        shard.delivered_bytes
    }),
    ("wsring_received_messages", Type::Counter, "Messages received from clients.", |shard| {
        shard.messages_received
    }),
    ("wsring_received_bytes", Type::Counter, "Bytes received from clients.", |shard| shard.bytes_received),
    ("wsring_sent_bytes", Type::Counter, "Bytes sent to clients.", |shard| shard.bytes_sent),
    ("wsring_sends", Type::Counter, "Send operations handed to the kernel.", |shard| shard.sends),
    (
        "wsring_sends_blocked",
        Type::Counter,
        "Sends that had to wait because the client did not keep up.",
        |shard| shard.sends_blocked,
    ),
    (
        "wsring_accepts_failed",
        Type::Counter,
        "Connections lost on their way in, or accepting paused, because the kernel was short of something.",
        |shard| shard.accepts_failed,
    ),
    ("wsring_turns", Type::Counter, "Turns of the shard's loop.", |shard| shard.turns),
    ("wsring_enters", Type::Counter, "System calls io_uring_enter.", |shard| shard.enters),
    (
        "wsring_completions",
        Type::Counter,
        "Completions of io_uring; divided by wsring_enters_total: how many each call brought.",
        |shard| shard.completions,
    ),
    (
        "wsring_buffers_exhausted",
        Type::Counter,
        "Times that the kernel found no receive buffer (ENOBUFS).",
        |shard| shard.buffers_exhausted,
    ),
    ("wsring_completion_overflows", Type::Counter, "Times that the completion queue overflowed.", |shard| {
        shard.overflows
    }),
    ("wsring_deflated_messages", Type::Counter, "Messages compressed for one connection.", |shard| {
        shard.deflated_messages
    }),
    (
        "wsring_deflate_saved_bytes",
        Type::Counter,
        "Bytes that compressing for one connection has saved.",
        |shard| shard.deflate_saved_bytes,
    ),
    ("wsring_deflate_contexts", Type::Gauge, "Connections that have a compressor of their own.", |shard| {
        shard.deflate_contexts
    }),
    ("wsring_deflate_context_bytes", Type::Gauge, "Memory of compressors.", |shard| {
        shard.deflate_context_bytes
    }),
    ("wsring_inflated_messages", Type::Counter, "Compressed messages received from clients.", |shard| {
        shard.inflated_messages
    }),
    ("wsring_inflate_saved_bytes", Type::Counter, "Bytes that clients have saved by compressing.", |shard| {
        shard.inflate_saved_bytes
    }),
    (
        "wsring_inflate_contexts",
        Type::Gauge,
        "Clients whose windows are kept from message to message.",
        |shard| shard.inflate_contexts,
    ),
    ("wsring_inflate_context_bytes", Type::Gauge, "Memory of these windows and of inflaters.", |shard| {
        shard.inflate_context_bytes
    }),
];

/// A family of times with one sample per shard.
type Seconds = (&'static str, &'static str, fn(&ShardFigures) -> u64);

const NANOSECONDS_PER_SHARD: [Seconds; 2] = [
    ("wsring_deflate_seconds", "Time spent compressing for one connection.", |shard| {
        shard.deflate_nanoseconds
    }),
    ("wsring_inflate_seconds", "Time spent reading from connections that agreed on compression.", |shard| {
        shard.inflate_nanoseconds
    }),
];

/// The text of `/metrics`.
pub(crate) fn render(figures: &Figures<'_>) -> String {
    let mut out = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    let mut build = out.family("wsring_build", Type::Info, "What is running.");
    build.sample(&[("version", &version), ("io", &"io_uring")], 1);
    for (name, kind, help, read) in PER_SHARD {
        let mut family = out.family(name, *kind, help);
        for (shard, figures) in figures.shards.iter().enumerate() {
            family.sample(&[("shard", &shard)], read(figures));
        }
    }
    for (name, help, nanoseconds) in NANOSECONDS_PER_SHARD {
        let mut seconds = out.family(name, Type::Counter, help);
        for (shard, figures) in figures.shards.iter().enumerate() {
            seconds.sample(&[("shard", &shard)], nanoseconds(figures) as f64 / 1e9);
        }
    }
    turns(&mut out, figures.shards);
    topics(&mut out, &figures.topics);
    shared_frames(&mut out, &figures.topics.deflated);
    let mut slowest = out.family(
        "wsring_slowest_behind_messages",
        Type::Gauge,
        "Messages by which the slowest subscribers are behind.",
    );
    for (rank, behind) in figures.slowest.iter().take(SLOW_RANKS).enumerate() {
        slowest.sample(&[("rank", &(rank + 1))], behind);
    }
    let mut refused =
        out.family("wsring_refused", Type::Counter, "Requests and commands refused, by the error's code.");
    for (code, count) in Code::ALL.iter().zip(&figures.refusals.0) {
        refused.sample(&[("code", &code.word())], count.load(Relaxed));
    }
    out.finish()
}

fn turns(out: &mut Exposition, shards: &[ShardFigures]) {
    let mut family = out.family(
        "wsring_turn_seconds",
        Type::Histogram,
        "Time that some turns took (one in 16, and one every 10 ms), waiting not included.",
    );
    for (shard, figures) in shards.iter().enumerate() {
        let counts = &figures.turn_nanoseconds;
        // Bucket i counts turns from half of 2^(i+10) ns up to that; the last one all that are longer.
        let bounds: Vec<f64> =
            (0..counts.len() - 1).map(|index| (1u64 << (index + 10)) as f64 / 1e9).collect();
        let sum = figures.turn_nanoseconds_sum as f64 / 1e9;
        family.histogram(("shard", &shard), &bounds, counts, sum);
    }
}

fn topics(out: &mut Exposition, topics: &TopicFigures) {
    out.family("wsring_topics", Type::Gauge, "Topics that exist.").sample(&[], topics.topics);
    out.family("wsring_patterns", Type::Gauge, "Patterns with subscribers.").sample(&[], topics.patterns);
    out.family("wsring_subscriptions_behind", Type::Gauge, "Subscriptions that are behind.")
        .sample(&[], topics.behind);
    out.family("wsring_published", Type::Counter, "Messages published.").sample(&[], topics.published);
    out.family("wsring_published_bytes", Type::Counter, "Bytes of published messages.")
        .sample(&[], topics.published_bytes);
    out.family("wsring_retained_bytes", Type::Gauge, "Bytes of messages that topics keep.")
        .sample(&[], topics.retained_bytes);
    let mut missed = out.family(
        "wsring_missed",
        Type::Counter,
        "Messages that subscribers missed because retention overtook them, by what the topic does then.",
    );
    missed.sample(&[("policy", &"close")], topics.missed.closed);
    missed.sample(&[("policy", &"skip")], topics.missed.skipped);
    missed.sample(&[("policy", &"latest")], topics.missed.latest);
}

/// What is compressed once for all subscribers.
fn shared_frames(out: &mut Exposition, deflated: &Deflated) {
    out.family(
        "wsring_shared_deflated_messages",
        Type::Counter,
        "Messages compressed once for all subscribers.",
    )
    .sample(&[], deflated.messages);
    out.family(
        "wsring_shared_deflate_saved_bytes",
        Type::Counter,
        "Bytes that compressing for all subscribers has saved, counted for each of them when it was published.",
    )
    .sample(&[], deflated.saved_bytes);
    out.family("wsring_shared_deflate_seconds", Type::Counter, "Time spent compressing for all subscribers.")
        .sample(&[], deflated.nanoseconds as f64 / 1e9);
}
