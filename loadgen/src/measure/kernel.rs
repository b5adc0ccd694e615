//! What the kernel has counted of connections that came too fast and of bytes that did not get through, and how long a
//! lost SYN takes.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Counters of /proc/net/netstat and /proc/net/snmp that tell where an opening or a message got stuck, and what each
/// means. They are those of the whole machine (of its network namespace).
const COUNTERS: [(&str, &str); 10] = [
    (
        "ListenOverflows",
        "the server's accept queue was full (its backlog, or net.core.somaxconn, is too short)",
    ),
    ("ListenDrops", "connections dropped by a listener for any reason"),
    ("TCPReqQFullDrop", "SYNs dropped because the SYN queue was full (net.ipv4.tcp_max_syn_backlog)"),
    ("TCPReqQFullDoCookies", "SYNs answered with a cookie because the SYN queue was full"),
    ("TCPTimeWaitOverflow", "connections in TIME_WAIT beyond net.ipv4.tcp_max_tw_buckets"),
    ("TCPAbortOnMemory", "connections given up for want of memory (net.ipv4.tcp_mem)"),
    ("RetransSegs", "segments sent again"),
    ("TCPToZeroWindowAdv", "windows closed: what had arrived was not read in time"),
    ("TCPRcvQDrop", "segments dropped because a receive queue was full"),
    ("TCPBacklogDrop", "segments dropped because a socket was busy and had too much waiting"),
];

/// The first so many of them are about openings.
const OPENINGS: usize = 6;

/// A counter that has risen, how far, and what that means.
pub(crate) type Risen = (&'static str, u64, &'static str);

/// The counters at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters([u64; COUNTERS.len()]);

impl Counters {
    /// As the kernel tells them; zero where it does not.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default()
            + &fs::read_to_string("/proc/net/snmp").unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        Self(COUNTERS.map(|(name, _)| counter(text, name).unwrap_or(0)))
    }

    /// What a counter means.
    pub(crate) fn meaning(name: &str) -> Option<&'static str> {
        COUNTERS.iter().find(|(other, _)| *other == name).map(|(_, meaning)| *meaning)
    }

    /// The first counter of openings among those that have risen.
    pub(crate) fn blamed(risen: &[Risen]) -> Option<&Risen> {
        risen.iter().find(|(name, ..)| COUNTERS[..OPENINGS].iter().any(|(other, _)| other == name))
    }

    /// Those that have risen since an earlier reading: how far, and what that means.
    pub(crate) fn risen_since(&self, earlier: &Self) -> Vec<Risen> {
        let pairs = COUNTERS.iter().zip(self.0.iter().zip(&earlier.0));
        let risen =
            pairs.map(|((name, meaning), (now, before))| (*name, now.saturating_sub(*before), *meaning));
        risen.filter(|(_, count, _)| *count > 0).collect()
    }
}

/// The value under a name: each group is a line of names, and a line of values below it.
fn counter(text: &str, name: &str) -> Option<u64> {
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks_exact(2).find_map(|pair| {
        let position = pair[0].split_whitespace().position(|word| word == name)?;
        pair[1].split_whitespace().nth(position)?.parse().ok()
    })
}

/// Whether an address is one of this machine, so that its kernel's counters are the server's too.
pub(crate) fn is_local(address: SocketAddr) -> bool {
    let any = |ip: IpAddr| UdpSocket::bind((ip, 0)).is_ok();
    address.ip().is_loopback() || any(address.ip())
}

/// After which times a SYN that is not answered is sent again: each second at first, so many times
/// (`net.ipv4.tcp_syn_linear_timeouts`, Linux 6.5), and then after twice as long each time. Without that, after 1,
/// 3, 7 and 15 seconds.
pub(crate) fn syn_retries() -> Vec<Duration> {
    let linear = fs::read_to_string("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").unwrap_or_default();
    let retries = fs::read_to_string("/proc/sys/net/ipv4/tcp_syn_retries").unwrap_or_default();
    retry_times(linear.trim().parse().unwrap_or(0), retries.trim().parse().unwrap_or(6))
}

fn retry_times(linear: u64, retries: usize) -> Vec<Duration> {
    let (mut at, mut wait) = (0, 1);
    let mut times = Vec::new();
    for count in 1..=retries as u64 {
        at += wait;
        times.push(Duration::from_secs(at));
        // `tcp_retransmit_timer`: it backs off when more timeouts than those have passed.
        if count > linear || linear == 0 {
            wait *= 2;
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 20 300\n\
                    IpExt: InNoRoutes\nIpExt: 7\nTcp: RtoAlgorithm RetransSegs\nTcp: 1 44\n";
        let now = Counters::parse(text);
        let risen = now.risen_since(&Counters::parse("TcpExt: ListenDrops\nTcpExt: 299\n"));
        let risen: Vec<_> = risen.into_iter().map(|(name, count, _)| (name, count)).collect();
        assert_eq!(risen, [("ListenOverflows", 20), ("ListenDrops", 1), ("RetransSegs", 44)]);
        assert_eq!(now.risen_since(&now), []);
        assert!(
            !Counters::read().risen_since(&Counters::default()).is_empty() || cfg!(not(target_os = "linux"))
        );
    }

    #[test]
    fn syns_are_sent_again() {
        let seconds = |times: Vec<Duration>| times.iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!(seconds(retry_times(0, 4)), [1, 3, 7, 15]);
        assert_eq!(seconds(retry_times(4, 7)), [1, 2, 3, 4, 5, 7, 11]);
    }

    #[test]
    fn addresses_of_this_machine() {
        for (address, local) in
            [("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("192.0.2.1:1", false)]
        {
            assert_eq!(is_local(address.parse().unwrap()), local, "{address}");
        }
    }
}
