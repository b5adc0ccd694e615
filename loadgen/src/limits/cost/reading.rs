//! What a server on this machine has used up to a moment, as the kernel accounts it.

use crate::limits::host::{Host, kibibytes};

/// Whose account is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One process with all its threads.
    Process(u32),
    /// A control group with all its processes, by the folder of its files.
    Group(String),
}

/// The account at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Nanoseconds of CPU time so far.
    pub(crate) cpu: u64,
    /// Bytes of user memory that are present.
    pub(crate) resident: u64,
    /// The most that was ever present; 0 where that is not known.
    pub(crate) peak: u64,
    /// What is present with shared pages divided among those who share them; `None` where that may not be read.
    pub(crate) proportional: Option<u64>,
    /// Bytes of kernel memory: of the control group where that is the subject and the kernel says it, else of the whole
    /// machine, with the generator's end of each connection where it runs here too.
    pub(crate) kernel: u64,
    /// Whether `kernel` is of the whole machine.
    pub(crate) is_kernel_shared: bool,
}

/// The kernel makes the inode and the name of a socket in caches that it can shrink, which are not in `SUnreclaim`:
/// the sizes of both on Linux 6.18 (x86-64). slabinfo(5) would tell, but to read it takes the kernel long.
const SHRINKABLE: u64 = 863 + 196;
const PAGE: u64 = 4096;

/// How closely memory is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At counters that the kernel keeps anyhow; `proportional` is left out.
    Quick,
    /// Page by page, during which a large process may have to wait.
    Close,
}

impl Subject {
    /// Reads the account; `None` when there is no such process or group (any more).
    pub(crate) fn read(&self, host: &Host, look: Look) -> Option<Reading> {
        match self {
            Self::Process(number) => Some(Reading {
                kernel: machine_kernel(host),
                is_kernel_shared: true,
                ..process(host, *number, look)?
            }),
            Self::Group(folder) => group(host, folder, look),
        }
    }
}

fn process(host: &Host, number: u32, look: Look) -> Option<Reading> {
    let folder = format!("proc/{number}");
    let status = host.text(&format!("{folder}/status"))?;
    let rollup = match look {
        Look::Quick => String::new(),
        Look::Close => host.text(&format!("{folder}/smaps_rollup")).unwrap_or_default(),
    };
    // A kernel thread, or a process that has ended and waits to be asked how, has no memory.
    let resident = kibibytes(&rollup, "Rss").or_else(|| kibibytes(&status, "VmRSS")).unwrap_or(0);
    let proportional = kibibytes(&rollup, "Pss");
    let peak = kibibytes(&status, "VmHWM").unwrap_or(0);
    let cpu = threads_cpu(host, &folder).max(ticks_cpu(host, &folder)?);
    Some(Reading { cpu, resident, peak, proportional, ..Reading::default() })
}

/// Of all threads that live, to the nanosecond.
fn threads_cpu(host: &Host, folder: &str) -> u64 {
    let of = |thread: &String| {
        let account = host.text(&format!("{folder}/task/{thread}/schedstat"))?;
        account.split_whitespace().next()?.parse::<u64>().ok()
    };
    host.names(&format!("{folder}/task")).iter().filter_map(of).sum()
}

/// Of all threads that there have been, to a hundredth of a second: fields 14 and 15 of proc_pid_stat(5), behind the
/// name in brackets, which may hold anything.
fn ticks_cpu(host: &Host, folder: &str) -> Option<u64> {
    const NANOSECONDS_PER_TICK: u64 = 10_000_000;
    let text = host.text(&format!("{folder}/stat"))?;
    let fields = text.rsplit_once(')')?.1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks * NANOSECONDS_PER_TICK)
}

fn group(host: &Host, folder: &str, look: Look) -> Option<Reading> {
    let number = |file: &str| host.word(&format!("{folder}/{file}"))?.parse::<u64>().ok();
    let text = |file: &str| host.text(&format!("{folder}/{file}")).unwrap_or_default();
    let members = members(host, folder)?;
    let (mut resident, mut peak, mut cpu, mut proportional) = (0, 0, 0, Some(0));
    for reading in members.into_iter().filter_map(|member| process(host, member, look)) {
        resident += reading.resident;
        peak += reading.peak;
        cpu += reading.cpu;
        proportional = proportional.zip(reading.proportional).map(|(sum, more)| sum + more);
    }
    // Version 2 in microseconds, version 1 in nanoseconds; where neither controller is on, the members' sum.
    let microseconds = word_after(&text("cpu.stat"), "usage_usec").map(|count| count * 1000);
    let cpu = microseconds.or_else(|| number("cpuacct.usage")).unwrap_or(cpu);
    let kernel = word_after(&text("memory.stat"), "kernel")
        .map(|kernel| kernel + word_after(&text("memory.stat"), "sock").unwrap_or(0));
    Some(Reading {
        cpu,
        resident,
        peak,
        proportional,
        kernel: kernel.unwrap_or_else(|| machine_kernel(host)),
        is_kernel_shared: kernel.is_none(),
    })
}

