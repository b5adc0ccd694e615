//! What a run has to say: [`Report`] is what `--json` writes, field by field, and what every other
//! output, `compare` and `merge` read.
//!
//! Workloads fill it and know nothing of outputs; outputs read it and know nothing of workloads. What
//! only one workload has to say goes into [`Section`]s, which describe themselves.
//!
//! ```text
//!   model.rs     Report and what was done: load, phases, opening, closing
//!   latency      a histogram, with its percentiles written out
//!   result       rates, intervals, health, verdict
//!   section      tables and curves of one workload
//! ```
//!
//! Times are seconds where the name says so and nanoseconds in latencies. Fields that a run does not
//! have are absent; those that an older file lacks take their default.

mod latency;
mod result;
mod section;

pub(crate) use latency::{Latency, decode, encode, is_known, nines_known, percentile, percentile_name};
pub(crate) use result::{
    Calibration, ClockOffset, CostPoint, Evidence, Half, Health, Interval, Rates, ServerCost, Steady,
    ThresholdResult, Verdict,
};
pub(crate) use section::{Curve, Line, Section, Value};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout of the JSON. It rises when a reader of the older one would misunderstand.
pub(crate) const SCHEMA: u32 = 1;

/// A run, its circumstances and its result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    /// [`SCHEMA`].
    pub(crate) schema: u32,
    /// Version of this program.
    pub(crate) wsload: String,
    /// How it was called, the program's own name first.
    pub(crate) command: Vec<String>,
    /// Where all randomness comes from: content, masks, arrival times.
    pub(crate) seed: u64,
    /// When it began, by the wall clock.
    pub(crate) started_unix_ms: u64,
    /// The subcommand: `echo`, `fanout`, `connect`, ...
    pub(crate) workload: String,
    /// What was connected to.
    pub(crate) url: String,
    /// How the kernel was spoken to: `io_uring` or `epoll`.
    pub(crate) io: String,
    /// Threads of the generator, each with a ring.
    pub(crate) shards: usize,
    /// Source addresses that were connected from.
    pub(crate) sources: u32,
    pub(crate) environment: Environment,
    pub(crate) load: Load,
    /// In the order in which they came. Times count from [`Self::started_unix_ms`].
    pub(crate) phases: Vec<Phase>,
    pub(crate) opening: Opening,
    pub(crate) closing: Closing,
    /// Response first, where there is one: it is the one that thresholds and comparisons mean.
    pub(crate) latencies: Vec<Latency>,
    pub(crate) rates: Rates,
    /// By name in snake case: `sent`, `answered`, `unanswered`, `duplicate`, `out_of_order`, `corrupt`,
    /// `late`, `unasked`, `refused`, `pongs`, `negative_samples`, ...
    pub(crate) counts: BTreeMap<String, u64>,
    /// Connections that were not opened or were lost, by why.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The measured time, piece by piece.
    pub(crate) series: Vec<Interval>,
    pub(crate) health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calibration: Option<Calibration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerCost>,
    /// Where publisher and subscribers were processes of their own: which messages this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) campaign: Option<String>,
    /// And how the publisher's clock stood to that of each that subscribed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) clocks: Vec<ClockOffset>,
    pub(crate) thresholds: Vec<ThresholdResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steady: Option<Steady>,
    pub(crate) verdict: Verdict,
    /// Why the verdict is not `met`.
    pub(crate) reasons: Vec<String>,
    /// Why it was ended before its time as the trial of a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_early: Option<String>,
    /// What the reader should know before trusting the figures.
    pub(crate) warnings: Vec<String>,
    /// What only this workload has to say.
    pub(crate) sections: Vec<Section>,
    /// Where this is the sum of several reports: who measured each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) merged_from: Vec<String>,
}

/// Where it ran: what a repetition has to have in common, as far as it can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Environment {
    pub(crate) host: String,
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Model name of the processor.
    pub(crate) cpu: String,
    /// Cores of the machine.
    pub(crate) cores: usize,
    /// Cores that this process may run on, as the kernel writes such lists: `0-3,8`.
    pub(crate) affinity: String,
    /// Of core 0; empty where the machine does not say.
    pub(crate) governor: String,
    pub(crate) memory_bytes: u64,
    /// Those that bear on sockets, by their dotted name.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Soft limits of this process by the name that /proc/self/limits has for them.
    pub(crate) limits: BTreeMap<String, String>,
    /// TLS, compression, container, virtual machine and other things that matter, one each.
    pub(crate) notes: Vec<String>,
}

