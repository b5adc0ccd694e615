//! `wsload compare`.

use crate::threshold::Change;
use clap::Args;
use std::path::PathBuf;

/// Compares two runs, or two folders of runs that repeat each other.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// A report, or a folder whose .json files are repetitions of one run.
    pub(crate) before: PathBuf,
    /// What it is compared with: the same.
    pub(crate) after: PathBuf,
    /// By how much what was measured may change, as p99<+5% or rate>-3%; may be given again. One that is not met
    /// makes the exit code 3. When none is given: p50<+5%, p99<+5%, rate>-5%.
    #[arg(long = "threshold", value_name = "EXPR")]
    pub(crate) thresholds: Vec<Change>,
    /// Also fail where too little was measured to tell whether there is a change at all.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Compare although the runs do not do the same.
    #[arg(long)]
    pub(crate) anyway: bool,
    /// Write the comparison as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write one page with plots, which needs nothing beside it. FILE may be - here too; the summary then goes to
    /// standard error.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the comparison as Markdown, for a pull request.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}
