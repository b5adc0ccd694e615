//! Requirements as they are written on the command line, `p99<10ms`, and whether a report meets them.
//!
//! ```text
//!   threshold = metric relation bound
//!   metric    = [ latency [ ":" tag ] "." ] ( "p" percentile | "min" | "mean" | "max" )
//!             | "rate" | "sent_rate" | "offered_share" | "open_rate" | "error_rate" | "client_cores" | "server_cores"
//!             | a count, such as "unanswered"
//!   relation  = "<" | "<=" | ">" | ">=" | "=="
//!   bound     = number [ "ns" | "us" | "ms" | "s" | "m" | "%" | "k" | "M" | "G" ]
//! ```
//!
//! [`Threshold`] is about one report; [`Change`], whose bound has a sign and is in per cent, is about two.

use crate::model::{Latency, Report, ThresholdResult, percentile};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// A requirement of a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    text: String,
    pub(crate) metric: Metric,
    pub(crate) relation: Relation,
    /// Nanoseconds, a share, a number per second or a count, as the metric is.
    pub(crate) bound: f64,
}

/// A requirement of two reports: by how much the second may differ from the first, as a share of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) text: String,
    pub(crate) metric: Metric,
    pub(crate) relation: Relation,
    /// 0.05 for `+5%`.
    pub(crate) bound: f64,
}

/// Something that can be measured in a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Metric {
    /// Nanoseconds.
    Latency {
        /// Absent: the report's main one.
        name: Option<String>,
        tag: Option<String>,
        part: Part,
    },
    /// Answers per second.
    Rate,
    SentRate,
    /// What was sent of what the schedule asked for.
    OfferedShare,
    /// Connections opened per second.
    OpenRate,
    /// Messages and connections that failed, of all.
    ErrorRate,
    ClientCores,
    ServerCores,
    /// Of [`Report::counts`].
    Count(String),
}

/// What of a latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Percentile(f64),
    Min,
    Mean,
    Max,
}

/// How a value has to stand to the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

/// Counts of messages or deliveries that went wrong; each is in one of them at most.
pub(crate) const FAULTS: [&str; 9] = [
    "unanswered",
    "missed",
    "corrupt",
    "duplicate",
    "out_of_order",
    "unasked",
    "refused",
    "blocked",
    "unpublished",
];

impl Threshold {
    /// What a report has to say about it. What was not measured is not met.
    pub(crate) fn check(&self, report: &Report) -> ThresholdResult {
        let value = self.metric.of(report);
        ThresholdResult {
            text: self.text.clone(),
            measured: value.map(|value| self.metric.shown(report, value)),
            met: value.is_some_and(|value| self.is_met_by(value)),
        }
    }

    /// What makes the outcome no certain one: the clocks are not known well enough.
    fn doubt(&self, report: &Report) -> Option<String> {
        let uncertainty = self.metric.latency(report)?.uncertainty? as f64;
        let is_near = (self.metric.of(report)? - self.bound).abs() <= uncertainty;
        let text = || {
            format!("{} may be otherwise: the clocks are known to within {}", self.text, Nanos(uncertainty))
        };
        is_near.then(text)
    }

    /// Whether a value of the metric meets it.
    pub(crate) fn is_met_by(&self, value: f64) -> bool {
        self.relation.holds(value, self.bound)
    }
}

/// Writes what became of each threshold into the report, and its verdict where one was not met.
pub(crate) fn apply(thresholds: &[Threshold], report: &mut Report) {
    for threshold in thresholds {
        let result = threshold.check(report);
        if !result.met {
            let measured = result.measured.as_deref().unwrap_or("too few samples, or not measured");
            report.not_met(format!("{} was not met: {measured}", result.text));
        }
        report.warnings.extend(threshold.doubt(report));
        report.thresholds.push(result);
    }
}

impl Metric {
    /// Its value; `None` where it was not measured, or of too few samples.
    pub(crate) fn of(&self, report: &Report) -> Option<f64> {
        match self {
            Self::Latency { part, .. } => part.of(self.latency(report)?),
            Self::Rate => Some(report.rates.answered),
            Self::SentRate => Some(report.rates.sent),
            Self::OfferedShare => report.rates.offered.map(|offered| report.rates.sent / offered),
            Self::OpenRate => Some(report.opening.rate),
            Self::ErrorRate => error_rate(report),
            Self::ClientCores => report.health.cores,
            Self::ServerCores => report.server.as_ref().and_then(|server| server.cores),
            Self::Count(name) => Some(report.count(name) as f64),
        }
    }

