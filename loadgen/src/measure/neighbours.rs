//! Whether the server runs on the generator's cores, where it is on this machine.
//!
//! Then each takes from the other what is measured. It is found by who listens on the port, as far as this process
//! may look at others.

use super::cpu::Usage;
use super::kernel::is_local;
use crate::model::{Evidence, Health};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use wsring::ConnectOptions;

/// Share of the time for which a thread may have waited for a core that it shares with the server.
const WAITING_MAX: f64 = 0.05;
/// No more than this is read beyond the lines that are of interest.
const PAGE: usize = 4096;
/// TCP_LISTEN in /proc/net/tcp.
const LISTEN: &str = "0A";

/// Adds to the health of a run whether cores were shared with the server of a URL. Sharing alone is no harm: it is
/// when the generator has waited for them.
pub(crate) fn judge(health: &mut Health, url: &str, usage: Option<Usage>) {
    let server = ConnectOptions::new(url).and_then(|options| options.resolve());
    if let Ok(server) = server {
        judge_address(health, server, usage);
    }
}

fn judge_address(health: &mut Health, server: SocketAddr, usage: Option<Usage>) {
    let Some(pid) = listener(server) else { return };
    let theirs = cores(Path::new("/proc").join(pid.to_string()).as_path(), "");
    let shared = theirs.intersection(&cores(Path::new("/proc/self"), "wsring-")).count();
    let waiting = usage.map_or(0.0, |usage| usage.waiting);
    let exceeded = shared > 0 && waiting > WAITING_MAX;
    health.evidence.push(Evidence {
        what: "cores shared with the server".into(),
        value: format!("{shared} (process {pid}), waited for {:.1} %", waiting * 100.0),
        limit: format!("0, or {:.1} %", WAITING_MAX * 100.0),
        exceeded,
    });
    health.valid &= !exceeded;
}

/// The process that listens at an address of this machine.
fn listener(server: SocketAddr) -> Option<u32> {
    if !is_local(server) {
        return None;
    }
    let table = |path: &str| {
        let table = fs::File::open(path).ok()?;
        let inodes = listeners(BufReader::with_capacity(PAGE, table), server.port());
        (!inodes.is_empty()).then_some(inodes)
    };
    // A listener of the second may serve addresses of the first kind.
    let inodes = table("/proc/net/tcp").or_else(|| table("/proc/net/tcp6"))?;
    let links: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let has = |process: &fs::DirEntry| {
        let descriptors = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| target.to_str().is_some_and(|target| links.contains(target)))
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = processes.filter(|process| is_number(process) && has(process));
    processes.next()?.file_name().to_str()?.parse().ok()
}

fn is_number(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Inodes of the sockets that listen on a port, of a table as in /proc/net/tcp. Those that listen come first there,
/// and the others are not read: there may be a million of them, and the kernel takes seconds to write them down.
fn listeners(table: impl BufRead, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let mut found = Vec::new();
    for line in table.lines().skip(1).map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(local), Some(&LISTEN), Some(inode)) = (words.get(1), words.get(3), words.get(9)) else {
            break;
        };
        if local.ends_with(&port) {
            found.push(String::from(*inode));
        }
    }
    found
}

/// Cores that those threads of a process may run on whose names begin so.
fn cores(process: &Path, name: &str) -> BTreeSet<usize> {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .filter(|status| field(status, "Name:").is_some_and(|found| found.starts_with(name)))
        .filter_map(|status| field(&status, "Cpus_allowed_list:").map(list))
        .flatten()
        .collect()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// `0-2,8` as the kernel writes it.
fn list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_listens_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(listener(address), Some(std::process::id()));
        // No address of the loopback, and one of this machine.
        let here = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert_eq!(listener(here), Some(std::process::id()));
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], address.port()));
        assert_eq!(listener(elsewhere), None);
        drop(socket);
        assert_eq!(listener(address), None);
    }

    #[test]
    fn shared_cores_count_when_they_were_waited_for() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // No thread of this test has the name of a shard's, so that nothing is shared.
        let mut health = Health { valid: true, ..Health::default() };
        let waited = Usage { cores: 1.0, busiest: 1.0, waiting: 0.5 };
        judge_address(&mut health, address, Some(waited));
        assert!(health.valid && health.evidence[0].value.starts_with("0 "), "{health:?}");
        let shard = std::thread::Builder::new().name("wsring-9".into());
        shard
            .spawn(move || {
                let mut health = Health { valid: true, ..Health::default() };
                judge_address(&mut health, address, Some(Usage { waiting: 0.01, ..waited }));
                assert!(health.valid, "{health:?}");
                judge_address(&mut health, address, Some(waited));
                assert!(!health.valid && health.evidence[1].exceeded, "{health:?}");
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn tables_of_proc_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n\
             1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1\n\
             2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4243 1\n";
        assert_eq!(listeners(table.as_bytes(), 8080), ["4242"]);
        assert_eq!(listeners(table.as_bytes(), 80), Vec::<String>::new());
        assert_eq!(list("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(list(""), Vec::<usize>::new());
    }
}
