//! `wsload compare`: whether one run was slower than another, and how sure that is.
//!
//! ```text
//!   likeness   whether they did the same, under the same circumstances
//!   sample     what a bootstrap draws from
//!   page       all of it as one HTML page, with plots (forest: intervals beside each other)
//!   mod        each metric of both, their change with its interval, and a verdict
//! ```
//!
//! The interval is that of the percentile bootstrap: both sides are drawn anew five hundred times from what was measured,
//! and the change of the middle 95 % of those draws is given. The draws come from a fixed seed, so that the same files
//! give the same answer.

mod forest;
mod likeness;
mod page;
mod sample;

use super::document::{Block, Table};
use super::random::Random;
use super::words::{self, UNKNOWN};
use super::{is_stdout, markdown, read, text, write_file};
use crate::args::CompareOptions;
use crate::failure::Failure;
use crate::model::{Latency, Report, Verdict};
use crate::threshold::{Change, Metric, Nanos, Relation};
use sample::{Basis, Sample};
use serde::Serialize;
use std::io::{Write, stderr, stdout};

const DRAWS: usize = 500;
/// Of the draws, on each side of the interval.
const TAIL: f64 = 0.025;
const SEED: u64 = 0x5eed;

/// What is shown, beside what thresholds ask for.
const METRICS: [&str; 7] = ["rate", "p50", "p90", "p99", "p99.9", "mean", "max"];
const DEFAULT_THRESHOLDS: [&str; 3] = ["p50<+5%", "p99<+5%", "rate>-5%"];

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Comparison {
    /// Runs on each side.
    runs: [usize; 2],
    basis: &'static str,
    rows: Vec<Row>,
    thresholds: Vec<Judgement>,
    /// What makes the runs different things: the figures do not say which is faster.
    obstacles: Vec<String>,
    /// What else differs, and may be the cause of what is found.
    differences: Vec<String>,
    /// Between two machines: how well the clocks were known on each side, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    clocks: Option<[u64; 2]>,
    verdict: Verdict,
}

/// A metric on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    metric: String,
    before: Option<f64>,
    after: Option<f64>,
    #[serde(skip)]
    shown: [String; 2],
    /// As a share of `before`.
    change: Option<f64>,
    /// In which it lies with 95 % confidence.
    interval: Option<(f64, f64)>,
    /// Whether more of it is worse.
    #[serde(skip)]
    is_cost: bool,
    /// By how much it may change.
    #[serde(skip)]
    bounds: Vec<f64>,
}

/// A threshold and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Judgement {
    text: String,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Met,
    NotMet,
    /// The change goes beyond the threshold, and may as well be none at all.
    Unclear,
    Unknown,
}

/// Runs the subcommand.
///
/// # Errors
/// As [`read::file_or_folder`]; a histogram is damaged, a file cannot be written.
pub(crate) fn run(options: &CompareOptions) -> Result<Verdict, Failure> {
    let before = read::file_or_folder(&options.before)?;
    let after = read::file_or_folder(&options.after)?;
    let mut thresholds = options.thresholds.clone();
    if thresholds.is_empty() {
        thresholds = default_thresholds([&before, &after]);
    }
    let mut comparison = compare(&before, &after, &thresholds).map_err(Failure::Damaged)?;
    comparison.judge(options.strict, options.anyway);
    let block = comparison.block();
    let mut summary = String::new();
    text::write_block(&mut summary, &block);
    let files = [&options.html, &options.markdown, &options.json];
    let is_stdout_taken = files.iter().any(|path| path.as_deref().is_some_and(is_stdout));
    let _ = if is_stdout_taken { write!(stderr(), "{summary}") } else { write!(stdout(), "{summary}") };
    if let Some(path) = &options.html {
        let page = page::of(&comparison, [&before, &after]).map_err(Failure::Damaged)?;
        write_file(path, &page)?;
    }
    if let Some(path) = &options.markdown {
        let mut page = String::new();
        markdown::write_block(&mut page, &block);
        write_file(path, page.trim_start())?;
    }
    if let Some(path) = &options.json {
        let json =
            serde_json::to_string_pretty(&comparison).expect("a comparison has only keys that are texts");
        write_file(path, &(json + "\n"))?;
    }
    Ok(comparison.verdict)
}

/// Those for which all runs have figures. Where nothing was answered on either side there is no rate.
fn default_thresholds(sides: [&[Report]; 2]) -> Vec<Change> {
    let runs = || sides.iter().copied().flatten();
    let is_there = |change: &Change| match change.metric {
        Metric::Rate => runs().any(|run| run.rates.answered > 0.0),
        _ => runs().all(|run| change.metric.of(run).is_some()),
    };
    let changes = DEFAULT_THRESHOLDS.iter().filter_map(|text| text.parse().ok());
    changes.filter(is_there).collect()
}

