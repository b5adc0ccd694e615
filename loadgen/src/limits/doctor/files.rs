//! Descriptors: of the process, of the rings, and of the whole machine.

use super::check::{Check, State, amount};
use super::{Asked, TABLE_MAX, TABLE_RESERVE, UNLIMITED, cores, counted, open_files, set, shards};
use crate::limits::host::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE, Host};

/// What the machine has open besides, and grows by while a run starts.
const FILES_BESIDES: u64 = 1000;
/// What the engine needs at least: its reserve and some room.
const OPEN_FILES_MIN: u64 = 256;

pub(super) fn checks(host: &Host, asked: &Asked) -> Vec<Check> {
    vec![limit(host, asked), raisable(host, asked), machine(host, asked)]
}

/// The limit with which each core's one shard holds its part.
pub(super) fn wanted(host: &Host, asked: &Asked) -> u64 {
    (asked.connections.div_ceil(cores(host)) + TABLE_RESERVE).clamp(OPEN_FILES_MIN, TABLE_MAX)
}

/// How the limit is raised, by what this process may do.
pub(super) fn raise(host: &Host, wanted: u64) -> Vec<String> {
    let hard = host.limit("Max open files").map_or(UNLIMITED, |limit| limit.hard);
    let shell = match () {
        () if wanted <= hard => format!("ulimit -n {wanted}"),
        () if host.can(CAP_SYS_RESOURCE) => format!("prlimit --pid $$ --nofile={wanted}:{wanted}"),
        () => format!("sudo prlimit --pid $$ --nofile={wanted}:{wanted}"),
    };
    vec![shell, format!("LimitNOFILE={wanted}    (in a systemd unit)")]
}

fn limit(host: &Host, asked: &Asked) -> Check {
    let Some(limit) = host.limit("Max open files") else {
        return Check::or_unknown("open files (ulimit -n)", None);
    };
    let (wanted, cores) = (wanted(host, asked), cores(host));
    let shards = shards(asked.connections, limit.soft, cores);
    let connections = asked.connections;
    let table = amount(limit.soft.min(TABLE_MAX));
    let follows = match limit.soft {
        0..=TABLE_RESERVE => "which leaves none".to_owned(),
        _ => format!("so {connections} connections make {shards} shards on {cores} cores"),
    };
    let why = format!(
        "connections take none of the process's descriptors: each shard has a table of {table}, of which it uses all \
         but {TABLE_RESERVE}, {follows}"
    );
    Check::new("open files (ulimit -n)", format!("{} (hard {})", amount(limit.soft), amount(limit.hard)))
        .needs(format!("{wanted} for one shard per core"), why)
        .judge(limit.soft < OPEN_FILES_MIN, State::Fail, raise(host, wanted))
        .judge(shards > cores, State::Warn, raise(host, wanted))
}

fn raisable(host: &Host, asked: &Asked) -> Check {
    let value = host.sysctl("fs.nr_open");
    let wanted = wanted(host, asked);
    // What is in force already is allowed, whatever this says.
    let needed = if open_files(host) >= wanted { 0 } else { wanted };
    Check::or_unknown("fs.nr_open", value)
        .needs(format!("at least {wanted}"), "the most that the limit of open files can be raised to")
        .judge(value < Some(needed), State::Warn, [set("fs.nr_open", wanted)])
}

fn machine(host: &Host, asked: &Asked) -> Check {
    let most = host.sysctl("fs.file-max");
    let open = host.sysctl("fs.file-nr").unwrap_or(0);
    let (connections, ends) = (asked.connections, asked.ends());
    let needed = open + connections * ends + FILES_BESIDES;
    let mut why = format!(
        "{} for each of {connections} connections, {open} that are open now, {FILES_BESIDES} besides; \
         sockets in the rings' tables count here",
        counted(ends, "file")
    );
    let is_exempt = host.can(CAP_SYS_ADMIN);
    if is_exempt {
        why.push_str("; not for this process, which has CAP_SYS_ADMIN");
    }
    let state = if is_exempt { State::Warn } else { State::Fail };
    Check::or_unknown("fs.file-max", most).needs(format!("at least {needed}"), why).judge(
        most < Some(needed),
        state,
        [set("fs.file-max", needed)],
    )
}
