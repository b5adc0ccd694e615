//! What the kernel says about this machine, read from files below a root that tests can replace.

use std::fs;
use std::path::{Path, PathBuf};

/// A limit without a bound.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// Bits of capabilities(7), as `CapEff` in proc_pid_status(5) counts them.
pub(crate) const CAP_IPC_LOCK: u32 = 14;
pub(crate) const CAP_SYS_ADMIN: u32 = 21;
pub(crate) const CAP_SYS_RESOURCE: u32 = 24;

/// The files of `/proc` and `/sys`.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: PathBuf,
}

/// A limit of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceLimit {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// A cache of equal objects in the kernel's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slab {
    /// What one object takes with its share of what the slab leaves over.
    pub(crate) bytes: u64,
    /// Objects in use.
    pub(crate) active: u64,
}

/// A limit of the control groups that this process is in: the narrowest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupMemory {
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

impl Host {
    /// This machine.
    pub(crate) fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// The machine whose `proc` and `sys` lie below `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A file as it stands; `None` where there is none, or none that may be read.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()
    }

    /// A file that is one word.
    pub(crate) fn word(&self, path: &str) -> Option<String> {
        Some(self.text(path)?.trim().to_owned())
    }

    /// What lies in a folder, by name.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries =
            fs::read_dir(self.root.join(path.trim_start_matches('/'))).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// The folders in a folder, by name.
    pub(crate) fn folders(&self, path: &str) -> Vec<String> {
        let is_folder = |name: &String| self.root.join(path.trim_start_matches('/')).join(name).is_dir();
        self.names(path).into_iter().filter(is_folder).collect()
    }

    /// A setting with one number.
    pub(crate) fn sysctl(&self, name: &str) -> Option<u64> {
        self.sysctl_list(name).first().copied()
    }

    /// A setting with several numbers; empty where there is none.
    pub(crate) fn sysctl_list(&self, name: &str) -> Vec<u64> {
        let text = self.text(&format!("proc/sys/{}", name.replace('.', "/"))).unwrap_or_default();
        text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    }

    /// A line of proc_pid_limits(5), by its name.
    pub(crate) fn limit(&self, name: &str) -> Option<ResourceLimit> {
        let text = self.text("proc/self/limits")?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        let number = |word: &str| if word == "unlimited" { Some(UNLIMITED) } else { word.parse().ok() };
        let mut words = rest.split_whitespace();
        Some(ResourceLimit { soft: number(words.next()?)?, hard: number(words.next()?)? })
    }

    /// A line of proc_meminfo(5), in bytes.
    pub(crate) fn memory(&self, name: &str) -> Option<u64> {
        kibibytes(&self.text("proc/meminfo")?, name)
    }

    /// Whether this process has a capability.
    pub(crate) fn can(&self, capability: u32) -> bool {
        let status = self.text("proc/self/status").unwrap_or_default();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
        bits >> capability & 1 == 1
    }

    /// A line of slabinfo(5), which only root may read.
    pub(crate) fn slab(&self, name: &str) -> Option<Slab> {
        let text = self.text("proc/slabinfo")?;
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
        let number = |index| line.split_whitespace().nth(index)?.parse::<u64>().ok();
        let (active, per_slab, pages) = (number(1)?, number(4)?, number(5)?);
        Some(Slab { bytes: (pages * 4096).div_ceil(per_slab.max(1)), active })
    }

    /// CPUs that are online, by number.
    pub(crate) fn processors(&self) -> Vec<u32> {
        list(&self.word("sys/devices/system/cpu/online").unwrap_or_default())
    }

    /// CPUs on which this process may run, by number, as affinity and cpusets have it; `None`: it is not said.
    pub(crate) fn allowed_processors(&self) -> Option<Vec<u32>> {
        let status = self.text("proc/self/status")?;
        Some(list(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?))
    }

    /// A file of one CPU.
    pub(crate) fn processor(&self, number: u32, file: &str) -> Option<String> {
        self.word(&format!("sys/devices/system/cpu/cpu{number}/{file}"))
    }

    /// The control group of this process that has a controller: where its files lie. cgroups(7).
    pub(crate) fn group(&self, controller: &str) -> Option<(u8, String)> {
        let text = self.text("proc/self/cgroup")?;
        group_in(&text, controller)
    }

    /// What the control groups leave this process of memory; `None`: they do not bound it.
    pub(crate) fn group_memory(&self) -> Option<GroupMemory> {
        let (version, path) = self.group("memory")?;
        let (limit, used) = match version {
            1 => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            _ => ("memory.max", "memory.current"),
        };
        let of = |folder: &str| {
            let limit = self.word(&format!("{folder}/{limit}"))?.parse::<u64>().ok()?;
            let used = self.word(&format!("{folder}/{used}"))?.parse().ok()?;
            // Version 1 says no bound as the largest number of whole pages.
            (limit < 1 << 60).then_some(GroupMemory { limit, used })
        };
        folders(version, "memory", &path)
            .iter()
            .filter_map(|folder| of(folder))
            .min_by_key(|group| group.limit.saturating_sub(group.used))
    }

    /// Cores that the control groups allow this process at once; `None`: as many as there are.
    pub(crate) fn group_cores(&self) -> Option<f64> {
        let (version, path) = self.group("cpu")?;
        let of = |folder: &str| {
            let (quota, period) = match version {
                1 => (
                    self.word(&format!("{folder}/cpu.cfs_quota_us"))?,
                    self.word(&format!("{folder}/cpu.cfs_period_us"))?,
                ),
                _ => {
                    let text = self.word(&format!("{folder}/cpu.max"))?;
                    let (quota, period) = text.split_once(' ')?;
                    (quota.to_owned(), period.to_owned())
                }
            };
            // No bound is -1 in version 1 and "max" in version 2.
            Some(quota.parse::<u64>().ok()? as f64 / period.parse::<u64>().ok().filter(|it| *it > 0)? as f64)
        };
        folders(version, "cpu", &path).iter().filter_map(|folder| of(folder)).min_by(f64::total_cmp)
    }
}

