//! A report on its way out: begun with what is known at the start, held against its thresholds, and
//! written in every form that was asked for.
//!
//! ```text
//!   document   what there is to read, in words: facts and tables; text, Markdown and HTML lay it out
//!   words      numbers with their units
//!   text       the summary on the terminal
//!   markdown   for issues and pull requests
//!   csv        the series and the percentiles, as tables
//!   hgrm hlog  histograms in the formats of HdrHistogram
//!   html plot  one page with plots
//!   read again  a report that was written before, and the subcommand that shows it
//!   compare    two runs, or two times several
//!   merge      several that ran at once, as one
//!   progress   what is told while the run goes on
//! ```
//!
//! Read [`start`] and [`finish`] first: a workload calls the one, fills the report, and its caller
//! calls the other.

mod again;
pub(crate) mod compare;
mod csv;
mod document;
#[cfg(test)]
mod fixture;
mod hgrm;
mod hlog;
mod html;
mod markdown;
pub(crate) mod merge;
mod plot;
mod progress;
mod random;
mod read;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod words;

pub(crate) use again::run as show;
pub(crate) use progress::{Moment, Progress};

use crate::args::OutputOptions;
use crate::environment;
use crate::failure::Failure;
use crate::interrupt;
use crate::model::{Report, SCHEMA, Verdict};
use crate::threshold;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

/// Room that a report may need.
const ROOM_MIN: u64 = 1 << 20;

/// A report of a run that begins now: who measures, how it was called, and where.
pub(crate) fn start(workload: &str, url: &str, seed: u64) -> Report {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut report = Report {
        schema: SCHEMA,
        wsload: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().collect(),
        seed,
        started_unix_ms: since_epoch.as_millis() as u64,
        workload: workload.to_owned(),
        url: url.to_owned(),
        io: String::from("io_uring"),
        environment: environment::collect(),
        ..Report::default()
    };
    report.health.valid = true;
    report
}

/// Holds a report against the thresholds and writes it in every form that was asked for.
///
/// # Errors
/// The environment's fault: a file cannot be written. The summary is written first.
pub(crate) fn finish(report: &mut Report, options: &OutputOptions) -> Result<Verdict, Failure> {
    note_interruption(report);
    threshold::apply(&options.thresholds, report);
    write(report, options)?;
    Ok(report.verdict)
}

/// A run that was interrupted is not met, whatever its figures are.
pub(crate) fn note_interruption(report: &mut Report) {
    if interrupt::is_asked() {
        let began = UNIX_EPOCH + Duration::from_millis(report.started_unix_ms);
        let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
        report.not_met(format!("interrupted after {seconds:.1} s: these are the figures until then"));
        // The first of the reasons.
        report.reasons.rotate_right(1);
    }
}

/// Finds out before the run whether its report can be written: afterwards it would be lost.
///
/// # Errors
/// The environment's fault: a file cannot be written.
pub(crate) fn check(options: &OutputOptions) -> Result<(), Failure> {
    let files = [&options.json, &options.html, &options.markdown, &options.hlog].map(Clone::clone);
    let csv = options.csv.as_deref().map(|prefix| beside(prefix, "series.csv"));
    let hgrm = options.hgrm.as_deref().map(|prefix| beside(prefix, "response.hgrm"));
    for path in files.into_iter().chain([csv, hgrm]).flatten().filter(|path| !is_stdout(path)) {
        try_file(&path).map_err(|cause| Failure::Report { path: path.clone(), cause })?;
    }
    Ok(())
}

/// Whether a file can be written, and there is room for it.
fn try_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // Whoever reads a pipe would take this for the end, and a device for something to do.
        Ok(found) if !found.is_file() && !found.is_dir() => return Ok(()),
        Ok(_) => drop(fs::OpenOptions::new().append(true).open(path)?),
        Err(_) => {
            fs::File::create_new(path)?;
            // What is there for the length of a run would be taken for its report.
            fs::remove_file(path)?;
        }
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let volume = rustix::fs::statvfs(folder)?;
    let is_full = volume.f_blocks > 0 && volume.f_bavail.saturating_mul(volume.f_frsize) < ROOM_MIN;
    if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// Writes a finished report.
///
/// # Errors
/// As [`finish`].
pub(crate) fn write(report: &Report, options: &OutputOptions) -> Result<(), Failure> {
    let summary = text::of(report);
    let files = [&options.json, &options.html, &options.markdown, &options.hlog];
    let is_stdout_taken = files.iter().any(|path| path.as_deref().is_some_and(is_stdout));
    // A reader that has gone away, as `head` does, is no reason to lose the files.
    let _ = if is_stdout_taken { write!(stderr(), "{summary}") } else { write!(stdout(), "{summary}") };
    if let Some(path) = &options.json {
        write_file(path, &(json(report) + "\n"))?;
    }
    if let Some(path) = &options.html {
        write_file(path, &html::of(report))?;
    }
    if let Some(path) = &options.markdown {
        write_file(path, &markdown::of(report))?;
    }
    if let Some(path) = &options.hlog {
        write_file(path, &whole(hlog::of(report))?)?;
    }
    if let Some(prefix) = &options.csv {
        write_file(&beside(prefix, "series.csv"), &csv::series(report))?;
        write_file(&beside(prefix, "percentiles.csv"), &whole(csv::percentiles(report))?)?;
    }
    if let Some(prefix) = &options.hgrm {
        for latency in report.latencies.iter().filter(|latency| latency.count > 0) {
            let name = latency.title().replace(", ", "-").replace(' ', "_");
            write_file(&beside(prefix, &format!("{name}.hgrm")), &whole(hgrm::of(latency))?)?;
        }
    }
    Ok(())
}

/// What was made of histograms that were read from a file.
fn whole(text: Result<String, String>) -> Result<String, Failure> {
    text.map_err(Failure::Damaged)
}

/// `PREFIX-name`.
fn beside(prefix: &Path, name: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push("-");
    path.push(name);
    path.into()
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has only keys that are texts")
}

/// Whether a path means standard output.
fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let written = if is_stdout(path) { stdout().write_all(text.as_bytes()) } else { fs::write(path, text) };
    written.map_err(|cause: io::Error| Failure::Report { path: path.to_owned(), cause })
}
