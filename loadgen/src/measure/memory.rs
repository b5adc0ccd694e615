//! What connections cost this process and the kernel.

use crate::model::Section;
use std::fs;

/// Fewer are not told apart from what a process needs anyhow.
const CONNECTIONS_MIN: u64 = 1000;

/// Memory at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident memory of this process.
    process: u64,
    /// Slab memory of the kernel, which is where sockets live.
    slab: u64,
}

impl Memory {
    /// As the kernel tells it; zero where it does not.
    pub(crate) fn read() -> Self {
        let field = |path: &str, name: &str| kibibytes(&fs::read_to_string(path).unwrap_or_default(), name);
        Self { process: field("/proc/self/status", "VmRSS:"), slab: field("/proc/meminfo", "Slab:") }
    }

    /// What has come since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            process: self.process.saturating_sub(earlier.process),
            slab: self.slab.saturating_sub(earlier.slab),
        }
    }

    /// Says it in all, and for each connection where they are so many that nothing else weighs much.
    pub(crate) fn facts(&self, section: Section, connections: u64) -> Section {
        let shared = |section: Section, what: &str, bytes: u64| {
            if connections < CONNECTIONS_MIN {
                return section;
            }
            section.fact(what, bytes as f64 / connections as f64, "B")
        };
        let section = section.fact("memory of this process", self.process, "B");
        let section = shared(section, "for each connection", self.process);
        let section = section.fact("slab memory of the kernel, all programs", self.slab, "B");
        shared(section, "for each connection (both ends, where the server is on this machine)", self.slab)
    }
}

/// The value of a line such as `Slab:  12345 kB`.
fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let text = "MemTotal:       24000 kB\nSlab:             123 kB\n";
        assert_eq!((kibibytes(text, "Slab:"), kibibytes(text, "VmRSS:")), (123 << 10, 0));
        let now = Memory::read();
        assert!(now.process > 0 && now.since(&now) == Memory { process: 0, slab: 0 });
    }
}
