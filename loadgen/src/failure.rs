//! Why there is no result at all.

use std::path::PathBuf;
use thiserror::Error;

/// A run that did not take place. Each text is one line that names the cause and, where there is one,
/// the remedy.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The first connection, which is opened alone, was not opened.
    #[error("cannot open {url}: {cause}")]
    Open {
        /// To what.
        url: String,
        /// Why not.
        cause: String,
    },
    /// The engine did not start, or was lost.
    #[error(transparent)]
    Engine(#[from] wsring::Error),
    /// A process that publishes and one that subscribes did not come together, or did not stay so.
    #[error("{address}: {cause}")]
    Apart {
        /// Where the one listens for the other.
        address: String,
        /// Why not.
        cause: String,
    },
    /// There was nothing to calibrate with.
    #[error("the null server to calibrate with gave no result: {cause}")]
    NullServer {
        /// Why not.
        cause: String,
    },
    /// The ceiling of the generator could not be read or kept.
    #[error("the ceiling in {}: {cause}", path.display())]
    Ceiling {
        /// In which file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// A signal came before the first connection was open.
    #[error("interrupted before there was anything to report")]
    Interrupted,
    /// Signals cannot be waited for.
    #[error("cannot wait for Ctrl-C: {0}")]
    Signals(std::io::Error),
    /// A shard that should long be done is not.
    #[error("a shard of the generator does not come to an end: is this machine overloaded?")]
    Stuck,
    /// A report could not be read.
    #[error("cannot read the report {}: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// A report that was read is not whole.
    #[error("{0}")]
    Damaged(String),
    /// The report could not be written.
    #[error("cannot write the report to {}: {cause}", path.display())]
    Report {
        /// Where to.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
}

impl Failure {
    /// 2 for a mistake on the command line, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
