//! Machines that are made up, each with one thing amiss.

use super::*;
use crate::limits::fake::Fake;
use std::net::Ipv4Addr;

/// A machine of 2 cores, 16 GiB and no privileges that is fine for 100,000 connections to itself.
const FINE: [(&str, &str); 22] = [
    (
        "proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n\
         Max open files            100000               200000               files     \n\
         Max locked memory         67108864             67108864             bytes     \n",
    ),
    ("proc/self/status", "Name:\twsload\nCapEff:\t0000000000000000\n"),
    ("proc/self/cgroup", "0::/user.slice\n"),
    ("proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:   15728640 kB\n"),
    ("proc/stat", "cpu  1000 0 1000 7990 0 0 0 10 0 0\n"),
    ("proc/sys/fs/nr_open", "1048576\n"),
    ("proc/sys/fs/file-max", "1000000\n"),
    ("proc/sys/fs/file-nr", "1500\t0\t1000000\n"),
    ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ("proc/sys/net/core/somaxconn", "4096\n"),
    ("proc/sys/net/ipv4/tcp_max_syn_backlog", "2048\n"),
    ("proc/sys/net/ipv4/tcp_syncookies", "1\n"),
    ("proc/sys/net/ipv4/tcp_mem", "150000\t200000\t300000\n"),
    ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
    ("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n"),
    ("proc/sys/net/ipv4/tcp_tw_reuse", "2\n"),
    ("proc/sys/net/ipv4/tcp_max_tw_buckets", "262144\n"),
    ("proc/sys/net/ipv4/tcp_max_orphans", "262144\n"),
    ("proc/sys/vm/max_map_count", "65530\n"),
    ("proc/sys/kernel/io_uring_disabled", "0\n"),
    ("sys/devices/system/cpu/online", "0-1\n"),
    ("sys/class/net/lo/mtu", "65536\n"),
];

const LIMITS: &str = "proc/self/limits";

fn diagnose(fake: &Fake, connections: u64, to: &str) -> Diagnosis {
    let to = to.parse().expect("an address");
    Diagnosis::of(&fake.host(), Asked { connections, to }, &Ok(()))
}

/// Files in place of those of the fine machine.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// What a change to the fine machine does to one check, and what mends it.
fn check(changes: Changes<'_>, connections: u64, to: &str, name: &str, state: State, mend: &str) {
    let fake = Fake::with(&FINE);
    changes.iter().for_each(|(path, text)| fake.set(path, text));
    let diagnosis = diagnose(&fake, connections, to);
    let Some(found) = diagnosis.checks.iter().find(|check| check.name == name) else {
        panic!("no {name} in\n{diagnosis}");
    };
    assert_eq!(found.state, state, "{connections} to {to}, {changes:?}\n{found}");
    let mends = found.mend.join("\n");
    assert!(mends.contains(mend) && mend.is_empty() == mends.is_empty(), "no {mend:?} in\n{found}");
}

#[test]
fn a_machine_that_is_fine() {
    let diagnosis = diagnose(&Fake::with(&FINE), 100_000, "127.0.0.1");
    let others: Vec<_> = diagnosis.checks.iter().filter(|check| check.state != State::Ok).collect();
    assert!(others.is_empty(), "{diagnosis}");
    assert!(diagnosis.checks.iter().all(|check| !check.needed.is_empty() && !check.why.is_empty()));
    assert!(diagnosis.checks.len() > 18, "{diagnosis}");
    assert_eq!(diagnosis.state(), State::Ok);
}

