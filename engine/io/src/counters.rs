//! What a speaker counts: plain integers with one writer.

/// Totals since the start of one speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls into the kernel (`io_uring_enter`).
    pub enters: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Completions collected, those dropped as stale included.
    pub completions: u64,
    /// Completions that belonged to an earlier use of their place.
    pub stale: u64,
    /// Receives that found no buffer and had to wait for one.
    pub buffers_exhausted: u64,
    /// Times the completion queue overflowed.
    pub overflows: u64,
    /// Connections taken from the listener or from another shard.
    pub accepted: u64,
    /// Connections lost on their way in, or accepting ended, because the kernel had no place in a table or was short of
    /// something else.
    pub accepts_failed: u64,
    /// Sends submitted.
    pub sends: u64,
    /// Sends that did not go out at once and were kept.
    pub sends_pending: u64,
    /// Sends that did not go out at once and were given up ([`SendShort`](crate::Completion::SendShort)).
    pub sends_short: u64,
    /// Sends of turns with many of them, which are carried out in a call of their own, and how many
    /// nanoseconds those calls took.
    pub sends_timed: u64,
    /// See [`sends_timed`](Self::sends_timed).
    pub sends_timed_nanoseconds: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes handed to the kernel to send.
    pub bytes_sent: u64,
}