    /// Whether more of it is worse.
    pub(crate) fn is_cost(&self) -> bool {
        let is_good = match self {
            Self::Rate | Self::SentRate | Self::OfferedShare | Self::OpenRate => true,
            Self::Count(name) => ["sent", "answered"].contains(&name.as_str()),
            _ => false,
        };
        !is_good
    }

    /// The latency that it is a part of.
    pub(crate) fn latency<'a>(&self, report: &'a Report) -> Option<&'a Latency> {
        let Self::Latency { name, tag, .. } = self else { return None };
        match name {
            None => report.main_latency(),
            Some(name) => report.latencies.iter().find(|each| each.name == *name && each.tag == *tag),
        }
    }

    /// A value in a report as people read it: none that its clocks cannot tell.
    fn shown(&self, report: &Report, value: f64) -> String {
        let latency = self.latency(report).filter(|latency| !latency.can_tell(value));
        match latency.and_then(|latency| latency.uncertainty) {
            Some(uncertainty) => format!("< {}", Nanos(uncertainty as f64)),
            None => self.show(value),
        }
    }

    /// A value as people read it.
    pub(crate) fn show(&self, value: f64) -> String {
        match self {
            Self::Latency { .. } => Nanos(value).to_string(),
            Self::OfferedShare | Self::ErrorRate => format!("{:.3} %", value * 100.0),
            Self::ClientCores | Self::ServerCores => format!("{value:.2}"),
            Self::Rate | Self::SentRate | Self::OpenRate => format!("{value:.0} per second"),
            Self::Count(_) => format!("{value:.0}"),
        }
    }
}

impl Part {
    fn of(self, latency: &Latency) -> Option<f64> {
        if latency.count == 0 {
            return None;
        }
        match self {
            // One that is not written out is still in the histogram.
            Self::Percentile(at) => {
                let value = latency.at(at).or_else(|| percentile(&latency.histogram().ok()?, at));
                value.map(|value| value as f64)
            }
            Self::Min => Some(latency.min as f64),
            Self::Mean => Some(latency.mean),
            Self::Max => Some(latency.max as f64),
        }
    }
}

/// Faults of messages and failures of connections, of messages that were due (or deliveries that were), or came
/// unbidden, and connections asked for.
fn error_rate(report: &Report) -> Option<f64> {
    let sum = |names: &[&str]| names.iter().map(|name| report.count(name)).sum::<u64>();
    let (faults, failures) = (sum(&FAULTS), report.errors.values().sum::<u64>());
    let due = sum(&["sent", "refused", "blocked", "unpublished"]).max(sum(&["answered", "missed"]));
    let all = due + sum(&["duplicate", "unasked"]) + report.opening.asked;
    (all > 0).then(|| (faults + failures) as f64 / all as f64)
}

impl Relation {
    /// Whether a value stands so to a bound.
    pub(crate) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
        }
    }

    /// Splits at the first relation.
    fn split(text: &str) -> Option<(&str, Self, &str)> {
        let at = text.find(['<', '>', '='])?;
        let table = [
            ("<=", Self::AtMost),
            (">=", Self::AtLeast),
            ("==", Self::Equal),
            ("<", Self::Below),
            (">", Self::Above),
        ];
        table.into_iter().find_map(|(sign, relation)| {
            text[at..].strip_prefix(sign).map(|bound| (text[..at].trim(), relation, bound.trim()))
        })
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no threshold, {why}; write it as p99<10ms or rate>=50k");
        let (metric, relation, bound) = Relation::split(text).ok_or_else(|| wrong("it compares nothing"))?;
        let metric: Metric = metric.parse().map_err(|why: String| wrong(&why))?;
        if bound.starts_with(['+', '-']) {
            return Err(wrong("a bound with a sign is for `wsload compare`"));
        }
        let bound = bound_of(&metric, bound).map_err(|why| wrong(&why))?;
        Ok(Self { text: text.to_owned(), metric, relation, bound })
    }
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no threshold, {why}; write it as p99<+5% or rate>-3%");
        let (metric, relation, bound) = Relation::split(text).ok_or_else(|| wrong("it compares nothing"))?;
        let metric = metric.parse().map_err(|why: String| wrong(&why))?;
        let number = bound.strip_suffix('%').filter(|number| number.starts_with(['+', '-']));
        let number = number.and_then(|number| number.parse::<f64>().ok()).filter(|number| number.is_finite());
        let bound = number.ok_or_else(|| wrong("its bound is no change in per cent"))? / 100.0;
        Ok(Self { text: text.to_owned(), metric, relation, bound })
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "rate" => Self::Rate,
            "sent_rate" => Self::SentRate,
            "offered_share" => Self::OfferedShare,
            "open_rate" => Self::OpenRate,
            "error_rate" => Self::ErrorRate,
            "client_cores" => Self::ClientCores,
            "server_cores" => Self::ServerCores,
            _ => return latency_metric(text).or_else(|| count_metric(text)).ok_or_else(|| unknown(text)),
        })
    }
}

