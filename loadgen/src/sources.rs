//! Where connections come from: the source address and the port of each.
//!
//! Ports are given out one after the other, so that a connect costs the same however many there are. Left to
//! the kernel it is a search: among ports of one parity first, and at every one of them before it turns to
//! the others (`__inet_hash_connect`), so that beyond half of an address's ports each connect gets slower by
//! orders of magnitude. A port that somebody else uses is passed over ([`Sources::next`] gives another one).

use crate::args::ConnectionOptions;
use crate::failure::Failure;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Up to this share of an address's ports the kernel finds one quickly by itself.
const LEFT_TO_THE_KERNEL: u64 = 4;

/// Of an address's ports, one in so many is expected to be in use, by others or by connections that have ended
/// a minute ago or less.
const RESERVE: u64 = 5;

/// What connections to this machine come from when they are many: all of 127.0.0.0/8 but for the addresses
/// that services listen on.
const LOOPBACK: Range = Range {
    first: IpAddr::V4(Ipv4Addr::new(127, 1, 0, 1)),
    last: IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254)),
};

/// Source addresses and ports, which connections take in turn.
#[derive(Debug)]
pub(crate) struct Sources {
    /// `None`: the kernel chooses both.
    pool: Option<Pool>,
    /// How many connections have taken one.
    taken: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pool {
    ranges: Vec<Range>,
    /// How many of their addresses are used.
    count: u64,
    ports: Ports,
    /// The port that comes first; another one in each run, since those of the last may still be remembered.
    offset: u64,
}

/// Addresses that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    first: IpAddr,
    last: IpAddr,
}

/// Ports that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    first: u16,
    last: u16,
}

impl Sources {
    /// Enough addresses and ports for so many connections to `target` at once, those that have just ended
    /// included.
    ///
    /// # Errors
    /// The caller's fault: addresses of another family, or too few of them.
    pub(crate) fn plan(
        options: &ConnectionOptions,
        target: SocketAddr,
        connections: u64,
    ) -> Result<Self, Failure> {
        let ports = options.source_ports.unwrap_or_else(Ports::of_the_kernel);
        let is_asked_for =
            !options.source.is_empty() || options.sources.is_some() || options.source_ports.is_some();
        if !is_asked_for && connections <= ports.count() / LEFT_TO_THE_KERNEL {
            return Ok(Self { pool: None, taken: AtomicU64::new(0) });
        }
        let ranges = ranges(options, target)?;
        let available = ranges.iter().map(|range| range.count()).sum();
        let count = count(options.sources, available, connections, ports)?;
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = clock.as_nanos() as u64 % ports.count();
        Ok(Self { pool: Some(Pool { ranges, count, ports, offset }), taken: AtomicU64::new(0) })
    }

    /// Where the next connection comes from; `None`: the kernel chooses.
    pub(crate) fn next(&self) -> Option<SocketAddr> {
        let pool = self.pool.as_ref()?;
        Some(pool.at(self.taken.fetch_add(1, Ordering::Relaxed)))
    }

    /// Whether ports are given out here, and not by the kernel.
    pub(crate) fn has_ports(&self) -> bool {
        self.pool.is_some()
    }

    /// How many addresses there are.
    pub(crate) fn count(&self) -> u32 {
        self.pool.as_ref().map_or(1, |pool| u32::try_from(pool.count).unwrap_or(u32::MAX))
    }
}

impl Pool {
    /// The addresses take turns; when each has had one, the next port follows.
    fn at(&self, number: u64) -> SocketAddr {
        let (mut address, round) = (number % self.count, number / self.count);
        let port = self.ports.first + ((self.offset + round) % self.ports.count()) as u16;
        for range in &self.ranges {
            if address < range.count() {
                return SocketAddr::new(range.at(address), port);
            }
            address -= range.count();
        }
        // `count` is no more than what the ranges have together.
        SocketAddr::new(self.ranges[0].first, port)
    }
}

