//! Whose cost is measured.

use clap::Args;
use std::path::PathBuf;

/// A server on this machine whose cost is measured along with a run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cost of the server")]
pub(crate) struct ServerOptions {
    /// Process of the server, on this machine: its memory and CPU time stand in the report, as does what
    /// the kernel keeps for the connections.
    #[arg(long, value_name = "PROCESS")]
    pub(crate) pid: Option<u32>,
    /// The same for a control group, such as that of a container: its folder, or its name below
    /// /sys/fs/cgroup.
    #[arg(long, value_name = "PATH", conflicts_with = "pid")]
    pub(crate) cgroup: Option<PathBuf>,
}
