//! Why a ring cannot be opened, said so that the reader can mend it.

use std::fmt;
use std::io;

/// Why [`Uring::open`](super::Uring::open) or [`probe`](super::probe) refused. The environment is at
/// fault in all but the last three; `Display` names the cause, what was found and what mends it, in a
/// few short lines.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `ENOSYS`: there is no such system call here.
    #[error("{}", Advice(&[
        "io_uring is not there: io_uring_setup answered ENOSYS (function not implemented)",
        &format!("found:  kernel {kernel}"),
        "cause:  a kernel built without CONFIG_IO_URING, a sandbox (gVisor), or a container whose",
        "        seccomp filter hides the call",
        CONTAINER[0],
        CONTAINER[1],
        "        or start it on a host with Linux 6.1 or newer that has io_uring",
    ]))]
    Absent {
        /// Release of the running kernel.
        kernel: String,
    },
    /// `EPERM` or `EACCES`: the host or the container forbids it.
    #[error("{}", forbidden(kernel, *disabled))]
    Forbidden {
        /// Release of the running kernel.
        kernel: String,
        /// The sysctl `kernel.io_uring_disabled`; `None` where the kernel has none (before 6.6).
        disabled: Option<u32>,
    },
    /// `ENOMEM`: the locked-memory limit of this user does not cover the queues.
    #[error("{}", Advice(&[
        &format!("there is not enough lockable memory for {what}: the kernel answered ENOMEM"),
        &format!("found:  ulimit -l is {}, shared by all rings of this user", kib(*limit)),
        &format!("needed: about {} per shard", kib(Some(*needed))),
        "mend:   ulimit -l unlimited               (in the shell that starts this program)",
        "        LimitMEMLOCK=infinity             (in its systemd unit)",
        "        docker run --ulimit memlock=-1    (for a container)",
        "        or fewer shards, or smaller queues",
    ]))]
    MemoryLocked {
        /// What was being set up.
        what: &'static str,
        /// `RLIMIT_MEMLOCK` in bytes; `None`: unlimited (then memory itself is short).
        limit: Option<u64>,
        /// What a ring of the wanted sizes takes, in bytes.
        needed: u64,
    },
    /// `EINVAL`: the kernel does not know a ring flag that cannot be done without.
    #[error("{}", too_old(kernel, "the ring flags SINGLE_ISSUER and DEFER_TASKRUN"))]
    KernelTooOld {
        /// Release of the running kernel.
        kernel: String,
    },
    /// The kernel lacks an operation or feature that cannot be done without.
    #[error("{}", too_old(kernel, missing))]
    Missing {
        /// Release of the running kernel.
        kernel: String,
        /// Name of the operation or feature.
        missing: &'static str,
    },
    /// `EMFILE`: more sockets were asked for than the descriptor limit allows one ring.
    #[error("{}", Advice(&[
        &format!("a table of {sockets} sockets was refused: the kernel answered EMFILE"),
        &format!("found:  ulimit -n is {limit}; one ring's table may be as large as that, and no larger"),
        &format!("mend:   ulimit -n {sockets}    (or LimitNOFILE= in the systemd unit)"),
        "        or fewer sockets per shard and more shards: each has a table of its own",
    ]))]
    TooManySockets {
        /// How many were asked for.
        sockets: u32,
        /// `RLIMIT_NOFILE`, soft.
        limit: u64,
    },
    /// `EMFILE`: the process has as many files open as it may.
    #[error("{}", Advice(&[
        &format!("no file descriptor is left for {what}: the kernel answered EMFILE"),
        &format!("found:  ulimit -n is {}; each shard opens some of its own", limit.unwrap_or(0)),
        "mend:   ulimit -n 1024    (or LimitNOFILE= in the systemd unit)",
        "        or fewer shards",
    ]))]
    TooManyFiles {
        /// What was being set up.
        what: &'static str,
        /// `RLIMIT_NOFILE`, soft; `None`: unlimited.
        limit: Option<u64>,
    },
    /// The configuration contradicts itself.
    #[error("this ring configuration cannot be: {reason}")]
    Config {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The mesh has no such shard, or it is taken: each index may open one ring.
    #[error("shard {shard} cannot join its mesh: the mesh has {shards} places, and each may be taken once")]
    Shard {
        /// The index given.
        shard: usize,
        /// How many shards the mesh was made for.
        shards: usize,
    },
    /// Something else failed.
    #[error("setting up the ring failed at {step}: {source}")]
    Other {
        /// What was being done.
        step: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
}

impl OpenError {
    /// Tells what `errno` means when it comes from io_uring_setup(2).
    pub(super) fn from_setup(error: io::Error, needed: u64) -> Self {
        let kernel = kernel_release();
        match error.raw_os_error() {
            Some(libc::ENOSYS) => Self::Absent { kernel },
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden { kernel, disabled: disabled_setting() },
            Some(libc::EINVAL) => Self::KernelTooOld { kernel },
            _ => Self::from_step("io_uring_setup", error, needed),
        }
    }

    /// Tells what `errno` means when it comes from a later `step`.
    pub(super) fn from_step(step: &'static str, error: io::Error, needed: u64) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOMEM) => Self::MemoryLocked { what: step, limit: memory_lock_limit(), needed },
            _ => Self::other(step, error),
        }
    }

    /// The same where no memory is locked.
    pub(super) fn other(step: &'static str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE) => {
                Self::TooManyFiles { what: step, limit: super::setup::soft_limit(libc::RLIMIT_NOFILE) }
            }
            _ => Self::Other { step, source: error },
        }
    }
}

