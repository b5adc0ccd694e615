//! What may make figures worth less: too few cores, changing clocks, and other guests.

use super::check::{Check, State};
use super::{Asked, cores, usable};
use crate::limits::host::{Host, list};

/// The share of time that a hypervisor may give to others before latencies show it.
const STEAL_MAX: f64 = 0.01;

pub(super) fn checks(host: &Host, asked: &Asked) -> Vec<Check> {
    vec![allowed(host, asked), governor(host), siblings(host), steal(host)]
}

fn allowed(host: &Host, asked: &Asked) -> Check {
    let (online, there) = (host.processors().len(), usable(host).len());
    let quota = host.group_cores();
    let mut value = online.to_string();
    if there < online {
        value += &format!(", of which this process may run on {there}");
    }
    if let Some(quota) = quota {
        value += &format!(", of which the control group allows {quota:.1} at once");
    }
    let is_short = quota.is_some_and(|quota| quota < online as f64);
    let needed = asked.ends();
    Check::new("cores", value)
        .needs(
            format!("at least {needed}, all of them allowed"),
            "the generator's threads, and the server's where it runs here, each on cores of their own (--pin, \
             taskset): else one waits for the other; a quota stops all threads for the rest of each 100 ms",
        )
        .judge(
            is_short,
            State::Warn,
            [format!("CPUQuota={}%    (in a systemd unit)", online * 100), format!("docker run --cpus={online}")],
        )
        .judge(cores(host) < needed, State::Warn, ["a machine with more cores, or the server on another".to_owned()])
}

fn governor(host: &Host) -> Check {
    let governors: Vec<String> = host
        .processors()
        .iter()
        .filter_map(|number| host.processor(*number, "cpufreq/scaling_governor"))
        .collect();
    let slow = governors.iter().find(|governor| *governor != "performance");
    let value =
        slow.or_else(|| governors.first()).map_or("none: the clock is not ours to set", String::as_str);
    Check::new("CPU governor", value)
        .needs(
            "performance",
            "with a clock that follows the load, an idle server seems slower than a busy one",
        )
        .judge(slow.is_some(), State::Warn, ["sudo cpupower frequency-set -g performance".to_owned()])
}

fn siblings(host: &Host) -> Check {
    let shared: Vec<Vec<u32>> = host
        .processors()
        .iter()
        .filter_map(|number| host.processor(*number, "topology/thread_siblings_list"))
        .map(|siblings| list(&siblings))
        .filter(|siblings| siblings.len() > 1)
        .collect();
    let value = match shared.first() {
        Some(first) => format!("on: processors {first:?} are one core"),
        None => "off: each processor is a core".into(),
    };
    Check::new("SMT siblings", value)
        .needs(
            "off, or generator and server on different cores",
            "two threads of one core take turns on what it has, so that each slows the other",
        )
        .judge(
            !shared.is_empty(),
            State::Warn,
            ["echo off | sudo tee /sys/devices/system/cpu/smt/control".to_owned()],
        )
}

fn steal(host: &Host) -> Check {
    let text = host.text("proc/stat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let times: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal: proc_stat(5). What guests took is in user already.
    let total: u64 = times.iter().take(8).sum();
    let Some(stolen) = times.get(7).filter(|_| total > 0) else { return Check::or_unknown("steal", None) };
    let share = *stolen as f64 / total as f64;
    Check::new("steal", format!("{:.2} % since the start", share * 100.0))
        .needs(
            format!("at most {:.0} %", STEAL_MAX * 100.0),
            "time in which the hypervisor ran others on our cores: it stands in every latency",
        )
        .judge(share > STEAL_MAX, State::Warn, ["a machine of one's own, or dedicated cores".to_owned()])
}
