//! Which plots a report has: those for which there is something to draw.

use crate::model::{Curve, Interval, Latency, Report, is_known, nines_known};
use crate::report::plot::{Axis, Line, Plot, Scale, Unit};
use crate::report::words::nanos;

/// Points of a line over time; more cannot be told apart on any screen.
const POINTS_MAX: usize = 1200;
/// Points for each nine of a percentile axis.
const POINTS_PER_NINE: u32 = 24;

/// Latencies that are drawn together, by title; the last takes all others.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Latency by percentile", &["response", "service", "schedule_lag"]),
    ("Handshake by percentile", &["tcp", "tls", "upgrade", "open", "failed"]),
    ("Delivery by percentile", &["delivery", "first", "median", "last", "round"]),
    ("More by percentile", &[]),
];
/// Of a group those with this in their tag have a plot of their own.
const APART: &str = "from the publish";

/// Each as a `<figure>`.
pub(super) fn of(report: &Report) -> Vec<String> {
    let mut plots = percentiles(report);
    plots.extend(over_time(report));
    plots.extend(report.sections.iter().flat_map(|section| &section.curves).map(curve));
    plots.iter().filter_map(Plot::html).collect()
}

fn percentiles(report: &Report) -> Vec<Plot> {
    let group_of = |latency: &Latency| {
        let known = GROUPS.iter().position(|(_, names)| names.contains(&latency.name.as_str()));
        let is_apart = latency.tag.as_deref().is_some_and(|tag| tag.contains(APART));
        (known.unwrap_or(GROUPS.len() - 1), is_apart)
    };
    let plot = |group: (usize, bool)| {
        let (title, _) = GROUPS[group.0];
        let title = if group.1 { format!("{title}, {APART}") } else { title.to_owned() };
        let latencies: Vec<&Latency> =
            report.latencies.iter().filter(|latency| group_of(latency) == group).collect();
        let lines = latencies.iter().map(|latency| by_percentile(latency)).collect();
        percentile_plot(&title, lines, note(&latencies))
    };
    (0..GROUPS.len()).flat_map(|group| [(group, false), (group, true)]).map(plot).collect()
}

/// Lines of [`nines`].
pub(in crate::report) fn percentile_plot(title: &str, lines: Vec<Line>, note: String) -> Plot {
    let x = Axis::new("percentile, each nine as long as the one before", Scale::Percentile, Unit::Percentile);
    let y = Axis::new("latency, logarithmic", Scale::Log, Unit::Nanos);
    Plot { title: String::from(title), x, y, lines, note }
}

/// Where lines begin and end.
pub(in crate::report) fn note(latencies: &[&Latency]) -> String {
    let mut note = String::from("Drawn as far as ten samples lie above.");
    if let Some(least) = latencies.iter().filter_map(|latency| latency.uncertainty).max() {
        note += &format!(" Not drawn below {}: the clocks are not known better.", nanos(Some(least)));
    }
    note
}

/// A latency at log10(1 / (1 - quantile)). One whose histogram is damaged has no points.
fn by_percentile(latency: &Latency) -> Line {
    Line::new(&latency.title(), nines(latency))
}

/// The points of its line.
pub(in crate::report) fn nines(latency: &Latency) -> Vec<(f64, f64)> {
    let steps = (nines_known(latency.count) * f64::from(POINTS_PER_NINE)).floor();
    // Without a median there is nothing worth a line.
    let histogram = latency.histogram().ok().filter(|_| is_known(latency.count, 50.0));
    let points = histogram.map(|histogram| {
        let point = |step: u32| {
            let nines = f64::from(step) / f64::from(POINTS_PER_NINE);
            (nines, histogram.value_at_quantile(1.0 - 10f64.powf(-nines)) as f64)
        };
        (0..=steps as u32).map(point).filter(|(_, value)| latency.can_tell(*value)).collect()
    });
    points.unwrap_or_default()
}

fn over_time(report: &Report) -> Vec<Plot> {
    let (series, note) = thinned(&report.series);
    // A point stands where its interval ends: what it says was known then.
    let line = |name: &str, value: &dyn Fn(&Interval) -> Option<f64>| {
        let points = series.iter().filter_map(|each| Some((each.from_s + each.seconds, value(each)?)));
        Line::new(name, points.collect())
    };
    let time = || Axis::new("time since the start", Scale::Linear, Unit::Seconds);
    let plot = |title: &str, y: Axis, lines: Vec<Line>| Plot {
        title: title.into(),
        x: time(),
        y,
        lines,
        note: note.clone(),
    };
    let per_second = |count: u64, each: &Interval| (each.seconds > 0.0).then(|| count as f64 / each.seconds);
    let time_of = |value: Option<u64>| value.map(|value| value as f64);
    let main = report.main_latency();
    let latency_of = |value: Option<u64>| {
        time_of(value).filter(|value| main.is_none_or(|latency| latency.can_tell(*value)))
    };
    let from_zero = |label: &str, unit| Axis::new(label, Scale::FromZero, unit);
    let mut plots = vec![
        plot(
            "Rate over time",
            from_zero("messages per second", Unit::Plain),
            vec![
                line("answered", &|each| per_second(each.answered, each)),
                line("sent", &|each| per_second(each.sent, each)),
            ],
        ),
        plot(
            "Latency over time",
            Axis::new("latency, logarithmic", Scale::Log, Unit::Nanos),
            vec![
                line("p50", &|each| latency_of(each.p50)),
                line("p99", &|each| latency_of(each.p99)),
                line("max", &|each| latency_of(each.max)),
                line("schedule lag p99", &|each| time_of(each.schedule_lag_p99)),
            ],
        ),
        plot(
            "CPU over time",
            from_zero("cores", Unit::Plain),
            vec![line("client", &|each| each.client_cores), line("server", &|each| each.server_cores)],
        ),
        plot(
            "Memory over time",
            from_zero("resident memory", Unit::Bytes),
            vec![
                line("client", &|each| time_of(each.client_bytes)),
                line("server", &|each| time_of(each.server_bytes)),
            ],
        ),
        plot(
            "Connections over time",
            from_zero("open connections", Unit::Plain),
            vec![line("connections", &|each| time_of(each.connections))],
        ),
    ];
    if series.iter().any(|each| each.errors > 0) {
        let errors = line("errors", &|each| per_second(each.errors, each));
        plots.push(plot("Errors over time", from_zero("errors per second", Unit::Plain), vec![errors]));
    }
    plots
}

