//! Reports of processes that subscribed to the messages of one publishing process, and perhaps its own: what was sent is
//! the same for all of them and is not added.

use crate::model::{Report, Section, Value};

/// Whether all of them are about the same messages.
pub(super) fn is_one(reports: &[Report]) -> bool {
    let first = &reports[0].campaign;
    first.is_some() && reports.iter().all(|report| report.campaign == *first)
}

/// Those that have deliveries before the one that has none, so that deliveries are the main latency.
pub(super) fn in_order(reports: &mut [Report]) {
    reports.sort_by_key(|report| report.clocks.is_empty());
}

/// Counts of what was sent, which each has of the same messages.
pub(super) const SENT: [&str; 2] = ["sent", "refused"];

/// The greatest of something that all should have the same of.
pub(super) fn same(reports: &[Report], part: impl Fn(&Report) -> f64) -> f64 {
    reports.iter().map(part).fold(0.0, f64::max)
}

/// How far messages reached, of all subscribers. By how many of them the worst message was missed is known in each
/// process alone.
pub(super) fn reach(reports: &[Report]) -> Option<Section> {
    let fact = |report: &Report, name: &str| {
        let section = report.sections.iter().find(|section| section.name == "reach")?;
        let fact = section.facts.iter().find(|fact| fact.name == name)?;
        match fact.value {
            Value::Count(count) => Some(count as f64),
            Value::Number(number) => Some(number),
            _ => None,
        }
    };
    let all = |name: &'static str| reports.iter().filter_map(move |report| fact(report, name));
    let messages = all("messages").reduce(f64::max)?;
    let subscribers: f64 = all("subscribers").sum();
    let reached = |report: &Report| Some(fact(report, "reach")? * fact(report, "subscribers")?);
    let reached: f64 = reports.iter().filter_map(reached).sum();
    let reach = if subscribers > 0.0 { reached / subscribers } else { 0.0 };
    let section = Section::new("reach", "Reach")
        .fact("messages", messages as u64, "")
        .fact("subscribers", subscribers as u64, "")
        .fact("reach", reach, "%");
    Some(section)
}
