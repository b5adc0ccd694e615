//! The result of a run: what was done, what came of it, and whether that was met.
//!
//! [`Report`] is what `--json` writes, field by field; `text` is the same for people.

mod latency;
mod text;

pub(crate) use latency::Latency;

use crate::args::{Common, KindChoice};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::measure::cpu::Usage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// A run and its result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Version of this program.
    wsload: &'static str,
    /// How it was called.
    command: Vec<String>,
    host: Host,
    url: String,
    /// How the kernel was spoken to.
    io: &'static str,
    shards: usize,
    sources: u32,
    opening: Opening,
    #[serde(flatten)]
    detail: Detail,
    /// Failures to open and losses, by their text.
    failures: BTreeMap<String, u32>,
    closing: Closing,
    pub(crate) verdict: Verdict,
    /// What was not met.
    reasons: Vec<String>,
    /// What the reader should know before trusting the figures.
    warnings: Vec<String>,
}

/// Whether everything came back as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Every connection was opened and held, every message was answered and right.
    Met,
    /// Something was not; the report's reasons say what.
    NotMet,
}

impl Verdict {
    /// Of the whole program.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Met => 0,
            Self::NotMet => 3,
        }
    }
}

/// Where it ran.
#[derive(Debug, Serialize)]
struct Host {
    kernel: String,
    cores: usize,
}

/// How the connections were opened.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Opening {
    pub(crate) asked: u32,
    pub(crate) opened: u32,
    pub(crate) seconds: f64,
}

/// How they were closed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Closing {
    pub(crate) in_order: usize,
    pub(crate) cut_off: usize,
}

/// What is particular to a workload.
#[derive(Debug, Serialize)]
#[serde(tag = "workload", content = "result", rename_all = "lowercase")]
pub(crate) enum Detail {
    Echo(EchoResult),
    Idle(IdleResult),
}

/// A closed loop of echoes.
#[derive(Debug, Serialize)]
pub(crate) struct EchoResult {
    pub(crate) depth: u32,
    pub(crate) size: usize,
    pub(crate) kind: KindChoice,
    pub(crate) warm_up_seconds: f64,
    /// Of the window in which was measured.
    pub(crate) seconds: f64,
    /// Right echoes that came in the window.
    pub(crate) messages: u64,
    pub(crate) messages_per_second: f64,
    /// Of messages sent in the window, whenever their echo came; `None`: there was none.
    pub(crate) round_trip: Option<Latency>,
    /// Messages that were not the echo that was due.
    pub(crate) wrong: u64,
    /// Messages that could not be sent.
    pub(crate) refused: u64,
    /// Messages whose echo had not come when the drain timeout had passed.
    pub(crate) unanswered: u64,
    /// CPU time of the generator's shards in the window; `None` where the kernel keeps no account.
    pub(crate) generator: Option<Usage>,
}

/// Connections that were held.
#[derive(Debug, Serialize)]
pub(crate) struct IdleResult {
    pub(crate) hold_seconds: f64,
    /// Connections that were still open at the end of the hold.
    pub(crate) alive: u32,
    /// Messages that came from the server although nothing was sent.
    pub(crate) unasked: u32,
    pub(crate) echo: Option<FinalEcho>,
}

/// One message on each connection after the hold.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct FinalEcho {
    pub(crate) sent: u32,
    pub(crate) right: u32,
    pub(crate) wrong: u32,
    pub(crate) seconds: f64,
}

impl Report {
    /// Takes the account of a run and closes its connections.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn of(
        common: &Common,
        fleet: Fleet<'_>,
        opening: Opening,
        detail: Detail,
    ) -> Result<Self, Failure> {
        let reasons = reasons(opening, fleet.lost(), &detail);
        let (failures, shards) = (fleet.failures(), fleet.shards());
        Ok(Self {
            wsload: env!("CARGO_PKG_VERSION"),
            command: std::env::args().collect(),
            host: Host::this(),
            url: common.url.clone(),
            io: "io_uring",
            shards,
            sources: common.sources,
            opening,
            warnings: generator_warning(&detail).into_iter().chain(fleet.port_warning()).collect(),
            detail,
            failures,
            closing: fleet.close()?,
            verdict: if reasons.is_empty() { Verdict::Met } else { Verdict::NotMet },
            reasons,
        })
    }

    /// Writes the report as JSON.
    ///
    /// # Errors
    /// The environment's fault: the file cannot be written.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let written = json.and_then(|json| fs::write(path, json + "\n"));
        written.map_err(|cause| Failure::Report { path: path.to_owned(), cause })
    }
}

impl Host {
    fn this() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Self { kernel, cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// Everything that was not as it should be.
fn reasons(opening: Opening, lost: u32, detail: &Detail) -> Vec<String> {
    let mut counts = vec![
        (u64::from(opening.asked.saturating_sub(opening.opened)), "connections were not opened"),
        (u64::from(lost), "connections were lost"),
    ];
    match detail {
        Detail::Echo(echo) => counts.extend([
            (echo.wrong, "messages were not the echo that was due"),
            (echo.refused, "messages could not be sent"),
            (echo.unanswered, "messages were not answered"),
            (u64::from(echo.messages == 0), "window without a single echo"),
        ]),
        Detail::Idle(IdleResult { echo: Some(echo), .. }) => counts.extend([
            (u64::from(echo.wrong), "messages were not the echo that was due"),
            (u64::from(echo.sent.saturating_sub(echo.right)), "connections did not echo their message"),
        ]),
        Detail::Idle(_) => {}
    }
    counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
}

fn generator_warning(detail: &Detail) -> Option<String> {
    let Detail::Echo(EchoResult { generator: Some(usage), .. }) = detail else { return None };
    usage.is_suspect().then(|| {
        let share = usage.busiest * 100.0;
        format!("the generator's busiest thread used {share:.0} % of a core: the figures may be its limit")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(echo: Option<FinalEcho>) -> Detail {
        Detail::Idle(IdleResult { hold_seconds: 1.0, alive: 10, unasked: 0, echo })
    }

    fn final_echo(right: u32, wrong: u32) -> Option<FinalEcho> {
        Some(FinalEcho { sent: 10, right, wrong, seconds: 0.1 })
    }

    #[test]
    fn what_was_not_met_is_named() {
        let opening = Opening { asked: 10, opened: 10, seconds: 0.1 };
        let fewer = Opening { opened: 8, ..opening };
        let table: [(Opening, u32, Detail, &[&str]); 5] = [
            (opening, 0, idle(None), &[]),
            (opening, 0, idle(final_echo(10, 0)), &[]),
            (fewer, 0, idle(None), &["2 connections were not opened"]),
            (opening, 3, idle(None), &["3 connections were lost"]),
            (
                opening,
                0,
                idle(final_echo(9, 1)),
                &["1 messages were not the echo that was due", "1 connections did not echo their message"],
            ),
        ];
        for (opening, lost, detail, expected) in table {
            assert_eq!(reasons(opening, lost, &detail), expected, "{detail:?}");
        }
    }
}