/// As many intervals as can be drawn; several become one with their sums and their worst.
pub(in crate::report) fn thinned(series: &[Interval]) -> (Vec<Interval>, String) {
    let together = series.len().div_ceil(POINTS_MAX).max(1);
    if together == 1 {
        return (series.to_vec(), String::new());
    }
    let intervals = series.chunks(together).filter_map(|chunk| chunk.iter().cloned().reduce(joined));
    (
        intervals.collect(),
        format!("Each point stands for {together} intervals: rates on average, all else the worst."),
    )
}

fn joined(a: Interval, b: Interval) -> Interval {
    let cores = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    Interval {
        from_s: a.from_s,
        seconds: a.seconds + b.seconds,
        sent: a.sent + b.sent,
        answered: a.answered + b.answered,
        errors: a.errors + b.errors,
        connections: b.connections,
        p50: a.p50.max(b.p50),
        p99: a.p99.max(b.p99),
        max: a.max.max(b.max),
        schedule_lag_p99: a.schedule_lag_p99.max(b.schedule_lag_p99),
        client_cores: cores(a.client_cores, b.client_cores),
        server_cores: cores(a.server_cores, b.server_cores),
        server_bytes: a.server_bytes.max(b.server_bytes),
        client_bytes: a.client_bytes.max(b.client_bytes),
        histogram: None,
    }
}

/// A plot of a workload's own.
fn curve(curve: &Curve) -> Plot {
    let axis = |label: &str, unit: &str, is_horizontal| {
        let known = Unit::of(unit);
        // Times span decades.
        let scale = match (known, is_horizontal) {
            (Unit::Nanos, _) => Scale::Log,
            (_, true) => Scale::Linear,
            (_, false) => Scale::FromZero,
        };
        let is_said = known != Unit::Plain || unit.is_empty();
        let label = if is_said { label.to_owned() } else { format!("{label}, {unit}") };
        Axis::new(&label, scale, known)
    };
    Plot {
        title: curve.title.clone(),
        x: axis(&curve.x, &curve.x_unit, true),
        y: axis(&curve.y, &curve.y_unit, false),
        lines: curve.lines.iter().map(|line| Line::new(&line.name, line.points.clone())).collect(),
        note: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_are_thinned_with_their_worst() {
        let interval = |index: u64| Interval {
            from_s: index as f64,
            seconds: 1.0,
            answered: 10,
            p99: Some(index % 7),
            client_cores: Some(0.5),
            ..Interval::default()
        };
        let series: Vec<_> = (0..3000).map(interval).collect();
        let (thin, note) = thinned(&series);
        assert_eq!(thin.len(), 1000);
        assert_eq!((thin[0].seconds, thin[0].answered, thin[1].p99), (3.0, 30, Some(5)));
        assert!(note.contains("3 intervals"), "{note}");
        assert_eq!(thinned(&series[..POINTS_MAX]).0.len(), POINTS_MAX);
    }

    #[test]
    fn each_latency_stands_where_it_belongs() {
        let table = [
            ("response", "", "Latency by percentile"),
            ("schedule_lag", "", "Latency by percentile"),
            ("response", "slow", "Latency by percentile"),
            ("failed", "", "Handshake by percentile"),
            ("round", "", "Delivery by percentile"),
            ("last", "healthy", "Delivery by percentile"),
            ("last", "from the publish", "Delivery by percentile, from the publish"),
            ("last", "healthy, from the publish", "Delivery by percentile, from the publish"),
            ("ping", "", "More by percentile"),
            ("recovery", "", "More by percentile"),
            ("eviction", "", "More by percentile"),
        ];
        for (name, tag, title) in table {
            let tag = Some(tag.to_owned()).filter(|tag| !tag.is_empty());
            let latency = Latency { name: name.into(), tag, ..Latency::default() };
            let plots = percentiles(&Report { latencies: vec![latency.clone()], ..Report::default() });
            let found = plots.iter().filter(|plot| !plot.lines.is_empty());
            let found: Vec<_> = found.map(|plot| (plot.title.as_str(), plot.lines[0].name.clone())).collect();
            assert_eq!(found, [(title, latency.title())]);
        }
    }

    #[test]
    fn lines_that_are_left_out_are_counted() {
        let plot = |count: usize| {
            let lines = (0..count).map(|number| Line::new(&format!("line {number}"), vec![(1.0, 2.0)]));
            let empty = Line::new("nothing", Vec::new());
            percentile_plot("Lines", lines.chain([empty]).collect(), String::from("Drawn."))
        };
        let table = [
            (6, "Drawn.</p>"),
            (7, "Drawn. The first 6 of 7 lines.</p>"),
            (8, "The first 6 of 8 lines.</p>"),
        ];
        for (count, note) in table {
            let html = plot(count).html().unwrap();
            assert!(html.contains(note), "{count}: {html}");
            assert!(html.contains("line 5<") && !html.contains("line 6<"), "{count}: {html}");
        }
    }
}