#[test]
fn descriptors() {
    use State::{Fail, Ok, Warn};
    let files = |limit: &'static str| {
        let text = format!("Max open files {limit} files\nMax locked memory unlimited unlimited bytes\n");
        [(LIMITS, &*text.leak())]
    };
    let capable = ("proc/self/status", "CapEff:\t0000000001000000\n");
    const NAME: &str = "open files (ulimit -n)";
    let half = ("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
    let table: [(Changes<'_>, u64, &str, State, &str); 10] = [
        // Each shard has a table: 2 cores hold twice the limit without the reserve.
        (&files("10064 10064"), 20_000, NAME, Ok, ""),
        (&files("10064 10064"), 20_001, NAME, Warn, "sudo prlimit --pid $$ --nofile=10065:10065"),
        (&files("10064 20000"), 20_001, NAME, Warn, "ulimit -n 10065"),
        (&[files("10064 10064")[0], capable], 20_001, NAME, Warn, "prlimit --pid $$ --nofile=10065:10065"),
        (&files("10064 10064"), 20_001, NAME, Warn, "LimitNOFILE=10065"),
        (&files("100 100"), 10, NAME, Fail, "--nofile=256:256"),
        // Of one core and a half the engine uses one.
        (&[files("10064 10064")[0], half], 20_000, NAME, Warn, "--nofile=20064:20064"),
        (
            &[files("1024 1024")[0], ("proc/sys/fs/nr_open", "4096")],
            100_000,
            "fs.nr_open",
            Warn,
            "=\"50064\"",
        ),
        (&[("proc/sys/fs/nr_open", "4096")], 100_000, "fs.nr_open", Ok, ""),
        (
            &[("proc/sys/fs/file-max", "202499")],
            100_000,
            "fs.file-max",
            Fail,
            "sysctl -w fs.file-max=\"202500\"",
        ),
    ];
    for (changes, connections, name, state, mend) in table {
        check(changes, connections, "127.0.0.1", name, state, mend);
    }
    let far = [("proc/sys/fs/file-max", "102500")];
    check(&far, 100_000, "192.0.2.1", "fs.file-max", Ok, "");
    let root = [("proc/sys/fs/file-max", "1000"), ("proc/self/status", "CapEff:\t0000000000200000\n")];
    check(&root, 100_000, "127.0.0.1", "fs.file-max", Warn, "=\"202500\"");
}

#[test]
fn ports_and_queues() {
    use State::{Fail, Ok, Unknown, Warn};
    const PORTS: &str = "net.ipv4.ip_local_port_range";
    const SYN: &str = "net.ipv4.tcp_max_syn_backlog";
    const TRACKED: &str = "net.netfilter.nf_conntrack_max";
    let tracking = |count: &'static str| {
        [
            ("proc/sys/net/netfilter/nf_conntrack_max", "50000"),
            ("proc/sys/net/netfilter/nf_conntrack_count", count),
        ]
    };
    let no_cookies =
        [("proc/sys/net/ipv4/tcp_syncookies", "0"), ("proc/sys/net/ipv4/tcp_max_syn_backlog", "128")];
    type Row<'a> = (Changes<'a>, u64, &'a str, &'a str, State, &'a str);
    let table: [Row<'_>; 22] = [
        (&[], 1_000_000, "127.0.0.1", PORTS, Ok, ""),
        (&[], 28_232, "192.0.2.1", PORTS, Ok, ""),
        (&[], 28_233, "192.0.2.1", PORTS, Fail, "ip_local_port_range=\"1024 65535\""),
        (&[], 100_000, "192.0.2.1", PORTS, Fail, "(for each of 2 addresses)"),
        (&[], 28_233, "::1", PORTS, Fail, "1024 65535"),
        (&[], 100_000, "2001:db8::1", PORTS, Fail, "ip addr add ADDRESS/128 dev"),
        (&[], 100_000, "192.0.2.1", PORTS, Fail, "ip addr add ADDRESS/32 dev"),
        (&[("proc/sys/net/ipv4/ip_local_port_range", "")], 1, "127.0.0.1", PORTS, Unknown, ""),
        (
            &[("proc/sys/net/core/somaxconn", "128")],
            5000,
            "127.0.0.1",
            "net.core.somaxconn",
            Warn,
            "=\"4096\"",
        ),
        (&[("proc/sys/net/core/somaxconn", "128")], 100, "127.0.0.1", "net.core.somaxconn", Ok, ""),
        (&[("proc/sys/net/core/somaxconn", "128")], 5000, "192.0.2.1", "net.core.somaxconn", Ok, ""),
        (&[no_cookies[1]], 5000, "127.0.0.1", SYN, Ok, ""),
        (&no_cookies, 5000, "127.0.0.1", SYN, Warn, "tcp_max_syn_backlog=\"2048\""),
        (&[], 100_001, "127.0.0.1", "net.ipv4.tcp_mem", Warn, "tcp_mem=\"150001 200002 300003\""),
        (&[], 200_000, "192.0.2.1", "net.ipv4.tcp_mem", Ok, ""),
        (
            &[("proc/sys/net/ipv4/tcp_rmem", "4096 8192 16384")],
            10,
            "127.0.0.1",
            "net.ipv4.tcp_rmem",
            Warn,
            "4096 16384 4194304",
        ),
        (
            &[("proc/sys/net/ipv4/tcp_tw_reuse", "0")],
            10,
            "127.0.0.1",
            "net.ipv4.tcp_tw_reuse",
            Warn,
            "=\"2\"",
        ),
        (&[], 10, "192.0.2.1", "net.ipv4.tcp_tw_reuse", Warn, "=\"1\""),
        (&[], 262_145, "127.0.0.1", "net.ipv4.tcp_max_tw_buckets", Warn, "=\"262145\""),
        (&[], 262_145, "127.0.0.1", "net.ipv4.tcp_max_orphans", Warn, "=\"262145\""),
        (&tracking("7"), 50_000, "127.0.0.1", TRACKED, Fail, "nf_conntrack_max=\"50007\""),
        (&tracking("0"), 50_001, "127.0.0.1", TRACKED, Warn, "nf_conntrack_max=\"50001\""),
    ];
    for (changes, connections, to, name, state, mend) in table {
        check(changes, connections, to, name, state, mend);
    }
}

