//! A comparison as one page: the verdict, every change with its interval, and both sides in the same plots.

use super::forest::Forest;
use super::{Comparison, DRAWS, Outcome, Row, SEED};
use crate::model::{Interval, Latency, Report, Verdict};
use crate::report::document::{Block, Table, shell};
use crate::report::html::plots::{nines, note, percentile_plot, thinned};
use crate::report::html::{self, escaped};
use crate::report::merge::{add, laid_over};
use crate::report::plot::{Axis, Line, Plot, Scale, Unit};
use crate::report::words::{self, UNKNOWN, counted};
use std::fmt::Write;

const SIDES: [&str; 2] = ["before", "after"];

/// The whole page.
///
/// # Errors
/// A histogram is damaged.
pub(super) fn of(comparison: &Comparison, sides: [&[Report]; 2]) -> Result<String, String> {
    let mut body = String::new();
    write_header(&mut body, comparison, sides);
    body.push_str("<main>\n<div class=\"blocks\">\n");
    write_changes(&mut body, comparison);
    body.push_str("</div>\n");
    html::write_plots(&mut body, &plots(sides)?);
    body.push_str("<div class=\"blocks\">\n");
    html::write_block(&mut body, &runs(sides));
    html::write_block(&mut body, &repeat());
    body.push_str("</div>\n</main>\n");
    let first = &sides[0][0];
    Ok(html::page(&format!("wsload compare: {} {}", first.workload, first.url), &body))
}

fn write_header(html: &mut String, comparison: &Comparison, sides: [&[Report]; 2]) {
    let first = &sides[0][0];
    let other = sides[1].iter().find(|run| run.url != first.url);
    let urls = other.map_or_else(|| first.url.clone(), |other| format!("{}, then {}", first.url, other.url));
    let _ = write!(
        html,
        "<header>\n<h1>compare <small>{} {}</small></h1>\n",
        escaped(&first.workload),
        escaped(&urls)
    );
    let _ = writeln!(html, "<p class=\"lead\">{}</p>", escaped(&words::load(&first.load)));
    let is_unclear = comparison.thresholds.iter().any(|each| each.outcome == Outcome::Unclear);
    let (class, meaning) = match comparison.verdict {
        Verdict::Met if comparison.thresholds.is_empty() => {
            ("met", "Nothing was judged: no --threshold was given")
        }
        Verdict::Met if is_unclear => ("met", "Met, as far as it can be told: a change may as well be none"),
        Verdict::Met => ("met", "Met: nothing changed by more than it may"),
        Verdict::NotMet => ("not-met", "Not met"),
        Verdict::Invalid => ("invalid", "Not comparable: the figures do not say which side is faster"),
    };
    let missed = comparison.thresholds.iter().filter(|each| each.outcome != Outcome::Met);
    let missed = missed.map(|each| format!("{}: {}", each.text, each.outcome.title()));
    let reasons: Vec<String> = match comparison.verdict {
        Verdict::Invalid => comparison.obstacles.clone(),
        _ => missed.collect(),
    };
    html::write_box(html, class, meaning, &reasons);
    let warnings = warnings(comparison);
    if !warnings.is_empty() {
        html::write_box(html, "warning", "Before you trust the figures", &warnings);
    }
    html::write_tiles(html, &tiles(comparison));
    html.push_str("</header>\n");
}

fn warnings(comparison: &Comparison) -> Vec<String> {
    let obstacles = comparison.obstacles.iter().filter(|_| comparison.verdict != Verdict::Invalid);
    let mut warnings: Vec<String> = obstacles.map(|text| format!("not comparable: {text}")).collect();
    warnings.extend(comparison.differences.iter().cloned());
    warnings.extend(comparison.certainty());
    if comparison.basis != "runs" {
        warnings.push(comparison.confidence());
    }
    warnings
}

