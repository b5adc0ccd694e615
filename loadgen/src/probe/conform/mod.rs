//! `conform`: some sixty questions to a server about RFC 6455, and RFC 7692 where it offers compression.
//!
//! ```text
//!   probe      what a probe is, and the list of all
//!   opening framing control messages delivery closing compression     the probes themselves
//!   bench      what they use: openings, and the judgement of how a connection is failed
//!   link       one connection with a deadline on everything
//!   outcome    what a probe found
//!   report     the table and the JSON
//! ```
//!
//! Each probe opens connections of its own, so one does not disturb the next. Nothing waits for longer than
//! the patience, so a server that never answers or never stops costs time and no more.

mod bench;
mod closing;
mod compression;
mod control;
mod delivery;
mod framing;
mod link;
mod messages;
mod opening;
mod outcome;
mod probe;
mod report;

use super::deflate::Agreed;
use super::paint::Paint;
use super::target::Target;
use crate::args::ConformOptions;
use crate::failure::Failure;
use crate::model::Verdict as Met;
use bench::Bench;
use outcome::{Outcome, Verdict};
use probe::{ECHO, PARTS, Probe, is_meant};
use report::{Finding, Report};
use std::time::Instant;

/// Runs the probes that were asked for and reports.
///
/// # Errors
/// The caller's fault: no such probe, or no URL of a server without TLS. The environment's: there is no
/// WebSocket server at that URL, or the report cannot be written.
pub(crate) fn run(options: &ConformOptions) -> Result<Met, Failure> {
    let chosen = choose(&options.only, &options.skip)?;
    if options.list {
        print!("{}", report::list(&chosen));
        return Ok(Met::Met);
    }
    let target = Target::new(options.url.as_deref().unwrap_or_default(), &options.peer)?;
    let bench = Bench { target, echo: !options.no_echo };
    let (server, deflate) = first_look(&bench)?;
    let findings = probe_all(&bench, deflate, &chosen);
    let report = Report::new(&bench, server, deflate, findings);
    report.write(options.json.as_deref(), options.verbose, Paint::for_output())?;
    Ok(if report.has_failed() { Met::NotMet } else { Met::Met })
}

/// The probes that `only` means, or all, without those that `skip` means.
fn choose(only: &[String], skip: &[String]) -> Result<Vec<(&'static str, &'static Probe)>, Failure> {
    let all = || PARTS.iter().flat_map(|(part, probes)| probes.iter().map(|probe| (*part, probe)));
    let meant = |words: &[String], probe: &Probe| words.iter().any(|word| is_meant(probe, word));
    if let Some(word) = only.iter().chain(skip).find(|word| !all().any(|(_, probe)| is_meant(probe, word))) {
        return Err(Failure::Usage(format!(
            "no probe and no section with probes is called {word:?}; `wsload conform --list` has them all"
        )));
    }
    let chosen = all().filter(|(_, probe)| only.is_empty() || meant(only, probe));
    Ok(chosen.filter(|(_, probe)| !meant(skip, probe)).collect())
}

/// Whether there is a WebSocket server at all, what it calls itself, and whether it accepts compression.
fn first_look(bench: &Bench) -> Result<(Option<String>, bool), Failure> {
    bench.target.connect().map_err(|error| bench.target.failure(error))?;
    let failure = |outcome: Outcome| {
        bench.target.failure(format!("the server {}, expected 101 Switching Protocols", outcome.found))
    };
    let request = bench.request().map_err(failure)?;
    let (_, answer) = bench.switch(&request).map_err(failure)?;
    let offering = request.with("Sec-WebSocket-Extensions", compression::OFFER);
    // A wrong answer to the offer is a matter for the probes: they fail then, and are not left out.
    let deflate = bench.switch(&offering).is_ok_and(|(_, answer)| {
        let chosen = answer.list("Sec-WebSocket-Extensions");
        !matches!(Agreed::of(chosen.as_deref(), compression::OFFER), Ok(None))
    });
    Ok((answer.list("Server"), deflate))
}

fn probe_all(bench: &Bench, deflate: bool, chosen: &[(&'static str, &'static Probe)]) -> Vec<Finding> {
    let mut echo_failed = false;
    let mut findings = Vec::new();
    for (part, probe) in chosen {
        let started = Instant::now();
        let outcome = if probe.needs.deflate() && !deflate {
            Outcome::not_applicable("permessage-deflate is not accepted")
        } else if probe.needs.echo() && !bench.echo {
            Outcome::not_applicable("needs an echo (--no-echo)")
        } else if probe.needs.echo() && echo_failed {
            Outcome::not_applicable("needs the echo, which failed")
        } else {
            (probe.run)(bench).unwrap_or_else(|outcome| outcome)
        };
        echo_failed |= probe.name == ECHO && outcome.verdict == Verdict::Fail;
        findings.push(Finding::new(part, probe, outcome, started.elapsed()));
    }
    findings
}