const CONTAINER: [&str; 2] = [
    "mend:   docker run --security-opt seccomp=FILE    (Docker's default profile with io_uring_setup,",
    "        io_uring_enter and io_uring_register added to its allowed calls)",
];

/// Lines of advice, the first being the fault itself.
struct Advice<'a>(&'a [&'a str]);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n  "))
    }
}

fn forbidden(kernel: &str, disabled: Option<u32>) -> String {
    let fault = "io_uring is forbidden here: io_uring_setup answered EPERM (operation not permitted)";
    let Some(setting @ 1..) = disabled else {
        let found = match disabled {
            Some(setting) => {
                format!("found:  kernel {kernel}, kernel.io_uring_disabled = {setting} (not the cause)")
            }
            None => format!("found:  kernel {kernel}"),
        };
        let cause = "cause:  a seccomp filter, which containers have by default, or a security module";
        let systemd = "        systemd: take @io-uring out of the SystemCallFilter= of the unit";
        return Advice(&[fault, &found, cause, CONTAINER[0], CONTAINER[1], systemd]).to_string();
    };
    let found = format!("found:  kernel {kernel}, kernel.io_uring_disabled = {setting}");
    let cause = match setting {
        1 => "cause:  the setting lets only the group kernel.io_uring_group and CAP_SYS_ADMIN use it",
        _ => "cause:  the setting forbids it to everybody",
    };
    let mend = "mend:   sudo sysctl kernel.io_uring_disabled=0";
    let keep = "        (to keep it: a line kernel.io_uring_disabled=0 in /etc/sysctl.d/)";
    Advice(&[fault, &found, cause, mend, keep]).to_string()
}

fn too_old(kernel: &str, missing: &str) -> String {
    Advice(&[
        "this kernel is too old for the ring",
        &format!("found:  kernel {kernel}, without {missing}"),
        "needed: Linux 6.1 or newer (6.12 or newer is better)",
        "mend:   uname -r shows what runs; upgrade the host's kernel (a container uses its host's)",
    ])
    .to_string()
}

fn kib(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{} KiB", bytes.div_ceil(1024)))
}

pub(super) fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "of unknown release".to_owned(), |release| release.trim().to_owned())
}

fn disabled_setting() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

fn memory_lock_limit() -> Option<u64> {
    super::setup::soft_limit(libc::RLIMIT_MEMLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text fits on a screen and holds the words a reader would search for.
    #[test]
    fn each_refusal_names_cause_and_remedy() {
        let kernel = || "5.15.0".to_owned();
        let errno = |code| OpenError::from_setup(io::Error::from_raw_os_error(code), 1 << 20);
        let cases: [(OpenError, &[&str]); 9] = [
            (errno(libc::ENOSYS), &["ENOSYS", "found:", "seccomp=FILE"]),
            (errno(libc::EINVAL), &["too old", "6.1", "upgrade"]),
            (errno(libc::ENOMEM), &["ENOMEM", "ulimit -l", "LimitMEMLOCK", "1024 KiB"]),
            (
                OpenError::Forbidden { kernel: kernel(), disabled: Some(2) },
                &["EPERM", "io_uring_disabled = 2", "everybody", "sysctl kernel.io_uring_disabled=0"],
            ),
            (
                OpenError::Forbidden { kernel: kernel(), disabled: Some(1) },
                &["io_uring_disabled = 1", "kernel.io_uring_group"],
            ),
            (OpenError::Forbidden { kernel: kernel(), disabled: Some(0) }, &["not the cause", "seccomp"]),
            (
                OpenError::Missing { kernel: kernel(), missing: "IORING_OP_SOCKET" },
                &["5.15.0", "IORING_OP_SOCKET"],
            ),
            (errno(libc::EMFILE), &["io_uring_setup", "EMFILE", "ulimit -n"]),
            (OpenError::TooManySockets { sockets: 50_000, limit: 20_000 }, &["20000", "ulimit -n 50000"]),
        ];
        for (error, words) in cases {
            let text = error.to_string();
            assert!(text.lines().count() <= 12, "too long:\n{text}");
            assert!(text.lines().all(|line| line.len() <= 100), "too wide:\n{text}");
            for word in words {
                assert!(text.contains(word), "no {word:?} in:\n{text}");
            }
        }
    }
}