fn compare(before: &[Report], after: &[Report], thresholds: &[Change]) -> Result<Comparison, String> {
    let basis = Basis::of(before, after);
    let mut metrics: Vec<(String, Metric)> =
        METRICS.iter().filter_map(|text| Some((String::from(*text), text.parse().ok()?))).collect();
    for change in thresholds
        .iter()
        .filter(|change| metrics.iter().all(|(_, metric)| *metric != change.metric))
        .collect::<Vec<_>>()
    {
        let name = change.text.split(['<', '>', '=']).next().unwrap_or_default();
        metrics.push((name.trim().to_owned(), change.metric.clone()));
    }
    let mut rows = rows(&metrics, [before, after], basis)?;
    for (row, (_, metric)) in rows.iter_mut().zip(&metrics) {
        row.bounds =
            thresholds.iter().filter(|change| change.metric == *metric).map(|change| change.bound).collect();
    }
    let judgement = |change: &Change| {
        let at = metrics.iter().position(|(_, metric)| *metric == change.metric);
        Judgement {
            text: change.text.clone(),
            outcome: at.map_or(Outcome::Unknown, |at| outcome(change, &rows[at])),
        }
    };
    let mut comparison = Comparison {
        runs: [before.len(), after.len()],
        basis: match basis {
            Basis::Runs => "runs",
            Basis::Intervals => "intervals",
            Basis::Nothing => "nothing",
        },
        thresholds: thresholds.iter().map(judgement).collect(),
        obstacles: likeness::obstacles(before, after),
        differences: likeness::differences(before, after),
        clocks: likeness::clocks(before, after),
        verdict: Verdict::Met,
        rows,
    };
    comparison.rows.retain(|row| row.before.is_some() || row.after.is_some());
    Ok(comparison)
}

/// A row for each metric. Those of one distribution are taken from the same draws.
fn rows(metrics: &[(String, Metric)], sides: [&[Report]; 2], basis: Basis) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Option<Row>> = metrics.iter().map(|_| None).collect();
    while let Some(first) = rows.iter().position(Option::is_none) {
        let together: Vec<usize> = (first..metrics.len())
            .filter(|index| is_together(&metrics[first].1, &metrics[*index].1))
            .collect();
        let group: Vec<&Metric> = together.iter().map(|index| &metrics[*index].1).collect();
        let [before, after] = sides;
        let samples = [Sample::of(before, group[0], basis)?, Sample::of(after, group[0], basis)?];
        let intervals = intervals(&group, &samples, basis);
        for (index, interval) in together.into_iter().zip(intervals) {
            let (name, metric) = &metrics[index];
            rows[index] = Some(row(name, metric, sides, &samples, interval));
        }
    }
    Ok(rows.into_iter().flatten().collect())
}

/// Whether two metrics come from the same distribution.
fn is_together(a: &Metric, b: &Metric) -> bool {
    match (a, b) {
        (Metric::Latency { name, tag, .. }, Metric::Latency { name: other, tag: other_tag, .. }) => {
            name == other && tag == other_tag
        }
        (a, b) => a == b,
    }
}

fn row(
    name: &str,
    metric: &Metric,
    sides: [&[Report]; 2],
    samples: &[Sample; 2],
    interval: Option<(f64, f64)>,
) -> Row {
    let value = |runs: &[Report], sample: &Sample| match (runs, metric) {
        // Of a single run, its own figure: that of its intervals differs in how their ends are counted.
        ([run], _) => metric.of(run),
        (_, Metric::Latency { .. } | Metric::Rate) => sample.value(metric, &sample.all()),
        (runs, _) => average(metric, runs),
    };
    let values = [value(sides[0], &samples[0]), value(sides[1], &samples[1])];
    let show = |value: Option<f64>, runs: &[Report]| {
        let uncertainty = runs.iter().filter_map(|run| metric.latency(run)?.uncertainty).max();
        match value {
            Some(value) if uncertainty.is_none() => metric.show(value),
            value => words::latency(&Latency { uncertainty, ..Latency::default() }, value),
        }
    };
    let change = match values {
        [Some(before), Some(after)] if before > 0.0 => Some(after / before - 1.0),
        // Nothing is still nothing: no change, and no share of anything.
        [Some(before), Some(after)] if before == after => Some(0.0),
        _ => None,
    };
    Row {
        metric: name.to_owned(),
        before: values[0],
        after: values[1],
        shown: [show(values[0], sides[0]), show(values[1], sides[1])],
        change,
        interval: change.and(interval),
        is_cost: metric.is_cost(),
        bounds: Vec::new(),
    }
}

