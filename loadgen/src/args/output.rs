//! Where a report goes, and what it has to meet.

use crate::threshold::Threshold;
use clap::Args;
use std::path::PathBuf;

/// Outputs of a report. FILE may be - for standard output; the summary then goes to standard error.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct OutputOptions {
    /// Write everything, as JSON; `wsload report`, `compare` and `merge` read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write one page with plots, which needs nothing beside it.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write tables for a pull request or an issue.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write PREFIX-series.csv and PREFIX-percentiles.csv.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the percentiles of each latency to PREFIX-NAME.hgrm, in microseconds, as HdrHistogram's plotter reads
    /// them.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write all histograms, interval by interval, as a V2 interval log of HdrHistogram.
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
    /// A requirement such as p99<10ms, service.p50<=200us, rate>=50k, error_rate<0.1% or unanswered==0; may be
    /// given again. One that is not met makes the exit code 3.
    #[arg(long = "threshold", value_name = "EXPR")]
    pub(crate) thresholds: Vec<Threshold>,
    /// Say nothing while it runs.
    #[arg(long)]
    pub(crate) no_progress: bool,
}

impl OutputOptions {
    /// Whether a report is to be written, or held against something.
    pub(crate) fn ask_for_a_report(&self) -> bool {
        let Self { json, html, markdown, csv, hgrm, hlog, thresholds, no_progress: _ } = self;
        let files = [json, html, markdown, csv, hgrm, hlog];
        files.iter().any(|file| file.is_some()) || !thresholds.is_empty()
    }
}
