//! What came of a round, and which bounds hold.

use super::Slice;
use crate::comparison::summary::Spread;
use crate::topics::{Figures, Policy};
use std::fmt;

/// What a stalled subscriber may cost beside what the topic keeps.
const STALLED_BYTES_MAX: f64 = 64.0;
/// How much later the slowest of a hundred messages may come to those who keep reading.
const RATIO_MAX: f64 = 1.2;

/// What some subscribers have seen, added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// How many they are.
    pub subscribers: u64,
    /// Messages they have received.
    pub received: u64,
    /// Messages they were told to have missed.
    pub missed: u64,
    /// How often they were told so.
    pub gaps: u64,
    /// Those who were told so.
    pub were_told: u64,
    /// Those who went on at the newest message.
    pub at_newest: u64,
    /// Those who have received, or were told to have missed, every message.
    pub complete: u64,
    /// Those who were closed.
    pub closed: u64,
    /// Those who were told why, with 1013.
    pub told_why: u64,
    /// Whatever was not as it should be.
    pub faults: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Outcome {
    pub(super) policy: Policy,
    pub(super) stalled: u64,
    pub(super) retention_bytes: u64,
    /// The server's figures and private memory just before some stopped reading, and the control's.
    pub(super) before: [(Figures, u64); 2],
    /// The same while they do not read, at the end of the slices.
    pub(super) after: [(Figures, u64); 2],
    /// When all have read again.
    pub(super) end: Figures,
    pub(super) published: u64,
    /// How many were published when the early ones read again.
    pub(super) closed_at: u64,
    /// Of those that read again early, and late.
    pub(super) accounts: [Account; 2],
    pub(super) healthy: Account,
    /// Messages that a log keeps at least.
    pub(super) kept_messages: u64,
    /// Of each pair of slices, with stalled ones and without.
    pub(super) slices: Vec<[Slice; 2]>,
}

/// A claim, what was found, and whether it holds.
#[derive(Clone, Debug)]
pub struct Bound {
    /// In words.
    pub claim: &'static str,
    /// What was found.
    pub found: String,
    /// Whether it holds.
    pub holds: bool,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "pass" } else { "FAIL" };
        write!(f, "{word}  {}: {}", self.claim, self.found)
    }
}

impl Outcome {
    /// All of them.
    pub fn bounds(&self) -> Vec<Bound> {
        let mut bounds = vec![self.memory(), self.latency(), self.undisturbed()];
        bounds.extend(match self.policy {
            Policy::Close => vec![self.told_why(), self.closed_count()],
            Policy::Skip | Policy::Latest => vec![self.announced(), self.counted()],
        });
        bounds
    }

    fn growth(&self, figure: fn(&Figures) -> usize) -> i64 {
        figure(&self.after[0].0) as i64 - figure(&self.before[0].0) as i64
    }

    fn memory(&self) -> Bound {
        let (heap, logs) =
            (self.growth(|figures| figures.heap_bytes), self.growth(|figures| figures.retained_bytes));
        let bound = self.retention_bytes as f64 + STALLED_BYTES_MAX * self.stalled as f64;
        let private = |side: usize| (self.after[side].1 as i64 - self.before[side].1 as i64) / 1024;
        let each = (heap - logs) as f64 / self.stalled.max(1) as f64;
        Bound {
            claim: "the heap grows by what the topic keeps and 64 B per stalled subscriber at most",
            found: format!(
                "{heap:+} B, bound {bound:.0} B; the logs {logs:+} B, the rest {each:+.0} B per stalled \
                 subscriber; private memory {:+} KiB, without stalled ones {:+} KiB",
                private(0),
                private(1)
            ),
            holds: heap as f64 <= bound,
        }
    }

    fn latency(&self) -> Bound {
        let at = |slice: &Slice, quantile| slice.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let ratio = Spread::of(self.slices.iter().map(|[with, without]| at(with, 0.99) / at(without, 0.99)));
        let over = |side: usize, figure: &dyn Fn(&Slice) -> f64| {
            Spread::of(self.slices.iter().map(|pair| figure(&pair[side]))).median
        };
        let both =
            |figure: &dyn Fn(&Slice) -> f64| format!("{:.0} and {:.0} us", over(0, figure), over(1, figure));
        Bound {
            claim: "p99 of those who read is at most 1.2 of that without stalled ones",
            found: format!(
                "{:.2} ({:.2} to {:.2}); p99 {}, p50 {}, the server's CPU time per message to all {}",
                ratio.median,
                ratio.min,
                ratio.max,
                both(&|slice| at(slice, 0.99)),
                both(&|slice| at(slice, 0.5)),
                both(&|slice| slice.cpu_per_message / 1000.0)
            ),
            holds: ratio.median <= RATIO_MAX,
        }
    }

    fn undisturbed(&self) -> Bound {
        let Account { subscribers, complete, missed, faults, .. } = self.healthy;
        Bound {
            claim: "those who read get every message once, in order",
            found: format!(
                "{complete} of {subscribers} all {}, {missed} missed, {faults} faults",
                self.published
            ),
            holds: complete == subscribers && missed == 0 && faults == 0,
        }
    }

    /// Of the policies that go on.
    fn announced(&self) -> Bound {
        let [_, late] = self.accounts;
        let newest = if self.policy == Policy::Latest { late.subscribers } else { 0 };
        Bound {
            claim: "the stalled ones are told of what they missed: received and missed make up what was published",
            found: format!(
                "{} of {}; {} received, {} missed in {} gaps, {} went on at the newest, {} faults",
                late.complete,
                late.subscribers,
                late.received,
                late.missed,
                late.gaps,
                late.at_newest,
                late.faults
            ),
            holds: late.complete == late.subscribers
                && late.were_told == late.subscribers
                && late.at_newest == newest
                && late.faults == 0,
        }
    }

    fn counted(&self) -> Bound {
        let [_, late] = self.accounts;
        let (counted, other) = match self.policy {
            Policy::Latest => (self.end.latest, self.end.skipped + self.end.closed),
            Policy::Skip | Policy::Close => (self.end.skipped, self.end.latest + self.end.closed),
        };
        Bound {
            claim: "the server counts the same, by the reason",
            found: format!("{counted} under {}, {other} under others", self.policy.name()),
            holds: counted == late.missed && other == 0,
        }
    }

    /// Of the policy that closes.
    fn told_why(&self) -> Bound {
        let [early, late] = self.accounts;
        Bound {
            claim: "who reads again soon after it was closed is told why, who comes later finds the end",
            found: format!(
                "soon: {} of {} read 1013; later: {} of {} closed, {} of them with 1013; {} faults",
                early.told_why,
                early.subscribers,
                late.closed,
                late.subscribers,
                late.told_why,
                early.faults + late.faults
            ),
            holds: early.told_why == early.subscribers
                && late.closed == late.subscribers
                && early.faults + late.faults == 0,
        }
    }

    /// A closed one has missed all from its place in the log to the head, which goes on while others are
    /// closed; at least as much as a log keeps, since it was overtaken.
    fn closed_count(&self) -> Bound {
        let [early, late] = self.accounts;
        let most = self.stalled * self.closed_at - early.received - late.received;
        let least = self.stalled * self.kept_messages;
        let counted = self.end.closed;
        Bound {
            claim: "the server counts what they missed, by the reason",
            found: format!(
                "{counted} under close, {} under others; between {least} and {most}",
                self.end.skipped + self.end.latest
            ),
            holds: (least..=most).contains(&counted) && self.end.missed() == counted,
        }
    }
}