/// `p99`, `service.p99.9` or `response:healthy.max`.
fn latency_metric(text: &str) -> Option<Metric> {
    let whole = |part| Metric::Latency { name: None, tag: None, part };
    if let Some(part) = part(text) {
        return Some(whole(part));
    }
    let (name, part_text) = text.split_once('.')?;
    let part = part(part_text)?;
    let (name, tag) = name.split_once(':').map_or((name, None), |(name, tag)| (name, Some(tag.to_owned())));
    (!name.is_empty()).then(|| Metric::Latency { name: Some(name.to_owned()), tag, part })
}

fn part(text: &str) -> Option<Part> {
    match text {
        "min" => Some(Part::Min),
        "mean" => Some(Part::Mean),
        "max" => Some(Part::Max),
        _ => {
            let number = text.strip_prefix('p')?.parse().ok()?;
            (0.0..100.0).contains(&number).then_some(Part::Percentile(number))
        }
    }
}

/// Counts beside the faults that any workload keeps; a name that none knows is a mistake rather than a zero.
const COUNTS: [&str; 9] = [
    "sent",
    "answered",
    "late",
    "lost",
    "connections_lost",
    "given_up",
    "rounds_missed",
    "negative_samples",
    "pongs",
];

fn count_metric(text: &str) -> Option<Metric> {
    let is_known = COUNTS.iter().chain(&FAULTS).any(|name| *name == text);
    is_known.then(|| Metric::Count(text.to_owned()))
}

fn unknown(text: &str) -> String {
    let counts = [&COUNTS[..], &FAULTS].concat().join(", ");
    format!(
        "nothing that is called {text:?} is measured (known are p50 to p99.999, min, mean and max, also of \
         another latency as in service.p99, rate, sent_rate, offered_share, open_rate, error_rate, client_cores, \
         server_cores, {counts})"
    )
}

/// A bound in the metric's unit.
fn bound_of(metric: &Metric, text: &str) -> Result<f64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no number"))?;
    let factor = match (metric, unit.trim()) {
        (Metric::Latency { .. }, "ns") => 1.0,
        (Metric::Latency { .. }, "us" | "\u{b5}s") => 1e3,
        (Metric::Latency { .. }, "ms") => 1e6,
        (Metric::Latency { .. }, "s") => 1e9,
        (Metric::Latency { .. }, "m") => 60e9,
        (Metric::Latency { .. }, _) => return Err(String::from("a time has a unit: ns, us, ms, s or m")),
        (Metric::OfferedShare | Metric::ErrorRate, "%") => 0.01,
        (_, "") => 1.0,
        (_, "k") => 1e3,
        (_, "M") => 1e6,
        (_, "G") => 1e9,
        (_, unit) => return Err(format!("{unit:?} is no unit of it")),
    };
    Ok(number * factor)
}

impl Display for Threshold {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Nanoseconds in the unit that suits them, with three digits.
pub(crate) struct Nanos(pub(crate) f64);

impl Display for Nanos {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (value, unit) = match self.0.abs() {
            value if value < 999.5 => (self.0, "ns"),
            value if value < 999.5e3 => (self.0 / 1e3, "us"),
            value if value < 999.5e6 => (self.0 / 1e6, "ms"),
            _ => (self.0 / 1e9, "s"),
        };
        let decimals = match value.abs() {
            _ if unit == "ns" => 0,
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        write!(f, "{value:.decimals$} {unit}")
    }
}

#[cfg(test)]
mod tests;
