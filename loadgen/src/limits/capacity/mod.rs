//! `wsload capacity`: the largest load that a server holds under an objective.
//!
//! ```text
//!   of       what is raised, and by which option of which workload
//!   search   what is tried next; knows neither clock nor network
//!   trials   runs of the workload, one for each load
//!   judge    whether a run has met the objective; bounds: whether it still can
//! ```
//!
//! The result is the report of the largest load that was held, with the answer and all trials in a section.

mod bounds;
mod judge;
mod of;
mod search;
mod trials;

pub(crate) use bounds::Bounds;
pub(crate) use of::Of;
pub(crate) use trials::Workload;

use crate::args::CapacityOptions;
use crate::failure::Failure;
use crate::model::{Report, Section, Value, Verdict};
use search::{Answer, Found, Outcome, Plan};
use trials::{Round, Stop, Trials};

/// Searches; `workload` runs a command line.
///
/// # Errors
/// The caller's fault: options that do not go together, or trials too short for the objective. And what keeps the
/// first trial from running.
pub(crate) fn run(options: &CapacityOptions, workload: &mut Workload<'_>) -> Result<Report, Failure> {
    if !options.output.thresholds.is_empty() {
        return Err(Failure::Usage("--threshold is of a run, capacity has --slo for that".into()));
    }
    let way = options.of.way();
    let plan = Plan {
        start: options.from.unwrap_or(way.start),
        most: options.most.unwrap_or(way.most),
        within: options.within,
    };
    if plan.start > plan.most {
        return Err(Failure::Usage(format!("--from {} is more than --most {}", plan.start, plan.most)));
    }
    let mut trials = Trials::new(options, workload);
    let found = search::search(&plan, &mut trials);
    let rounds = trials.rounds;
    match found.stopped {
        Some(Stop::Failure(failure)) => Err(failure),
        Some(Stop::Interrupted) if rounds.is_empty() => Err(Failure::Interrupted),
        _ => Ok(report(options, &found, rounds)),
    }
}

/// The report of the answer's lower end, or of the last trial where nothing was held, with the answer in it.
fn report(options: &CapacityOptions, found: &Found<Stop>, mut rounds: Vec<Round>) -> Report {
    let section = section(options, found, &rounds);
    let held = found.answer.held();
    let is_base = |round: &Round| Some(round.load) == held && round.outcome == Outcome::Held;
    let base = rounds.iter().rposition(|round| is_base(round) && round.report.is_some());
    let base = base.or_else(|| rounds.iter().rposition(|round| round.report.is_some()));
    let mut report = base.and_then(|index| rounds.swap_remove(index).report).unwrap_or_default();
    report.workload = "capacity".into();
    report.command = std::env::args().collect();
    report.sections.insert(0, section);
    report.thresholds = options.slo.iter().map(|threshold| threshold.check(&report)).collect();
    (report.verdict, report.reasons) = verdict(options, found);
    if !found.contradictions.is_empty() {
        let loads: Vec<String> = found.contradictions.iter().map(u64::to_string).collect();
        report.warnings.push(format!(
            "trials contradicted each other at {}: the server, or this machine, is not steady there",
            loads.join(", ")
        ));
    }
    report
}

/// What the search has found, for the exit code.
fn verdict(options: &CapacityOptions, found: &Found<Stop>) -> (Verdict, Vec<String>) {
    let unit = options.of.way().unit;
    if matches!(found.stopped, Some(Stop::Interrupted)) {
        return (Verdict::NotMet, vec!["interrupted: the answer is what was known until then".into()]);
    }
    let (verdict, reason) = match found.answer {
        Answer::Below { missed } => (
            Verdict::NotMet,
            format!("{missed} {unit}, the first load, was missed already: give a smaller --from"),
        ),
        Answer::Generator { failed, .. } => (
            Verdict::Invalid,
            format!("the generator could not put on {failed} {unit}: the server may hold more"),
        ),
        Answer::Unknown => (Verdict::NotMet, "there was no trial: give a longer --max-time".into()),
        _ if found.is_confirmed => return (Verdict::Met, Vec::new()),
        _ => (
            Verdict::NotMet,
            "the answer is not as close as asked for, or not confirmed: give a longer --max-time".into(),
        ),
    };
    (verdict, vec![reason])
}

impl Answer {
    /// The largest load that was held.
    fn held(self) -> Option<u64> {
        match self {
            Self::Between { held, .. } | Self::AtLeast { held } => Some(held),
            Self::Generator { held, .. } => held,
            Self::Below { .. } | Self::Unknown => None,
        }
    }

    /// The smallest load that was not.
    fn missed(self) -> Option<u64> {
        match self {
            Self::Between { missed, .. } | Self::Below { missed } => Some(missed),
            Self::Generator { failed, .. } => Some(failed),
            Self::AtLeast { .. } | Self::Unknown => None,
        }
    }

    /// For people.
    fn words(self, unit: &str, most: u64) -> String {
        match self {
            Self::Between { held, missed } => format!("{held} to {missed} {unit}"),
            Self::AtLeast { held } if held < most => {
                format!("at least {held} {unit}, where the search ended")
            }
            Self::AtLeast { held } => format!("at least {held} {unit}, the largest load that was allowed"),
            Self::Below { missed } => format!("less than {missed} {unit}"),
            Self::Generator { held: Some(held), .. } => {
                format!("at least {held} {unit}; the generator can do no more")
            }
            Self::Generator { held: None, .. } => "unknown: the generator cannot do the first load".into(),
            Self::Unknown => "unknown".into(),
        }
    }
}

/// The answer and all trials.
fn section(options: &CapacityOptions, found: &Found<Stop>, rounds: &[Round]) -> Section {
    let way = options.of.way();
    let (unit, counts_openings) = (way.unit, way.counts_openings);
    let rate = if counts_openings { "opened per second" } else { "answered per second" };
    let objective: Vec<String> = options.slo.iter().map(ToString::to_string).collect();
    let confirmed =
        if found.is_confirmed { "yes: each end of the answer was tried twice or more" } else { "no" };
    let mut section = Section::new("capacity", "Capacity")
        .fact("limit", found.answer.words(unit, options.most.unwrap_or(way.most)), "")
        .fact("objective", objective.join(", "), "")
        .fact("held", found.answer.held(), "")
        .fact("missed", found.answer.missed(), "")
        .fact("confirmed", confirmed, "")
        .fact("trials", rounds.len() as u64, "")
        .columns(&["trial", "step", unit, "outcome", rate, "p50 (ms)", "p99 (ms)", "why"]);
    for (number, round) in (1_u64..).zip(rounds) {
        section = section.row(row(number, round, counts_openings));
    }
    section
}

fn row(number: u64, round: &Round, counts_openings: bool) -> Vec<Value> {
    let percentile = |at: f64| {
        let nanoseconds = round.report.as_ref()?.main_latency()?.at(at)?;
        // Three digits are what a histogram has.
        Some((nanoseconds as f64 / 1e3).round() / 1e3)
    };
    let rate = |report: &Report| if counts_openings { report.opening.rate } else { report.rates.answered };
    let rate = round.report.as_ref().map(|report| rate(report).round());
    vec![
        number.into(),
        round.step.name().into(),
        round.load.into(),
        round.outcome.name().into(),
        rate.into(),
        percentile(50.0).into(),
        percentile(99.0).into(),
        round.why.as_str().into(),
    ]
}

#[cfg(test)]
mod tests;
