//! Ports, queues and buffers of TCP.

use super::check::{Check, State, bytes};
use super::{Asked, counted, set};
use crate::limits::host::Host;

/// What the engine asks for with listen(2).
const BACKLOG: u64 = 4096;
/// Connections that may arrive while a server that starts or is busy accepts none: those of 0.1 s.
const SYN_BACKLOG: u64 = 2048;
/// The kernel keeps the port of an ended connection for so long at the side that closed first
/// (`TCP_TIMEWAIT_LEN`), in seconds.
const TIME_WAIT: u64 = 60;
/// The kernel accounts the memory of a socket's buffers in pages.
const PAGE: u64 = 4096;

pub(super) fn checks(host: &Host, asked: &Asked) -> Vec<Check> {
    let mut checks = vec![
        ports(host, asked),
        backlog(host, asked),
        syn_backlog(host, asked),
        buffers_in_all(host, asked),
        buffer(host, "net.ipv4.tcp_rmem"),
        buffer(host, "net.ipv4.tcp_wmem"),
        reuse(host, asked),
        waiting(host, asked),
        orphans(host, asked),
    ];
    checks.extend(tracking(host, asked));
    checks.extend(segments(host, asked));
    checks
}

/// The first and last port for outgoing connections, and how many there are.
fn range(host: &Host) -> Option<(u64, u64, u64)> {
    match host.sysctl_list("net.ipv4.ip_local_port_range")[..] {
        [first, last] if first <= last => Some((first, last, last - first + 1)),
        _ => None,
    }
}

fn ports(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.ip_local_port_range";
    let Some((first, last, ports)) = range(host) else { return Check::or_unknown(NAME, None) };
    let connections = asked.connections;
    let sources = connections.div_ceil(ports);
    let widen = set(NAME, "1024 65535");
    let check = Check::new(NAME, format!("{first} {last}: {ports} ports for each source address"));
    if asked.has_loopback_sources() {
        return check.needs(
            if sources == 1 { "1 source address".into() } else { format!("{sources} source addresses") },
            format!(
                "{connections} connections / {ports} ports; all of 127.0.0.0/8 is there with no set-up, and connections \
                 to it spread over it by themselves"
            ),
        );
    }
    let mut mend = vec![widen];
    if connections > 64_512 {
        let count = connections.div_ceil(64_512);
        // The device by which it is reached.
        let device = format!("$(ip -o route get {} | grep -oP 'dev \\K\\S+')", asked.to);
        let bits = if asked.to.is_ipv4() { 32 } else { 128 };
        mend.push(format!("sudo ip addr add ADDRESS/{bits} dev {device}    (for each of {count} addresses)"));
        mend.push("wsload ... --source ADDRESS,ADDRESS,...    (all of them, for every run)".into());
    }
    check
        .needs(
            format!("{connections} ports, or {sources} source addresses"),
            format!("a connection is its two addresses and ports, and {} has one of each", asked.to),
        )
        .judge(sources > 1, State::Fail, mend)
}

fn backlog(host: &Host, asked: &Asked) -> Check {
    let value = host.sysctl("net.core.somaxconn");
    let needed = BACKLOG.min(asked.connections);
    Check::or_unknown("net.core.somaxconn", value)
        .needs(
            format!("at least {needed}"),
            "connections that wait to be accepted: one more is dropped and tried again after 1 s, 3 s, 7 s; it \
             counts where the server runs",
        )
        .judge(asked.is_local() && value < Some(needed), State::Warn, [set("net.core.somaxconn", needed)])
}

fn syn_backlog(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.tcp_max_syn_backlog";
    let value = host.sysctl(NAME);
    let needed = SYN_BACKLOG.min(asked.connections);
    let has_cookies = host.sysctl("net.ipv4.tcp_syncookies").unwrap_or(0) > 0;
    let cookies = if has_cookies { "on, so that it does not bind" } else { "off" };
    Check::or_unknown(NAME, value)
        .needs(
            format!("at least {needed}"),
            format!("handshakes under way, where the server runs; net.ipv4.tcp_syncookies is {cookies}"),
        )
        .judge(asked.is_local() && !has_cookies && value < Some(needed), State::Warn, [set(NAME, needed)])
}