fn tiles(comparison: &Comparison) -> Vec<(String, String)> {
    let [before, after] = comparison.runs.map(|runs| counted(runs as u64, "run"));
    let mut tiles = vec![(String::from("before, after"), format!("{before}, {after}"))];
    tiles.extend(comparison.thresholds.iter().map(|each| {
        let outcome = each.outcome.title().split(':').next().unwrap_or_default();
        (each.text.clone(), String::from(outcome))
    }));
    tiles
}

/// The table, with the intervals drawn in it.
fn write_changes(html: &mut String, comparison: &Comparison) {
    let rows = &comparison.rows;
    let forest = Forest::of(rows);
    html.push_str("<section class=\"wide\">\n<h2>Changes</h2>\n<div class=\"scroll\"><table class=\"changes\">\n<thead><tr>");
    for (column, class) in [
        ("metric", ""),
        ("before", "number"),
        ("after", "number"),
        ("change", "number"),
        ("95 % interval", "number"),
    ] {
        let _ = write!(html, "<th class=\"{class}\" scope=\"col\">{column}</th>");
    }
    let marks = forest.as_ref().map(Forest::marks).unwrap_or_default();
    let _ = write!(html, "<th class=\"forest\" scope=\"col\">{marks}</th></tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (index, cell) in row.cells().iter().enumerate() {
            let class = if index == 0 { "" } else { " class=\"number\"" };
            let _ = write!(html, "<td{class}>{}</td>", escaped(cell));
        }
        let strip = forest.as_ref().map(|forest| forest.strip(row)).unwrap_or_default();
        let _ = writeln!(html, "<td class=\"forest\">{strip}</td></tr>");
    }
    html.push_str("</tbody></table></div>\n");
    write_legend(html, rows, forest.as_ref());
    let _ = write!(html, "<p class=\"note\">{}</p>\n</section>\n", escaped(&comparison.confidence()));
}

fn write_legend(html: &mut String, rows: &[Row], forest: Option<&Forest>) {
    let Some(forest) = forest else { return };
    html.push_str("<p class=\"legend\">");
    for (class, text) in Forest::signs(rows) {
        let _ = write!(html, "<span class=\"sign {class}\">{text}</span>");
    }
    html.push_str("</p>\n");
    if forest.cuts(rows) {
        html.push_str(
            "<p class=\"note\">An interval that ends in an arrow goes on: its figures say how far.</p>\n",
        );
    }
}