#[test]
fn memory() {
    use State::{Fail, Ok, Warn};
    const FREE: &str = "memory (MemAvailable)";
    const GROUP: &str = "memory of the control group";
    const LOCKED: &str = "locked memory (ulimit -l)";
    let locked = "Max open files 10064 10064 files\nMax locked memory 8388608 8388608 bytes\n";
    let unlocked = "Max open files 10064 10064 files\nMax locked memory unlimited unlimited bytes\n";
    let lock_capable = ("proc/self/status", "CapEff:\t0000000000004000\n");
    let group = |limit: &'static str| {
        [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", limit),
            ("sys/fs/cgroup/a/memory.current", "100000000"),
            ("sys/fs/cgroup/a/b/memory.max", "max"),
            ("sys/fs/cgroup/a/b/memory.current", "5000"),
        ]
    };
    let old_group = [
        ("proc/self/cgroup", "4:memory:/c\n"),
        ("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "100000000"),
        ("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "1000"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000"),
    ];
    let table: [(Changes<'_>, u64, &str, State, &str); 10] = [
        // 9,728 B for each connection here (2 x 4,416 + 896), and 10 MiB for each shard.
        (&[], 1_200_000, FREE, Ok, ""),
        (&[], 1_500_000, FREE, Warn, "is safe"),
        (&[], 1_700_000, FREE, Fail, "--connections 1"),
        (&group("900000000"), 50_000, GROUP, Ok, ""),
        (&group("400000000"), 50_000, GROUP, Fail, "MemoryMax="),
        (&old_group, 50_000, GROUP, Fail, "docker run --memory="),
        // 100,000 make 10 shards of the client and 10 of the server: 7.7 MiB of queues.
        (&[(LIMITS, locked)], 100_000, LOCKED, Ok, ""),
        (&[(LIMITS, locked)], 110_000, LOCKED, Warn, "--nofile=55064:55064"),
        (&[(LIMITS, locked)], 300_000, LOCKED, Fail, "LimitMEMLOCK=infinity"),
        (&[(LIMITS, unlocked)], 300_000, LOCKED, Ok, ""),
    ];
    for (changes, connections, name, state, mend) in table {
        check(changes, connections, "127.0.0.1", name, state, mend);
    }
    check(&[(LIMITS, locked), lock_capable], 300_000, "127.0.0.1", LOCKED, Ok, "");
    let maps = [("proc/sys/vm/max_map_count", "1031")];
    check(&maps, 10, "127.0.0.1", "vm.max_map_count", Fail, "vm.max_map_count=\"1032\"");
}

#[test]
fn processors() {
    use State::{Ok, Unknown, Warn};
    let governor = |name: &'static str| [("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", name)];
    let siblings = |text: &'static str| [("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", text)];
    let quota = |text: &'static str| [("sys/fs/cgroup/user.slice/cpu.max", text)];
    let stat = |text: &'static str| [("proc/stat", text)];
    let affinity = |cpus: &str| {
        [("proc/self/status", &*format!("Cpus_allowed:\tf\nCpus_allowed_list:\t{cpus}\n").leak())]
    };
    let table: [(Changes<'_>, &str, State, &str); 12] = [
        (&governor("performance\n"), "CPU governor", Ok, ""),
        (&governor("powersave\n"), "CPU governor", Warn, "cpupower frequency-set -g performance"),
        (&siblings("0\n"), "SMT siblings", Ok, ""),
        (&siblings("0-1\n"), "SMT siblings", Warn, "smt/control"),
        (&quota("max 100000\n"), "cores", Ok, ""),
        (&quota("150000 100000\n"), "cores", Warn, "CPUQuota=200%"),
        (&[("sys/devices/system/cpu/online", "0\n")], "cores", Warn, "more cores"),
        // By its affinity, or a cpuset.
        (&affinity("0-63"), "cores", Ok, ""),
        (&affinity("1"), "cores", Warn, "more cores"),
        (&stat("cpu  1000 0 1000 7900 0 0 0 100 0 0\n"), "steal", Ok, ""),
        (&stat("cpu  1000 0 1000 7800 0 0 0 200 0 0\n"), "steal", Warn, "dedicated"),
        (&stat("nothing\n"), "steal", Unknown, ""),
    ];
    for (changes, name, state, mend) in table {
        check(changes, 10, "127.0.0.1", name, state, mend);
    }
}

#[test]
fn rings() {
    let fake = Fake::with(&FINE);
    for (setting, state) in [("0", State::Ok), ("1", State::Warn), ("2", State::Fail)] {
        check(
            &[("proc/sys/kernel/io_uring_disabled", setting)],
            10,
            "127.0.0.1",
            "kernel.io_uring_disabled",
            state,
            if setting == "0" { "" } else { "kernel.io_uring_disabled=\"0\"" },
        );
    }
    let refusal = Err("io_uring is forbidden here\n  found:  a kernel\n  mend:   a line".to_owned());
    let asked = Asked { connections: 10, to: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let diagnosis = Diagnosis::of(&fake.host(), asked, &refusal);
    assert_eq!(diagnosis.state(), State::Fail);
    let text = diagnosis.to_string();
    for part in
        ["FAIL  a ring", "io_uring is forbidden here", "found: a kernel", "mend: a line", "NOT ENOUGH: 1 of"]
    {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_machine_that_says_nothing_is_not_refused() {
    let fake = Fake::with(&[("proc/nothing", "")]);
    let diagnosis = diagnose(&fake, 100, "127.0.0.1");
    assert!(diagnosis.state() <= State::Warn, "{diagnosis}");
    fake.remove("proc/nothing");
}

#[test]
fn the_json_holds_what_the_text_says() {
    let fake = Fake::with(&FINE);
    fake.set("proc/sys/net/core/somaxconn", "128\n");
    let diagnosis = diagnose(&fake, 10_000, "127.0.0.1");
    let json: serde_json::Value = serde_json::from_str(&diagnosis.json()).expect("JSON");
    assert_eq!(json["asked"]["connections"], 10_000);
    let checks = json["checks"].as_array().expect("a list");
    let backlog = checks.iter().find(|check| check["name"] == "net.core.somaxconn").expect("it is there");
    assert_eq!((&backlog["state"], &backlog["value"]), (&"warn".into(), &"128".into()));
    assert_eq!(backlog["mend"][0], "sudo sysctl -w net.core.somaxconn=\"4096\"");
    for line in diagnosis.to_string().lines() {
        assert!(line.chars().count() <= 120, "too wide: {line}");
    }
}
