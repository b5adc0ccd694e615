//! What a ring is made with: its sizes, its flags, and what the kernel must offer.

#![expect(unsafe_code, reason = "getrlimit")]

use super::error::{OpenError, kernel_release};
use io_uring::{IoUring, Probe, opcode};
use std::io;

/// Sizes of one shard's ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Requests that one system call can submit; rounded up to a power of two, at most 32,768.
    pub submission_entries: u32,
    /// Completions that can wait; rounded up to a power of two, at most 65,536. Halved as often as
    /// needed when the locked-memory limit refuses it.
    pub completion_entries: u32,
    /// Receive buffers: a power of two, at most 32,768. They are for the bytes that arrive between
    /// two turns, not one per connection.
    pub buffers: u16,
    /// Bytes of each.
    pub buffer_bytes: u32,
    /// Sockets at once; at most the descriptor limit of the process, which applies to each ring by
    /// itself.
    pub sockets_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        let limit = soft_limit(libc::RLIMIT_NOFILE).unwrap_or(u64::MAX);
        Self {
            submission_entries: 2048,
            completion_entries: 16_384,
            buffers: 512,
            buffer_bytes: 16_384,
            sockets_max: limit.min(SOCKETS_MAX.into()) as u32,
        }
    }
}

/// The largest descriptor table that the kernel makes (`IORING_MAX_FIXED_FILES`).
const SOCKETS_MAX: u32 = 1 << 20;
const SUBMISSION_ENTRIES_MAX: u32 = 32_768;
const COMPLETION_ENTRIES_MAX: u32 = 65_536;
const COMPLETION_ENTRIES_MIN: u32 = 1024;
const BUFFERS_MAX: u16 = 32_768;
const BUFFER_BYTES_MAX: u32 = 1 << 20;

impl Config {
    /// Refuses sizes that cannot be.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        let refuse = |reason| Err(OpenError::Config { reason });
        if !(1..=SUBMISSION_ENTRIES_MAX).contains(&self.submission_entries) {
            return refuse("submission_entries must be 1 to 32768");
        }
        if !(self.submission_entries..=COMPLETION_ENTRIES_MAX).contains(&self.completion_entries) {
            return refuse("completion_entries must be submission_entries to 65536");
        }
        if !self.buffers.is_power_of_two() || self.buffers > BUFFERS_MAX {
            return refuse("buffers must be a power of two, at most 32768");
        }
        if !(1..=BUFFER_BYTES_MAX).contains(&self.buffer_bytes) {
            return refuse("buffer_bytes must be 1 to 1048576");
        }
        if !(1..=SOCKETS_MAX).contains(&self.sockets_max) {
            return refuse("sockets_max must be 1 to 1048576");
        }
        Ok(())
    }

    /// Bytes that the kernel charges to the locked-memory limit: 64 for each submission, 16 for each
    /// completion, and the entries of the buffer ring.
    pub(super) fn locked_bytes(&self) -> u64 {
        let queues = u64::from(self.submission_entries.next_power_of_two()) * 64
            + u64::from(self.completion_entries.next_power_of_two()) * 16;
        queues + u64::from(self.buffers) * 16 + 4096
    }
}

/// What the running kernel offers, of the things that the ring can do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// `IORING_SETUP_NO_SQARRAY` (6.6): submissions are found without an index array.
    pub no_index_array: bool,
    /// Bind and socket options as ring operations (6.11). Without them, outgoing connections are set
    /// up with ordinary system calls.
    pub socket_operations: bool,
    /// A process descriptor for a direct one (6.8), with which a connection is half closed and its
    /// peer's address found out.
    pub half_close: bool,
}

/// Checks that this process may open a ring and that the kernel has everything needed, by opening a
/// small one.
///
/// # Errors
/// The first thing that is missing; see [`OpenError`].
pub fn probe() -> Result<Capabilities, OpenError> {
    let config = Config { submission_entries: 8, completion_entries: 16, ..Config::default() };
    build(&config).map(|(_, capabilities)| capabilities)
}

