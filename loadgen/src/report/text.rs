//! The report for people.

use super::{Detail, EchoResult, IdleResult, Latency, Report, Verdict};
use crate::args::KindChoice;
use std::fmt::{Display, Formatter, Result};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let opening = &self.opening;
        line(f, "target", &self.url)?;
        line(f, "generator", &format_args!("wsload {}, {}, {} shards", self.wsload, self.io, self.shards))?;
        line(f, "host", &format_args!("Linux {}, {} cores", self.host.kernel, self.host.cores))?;
        let (opened, asked, seconds) = (opening.opened, opening.asked, opening.seconds);
        line(f, "opened", &format_args!("{opened} of {asked} connections in {seconds:.2} s"))?;
        match &self.detail {
            Detail::Echo(result) => echo(f, result)?,
            Detail::Idle(result) => idle(f, result)?,
        }
        let closing = &self.closing;
        line(f, "closed", &format_args!("{} in order, {} cut off", closing.in_order, closing.cut_off))?;
        for (text, count) in &self.failures {
            line(f, "failure", &format_args!("{count} times: {text}"))?;
        }
        for warning in &self.warnings {
            line(f, "warning", warning)?;
        }
        match self.verdict {
            Verdict::Met => line(f, "verdict", &"met"),
            Verdict::NotMet => line(f, "verdict", &format_args!("NOT MET: {}", self.reasons.join(", "))),
        }
    }
}

fn echo(f: &mut Formatter<'_>, result: &EchoResult) -> Result {
    let kind = match result.kind {
        KindChoice::Binary => "binary",
        KindChoice::Text => "text",
    };
    let (depth, size) = (result.depth, result.size);
    line(f, "load", &format_args!("closed loop, depth {depth}, {size} B {kind}, fresh mask for each frame"))?;
    let (rate, messages, seconds) = (result.messages_per_second, result.messages, result.seconds);
    line(f, "echoes", &format_args!("{rate:.0} per second ({messages} in {seconds:.1} s), each verified"))?;
    match &result.round_trip {
        Some(latency) => round_trip(f, latency)?,
        None => line(f, "round trip", &"no message that was sent in the window was answered")?,
    }
    if result.wrong + result.refused + result.unanswered > 0 {
        let (wrong, refused, unanswered) = (result.wrong, result.refused, result.unanswered);
        line(f, "errors", &format_args!("{wrong} wrong, {refused} not sent, {unanswered} not answered"))?;
    }
    match result.generator {
        Some(usage) => {
            let (cores, busiest) = (usage.cores, usage.busiest * 100.0);
            line(f, "client CPU", &format_args!("{cores:.2} cores, busiest thread {busiest:.0} %"))
        }
        None => Ok(()),
    }
}

fn round_trip(f: &mut Formatter<'_>, latency: &Latency) -> Result {
    write!(f, "{:<11} min {}", "round trip", Micros(latency.min))?;
    for (name, value) in latency.percentiles() {
        match value {
            Some(value) => write!(f, ", {name} {}", Micros(value))?,
            None => write!(f, ", {name} -")?,
        }
    }
    writeln!(f, ", max {}", Micros(latency.max))?;
    if latency.percentiles().iter().any(|(_, value)| value.is_none()) {
        line(f, "", &format_args!("- stands for too few samples: there are {}", latency.samples))?;
    }
    Ok(())
}

fn idle(f: &mut Formatter<'_>, result: &IdleResult) -> Result {
    line(f, "alive", &format_args!("{} after {:.1} s", result.alive, result.hold_seconds))?;
    if result.unasked > 0 {
        line(f, "unasked", &format_args!("{} messages from the server", result.unasked))?;
    }
    match &result.echo {
        Some(echo) => {
            let (right, sent, seconds) = (echo.right, echo.sent, echo.seconds);
            line(f, "echoed", &format_args!("{right} of {sent} connections in {seconds:.2} s, each verified"))
        }
        None => Ok(()),
    }
}

fn line(f: &mut Formatter<'_>, name: &str, value: &dyn Display) -> Result {
    writeln!(f, "{name:<11} {value}")
}

/// A duration in the unit that suits it.
struct Micros(f64);

impl Display for Micros {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            value if value < 1e3 => write!(f, "{value:.0} us"),
            value if value < 1e6 => write!(f, "{:.2} ms", value / 1e3),
            value => write!(f, "{:.2} s", value / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit() {
        let table = [(17.4, "17 us"), (1500.0, "1.50 ms"), (2_340_000.0, "2.34 s")];
        for (value, text) in table {
            assert_eq!(Micros(value).to_string(), text);
        }
    }
}