/// Of what is a figure and no distribution.
fn average(metric: &Metric, runs: &[Report]) -> Option<f64> {
    let values: Option<Vec<f64>> = runs.iter().map(|run| metric.of(run)).collect();
    values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// For each metric, the middle of its changes between two sides that are drawn anew.
fn intervals(group: &[&Metric], samples: &[Sample; 2], basis: Basis) -> Vec<Option<(f64, f64)>> {
    let [before, after] = samples;
    // Few units are the same however often they are drawn.
    if basis == Basis::Nothing || before.len().min(after.len()) < sample::RUNS_LEAST {
        return vec![None; group.len()];
    }
    let mut random = Random(SEED);
    let mut changes: Vec<Vec<f64>> = vec![Vec::new(); group.len()];
    for _ in 0..DRAWS {
        let drawn = (before.draw(&mut random), after.draw(&mut random));
        for (metric, changes) in group.iter().zip(&mut changes) {
            if let (Some(before), Some(after)) =
                (before.value(metric, &drawn.0), after.value(metric, &drawn.1))
            {
                changes.extend((before > 0.0).then(|| after / before - 1.0));
            }
        }
    }
    changes.into_iter().map(middle).collect()
}

/// The middle 95 %; `None` where too many draws had too few samples.
fn middle(mut changes: Vec<f64>) -> Option<(f64, f64)> {
    changes.sort_by(f64::total_cmp);
    let at = |share: f64| changes.get(((changes.len() as f64 - 1.0) * share).round() as usize).copied();
    (changes.len() >= DRAWS / 2).then_some(())?;
    Some((at(TAIL)?, at(1.0 - TAIL)?))
}

fn outcome(change: &Change, row: &Row) -> Outcome {
    let Some(measured) = row.change else { return Outcome::Unknown };
    if change.relation.holds(measured, change.bound) {
        return Outcome::Met;
    }
    let is_none_possible = row.interval.is_none_or(|(low, high)| low <= 0.0 && high >= 0.0);
    // Asked for an improvement, no change is a failure and no excuse.
    let is_excuse = match change.relation {
        Relation::Below | Relation::AtMost => change.bound > 0.0,
        Relation::Above | Relation::AtLeast => change.bound < 0.0,
        Relation::Equal => false,
    };
    if is_none_possible && is_excuse && row.interval.is_some() { Outcome::Unclear } else { Outcome::NotMet }
}

impl Comparison {
    /// The verdict: what cannot be compared is invalid.
    fn judge(&mut self, is_strict: bool, is_anyway: bool) {
        let is_bad = |outcome: Outcome| match outcome {
            Outcome::Met => false,
            Outcome::NotMet | Outcome::Unknown => true,
            Outcome::Unclear => is_strict,
        };
        self.verdict = if !self.obstacles.is_empty() && !is_anyway {
            Verdict::Invalid
        } else if self.thresholds.iter().any(|each| is_bad(each.outcome)) {
            Verdict::NotMet
        } else {
            Verdict::Met
        };
    }

    fn block(&self) -> Block {
        let mut table = Table::new(&["metric", "before", "after", "change", "95 % interval"]);
        table.rows = self.rows.iter().map(Row::cells).collect();
        let thresholds =
            self.thresholds.iter().map(|each| (each.text.clone(), each.outcome.title().to_owned()));
        let obstacles = self.obstacles.iter().map(|text| format!("Not comparable: {text}."));
        let differences = self.differences.iter().map(|text| format!("Differs: {text}."));
        let verdict = match self.verdict {
            Verdict::Invalid => "Verdict: NOT COMPARABLE",
            Verdict::Met if self.thresholds.is_empty() => {
                "Verdict: met, with nothing judged: give a --threshold"
            }
            verdict => &format!("Verdict: {}", verdict.title()),
        };
        let notes = obstacles.chain(differences).chain(self.certainty());
        let notes = notes.chain([self.confidence(), verdict.to_owned()]);
        Block {
            title: String::from("Comparison"),
            facts: thresholds.collect(),
            table,
            notes: notes.collect(),
        }
    }

    /// What clocks make of latencies between machines.
    fn certainty(&self) -> Option<String> {
        let [before, after] = self.clocks?.map(|uncertainty| Nanos(uncertainty as f64));
        Some(format!(
            "Clocks were known to within {before}, then {after}: a change of less than both together may be none."
        ))
    }

    /// What the intervals are worth.
    fn confidence(&self) -> String {
        let [before, after] = self.runs;
        match self.basis {
            "runs" => format!("Intervals come from {before} and {after} runs."),
            "intervals" => String::from(
                "Intervals come from the seconds within each run; runs differ more than that. \
                 Compare folders of three runs or more, taken in turn.",
            ),
            _ => String::from(
                "Too little was measured to say how sure a change is: run longer, or three times and more.",
            ),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let per_cent = |share: f64| format!("{:+.1} %", share * 100.0);
        let interval = self.interval.map(|(low, high)| format!("{} to {}", per_cent(low), per_cent(high)));
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let [before, after] = self.shown.clone();
        vec![self.metric.clone(), before, after, or_unknown(self.change.map(per_cent)), or_unknown(interval)]
    }
}

impl Outcome {
    fn title(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "NOT MET",
            Self::Unclear => "unclear: it may as well be no change",
            Self::Unknown => "NOT MET: not measured",
        }
    }
}

#[cfg(test)]
mod tests;