/// The version of the hierarchy with a controller in a proc_pid_cgroup file, and the group's path in it.
pub(crate) fn group_in(text: &str, controller: &str) -> Option<(u8, String)> {
    let mut unified = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if controllers.split(',').any(|name| name == controller) {
            return Some((1, path.to_owned()));
        }
        if number == "0" && controllers.is_empty() {
            unified = Some((2, path.to_owned()));
        }
    }
    unified
}

/// Folders of a group and of all groups around it. Inside a container the outer ones are not seen, and the
/// group's own may be the root of what is.
pub(crate) fn folders(version: u8, controller: &str, path: &str) -> Vec<String> {
    let root = match version {
        1 => format!("sys/fs/cgroup/{controller}"),
        _ => "sys/fs/cgroup".to_owned(),
    };
    let mut folders = Vec::new();
    let mut rest = path.trim_matches('/');
    while !rest.is_empty() {
        folders.push(format!("{root}/{rest}"));
        rest = rest.rsplit_once('/').map_or("", |(outer, _)| outer);
    }
    folders.push(root);
    folders
}

/// A line such as `MemFree:  20385388 kB`, in bytes.
pub(crate) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Numbers as in `0-3,8`.
pub(crate) fn list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        let table: [(&str, &[u32]); 5] = [
            ("0", &[0]),
            ("0-3", &[0, 1, 2, 3]),
            ("0-1,4,6-7", &[0, 1, 4, 6, 7]),
            ("", &[]),
            ("nonsense", &[]),
        ];
        for (text, numbers) in table {
            assert_eq!(list(text), numbers, "{text:?}");
        }
    }

    #[test]
    fn groups() {
        let table = [
            ("0::/user.slice/a.scope\n", "memory", Some((2, "/user.slice/a.scope"))),
            ("5:memory:/a/b\n1:cpu,cpuacct:/c\n0::/d\n", "memory", Some((1, "/a/b"))),
            ("5:memory:/a/b\n1:cpu,cpuacct:/c\n0::/d\n", "cpu", Some((1, "/c"))),
            ("5:memory:/a/b\n", "cpu", None),
            ("", "cpu", None),
        ];
        for (text, controller, expected) in table {
            let found = group_in(text, controller);
            assert_eq!(found.as_ref().map(|(version, path)| (*version, path.as_str())), expected, "{text:?}");
        }
        let around = folders(2, "memory", "/a/b");
        assert_eq!(around, ["sys/fs/cgroup/a/b", "sys/fs/cgroup/a", "sys/fs/cgroup"]);
        assert_eq!(folders(1, "memory", "/"), ["sys/fs/cgroup/memory"]);
    }

    #[test]
    fn lines_in_kibibytes() {
        let text = "Rss:      12 kB\nPss:       5 kB\nPss_Dirty:   1 kB\n";
        for (name, bytes) in [("Rss", Some(12_288)), ("Pss", Some(5_120)), ("Swap", None)] {
            assert_eq!(kibibytes(text, name), bytes, "{name}");
        }
    }
}
