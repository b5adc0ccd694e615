//! What is connected to, and from which addresses.

use crate::args::Common;
use crate::failure::Failure;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use wsring::ConnectOptions;

/// The server, looked up once, and the source addresses that take turns.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    options: ConnectOptions,
    sources: u32,
    /// Ports that each source has.
    ports: u32,
}

impl Target {
    /// Checks that so many connections can be opened from so many addresses.
    ///
    /// # Errors
    /// The caller's fault: a malformed URL, too few source addresses, or several towards an address
    /// that is not on this machine. The environment's: the host has no address.
    pub(crate) fn new(common: &Common, connections: u32) -> Result<Self, Failure> {
        let usage = |error: wsring::Error| Failure::Usage(error.to_string());
        let options = ConnectOptions::new(&common.url).map_err(usage)?;
        let address = options.resolve()?;
        check_sources(address, common.sources)?;
        let ports = local_ports();
        check_ports(connections, common.sources, ports)?;
        Ok(Self { options: options.to(address), sources: common.sources, ports })
    }

    /// The kernel looks for a free port among those of one parity first, and at every one of them
    /// before it turns to the others (`__inet_hash_connect`): beyond half of its ports a
    /// source connects slower by orders of magnitude.
    pub(crate) fn port_warning(&self, connections: u32) -> Option<String> {
        let quick = (self.ports / 2).max(1);
        let needed = connections.div_ceil(quick);
        (self.sources < needed).then(|| {
            format!("connecting is slow beyond {quick} connections from one address: give --sources {needed}")
        })
    }

    /// How the connection with this number is opened, on this shard.
    pub(crate) fn options(&self, number: u32, shard: usize) -> ConnectOptions {
        let options = self.options.clone().shard(shard);
        match self.sources {
            1 => options,
            sources => options.from(source(number % sources)),
        }
    }
}

/// All of 127.0.0.0/8 is this machine, with no set-up. Port 0: the kernel chooses at connect, so that
/// a port is used once per source address.
fn source(index: u32) -> SocketAddr {
    let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + index);
    SocketAddr::from((address, 0))
}

fn check_sources(target: SocketAddr, sources: u32) -> Result<(), Failure> {
    let is_loopback = matches!(target.ip(), IpAddr::V4(address) if address.is_loopback());
    if sources > 1 && !is_loopback {
        return Err(Failure::Usage(format!(
            "--sources {sources} needs a target in 127.0.0.0/8, and this one is {}",
            target.ip()
        )));
    }
    Ok(())
}

fn check_ports(connections: u32, sources: u32, ports: u32) -> Result<(), Failure> {
    let needed = connections.div_ceil(ports.max(1));
    if sources >= needed {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{connections} connections need {needed} source addresses, since each has {ports} ports: \
         give --sources {needed}, or widen net.ipv4.ip_local_port_range"
    )))
}

/// Ports that the kernel gives to outgoing connections of one source address: as set, or all where
/// the setting cannot be read.
fn local_ports() -> u32 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse::<u32>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(first), Some(last)) if first <= last => last - first + 1,
        _ => u32::from(u16::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_follow_each_other() {
        let table = [(0, "127.0.0.1:0"), (1, "127.0.0.2:0"), (255, "127.0.1.0:0"), (65_535, "127.1.0.0:0")];
        for (index, address) in table {
            assert_eq!(source(index).to_string(), address);
        }
    }

    #[test]
    fn several_sources_need_loopback() {
        let table = [
            ("127.0.0.1:80", 2, true),
            ("127.9.9.9:80", 50, true),
            ("192.0.2.1:80", 1, true),
            ("192.0.2.1:80", 2, false),
            ("[::1]:80", 1, true),
            ("[::1]:80", 2, false),
        ];
        for (target, sources, allowed) in table {
            assert_eq!(
                check_sources(target.parse().unwrap(), sources).is_ok(),
                allowed,
                "{target} {sources}"
            );
        }
    }

    #[test]
    fn each_source_has_its_ports() {
        let table =
            [(1, 1, true), (28_232, 1, true), (28_233, 1, false), (28_233, 2, true), (1_000_000, 35, false)];
        for (connections, sources, enough) in table {
            let checked = check_ports(connections, sources, 28_232);
            assert_eq!(checked.is_ok(), enough, "{connections} from {sources}");
        }
        let text = check_ports(1_000_000, 35, 28_232).unwrap_err().to_string();
        assert!(text.contains("--sources 36"), "{text}");
    }
}
