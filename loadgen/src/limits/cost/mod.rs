//! What a run costs a server on this machine: `--pid` or `--cgroup`.
//!
//! [`Watch`] reads the server's account a few times a second while a workload runs, which knows nothing of it, and
//! writes what it saw into the report: by the phases and intervals that stand there.

mod account;
mod reading;
mod slope;
mod steps;

pub(crate) use steps::{Steps, steps};

use crate::args::ServerOptions;
use crate::clock::unix_seconds;
use crate::failure::Failure;
use crate::limits::host::{Host, folders, group_in};
use crate::model::Report;
use account::Account;
use reading::{Look, Subject};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two readings: a few for each interval of a report.
const EVERY: Duration = Duration::from_millis(250);

/// Runs a workload, and writes into its report what it cost the server that the options name.
///
/// # Errors
/// The caller's fault: there is no such process or control group. And those of the run.
pub(crate) fn measured(
    options: &ServerOptions,
    run: impl FnOnce() -> Result<Report, Failure>,
) -> Result<Report, Failure> {
    let watch = Watch::start(options)?;
    let mut report = run()?;
    if let Some(watch) = watch {
        watch.finish(&mut report);
    }
    Ok(report)
}

/// A thread that reads the account.
#[derive(Debug)]
struct Watch {
    /// Dropped to end it.
    stop: Sender<()>,
    thread: JoinHandle<Account>,
}

impl Watch {
    /// Begins to read, where a server is named.
    ///
    /// # Errors
    /// The caller's fault: there is no such process or control group.
    fn start(options: &ServerOptions) -> Result<Option<Self>, Failure> {
        let Some((subject, who)) = subject(&Host::this(), options)? else { return Ok(None) };
        let (stop, stopped) = channel::<()>();
        let host = Host::this();
        // Before the run begins, however long that takes.
        let mut account =
            Account::begin(who, subject.read(&host, Look::Quick).unwrap_or_default(), unix_seconds());
        let thread = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                account.note(unix_seconds(), subject.read(&host, Look::Quick));
            }
            account
        });
        Ok(Some(Self { stop, thread }))
    }

    /// Ends it, and writes what it saw into the report of the run.
    fn finish(self, report: &mut Report) {
        drop(self.stop);
        match self.thread.join() {
            Ok(account) => account.fill(report),
            Err(_) => report.warnings.push("the server's account could not be read".into()),
        }
    }
}

/// Which account, and what it is called.
///
/// # Errors
/// As [`Watch::start`].
fn subject(host: &Host, options: &ServerOptions) -> Result<Option<(Subject, String)>, Failure> {
    let wrong = |cause: String| Err(Failure::Usage(cause));
    if let Some(number) = options.pid {
        let subject = Subject::Process(number);
        if subject.read(host, Look::Quick).is_none() {
            return wrong(format!("--pid {number}: no such process runs on this machine"));
        }
        let name = host.word(&format!("proc/{number}/comm")).unwrap_or_default();
        return Ok(Some((subject, format!("process {number} ({name})"))));
    }
    let Some(path) = &options.cgroup else { return Ok(None) };
    let folder = group_folders(host, path)
        .into_iter()
        .find(|folder| Subject::Group(folder.clone()).read(host, Look::Quick).is_some());
    match folder {
        Some(folder) => Ok(Some((Subject::Group(folder), format!("control group {}", path.display())))),
        None => wrong(format!(
            "--cgroup {}: no such control group; give its folder, or its name below /sys/fs/cgroup",
            path.display()
        )),
    }
}

/// Where the files of a control group may be: its folder, or its name in either version.
fn group_folders(host: &Host, path: &Path) -> Vec<String> {
    let path = path.to_string_lossy();
    let version = host.text("proc/self/cgroup").and_then(|text| group_in(&text, "memory"));
    let named = version.map(|(version, _)| folders(version, "memory", &path)[0].clone());
    let below = format!("/sys/fs/cgroup/{}", path.trim_start_matches('/'));
    [path.into_owned(), below].into_iter().chain(named).collect()
}