/// Both sides in each.
fn plots(sides: [&[Report]; 2]) -> Result<Vec<String>, String> {
    let mut plots = Vec::new();
    let both: Option<Vec<Latency>> =
        sides.iter().map(|runs| whole(runs)).collect::<Result<Vec<_>, _>>()?.into_iter().collect();
    if let Some(both) = both {
        let title = format!("Latency by percentile, {}", both[0].title());
        let lines = SIDES.iter().zip(&both).map(|(side, latency)| Line::new(side, nines(latency)));
        plots.push(percentile_plot(&title, lines.collect(), note(&both.iter().collect::<Vec<_>>())));
    }
    let [(before, thin), (after, also_thin)] = [over_time(sides[0])?, over_time(sides[1])?];
    let mut notes = vec![thin, also_thin];
    notes.dedup();
    let is_one = notes.len() == 1;
    let notes = notes.iter().zip(SIDES).filter(|(note, _)| !note.is_empty());
    let notes = notes.map(|(note, side)| if is_one { note.clone() } else { format!("{side}: {note}") });
    let pooled =
        sides.iter().any(|runs| runs.len() > 1).then(|| String::from("All runs of a side together."));
    let note = pooled.into_iter().chain(notes).collect::<Vec<_>>().join(" ");
    let plot = |title: &str, y: Axis, values: &[(&str, Value<'_>)]| {
        let line = |(name, value): &(&str, Value<'_>), side: &str, series: &[Interval]| {
            let points = series.iter().filter_map(|each| Some((each.from_s + each.seconds, value(each)?)));
            Line::new([side, name].join(" ").trim(), points.collect())
        };
        let lines =
            values.iter().flat_map(|value| [line(value, SIDES[0], &before), line(value, SIDES[1], &after)]);
        let x = Axis::new("time since measuring began", Scale::Linear, Unit::Seconds);
        Plot { title: title.into(), x, y, lines: lines.collect(), note: note.clone() }
    };
    let rate = Axis::new("messages per second", Scale::FromZero, Unit::Plain);
    plots.push(plot("Rate over time", rate, &[("", &rate_of)]));
    let latency = Axis::new("latency, logarithmic", Scale::Log, Unit::Nanos);
    let certain = |value: Option<u64>| {
        let value = value.map(|value| value as f64);
        let all = || sides.into_iter().flatten().filter_map(Report::main_latency);
        value.filter(|value| all().all(|latency| latency.can_tell(*value)))
    };
    let p50 = |each: &Interval| certain(each.p50);
    let p99 = |each: &Interval| certain(each.p99);
    plots.push(plot("Latency over time", latency, &[("p50", &p50), ("p99", &p99)]));
    Ok(plots.iter().filter_map(Plot::html).collect())
}

/// What a line shows of an interval.
type Value<'a> = &'a dyn Fn(&Interval) -> Option<f64>;

fn rate_of(each: &Interval) -> Option<f64> {
    (each.seconds > 0.0).then(|| each.answered as f64 / each.seconds)
}

/// The main latency of all runs of a side.
pub(super) fn whole(runs: &[Report]) -> Result<Option<Latency>, String> {
    let Some(first) = runs[0].main_latency() else { return Ok(None) };
    let mut sum = first.histogram()?;
    let mut uncertainty = first.uncertainty;
    for latency in runs[1..].iter().filter_map(Report::main_latency) {
        add(&mut sum, &latency.histogram()?)?;
        uncertainty = uncertainty.max(latency.uncertainty);
    }
    Ok(Some(Latency { tag: first.tag.clone(), uncertainty, ..Latency::of(&first.name, &sum) }))
}

/// Intervals of all runs of a side, laid over each other from where each began to measure.
pub(super) fn over_time(runs: &[Report]) -> Result<(Vec<Interval>, String), String> {
    let start = |run: &Report| run.series.first().map_or(0.0, |first| first.from_s);
    let series: Vec<_> = runs.iter().map(|run| (-start(run), run.series.as_slice())).collect();
    // Rates are those of one run: all that was answered in all the time.
    let of_one = |(sum, seconds): (Interval, f64)| {
        let answered = if seconds > 0.0 { sum.answered as f64 / seconds * sum.seconds } else { 0.0 };
        Interval { answered: answered.round() as u64, ..sum }
    };
    Ok(thinned(&laid_over(&series, false)?.into_iter().map(of_one).collect::<Vec<_>>()))
}

/// What was compared.
fn runs(sides: [&[Report]; 2]) -> Block {
    let workload = sides[0].first().map_or("", |run| &run.workload);
    let rate = format!("{} per second", words::answered(workload));
    let mut table = Table::new(&["side", "started", "host", &rate, "p50", "p99"]);
    for (side, runs) in SIDES.iter().zip(sides) {
        table.rows.extend(runs.iter().map(|run| {
            let latency = run.main_latency();
            let part = |at: f64| {
                let shown = |of: &Latency| words::latency(of, of.at(at).map(|value| value as f64));
                latency.map_or_else(|| UNKNOWN.to_owned(), shown)
            };
            vec![
                String::from(*side),
                words::moment(run.started_unix_ms),
                run.environment.host.clone(),
                words::number(run.rates.answered),
                part(50.0),
                part(99.0),
            ]
        }));
    }
    Block { title: String::from("Runs"), table, ..Block::default() }
}

fn repeat() -> Block {
    let command: Vec<String> = std::env::args().collect();
    let facts = [
        ("command", shell(&command)),
        ("draws of the bootstrap", DRAWS.to_string()),
        ("seed", SEED.to_string()),
        ("wsload", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let facts = facts.map(|(name, value)| (String::from(name), value)).to_vec();
    Block { title: String::from("To repeat it"), facts, ..Block::default() }
}
