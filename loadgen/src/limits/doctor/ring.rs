//! Whether there is io_uring.

use super::check::{Check, State};
use super::set;
use crate::limits::host::Host;
use wsring::{Client, Drain, Settings};

/// Starts the engine with one small shard; says why it does not start.
pub(super) fn try_one() -> Result<(), String> {
    let settings = Settings { shards: Some(1), connections_max: Some(1), buffers: 1, ..Settings::default() };
    let client = Client::start(settings).map_err(|error| error.to_string())?;
    let _ = client.stop(Drain::default());
    Ok(())
}

pub(super) fn checks(host: &Host, ring: &Result<(), String>) -> Vec<Check> {
    vec![disabled(host), made(ring)]
}

fn disabled(host: &Host) -> Check {
    let setting = host.sysctl("kernel.io_uring_disabled");
    let meaning = match setting {
        Some(0) => "0: everybody may use it",
        Some(1) => "1: only kernel.io_uring_group and CAP_SYS_ADMIN may use it",
        Some(_) => "2: nobody may use it",
        None => "there is no such setting before Linux 6.6",
    };
    Check::new("kernel.io_uring_disabled", meaning)
        .needs("0", "the generator speaks to the kernel by io_uring")
        .judge(setting.unwrap_or(0) == 2, State::Fail, [set("kernel.io_uring_disabled", 0)])
        .judge(setting.unwrap_or(0) == 1, State::Warn, [set("kernel.io_uring_disabled", 0)])
}

fn made(ring: &Result<(), String>) -> Check {
    let text = ring.as_ref().err().map_or("one was made", String::as_str);
    let mut lines = text.lines().map(str::trim);
    let value = lines.next().unwrap_or_default();
    // What the engine says below: what it found and needs, and then what mends it.
    let is_reason = |line: &&str| line.starts_with("found:") || line.starts_with("needed:");
    let (reasons, mends): (Vec<&str>, Vec<&str>) = lines.partition(is_reason);
    let mut why = "tried out just now, with one shard of the engine".to_owned();
    for reason in reasons {
        why.push_str(&format!("; {}", reason.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let mends: Vec<String> =
        mends.into_iter().map(|line| line.trim_start_matches("mend:").trim_start().to_owned()).collect();
    Check::new("a ring", value).needs("can be made", why).judge(ring.is_err(), State::Fail, mends)
}
