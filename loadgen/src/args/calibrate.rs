//! `wsload calibrate`.

use clap::Args;
use std::path::PathBuf;

/// Runs a load of `echo` against a null server, the leanest echo there is, on this machine: what comes back is what
/// this generator can do at most, and what reports compare themselves with. With --shards and --pin the server is
/// given the cores that the generator leaves.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, override_usage = "wsload calibrate [--out FILE] [OPTIONS OF ECHO]")]
pub(crate) struct CalibrateOptions {
    /// Keep the result in this file instead of the user's cache folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The load: options of `wsload echo`, without the URL.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS OF ECHO")]
    pub(crate) echo: Vec<String>,
}

/// The server for it, as a process of its own.
#[derive(Debug, Args)]
pub(crate) struct NullServerOptions {
    /// Shards.
    #[arg(long, default_value_t = 1)]
    pub(crate) shards: usize,
    /// Core of the first.
    #[arg(long)]
    pub(crate) pin: Option<usize>,
}
