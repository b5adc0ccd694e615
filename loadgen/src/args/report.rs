//! `wsload report`.

use super::OutputOptions;
use clap::Args;
use std::path::PathBuf;

/// Shows reports that `--json` wrote, and writes one of them in any other form.
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Reports; with more than one, only their summaries are shown.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
