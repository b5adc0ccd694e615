//! What the kernel's accounts say: CPU time of a process, use of a core, the host.

use std::fs;
use std::io;

/// `USER_HZ`, the unit of `/proc/stat` and `/proc/PID/stat` in userland on every Linux architecture.
const TICK_NANOSECONDS: u64 = 10_000_000;

/// Nanoseconds of CPU, user and system together, that all threads of a process have used so far,
/// kernel workers on its behalf included: the first field of each `/proc/PID/task/TID/schedstat`, or
/// the ticks of `/proc/PID/stat` where the kernel has no schedstat. Threads that ended are not in it.
///
/// # Errors
/// The process is gone or may not be looked at.
pub fn cpu_nanoseconds(pid: u32) -> io::Result<u64> {
    if fs::exists(format!("/proc/{pid}/schedstat"))? {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            match fs::read_to_string(task?.path().join("schedstat")) {
                Ok(account) => sum += field(&account, 0)?,
                // The thread has ended since the folder was read.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
                Err(error) => return Err(error),
            }
        }
        return Ok(sum);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field after it.
    let (_, after_name) = stat.rsplit_once(')').ok_or_else(|| malformed(&stat))?;
    Ok((field(after_name, 11)? + field(after_name, 12)?) * TICK_NANOSECONDS)
}

/// As [`cpu_nanoseconds`], without one of the threads.
///
/// # Errors
/// The process is gone; the kernel has no schedstat.
pub fn cpu_nanoseconds_of_others(pid: u32, thread: u32) -> io::Result<u64> {
    let own = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"))?;
    Ok(cpu_nanoseconds(pid)?.saturating_sub(field(&own, 0)?))
}

/// Memory of a process that is its alone and was written to (`proc_pid_smaps(5)`), in bytes.
///
/// # Errors
/// The process is gone.
pub fn private_bytes(pid: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    line.map_or_else(|| Err(malformed(&rollup)), |line| Ok(1024 * field(line, 0)?))
}

/// How many threads a process has.
///
/// # Errors
/// The process is gone.
pub fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// Time of one core since boot, in nanoseconds of 10 ms resolution.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoreTimes {
    /// Spent on anything but idling: user, nice, system, interrupts.
    pub busy: u64,
    /// Taken by the hypervisor while the core had work.
    pub steal: u64,
}

impl CoreTimes {
    /// Reads the core's line of `/proc/stat` (proc_stat(5)).
    ///
    /// # Errors
    /// There is no such core.
    pub fn read(core: usize) -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let name = format!("cpu{core} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name)).ok_or_else(|| malformed(&name))?;
        let ticks = |index| Ok::<_, io::Error>(field(line, index)? * TICK_NANOSECONDS);
        let busy = ticks(0)? + ticks(1)? + ticks(2)? + ticks(5)? + ticks(6)?;
        Ok(Self { busy, steal: ticks(7)? })
    }

    /// What has been added since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { busy: self.busy.saturating_sub(earlier.busy), steal: self.steal.saturating_sub(earlier.steal) }
    }
}

/// Ties the calling thread, and those it starts later, to one core.
///
/// # Errors
/// There is no such core, or this process may not use it.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// The kernel's release.
pub fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// The model of the processor, as `/proc/cpuinfo` names it.
pub fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn field(line: &str, index: usize) -> io::Result<u64> {
    line.split_whitespace().nth(index).and_then(|word| word.parse().ok()).ok_or_else(|| malformed(line))
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("proc(5) does not look like this: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_busy_process_is_accounted() {
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let before = cpu_nanoseconds(busy.id()).unwrap();
        // On a crowded machine it may take a while until the process gets its share.
        let used = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            Some(cpu_nanoseconds(busy.id()).unwrap() - before).filter(|&used| used > 10_000_000)
        });
        let threads = threads(busy.id()).unwrap();
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(used.is_some(), "nothing accounted in five seconds of work");
        assert_eq!(threads, 1);
        assert!(cpu_nanoseconds(busy.id()).is_err(), "it is gone");
    }

    #[test]
    fn a_core_that_is_not_there_is_an_error() {
        CoreTimes::read(0).unwrap();
        assert!(CoreTimes::read(1 << 20).is_err());
    }
}
