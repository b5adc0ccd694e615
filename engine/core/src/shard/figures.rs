//! A shard's figures, for others to read.

use super::Shard;
use crate::figures::ShardFigures;
use std::time::{Duration, Instant};
use wsring_io::Io;

/// One in so many turns is timed: reading the clock costs what a message's own work does.
const SAMPLED_TURNS: u64 = 16;

/// And one after so long a time, so that a quiet server's turns are seen too.
const SAMPLED_AFTER: Duration = Duration::from_millis(10);

impl<I: Io> Shard<I> {
    /// Whether the present turn is to be timed.
    pub(super) fn samples_turn(&mut self) -> bool {
        let now = self.local.now;
        let samples = self.io.counters().turns.is_multiple_of(SAMPLED_TURNS)
            || now.since(self.turn_sampled) >= SAMPLED_AFTER;
        if samples {
            self.turn_sampled = now;
        }
        samples
    }

    /// Writes down where things stand at the end of a turn, which began at a time if it is timed.
    pub(super) fn tell_figures(&mut self, began: Option<Instant>) {
        let board = self.local.cluster.board(self.local.shard);
        if let Some(began) = began {
            let nanoseconds = began.elapsed().as_nanos() as u64;
            self.turn_nanoseconds += nanoseconds;
            board.turn(nanoseconds);
        }
        let (io, fanout, compressing) = (self.io.counters(), &self.local.fanout, &self.local.compressing);
        let (deflated, inflated) = (compressing.figures(), self.resources.inflated());
        board.write(&ShardFigures {
            connections: self.table.len() as u64,
            accepted: io.accepted,
            accepts_failed: io.accepts_failed,
            subscriptions: fanout.subscriptions() as u64,
            messages_received: self.local.messages,
            deliveries: fanout.figures.deliveries,
            delivered_bytes: fanout.figures.delivered_bytes,
            bytes_received: io.bytes_received,
            bytes_sent: io.bytes_sent,
            sends: io.sends,
            sends_blocked: io.sends_pending + io.sends_short,
            turns: io.turns,
            enters: io.enters,
            completions: io.completions,
            buffers_exhausted: io.buffers_exhausted,
            overflows: io.overflows,
            deflated_messages: deflated.messages,
            deflated_bytes_in: deflated.plain_bytes,
            deflated_bytes_out: deflated.wire_bytes,
            deflate_saved_bytes: deflated.saved_bytes,
            deflate_nanoseconds: compressing.deflate_nanoseconds(),
            deflate_contexts: compressing.contexts() as u64,
            deflate_context_bytes: compressing.bytes() as u64,
            inflated_messages: inflated.messages,
            inflated_bytes_in: inflated.wire_bytes,
            inflated_bytes_out: inflated.plain_bytes,
            inflate_saved_bytes: inflated.saved_bytes,
            inflate_nanoseconds: compressing.inflate_nanoseconds(),
            inflate_contexts: self.resources.contexts() as u64,
            inflate_context_bytes: self.resources.context_bytes() as u64,
            turn_nanoseconds_sum: self.turn_nanoseconds,
            ..ShardFigures::default()
        });
    }
}
