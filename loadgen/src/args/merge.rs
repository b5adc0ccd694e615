//! `wsload merge`.

use super::OutputOptions;
use clap::Args;
use std::path::PathBuf;

/// Adds up reports of processes or hosts that ran at the same time, against the same server.
#[derive(Debug, Args)]
pub(crate) struct MergeOptions {
    /// Reports that --json wrote.
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
