//! Where a run takes place, as the kernel tells it: what a repetition needs to have in common.
//!
//! Everything is read and nothing is changed. What a machine does not have is left empty.

use crate::model::Environment;
use std::collections::BTreeMap;
use std::fs::read_to_string;

/// Settings of the kernel that bear on sockets, on their memory and on io_uring.
const SYSCTLS: [&str; 22] = [
    "fs.file-max",
    "fs.nr_open",
    "kernel.io_uring_disabled",
    "kernel.pid_max",
    "kernel.sched_autogroup_enabled",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.default_qdisc",
    "net.core.netdev_max_backlog",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_max",
    "vm.max_map_count",
];

/// Limits of the process, as /proc/self/limits calls them.
const LIMITS: [&str; 4] = ["Max open files", "Max locked memory", "Max processes", "Max address space"];

/// Reads it all.
pub(crate) fn collect() -> Environment {
    let cpu = read("/proc/cpuinfo");
    let status = read("/proc/self/status");
    Environment {
        host: read("/proc/sys/kernel/hostname"),
        kernel: read("/proc/sys/kernel/osrelease"),
        cpu: field(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: cpu.lines().filter(|line| line.starts_with("processor")).count(),
        affinity: field(&status, "Cpus_allowed_list").unwrap_or_default(),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes: memory_bytes(&read("/proc/meminfo")),
        sysctls: SYSCTLS.iter().filter_map(|name| Some((String::from(*name), sysctl(name)?))).collect(),
        limits: limits(&read("/proc/self/limits")),
        notes: notes(&cpu),
    }
}

/// A file without the white space around it; empty where there is none.
fn read(path: &str) -> String {
    read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The value of `name : value`, as /proc writes it.
fn field(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

fn sysctl(name: &str) -> Option<String> {
    let value = read(&format!("/proc/sys/{}", name.replace('.', "/")));
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    (!value.is_empty()).then_some(value)
}

fn memory_bytes(text: &str) -> u64 {
    let total = field(text, "MemTotal").unwrap_or_default();
    total.split(' ').next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The soft limits, whose column follows the name's.
fn limits(text: &str) -> BTreeMap<String, String> {
    let soft = |name: &&str| {
        let line = text.lines().find(|line| line.starts_with(*name))?;
        Some((String::from(*name), line[name.len()..].split_whitespace().next()?.to_owned()))
    };
    LIMITS.iter().filter_map(soft).collect()
}

/// What else changes figures.
fn notes(cpu: &str) -> Vec<String> {
    let is_virtual =
        field(cpu, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let clock = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let threads = read("/sys/devices/system/cpu/smt/active");
    let quota = read("/sys/fs/cgroup/cpu.max");
    let table = [
        (is_virtual, String::from("a virtual machine")),
        (std::path::Path::new("/.dockerenv").exists(), String::from("in a container")),
        (threads == "1", String::from("cores share hardware (SMT is on)")),
        (
            !clock.is_empty() && clock != "tsc",
            format!("the clock source is {clock}, whose reading may be slow"),
        ),
        (
            !quota.is_empty() && !quota.starts_with("max"),
            format!("the control group allows {quota} us of CPU time"),
        ),
        (true, String::from("TCP_NODELAY is on, each frame has a fresh random mask")),
    ];
    table.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let environment = collect();
        assert!(environment.cores > 0 && environment.memory_bytes > 1 << 20, "{environment:?}");
        assert!(!environment.kernel.is_empty() && !environment.affinity.is_empty(), "{environment:?}");
        assert!(environment.limits["Max open files"].parse::<u64>().is_ok(), "{environment:?}");
        assert!(environment.sysctls.contains_key("net.core.somaxconn"), "{environment:?}");
    }

    #[test]
    fn files_of_proc_are_read() {
        let cpu = "processor\t: 0\nmodel name\t: A: B\nflags\t\t: fpu hypervisor\n";
        assert_eq!(field(cpu, "model name").as_deref(), Some("A: B"));
        assert_eq!(notes(cpu)[0], "a virtual machine");
        assert_eq!(memory_bytes("MemTotal:       16308012 kB\nMemFree: 1 kB"), 16_308_012 << 10);
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            1024                 524288               files\n\
                    Max locked memory         unlimited            unlimited            bytes\n";
        let found = limits(text);
        assert_eq!(found["Max open files"], "1024");
        assert_eq!(found["Max locked memory"], "unlimited");
    }
}