/// The addresses to choose from.
fn ranges(options: &ConnectionOptions, target: SocketAddr) -> Result<Vec<Range>, Failure> {
    if let Some(other) = options.source.iter().find(|range| range.first.is_ipv4() != target.is_ipv4()) {
        return Err(Failure::Usage(format!(
            "--source {} is of another family than the server's address, {}",
            other.first,
            target.ip()
        )));
    }
    if !options.source.is_empty() {
        return Ok(options.source.clone());
    }
    match target.ip() {
        IpAddr::V4(address) if address.is_loopback() => Ok(vec![LOOPBACK]),
        _ => route(target).map(|source| vec![Range { first: source, last: source }]),
    }
}

/// The address that this machine reaches another one from. Nothing is sent for that.
fn route(target: SocketAddr) -> Result<IpAddr, Failure> {
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let found = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    found.map(|address| address.ip()).map_err(|cause| {
        Failure::Usage(format!("no source address reaches {}: {cause}; name one with --source", target.ip()))
    })
}

/// How many addresses to use.
fn count(asked: Option<u32>, available: u64, connections: u64, ports: Ports) -> Result<u64, Failure> {
    let least = connections.div_ceil(ports.count());
    let comfortable = (connections + connections / RESERVE).div_ceil(ports.count());
    let count = asked.map_or_else(|| comfortable.clamp(1, available), u64::from);
    if count > available {
        return Err(Failure::Usage(format!(
            "--sources {count} is more than there are to connect from, {available}: name them with --source; only towards \
             127.0.0.0/8 there are as many as it takes"
        )));
    }
    if count < least {
        return Err(Failure::Usage(format!(
            "{connections} connections need {least} source addresses, since each has {} ports, and there are {count}: \
             give more with --source (and --sources), more ports with --source-ports 1024-65535, or widen \
             net.ipv4.ip_local_port_range",
            ports.count()
        )));
    }
    Ok(count)
}

impl Range {
    fn count(&self) -> u64 {
        let last = bits(self.last).saturating_sub(bits(self.first));
        u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn at(&self, index: u64) -> IpAddr {
        let bits = bits(self.first) + u128::from(index);
        match self.first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }

    /// The hosts of a network: all of its addresses but the first and the last, where it has others.
    fn of_network(address: IpAddr, prefix: u32) -> Option<Self> {
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let host_bits = width.checked_sub(prefix)?;
        let mask = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
        let (network, last) = (bits(address) & !mask, bits(address) | mask);
        let inset = u128::from(host_bits > 1);
        let whole = Self { first: address, last: address };
        let at = |bits: u128| match whole.first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        };
        Some(Self { first: at(network + inset), last: at(last - inset) })
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no address, no range such as 10.0.0.5-10.0.0.20 and no network such as 10.0.0.0/28"
            )
        };
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong());
        let range = if let Some((network, prefix)) = text.split_once('/') {
            prefix.parse().ok().and_then(|prefix| Self::of_network(address(network).ok()?, prefix))
        } else if let Some((first, last)) = text.split_once('-') {
            Some(Self { first: address(first)?, last: address(last)? })
        } else {
            let only = address(text)?;
            Some(Self { first: only, last: only })
        };
        let is_upwards = |range: &Self| {
            range.first.is_ipv4() == range.last.is_ipv4() && bits(range.first) <= bits(range.last)
        };
        range.filter(is_upwards).ok_or_else(wrong)
    }
}