/// What was asked of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Load {
    pub(crate) model: Model,
    pub(crate) connections: u64,
    /// `text`, `binary` or `json`; empty where no messages are sent.
    pub(crate) kind: String,
    /// Size of messages in words: `64 B`, `100 B to 2 KiB, uniform`.
    pub(crate) size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<String>,
}

/// What decides when the next message goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub(crate) enum Model {
    /// Nothing is sent, or not as a load.
    #[default]
    None,
    /// An answer: each connection has this many messages on their way. A slow server is asked less.
    Closed {
        /// Messages on their way for each connection.
        depth: u32,
    },
    /// The clock: a slow server is asked as often as a fast one.
    Open {
        /// Messages a second over all connections.
        rate: f64,
        arrivals: Arrivals,
    },
}

/// How the times of an open loop are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrivals {
    /// At equal distances.
    Fixed,
    /// Independent of each other, with exponentially distributed distances.
    Poisson,
    /// On all connections in the same moment.
    Burst,
}

/// A part of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    /// `connect`, `settle`, `warm_up`, `measure`, `drain` or `close`.
    pub(crate) name: String,
    /// From the start of the run.
    pub(crate) from_s: f64,
    pub(crate) seconds: f64,
}

/// How the connections were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Opening {
    pub(crate) asked: u64,
    pub(crate) opened: u64,
    pub(crate) seconds: f64,
    /// Opened per second.
    pub(crate) rate: f64,
}

/// How they were closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Closing {
    /// With the closing handshake.
    pub(crate) in_order: u64,
    pub(crate) cut_off: u64,
}

impl Report {
    /// The latency of that name over all tags.
    pub(crate) fn latency(&self, name: &str) -> Option<&Latency> {
        self.latencies.iter().find(|latency| latency.name == name && latency.tag.is_none())
    }

    /// The latency that thresholds and comparisons mean by `p99`: the first.
    pub(crate) fn main_latency(&self) -> Option<&Latency> {
        self.latencies.first()
    }

    /// The samples of the main latency that no interval has: of messages of the measured time whose answer came after
    /// it, or never. `None` where there are none.
    ///
    /// # Errors
    /// A histogram is damaged, or an interval has what the whole has not.
    pub(crate) fn after_the_series(&self) -> Result<Option<Histogram<u64>>, String> {
        let Some(mut rest) = self.main_latency().map(Latency::histogram).transpose()? else {
            return Ok(None);
        };
        for histogram in self.series.iter().filter_map(|interval| interval.histogram.as_deref()) {
            rest.subtract(decode(histogram)?)
                .map_err(|cause| format!("the series is no part of the whole: {cause}"))?;
        }
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// The phase of that name.
    pub(crate) fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// A count, zero when it was not kept.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Notes that the run was ended before its time, if it was: with that it is not met.
    pub(crate) fn end_early(&mut self, why: Option<String>) {
        if let Some(why) = &why {
            self.not_met(format!("ended early: {why}"));
        }
        self.ended_early = why;
    }

    /// Notes that something was not met; the verdict stays `invalid` where it is.
    pub(crate) fn not_met(&mut self, reason: String) {
        self.reasons.push(reason);
        self.verdict = self.verdict.max(Verdict::NotMet);
    }

    /// Holds against the run what its health has exceeded; only warns of it where that is allowed.
    pub(crate) fn judge_health(&mut self, is_allowed: bool) {
        let signs: Vec<String> = self.health.signs().collect();
        for sign in signs {
            if is_allowed {
                self.warnings.push(format!("the generator was the limit: {sign}"));
            } else {
                self.invalid(sign);
            }
        }
    }

    /// Why the run was not met, but for the signs that its generator was the limit.
    pub(crate) fn faults(&self) -> Vec<&str> {
        let signs: Vec<String> = self.health.signs().collect();
        self.reasons.iter().filter(|reason| !signs.contains(reason)).map(String::as_str).collect()
    }

    /// Notes that the generator was the limit.
    pub(crate) fn invalid(&mut self, reason: String) {
        self.reasons.push(reason);
        self.verdict = Verdict::Invalid;
    }
}

impl Opening {
    /// With the rate worked out.
    pub(crate) fn new(asked: u64, opened: u64, seconds: f64) -> Self {
        let rate = if seconds > 0.0 { opened as f64 / seconds } else { 0.0 };
        Self { asked, opened, seconds, rate }
    }
}