/// Opens a ring of this thread, with a descriptor table but without buffers; `config` is checked.
pub(super) fn open(config: &Config) -> Result<(IoUring, Capabilities), OpenError> {
    let (uring, capabilities) = build(config)?;
    let needed = config.locked_bytes();
    uring.submitter().register_files_sparse(config.sockets_max).map_err(|error| {
        match (error.raw_os_error(), soft_limit(libc::RLIMIT_NOFILE)) {
            (Some(libc::EMFILE), Some(limit)) => {
                OpenError::TooManySockets { sockets: config.sockets_max, limit }
            }
            _ => OpenError::from_step("the table of sockets", error, needed),
        }
    })?;
    // Nothing here should ever need a kernel worker; should one be wanted, one of each kind will do.
    // A kernel that refuses the bound only lacks the bound.
    let _ = uring.submitter().register_iowq_max_workers(&mut [1, 1]);
    Ok((uring, capabilities))
}

fn build(config: &Config) -> Result<(IoUring, Capabilities), OpenError> {
    let mut completions = config.completion_entries;
    let mut no_index_array = true;
    let uring = loop {
        let floor = config.submission_entries.max(COMPLETION_ENTRIES_MIN);
        match build_with(config.submission_entries, completions, no_index_array) {
            Ok(uring) => break uring,
            Err(error) => match error.raw_os_error() {
                Some(libc::EINVAL) if no_index_array => no_index_array = false,
                Some(libc::ENOMEM) if completions / 2 >= floor => completions /= 2,
                _ => return Err(OpenError::from_setup(error, config.locked_bytes())),
            },
        }
    };
    let (socket_operations, half_close) = check_operations(&uring)?;
    let kernel = kernel_release();
    Ok((uring, Capabilities { kernel, no_index_array, socket_operations, half_close }))
}

/// The flags of DEFER_TASKRUN rings: one thread submits, and completions are made only while that
/// thread is inside io_uring_enter, so that nothing interrupts it and batches form.
fn build_with(submissions: u32, completions: u32, no_index_array: bool) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        // Tells in shared memory that deferred work waits, which saves enters that find none.
        .setup_taskrun_flag()
        // One refused request does not hold up those behind it.
        .setup_submit_all()
        .setup_cqsize(completions);
    if no_index_array {
        builder.setup_no_sqarray();
    }
    builder.build(submissions)
}

/// Operations that are needed. All are older than the ring flags; a kernel may have been built
/// without some, or an administrator may restrict them.
const OPERATIONS: [(u8, &str); 10] = [
    (opcode::AcceptMulti::CODE, "IORING_OP_ACCEPT"),
    (opcode::RecvMulti::CODE, "IORING_OP_RECV"),
    (opcode::Send::CODE, "IORING_OP_SEND"),
    (opcode::Close::CODE, "IORING_OP_CLOSE"),
    (opcode::AsyncCancel2::CODE, "IORING_OP_ASYNC_CANCEL"),
    (opcode::PollAdd::CODE, "IORING_OP_POLL_ADD"),
    (opcode::Socket::CODE, "IORING_OP_SOCKET"),
    (opcode::Connect::CODE, "IORING_OP_CONNECT"),
    (opcode::FilesUpdate::CODE, "IORING_OP_FILES_UPDATE"),
    (opcode::MsgRingSendFd::CODE, "IORING_OP_MSG_RING"),
];

/// Refuses a kernel without a needed operation; tells whether the optional ones are there.
fn check_operations(uring: &IoUring) -> Result<(bool, bool), OpenError> {
    let missing = |missing| Err(OpenError::Missing { kernel: kernel_release(), missing });
    let parameters = uring.params();
    if !parameters.is_feature_ext_arg() {
        return missing("IORING_FEAT_EXT_ARG");
    }
    if !parameters.is_feature_nodrop() {
        return missing("IORING_FEAT_NODROP");
    }
    if !parameters.is_feature_skip_cqe_on_success() {
        return missing("IORING_FEAT_CQE_SKIP");
    }
    let mut probe = Probe::new();
    uring
        .submitter()
        .register_probe(&mut probe)
        .map_err(|source| OpenError::Other { step: "the probe of its operations", source })?;
    if let Some((_, name)) = OPERATIONS.iter().find(|(code, _)| !probe.is_supported(*code)) {
        return missing(name);
    }
    // Bind came with 6.11, when socket options (6.7), which cannot be probed, were already there.
    let half_close = probe.is_supported(opcode::FixedFdInstall::CODE);
    Ok((probe.is_supported(opcode::Bind::CODE), half_close))
}

/// The soft limit of a resource of this process; `None` when unlimited.
pub(super) fn soft_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable rlimit; the resource is one of libc's constants.
    let failed = unsafe { libc::getrlimit(resource, &raw mut limit) } != 0;
    (!failed && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}