impl Ports {
    fn count(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// Those that the kernel itself gives to outgoing connections, or all that need no privilege where it does
    /// not say.
    pub(crate) fn of_the_kernel() -> Self {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse().ok());
        match (bounds.next(), bounds.next()) {
            (Some(first), Some(last)) if 0 < first && first <= last => Self { first, last },
            _ => Self { first: 1024, last: u16::MAX },
        }
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = text.split_once('-').and_then(|(first, last)| {
            let range = Self { first: first.parse().ok()?, last: last.parse().ok()? };
            (0 < range.first && range.first <= range.last).then_some(range)
        });
        range.ok_or_else(|| format!("{text:?} is no range of ports such as 1024-65535"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { first: 32_768, last: 60_999 };

    fn options(source: &[&str], sources: Option<u32>) -> ConnectionOptions {
        let source = source.iter().map(|text| text.parse().unwrap()).collect();
        ConnectionOptions { source, sources, source_ports: Some(PORTS), ..ConnectionOptions::default() }
    }

    #[test]
    fn ranges_are_read() {
        type Read = Option<(&'static str, &'static str, u64)>;
        let table: [(&str, Read); 13] = [
            ("10.0.0.5", Some(("10.0.0.5", "10.0.0.5", 1))),
            ("10.0.0.5-10.0.0.20", Some(("10.0.0.5", "10.0.0.20", 16))),
            ("10.0.0.0/28", Some(("10.0.0.1", "10.0.0.14", 14))),
            ("10.0.0.9/31", Some(("10.0.0.8", "10.0.0.9", 2))),
            ("10.0.0.9/32", Some(("10.0.0.9", "10.0.0.9", 1))),
            ("127.0.0.0/8", Some(("127.0.0.1", "127.255.255.254", 16_777_214))),
            ("fd00::/126", Some(("fd00::1", "fd00::2", 2))),
            ("::1", Some(("::1", "::1", 1))),
            ("10.0.0.5-10.0.0.4", None),
            ("10.0.0.5-::1", None),
            ("10.0.0.0/33", None),
            ("localhost", None),
            ("", None),
        ];
        for (text, expected) in table {
            let range = text.parse::<Range>().ok();
            let found = range.map(|range| (range.first.to_string(), range.last.to_string(), range.count()));
            let expected = expected.map(|(first, last, count)| (first.to_owned(), last.to_owned(), count));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn ports_are_read() {
        let table =
            [("1024-65535", Some(64_512)), ("80-80", Some(1)), ("0-80", None), ("9-8", None), ("80", None)];
        for (text, count) in table {
            assert_eq!(text.parse::<Ports>().ok().map(Ports::count), count, "{text}");
        }
    }

    /// Addresses take turns, then ports follow; after the last port the first is taken again.
    #[test]
    fn each_connection_has_its_own() {
        let ranges = vec!["10.0.0.1-10.0.0.2".parse().unwrap(), "10.0.9.9".parse().unwrap()];
        let pool = Pool { ranges, count: 3, ports: Ports { first: 100, last: 101 }, offset: 1 };
        let expected =
            ["10.0.0.1:101", "10.0.0.2:101", "10.0.9.9:101", "10.0.0.1:100", "10.0.0.2:100", "10.0.9.9:100"];
        for (number, expected) in (0..12).zip(expected.into_iter().cycle()) {
            assert_eq!(pool.at(number).to_string(), expected, "{number}");
        }
    }

    #[test]
    fn many_connections_to_loopback_spread_by_themselves() {
        let target = "127.0.0.1:8080".parse().unwrap();
        for (connections, expected) in [(1, 1), (28_232, 2), (250_000, 11), (1_000_000, 43)] {
            let sources = Sources::plan(&options(&[], None), target, connections).unwrap();
            assert_eq!(sources.count(), expected, "{connections}");
            let mut all: Vec<_> = (0..connections).filter_map(|_| sources.next()).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len() as u64, connections, "each has its own");
        }
    }

    #[test]
    fn few_connections_are_left_to_the_kernel() {
        let none = ConnectionOptions::default();
        for target in ["127.0.0.1:80", "192.0.2.1:80", "[::1]:80"] {
            let sources = Sources::plan(&none, target.parse().unwrap(), 100).unwrap();
            assert_eq!((sources.next(), sources.count()), (None, 1), "{target}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        type Case = (&'static [&'static str], Option<u32>, &'static str, u64, &'static str);
        let table: [Case; 6] = [
            (&["10.0.0.1"], None, "[::1]:80", 1, "another family"),
            (&["10.0.0.1"], Some(2), "192.0.2.1:80", 1, "more than there are to connect from, 1"),
            (&["10.0.0.1"], None, "192.0.2.1:80", 28_233, "need 2 source addresses"),
            (&["10.0.0.1-10.0.0.9"], Some(1), "192.0.2.1:80", 28_233, "need 2 source addresses"),
            (&[], Some(35), "127.0.0.1:80", 1_000_000, "need 36 source addresses"),
            (&[], None, "[::1]:80", 28_233, "need 2 source addresses"),
        ];
        for (source, sources, target, connections, text) in table {
            let plan = Sources::plan(&options(source, sources), target.parse().unwrap(), connections);
            let refusal = plan.unwrap_err().to_string();
            assert!(refusal.contains(text), "{source:?} {sources:?} {target}: {refusal}");
        }
    }
}
