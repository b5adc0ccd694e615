//! What came of a run, beside its latencies.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Per second of the measured time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rates {
    /// Messages that the schedule asked for; absent in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offered: Option<f64>,
    pub(crate) sent: f64,
    /// Right answers, or deliveries.
    pub(crate) answered: f64,
    /// Payload.
    pub(crate) bytes_sent: f64,
    pub(crate) bytes_received: f64,
}

/// A piece of the measured time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Interval {
    /// From the start of the run, as the phases are.
    pub(crate) from_s: f64,
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) errors: u64,
    /// Connections that were open at its end; absent where that does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<u64>,
    /// Nanoseconds of the main latency, of what was answered in it. Absent: nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<u64>,
    /// Nanoseconds from the intended time to the send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule_lag_p99: Option<u64>,
    /// CPU time of the generator, in cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_cores: Option<f64>,
    /// Of the server, where `--pid` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cores: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_bytes: Option<u64>,
    /// The main latency of this interval, as in [`super::Latency`]: what `.hlog` holds, and what `compare`
    /// draws its confidence from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) histogram: Option<String>,
}

/// Whether the generator was the limit, and by what that can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    /// False: the run says something about the generator, not about the server.
    pub(crate) valid: bool,
    pub(crate) evidence: Vec<Evidence>,
    /// CPU time of all its threads, in cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cores: Option<f64>,
    /// Of the busiest thread, in cores: 1 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busiest: Option<f64>,
    /// How far messages were gathered, which changes what a server has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages_per_send: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages_per_receive: Option<f64>,
    /// Share of the time that the hypervisor kept for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steal: Option<f64>,
    /// Of the rings: overflows, buffers that ran out, and the like.
    pub(crate) counters: BTreeMap<String, u64>,
    /// What the kernel has counted meanwhile, on this machine as a whole: counters of /proc/net/netstat and snmp.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) kernel: BTreeMap<String, u64>,
}

impl Health {
    /// The signs that were exceeded, in words.
    pub(crate) fn signs(&self) -> impl Iterator<Item = String> {
        self.evidence.iter().filter(|sign| sign.exceeded).map(|sign| {
            let Evidence { what, value, limit, .. } = sign;
            format!("{what} is {value}, allowed are {limit}")
        })
    }
}

/// One sign of the generator's health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    /// `schedule lag p99`, `busiest thread`, ...
    pub(crate) what: String,
    /// With its unit.
    pub(crate) value: String,
    /// With its unit.
    pub(crate) limit: String,
    pub(crate) exceeded: bool,
}

/// What this generator does at most, found with the built-in echo on the same cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Calibration {
    pub(crate) ceiling_per_second: f64,
    /// Of the ceiling, by the run that this report is about: 0 to 1.
    pub(crate) share_used: f64,
}

/// What the run cost a server on the same machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerCost {
    /// Which: process id and name, or control group.
    pub(crate) who: String,
    /// CPU time in the measured time, in cores. Absent: it was not there to be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cores: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_ns_per_message: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_idle_connection_second: Option<f64>,
    /// Slopes over `points`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_bytes_per_connection: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_bytes_per_connection: Option<f64>,
    pub(crate) points: Vec<CostPoint>,
}

/// Memory at a number of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CostPoint {
    pub(crate) connections: u64,
    pub(crate) user_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_bytes: Option<u64>,
}

/// How the clock of a process that published stood to that of one that subscribed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClockOffset {
    /// The host that subscribed.
    pub(crate) here: String,
    /// The host that published.
    pub(crate) there: String,
    /// They read one clock: nothing had to be asked, and nothing is uncertain.
    pub(crate) is_same: bool,
    /// What the clock there showed more, when it was first asked.
    pub(crate) offset_ns: i64,
    /// By how much it gained from then on, and how far that may be from the truth.
    pub(crate) drift_ppm: f64,
    pub(crate) drift_within_ppm: f64,
    /// How far the offset may be from what was taken for it, at any time of the run.
    pub(crate) uncertainty_ns: u64,
    /// Questions about the time, and the quickest of them.
    pub(crate) probes: u64,
    pub(crate) round_trip_ns: u64,
}

/// A threshold and what was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ThresholdResult {
    /// As it was written: `p99<10ms`.
    pub(crate) text: String,
    /// As people read it; absent where there was nothing to measure, which does not meet it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) measured: Option<String>,
    pub(crate) met: bool,
}

/// Whether the second half of the measured time was like the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Steady {
    pub(crate) steady: bool,
    pub(crate) halves: Vec<Half>,
    /// What differed.
    pub(crate) reasons: Vec<String>,
}

/// Half of the measured time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Half {
    pub(crate) rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<u64>,
}

/// What came of it all. Later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Everything came back as it should, and every threshold was met.
    #[default]
    Met,
    /// Something was not; the report's reasons say what.
    NotMet,
    /// The generator was the limit, so that nothing is known about the server.
    Invalid,
}

impl Verdict {
    /// Of the whole program.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Met => 0,
            Self::NotMet => 3,
            Self::Invalid => 4,
        }
    }

    /// `met`, `NOT MET` or `INVALID`, as people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "NOT MET",
            Self::Invalid => "INVALID, the generator was the limit",
        }
    }
}
