//! The built server as a process of its own.

use crate::binary::wsring;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A server's process; killed when it goes out of scope.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Serves on a free port of loopback, allowed to open this many files (which bounds its tables).
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve(files_max: u32, arguments: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {files_max} && exec \"$@\""), "sh"])
            .arg(wsring())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = address_in(&mut log);
        // Read on, so that the server never waits for its log to be read.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends it a signal, named as `kill` names it: `TERM`, `INT`.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, name: &str) {
        // The shell's own, since not every machine has the program.
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().expect("a shell").success(), "{command}");
    }

    /// Whether it has ended, and how.
    ///
    /// # Panics
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Memory that is its alone and was written to (proc_pid_smaps(5)).
    ///
    /// # Panics
    /// When it is gone.
    pub fn private_bytes(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        1024 * kibibytes.expect("smaps_rollup tells Private_Dirty")
    }

    /// Processor time so far, all threads together.
    ///
    /// # Panics
    /// When it is gone.
    pub fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        // The name, in brackets, may hold anything; utime and stime are fields 14 and 15 (proc_pid_stat(5)).
        let fields = text.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
        let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 1000 / CLOCK_TICKS_PER_SECOND)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// USER_HZ, which is 100 on every architecture that Linux still has.
const CLOCK_TICKS_PER_SECOND: u64 = 100;

/// The address in the line that says where it serves.
fn address_in(log: &mut Lines<BufReader<ChildStderr>>) -> SocketAddr {
    let mut said = String::new();
    for line in log {
        let line = line.expect("the log is text");
        if let Some((_, rest)) = line.split_once("http://") {
            let address = rest.split('/').next().unwrap_or_default();
            return address.parse().unwrap_or_else(|_| panic!("no address in {line}"));
        }
        said.push_str(&line);
        said.push('\n');
    }
    panic!("it ended before it served:\n{said}")
}
