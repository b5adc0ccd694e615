//! Memory: of the kernel for sockets, of both programs, and what may be locked.

use super::check::{Check, State, amount, bytes};
use super::files::{raise, wanted};
use super::{Asked, cores, counted, open_files, set, shards};
use crate::limits::host::{CAP_IPC_LOCK, Host};

/// What the kernel keeps for one socket in a ring's table: the caches that it comes from, and what one
/// object of each takes on Linux 6.18 (x86-64) where slabinfo(5) may not be read.
const SOCKET: [(&str, u64); 5] =
    [("TCP", 2521), ("sock_inode_cache", 863), ("filp", 196), ("dentry", 196), ("io_kiocb", 256)];
/// What does not stand in these: the port's entry, timers, the wait for input, the table's place.
const SOCKET_BESIDES: u64 = 384;
/// User memory of one connection that says nothing: in this program, and in the engine's server.
const CLIENT: u64 = 640;
const SERVER: u64 = 256;
/// Receive buffers of one shard, and its stack and heap.
const SHARD: u64 = (512 * 16_384) + (2 << 20);

/// Locked memory of one shard's queues: as it asks for, and as it starts with at the worst. The entries
/// of 64 B and 16 B, the buffer ring's, and a page.
const LOCKED: u64 = 2048 * 64 + 16_384 * 16 + 512 * 16 + 4096;
const LOCKED_MIN: u64 = 2048 * 64 + 2048 * 16 + 512 * 16 + 4096;

/// Mappings of one shard, and of the rest of the process.
const MAPS_PER_SHARD: u64 = 16;
const MAPS_BESIDES: u64 = 1000;

pub(super) fn checks(host: &Host, asked: &Asked) -> Vec<Check> {
    let mut checks = vec![free(host, asked)];
    checks.extend(group(host, asked));
    checks.extend([locked(host, asked), maps(host, asked)]);
    checks
}

/// Bytes of kernel memory for one end of a connection.
fn socket(host: &Host) -> u64 {
    let object = |(name, usual): (&str, u64)| host.slab(name).map_or(usual, |slab| slab.bytes);
    SOCKET.into_iter().map(object).sum::<u64>() + SOCKET_BESIDES
}

/// Bytes that the connections take on this machine, and where they come from.
fn needed(host: &Host, asked: &Asked) -> (u64, String) {
    let (connections, ends, socket) = (asked.connections, asked.ends(), socket(host));
    let shards = shards(connections, open_files(host), cores(host)) * ends;
    let user = if asked.is_local() { CLIENT + SERVER } else { CLIENT };
    let sum = connections * (ends * socket + user) + shards * SHARD;
    let why = format!(
        "{connections} x ({} of {socket} B in the kernel + {user} B of the programs) + {shards} shards \
         of {}",
        counted(ends, "socket"),
        bytes(SHARD)
    );
    (sum, why)
}

fn free(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "memory (MemAvailable)";
    let Some(available) = host.memory("MemAvailable") else { return Check::or_unknown(NAME, None) };
    let (needed, why) = needed(host, asked);
    let smaller = format!("--connections {}", most(host, asked, available));
    let is_fewer_enough = needed - few_shards_save(host, asked) <= available;
    let mend = match fewer_shards(host, asked) {
        Some(raise) if is_fewer_enough => raise,
        _ => format!("more memory, or at most {smaller}"),
    };
    Check::new(NAME, bytes(available))
        .needs(bytes(needed), why)
        .judge(available < needed, State::Fail, [mend])
        .judge(
            available < needed + needed / 4,
            State::Warn,
            [format!("little is left over; {smaller} is safe")],
        )
}

/// The line that raises the limit of open files, where it makes more shards than there are cores.
fn fewer_shards(host: &Host, asked: &Asked) -> Option<String> {
    let (shards, cores) = (shards(asked.connections, open_files(host), cores(host)), cores(host));
    let raise = || raise(host, wanted(host, asked)).swap_remove(0);
    (shards > cores).then(|| format!("{}    (one shard per core instead of {shards} in all)", raise()))
}

/// Bytes of shards that are not needed where the limit of open files is high enough.
fn few_shards_save(host: &Host, asked: &Asked) -> u64 {
    let most = |open_files| shards(asked.connections, open_files, cores(host));
    (most(open_files(host)) - most(wanted(host, asked).max(open_files(host)))) * asked.ends() * SHARD
}

/// Connections that so much memory holds, with a fifth left over.
fn most(host: &Host, asked: &Asked, available: u64) -> u64 {
    let one = needed(host, &Asked { connections: 1 << 20, ..asked.clone() }).0 >> 20;
    available / 5 * 4 / one.max(1)
}

fn group(host: &Host, asked: &Asked) -> Option<Check> {
    let group = host.group_memory()?;
    let left = group.limit.saturating_sub(group.used);
    let (needed, why) = needed(host, asked);
    let check =
        Check::new("memory of the control group", format!("{} of {} left", bytes(left), bytes(group.limit)))
            .needs(bytes(needed), format!("{why}; kernel memory of sockets is charged to the group"))
            .judge(
                left < needed,
                State::Fail,
                [
                    format!("MemoryMax={}    (in a systemd unit)", group.used + needed),
                    format!("docker run --memory={}", group.used + needed),
                ],
            );
    Some(check)
}

fn locked(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "locked memory (ulimit -l)";
    let Some(limit) = host.limit("Max locked memory") else { return Check::or_unknown(NAME, None) };
    let shards = shards(asked.connections, open_files(host), cores(host)) * asked.ends();
    let (needed, least) = (shards * LOCKED, shards * LOCKED_MIN);
    let is_exempt = host.can(CAP_IPC_LOCK);
    let mut why =
        format!("{shards} shards x {LOCKED} B for the queues of their rings, counted for each user");
    if asked.is_local() {
        why.push_str("; half of the shards are the server's");
    }
    if is_exempt {
        why.push_str("; not for this process, which has CAP_IPC_LOCK");
    }
    let mend = || {
        let shell = match limit.hard {
            super::UNLIMITED => "ulimit -l unlimited".to_owned(),
            hard if hard >= needed => format!("ulimit -l {}", needed.div_ceil(1024)),
            _ => "sudo prlimit --pid $$ --memlock=unlimited".to_owned(),
        };
        [shell, "LimitMEMLOCK=infinity    (in a systemd unit)".to_owned()]
    };
    let fewer = fewer_shards(host, asked);
    Check::new(NAME, if limit.soft == super::UNLIMITED { amount(limit.soft) } else { bytes(limit.soft) })
        .needs(bytes(needed), why)
        .judge(!is_exempt && limit.soft < least, State::Fail, mend().into_iter().chain(fewer.clone()))
        .judge(!is_exempt && limit.soft < needed, State::Warn, mend().into_iter().chain(fewer))
}

fn maps(host: &Host, asked: &Asked) -> Check {
    const NAME: &str = "vm.max_map_count";
    let value = host.sysctl(NAME);
    let shards = shards(asked.connections, open_files(host), cores(host));
    let needed = shards * MAPS_PER_SHARD + MAPS_BESIDES;
    Check::or_unknown(NAME, value)
        .needs(
            format!("at least {needed}"),
            format!("{MAPS_PER_SHARD} mappings for each of {shards} shards, {MAPS_BESIDES} besides"),
        )
        .judge(
            value < Some(needed),
            State::Fail,
            [set(NAME, needed)].into_iter().chain(fewer_shards(host, asked)),
        )
}
