//! What `compare` does, apart from its command line: which servers there are ([`scenario`]), running
//! them in turn ([`mod@run`]), what many runs come to ([`summary`]), and the record of it
//! ([`record`]). [`Window`] is what the client reports of one run.

pub mod record;
pub mod run;
pub mod scenario;
pub mod summary;

use serde::{Deserialize, Serialize};

/// What the client saw, and the kernel accounted, in the slices of one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Messages received: echoes, or deliveries to whomever.
    pub messages: u64,
    /// Those of them that were not what they should be.
    pub errors: u64,
    /// Length of the window.
    pub seconds: f64,
    /// Messages per second.
    pub rate: f64,
    /// Median time from a message to its echo, or from the beginning of a round to its end, in microseconds.
    pub latency_p50_us: f64,
    /// 99 of 100 came within this time, in microseconds.
    pub latency_p99_us: f64,
    /// Messages handled between two waits of the client, on average: how bursty the server answers.
    pub messages_per_turn: f64,
    /// CPU time of the client.
    pub client_cpu_ns: u64,
    /// CPU time of the watched process, user and system, over all its threads.
    pub server_cpu_ns: Option<u64>,
    /// Threads of the watched process at the end.
    pub server_threads: Option<usize>,
    /// Time that the watched core was not idle, whoever used it.
    pub core_busy_ns: Option<u64>,
    /// Time that the hypervisor took from the watched core.
    pub core_steal_ns: Option<u64>,
}

impl Window {
    /// CPU time of the watched process for one message, in nanoseconds; NaN when there is none.
    pub fn cpu_ns_per_message(&self) -> f64 {
        self.server_cpu_ns.map_or(f64::NAN, |cpu| cpu as f64 / self.messages as f64)
    }

    /// How much of the window the watched process was running, 1 for all of one core.
    pub fn server_use(&self) -> f64 {
        self.server_cpu_ns.map_or(f64::NAN, |cpu| cpu as f64 / 1e9 / self.seconds)
    }

    /// How much of the window the client was running, 1 for all of one core.
    pub fn client_use(&self) -> f64 {
        self.client_cpu_ns as f64 / 1e9 / self.seconds
    }

    /// How much of the window the watched core worked for somebody else.
    pub fn foreign_use(&self) -> f64 {
        let busy = self.core_busy_ns.map_or(f64::NAN, |busy| busy as f64 / 1e9 / self.seconds);
        (busy - self.server_use()).max(0.0)
    }
}
