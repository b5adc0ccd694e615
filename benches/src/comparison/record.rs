//! The record of a comparison: everything that is needed to judge it or to make it again.

use super::Window;
use super::scenario::{Case, Scenario, Settings};
use super::summary::Line;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where and when.
#[derive(Debug, Serialize)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// Model of the processor.
    pub cpu: String,
    /// How many of its cores there are for us.
    pub cores: usize,
    /// Day and minute, UTC.
    pub date: String,
}

impl Host {
    /// This machine, now.
    pub fn here() -> Self {
        let date = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%MZ"]).output();
        Self {
            kernel: crate::proc::kernel(),
            cpu: crate::proc::cpu_model(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            date: date
                .map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).trim().into()),
        }
    }

    /// All of it in one line.
    pub fn line(&self) -> String {
        format!("Linux {}, {}, {} cores, {}", self.kernel, self.cpu, self.cores, self.date)
    }
}

/// One server in one round.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Connections that receive.
    pub connections: u32,
    /// Bytes of a message.
    pub payload: usize,
    /// Counted from one.
    pub round: usize,
    /// Who.
    pub server: String,
    /// What the client saw.
    pub window: Window,
}

/// A whole comparison.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Where and when.
    pub host: Host,
    /// The command that made it.
    pub command: String,
    /// Text or binary.
    pub opcode: String,
    /// What was measured.
    pub scenario: Scenario,
    /// How it was run.
    pub settings: Settings,
    /// Every server in every round.
    pub runs: Vec<Run>,
    /// What they come to.
    pub summary: Vec<Line>,
    /// Reasons for doubt.
    pub doubts: Vec<String>,
}

impl Record {
    /// The runs of one server in one case, by round.
    pub fn rounds(&self, case: Case, server: &str) -> Vec<Window> {
        let Case { connections, payload } = case;
        let own =
            |run: &&Run| run.connections == connections && run.payload == payload && run.server == server;
        self.runs.iter().filter(own).map(|run| run.window.clone()).collect()
    }

    /// Writes `STEM.json` (all of it) and `STEM.csv` (a line per server and round).
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, stem: &Path) -> std::io::Result<()> {
        if let Some(folder) = stem.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = stem.as_os_str().to_owned();
        name.push(".json");
        fs::write(&name, serde_json::to_string_pretty(self)? + "\n")?;
        let mut name = stem.as_os_str().to_owned();
        name.push(".csv");
        fs::write(&name, self.csv())
    }

    fn csv(&self) -> String {
        let mut csv = String::from(
            "connections,payload,round,server,cpu_ns_per_message,messages,seconds,rate,latency_p50_us,latency_p99_us,\
             server_use,foreign_use,client_cpu_ns\n",
        );
        for run in &self.runs {
            let window = &run.window;
            // Writing to a string cannot fail.
            let _ = writeln!(
                csv,
                "{},{},{},{},{:.2},{},{:.3},{:.0},{:.1},{:.1},{:.3},{:.3},{}",
                run.connections,
                run.payload,
                run.round,
                run.server,
                window.cpu_ns_per_message(),
                window.messages,
                window.seconds,
                window.rate,
                window.latency_p50_us,
                window.latency_p99_us,
                window.server_use(),
                window.foreign_use(),
                window.client_cpu_ns,
            );
        }
        csv
    }
}
