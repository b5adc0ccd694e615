//! `wsload doctor`: whether this machine can hold so many connections, and what to do where it cannot.
//!
//! Every check is arithmetic over what [`Host`] reads; the one thing that is tried out is whether a ring can
//! be made. The engine needs no descriptors of the process for its connections: each ring has a table of its
//! own, as large as the limit of open files allows.

mod check;
mod files;
mod memory;
mod network;
mod processor;
mod ring;
mod text;

pub(crate) use check::{Check, State};

use super::host::{Host, UNLIMITED};
use crate::args::DoctorOptions;
use crate::failure::Failure;
use crate::model::Verdict;
use serde::Serialize;
use std::io::{Write, stdout};
use std::net::IpAddr;

/// What the machine is asked to do.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) connections: u64,
    /// The server; one on loopback is on this machine, which then has both ends to hold.
    pub(crate) to: IpAddr,
}

/// All checks.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    asked: Asked,
    pub(crate) checks: Vec<Check>,
}

/// Looks at this machine and prints what it found; says whether everything is enough.
///
/// # Errors
/// The report cannot be written.
pub(crate) fn run(options: &DoctorOptions) -> Result<Verdict, Failure> {
    let asked = Asked { connections: options.connections, to: options.to };
    let diagnosis = Diagnosis::of(&Host::this(), asked, &ring::try_one());
    let text = if options.json { diagnosis.json() + "\n" } else { diagnosis.to_string() };
    // A reader that has gone away, as `head` does, has seen what it wanted.
    let _ = stdout().write_all(text.as_bytes());
    Ok(if diagnosis.state() < State::Fail { Verdict::Met } else { Verdict::NotMet })
}

impl Diagnosis {
    /// Looks at a machine; `ring` is why there is no ring.
    pub(crate) fn of(host: &Host, asked: Asked, ring: &Result<(), String>) -> Self {
        let checks = [
            ring::checks(host, ring),
            files::checks(host, &asked),
            network::checks(host, &asked),
            memory::checks(host, &asked),
            processor::checks(host, &asked),
        ];
        Self { checks: checks.concat(), asked }
    }

    /// The worst of all.
    pub(crate) fn state(&self) -> State {
        self.checks.iter().map(|check| check.state).max().unwrap_or(State::Ok)
    }

    fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts are JSON")
    }
}

impl Asked {
    /// Whether the server is on this machine too.
    fn is_local(&self) -> bool {
        match self.to {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.is_loopback(),
        }
    }

    /// Sockets of one connection on this machine.
    fn ends(&self) -> u64 {
        if self.is_local() { 2 } else { 1 }
    }

    /// Whether connections may come from any address of 127.0.0.0/8, all of which are there with no set-up.
    fn has_loopback_sources(&self) -> bool {
        self.to.is_ipv4() && self.is_local()
    }
}

/// Sockets of a table that the engine keeps free.
const TABLE_RESERVE: u64 = 64;
/// The largest table of a ring, and so the largest limit of open files that is of use
/// (`IORING_MAX_FIXED_FILES`).
const TABLE_MAX: u64 = 1 << 20;

/// Shards that hold so many connections, each in a table as large as the limit of open files.
fn shards(connections: u64, open_files: u64, cores: u64) -> u64 {
    let usable = open_files.min(TABLE_MAX).saturating_sub(TABLE_RESERVE).max(1);
    connections.div_ceil(usable).max(cores)
}

/// CPUs that are online and that its affinity, and a cpuset, leave this process.
fn usable(host: &Host) -> Vec<u32> {
    let (online, allowed) = (host.processors(), host.allowed_processors());
    online.into_iter().filter(|number| allowed.as_ref().is_none_or(|all| all.contains(number))).collect()
}

/// Cores that this process may use at once, as the engine counts them: whole ones of a quota
/// (`std::thread::available_parallelism`).
fn cores(host: &Host) -> u64 {
    let there = usable(host).len().max(1) as u64;
    host.group_cores().map_or(there, |cores| there.min(cores as u64)).max(1)
}

fn open_files(host: &Host) -> u64 {
    host.limit("Max open files").map_or(1024, |limit| limit.soft)
}

/// So many of something, whose plural has an s.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The line that sets a sysctl.
fn set(name: &str, value: impl std::fmt::Display) -> String {
    format!("sudo sysctl -w {name}=\"{value}\"")
}

#[cfg(test)]
mod tests;
