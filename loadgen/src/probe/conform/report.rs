//! What was found, as a table and as JSON.

use super::bench::Bench;
use super::outcome::{Outcome, Verdict};
use super::probe::Probe;
use crate::failure::Failure;
use crate::probe::paint::{Paint, Tone};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    wsload: &'static str,
    command: Vec<String>,
    url: String,
    /// The header Server of its answer.
    server: Option<String>,
    echo: bool,
    /// Whether it accepts permessage-deflate.
    deflate: bool,
    pass: usize,
    tolerated: usize,
    fail: usize,
    not_applicable: usize,
    probes: Vec<Finding>,
}

/// One probe and its outcome.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    part: &'static str,
    name: &'static str,
    rfc: u16,
    section: &'static str,
    sent: &'static str,
    expected: &'static str,
    found: String,
    verdict: Verdict,
    /// The RFC's words that allow what was found, if that was not what is recommended.
    words: Option<&'static str>,
    seconds: f64,
}

impl Finding {
    pub(super) fn new(part: &'static str, probe: &Probe, outcome: Outcome, elapsed: Duration) -> Self {
        Self {
            part,
            name: probe.name,
            rfc: probe.section.rfc(),
            section: probe.section.number(),
            sent: probe.sent,
            expected: probe.expected,
            found: outcome.found,
            verdict: outcome.verdict,
            words: outcome.words,
            seconds: elapsed.as_secs_f64(),
        }
    }
}

impl Report {
    pub(super) fn new(bench: &Bench, server: Option<String>, deflate: bool, probes: Vec<Finding>) -> Self {
        let count = |verdict| probes.iter().filter(|finding| finding.verdict == verdict).count();
        Self {
            wsload: env!("CARGO_PKG_VERSION"),
            command: std::env::args().collect(),
            url: bench.target.url.to_string(),
            server,
            echo: bench.echo,
            deflate,
            pass: count(Verdict::Pass),
            tolerated: count(Verdict::Tolerated),
            fail: count(Verdict::Fail),
            not_applicable: count(Verdict::NotApplicable),
            probes,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.fail > 0
    }

    /// Prints the table, and writes the JSON where it was asked for: `-` is standard output in place of
    /// the table.
    ///
    /// # Errors
    /// The environment's fault: the file cannot be written.
    pub(super) fn write(&self, json: Option<&Path>, verbose: bool, paint: Paint) -> Result<(), Failure> {
        let on_output = json == Some(Path::new("-"));
        if !on_output {
            print!("{}", self.table(verbose, paint));
        }
        let Some(path) = json else { return Ok(()) };
        let failure = |cause| Failure::Report { path: PathBuf::from(path), cause };
        let text = serde_json::to_string_pretty(self).map_err(|error| failure(io::Error::from(error)))?;
        if on_output {
            println!("{text}");
            return Ok(());
        }
        fs::write(path, text + "\n").map_err(failure)
    }

    fn table(&self, verbose: bool, paint: Paint) -> String {
        let mut out = String::new();
        let server = self.server.as_ref().map_or_else(String::new, |server| format!("   server {server}"));
        let deflate = if self.deflate { "accepted" } else { "not accepted" };
        let echo = if self.echo { "expected" } else { "not expected" };
        let url = paint.tone(Tone::Strong, &self.url);
        line(&mut out, format_args!("{url}{server}   echo {echo}   permessage-deflate {deflate}"));
        let mut part = "";
        for finding in &self.probes {
            if finding.part != part {
                part = finding.part;
                line(&mut out, format_args!("\n{}", paint.tone(Tone::Strong, part)));
            }
            finding.rows(&mut out, verbose, paint);
        }
        line(&mut out, format_args!("\n{}", self.summary(paint)));
        out
    }

    fn summary(&self, paint: Paint) -> String {
        let counts = [self.pass, self.tolerated, self.fail, self.not_applicable];
        let counted = Verdict::ALL.iter().zip(counts).map(|(verdict, count)| {
            let word = if *verdict == Verdict::NotApplicable { "not applicable" } else { verdict.word() };
            let text = format!("{count} {}", word.to_lowercase());
            if count == 0 { text } else { paint.tone(tone(*verdict), text).to_string() }
        });
        format!("{} probes: {}", self.probes.len(), counted.collect::<Vec<_>>().join(", "))
    }
}

impl Finding {
    fn rows(&self, out: &mut String, verbose: bool, paint: Paint) {
        let section = format!("{} {}", self.rfc, self.section);
        let (verdict, name) = (paint.tone(tone(self.verdict), self.verdict.word()), self.name);
        line(out, format_args!("  {verdict:<9}  {name:<24}  {section:<12}  {}", self.found));
        let mut more = |word: &str, text: &str| {
            line(
                out,
                format_args!("             {} {text}", paint.tone(Tone::Faint, format_args!("{word:<8}"))),
            );
        };
        if verbose || self.verdict == Verdict::Fail {
            more("sent", self.sent);
            more("expected", self.expected);
        }
        if let Some(words) = self.words {
            more("allowed", &format!("\"{words}\""));
        }
    }
}

/// All probes of a list, as `--list` prints them.
pub(super) fn list(probes: &[(&str, &Probe)]) -> String {
    let mut out = String::new();
    for (_, probe) in probes {
        let section = format!("{} {}", probe.section.rfc(), probe.section.number());
        let needs = match (probe.needs.echo(), probe.needs.deflate()) {
            (false, false) => "",
            (true, false) => "   (an echo)",
            (false, true) => "   (permessage-deflate)",
            (true, true) => "   (permessage-deflate and an echo)",
        };
        line(&mut out, format_args!("{:<24}  {section:<12}  {}{needs}", probe.name, probe.sent));
    }
    out
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Tolerated => Tone::Notable,
        Verdict::Fail => Tone::Bad,
        Verdict::NotApplicable => Tone::Faint,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