fn buffers_in_all(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.tcp_mem";
    let [low, pressure, most] = host.sysctl_list(NAME)[..] else { return Check::or_unknown(NAME, None) };
    // A page at either end for each connection that has a short message on its way.
    let needed = asked.connections * asked.ends();
    let (connections, ends) = (asked.connections, asked.ends());
    Check::new(NAME, format!("{low} {pressure} {most} pages: {} at most", bytes(most * PAGE)))
        .needs(
            format!("{needed} pages in the middle"),
            format!(
                "{} of {PAGE} B for each of {connections} connections, when all have a message on \
                 their way at once; idle ones take none",
                counted(ends, "page")
            ),
        )
        .judge(
            pressure < needed,
            State::Warn,
            [set(NAME, format_args!("{} {} {}", needed * 3 / 4, needed, needed * 3 / 2))],
        )
}

fn buffer(host: &Host, name: &'static str) -> Check {
    let [least, usual, most] = host.sysctl_list(name)[..] else { return Check::or_unknown(name, None) };
    Check::new(name, format!("{least} {usual} {most}"))
        .needs(
            "a middle of at least 4096 and an end of at least 65536",
            "bytes of one socket's buffer, taken as data comes: where the end is small, so is what is on its way; \
             net.ipv4.tcp_mem bounds the sum of all",
        )
        .judge(
            usual < 4096 || most < 65_536,
            State::Warn,
            [set(name, format_args!("4096 {} {}", usual.max(16_384), most.max(4 << 20)))],
        )
}

fn reuse(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.tcp_tw_reuse";
    let value = host.sysctl(NAME);
    let ports = range(host).map_or(0, |(_, _, ports)| ports);
    let is_reused = matches!(value, Some(1)) || (value == Some(2) && asked.is_local());
    let rate = ports / TIME_WAIT;
    Check::or_unknown(NAME, value)
        .needs(
            if asked.is_local() { "1 or 2" } else { "1" },
            format!(
                "for connections that come and go: else the side that closes keeps the port for {TIME_WAIT} s, and \
                 one source address opens {ports} / {TIME_WAIT} = {rate} a second for long; 2 is for loopback"
            ),
        )
        .judge(!is_reused, State::Warn, [set(NAME, if asked.is_local() { 2 } else { 1 })])
}

fn waiting(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.tcp_max_tw_buckets";
    let value = host.sysctl(NAME);
    let needed = asked.connections;
    Check::or_unknown(NAME, value)
        .needs(
            format!("at least {needed}"),
            "ended connections that the kernel remembers, should all end at once (some 256 B each); the rest is \
             forgotten early, and its last packets are answered with resets",
        )
        .judge(value < Some(needed), State::Warn, [set(NAME, needed)])
}

fn orphans(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "net.ipv4.tcp_max_orphans";
    let value = host.sysctl(NAME);
    let needed = asked.connections;
    Check::or_unknown(NAME, value)
        .needs(
            format!("at least {needed}"),
            "connections whose process has closed them but whose last bytes are under way; the rest is reset",
        )
        .judge(value < Some(needed), State::Warn, [set(NAME, needed)])
}

/// Only where the kernel can track connections at all.
fn tracking(host: &Host, asked: &Asked) -> Option<Check> {
    const NAME: &str = "net.netfilter.nf_conntrack_max";
    let most = host.sysctl(NAME)?;
    let tracked = host.sysctl("net.netfilter.nf_conntrack_count").unwrap_or(0);
    let needed = tracked + asked.connections;
    let state = if tracked == 0 { State::Warn } else { State::Fail };
    let now = if tracked == 0 { "none now: no rule may ask for it" } else { "some now, so that it is on" };
    let check = Check::new(NAME, format!("{most}, of which {tracked} are taken"))
        .needs(
            format!("at least {needed}"),
            format!(
                "a tracked connection takes a place, and where there is none its packets are dropped; {now}"
            ),
        )
        .judge(most < needed, state, [set(NAME, needed)]);
    Some(check)
}

/// How long packets are on loopback.
fn segments(host: &Host, asked: &Asked) -> Option<Check> {
    let length = host.word("sys/class/net/lo/mtu").filter(|_| asked.is_local())?;
    let check = Check::new("MTU of lo", length).needs(
        "any",
        "65536 hides what cutting into packets costs; ip link set lo mtu 1500 is like a network",
    );
    Some(check)
}