/// Processes of a group and of all groups below it, as its other files count them: cgroups(7).
fn members(host: &Host, folder: &str) -> Option<Vec<u32>> {
    let own = host.text(&format!("{folder}/cgroup.procs"))?;
    let below = host.folders(folder).into_iter();
    let below = below.filter_map(|name| members(host, &format!("{folder}/{name}"))).flatten();
    Some(own.lines().filter_map(|line| line.parse().ok()).chain(below).collect())
}

/// Kernel memory of the machine that sockets make grow: caches that cannot be shrunk, the sockets' part of those that
/// can, and the buffers of TCP.
fn machine_kernel(host: &Host) -> u64 {
    let sockets = host.text("proc/net/sockstat").unwrap_or_default();
    let counts = sockets.lines().find_map(|line| line.strip_prefix("TCP: ")).unwrap_or_default();
    let (count, pages) = (pair(counts, "alloc").unwrap_or(0), pair(counts, "mem").unwrap_or(0));
    host.memory("SUnreclaim").unwrap_or(0) + count * SHRINKABLE + pages * PAGE
}

/// The number on the line that begins with a word.
fn word_after(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

/// The number behind a word in a line of words and numbers.
fn pair(line: &str, word: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    words.find(|found| *found == word)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::fake::Fake;

    const MACHINE: [(&str, &str); 2] = [
        ("proc/meminfo", "Slab:  900 kB\nSUnreclaim:  100 kB\n"),
        ("proc/net/sockstat", "sockets: used 16\nTCP: inuse 1 orphan 0 tw 616 alloc 10 mem 3\n"),
    ];
    /// 100 KiB, ten sockets of 863 + 196 B, three pages.
    const MACHINE_KERNEL: u64 = 102_400 + 10 * (863 + 196) + 3 * 4096;

    const PROCESS: [(&str, &str); 5] = [
        ("proc/7/status", "Name:\ta b\nVmHWM:\t 30 kB\nVmRSS:\t 20 kB\n"),
        ("proc/7/smaps_rollup", "5000-7000 ---p [rollup]\nRss:  21 kB\nPss:  11 kB\nPss_Dirty:  5 kB\n"),
        ("proc/7/stat", "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 12 34 0 0 20 0 2 0 100 0 0"),
        ("proc/7/task/7/schedstat", "400000000 5 6\n"),
        ("proc/7/task/8/schedstat", "70000000 5 6\n"),
    ];

    fn check(files: &[(&str, &str)], without: &[&str], subject: &Subject, expected: Option<Reading>) {
        let fake = Fake::with(files);
        without.iter().for_each(|path| fake.remove(path));
        assert_eq!(subject.read(&fake.host(), Look::Close), expected, "{subject:?} without {without:?}");
    }

    #[test]
    fn processes() {
        let files = [&MACHINE[..], &PROCESS].concat();
        let found = Reading {
            cpu: 470_000_000,
            resident: 21 * 1024,
            peak: 30 * 1024,
            proportional: Some(11 * 1024),
            kernel: MACHINE_KERNEL,
            is_kernel_shared: true,
        };
        let process = Subject::Process(7);
        check(&files, &[], &process, Some(found));
        check(&files, &[], &Subject::Process(8), None);
        let quick = Reading { resident: 20 * 1024, proportional: None, ..found };
        assert_eq!(process.read(&Fake::with(&files).host(), Look::Quick), Some(quick));
        // Another user's: its maps may not be read. And a thread has ended, so that the ticks know more.
        let less = Reading { cpu: 460_000_000, resident: 20 * 1024, proportional: None, ..found };
        check(&files, &["proc/7/smaps_rollup", "proc/7/task/7/schedstat"], &process, Some(less));
    }

    #[test]
    fn groups() {
        let group = |file: &str| format!("sys/fs/cgroup/a/{file}");
        let (members, stat, cpu) = (group("cgroup.procs"), group("memory.stat"), group("cpu.stat"));
        let mut files = [&MACHINE[..], &PROCESS].concat();
        files.extend([
            (&*members, "7\n9\n"),
            (&*stat, "anon 1\nkernel 300000\nkernel_stack 4\nsock 4096\n"),
            (&*cpu, "usage_usec 480000\nuser_usec 1\n"),
        ]);
        let found = Reading {
            cpu: 480_000_000,
            resident: 21 * 1024,
            peak: 30 * 1024,
            proportional: Some(11 * 1024),
            kernel: 304_096,
            is_kernel_shared: false,
        };
        let subject = Subject::Group("sys/fs/cgroup/a".into());
        check(&files, &[], &subject, Some(found));
        let less = Reading { cpu: 470_000_000, kernel: MACHINE_KERNEL, is_kernel_shared: true, ..found };
        check(&files, &[&cpu, &stat], &subject, Some(less));
        check(&files, &[&members], &subject, None);
        // A group's files count all below it; who is in those, only their own do.
        let (below, deep) = (group("b.service/cgroup.procs"), group("c.slice/d/cgroup.procs"));
        let between = group("c.slice/cgroup.procs");
        files.retain(|(path, _)| *path != members);
        files.extend([(&*members, ""), (&*below, "9\n"), (&*between, ""), (&*deep, "7\n")]);
        check(&files, &[], &subject, Some(found));
    }
}
