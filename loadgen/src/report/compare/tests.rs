//! Comparisons of runs whose difference is known.

use super::*;
use crate::model::{ClockOffset, Interval, Latency, encode};
use crate::report::fixture;
use hdrhistogram::Histogram;

/// A run of twelve seconds whose times are the factor's times what they would be. Two digits are enough, and quick.
fn run(seed: u64, factor: f64, rate: f64) -> Report {
    let mut random = Random(seed);
    let mut report = fixture::report();
    let mut all = Histogram::<u64>::new(2).unwrap();
    report.series = (0..12)
        .map(|second| {
            let mut histogram = Histogram::<u64>::new(2).unwrap();
            (0..400).for_each(|_| {
                histogram.record((fixture::service(&mut random) as f64 * factor) as u64).unwrap()
            });
            all.add(&histogram).unwrap();
            let answered = (rate * (0.99 + (random.next() % 21) as f64 / 1000.0)) as u64;
            Interval {
                from_s: f64::from(second),
                seconds: 1.0,
                answered,
                histogram: Some(encode(&histogram)),
                ..Interval::default()
            }
        })
        .collect();
    report.latencies = vec![Latency::of("response", &all)];
    report.rates.answered = rate;
    report
}

fn runs(count: u64, seed: u64, factor: f64) -> Vec<Report> {
    (0..count).map(|number| run(seed + number, factor * (0.99 + number as f64 * 0.005), 1000.0)).collect()
}

fn changes(texts: &[&str]) -> Vec<Change> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The outcome of one threshold, and what the whole comes to.
fn check(before: &[Report], after: &[Report], threshold: &str, outcome: Outcome, verdict: Verdict) {
    let mut comparison = compare(before, after, &changes(&[threshold])).unwrap();
    comparison.judge(false, false);
    let found = (comparison.thresholds[0].outcome, comparison.verdict);
    assert_eq!(found, (outcome, verdict), "{threshold}: {:#?}", comparison.rows);
}

#[test]
fn a_change_is_found_and_none_is_not() {
    use Outcome::{Met, NotMet, Unknown};
    let (before, same) = (runs(4, 1, 1.0), runs(4, 100, 1.0));
    let (slower, faster) = (runs(4, 200, 1.2), runs(4, 300, 0.8));
    check(&before, &same, "p99<+5%", Met, Verdict::Met);
    check(&before, &slower, "p99<+5%", NotMet, Verdict::NotMet);
    check(&before, &slower, "p50<+30%", Met, Verdict::Met);
    check(&before, &faster, "p50<-10%", Met, Verdict::Met);
    check(&before, &same, "p50<-10%", NotMet, Verdict::NotMet);
    check(&before, &same, "server_cores<+5%", Met, Verdict::Met);
    check(&before, &same, "last.p99<+5%", Unknown, Verdict::NotMet);
    // Single runs are compared by their seconds.
    check(&before[..1], &same[..1], "p50<+5%", Met, Verdict::Met);
    check(&before[..1], &slower[..1], "p50<+5%", NotMet, Verdict::NotMet);
    check(&[run(1, 1.0, 1000.0)], &[run(2, 1.0, 900.0)], "rate>-5%", NotMet, Verdict::NotMet);
    check(&[run(1, 1.0, 1000.0)], &[run(2, 1.0, 980.0)], "rate>-5%", Met, Verdict::Met);
}

#[test]
fn nothing_before_and_nothing_after_is_no_change() {
    use Outcome::{Met, NotMet, Unknown};
    let of = |errors: u64| {
        let mut report = run(1, 1.0, 1000.0);
        report.errors = [(String::from("refused"), errors)].into();
        report.counts.retain(|name, _| ["sent", "answered"].contains(&name.as_str()));
        [report]
    };
    check(&of(0), &of(0), "error_rate<+5%", Met, Verdict::Met);
    check(&of(0), &of(0), "lost<+5%", Met, Verdict::Met);
    check(&of(0), &of(0), "lost<-5%", NotMet, Verdict::NotMet);
    check(&of(2), &of(0), "error_rate<+5%", Met, Verdict::Met);
    check(&of(0), &of(2), "error_rate<+5%", Unknown, Verdict::NotMet);
}

#[test]
fn a_rate_is_judged_where_anything_was_answered() {
    let table = [
        ([1000.0, 1000.0], &DEFAULT_THRESHOLDS[..], Verdict::Met),
        ([1000.0, 0.0], &DEFAULT_THRESHOLDS[..], Verdict::NotMet),
        ([0.0, 0.0], &DEFAULT_THRESHOLDS[..2], Verdict::Met),
    ];
    for ([before, after], expected, verdict) in table {
        let (before, after) = ([run(1, 1.0, before)], [run(1, 1.0, after)]);
        let thresholds = default_thresholds([&before, &after]);
        let texts: Vec<_> = thresholds.iter().map(|change| change.text.as_str()).collect();
        assert_eq!(texts, expected);
        let mut comparison = compare(&before, &after, &thresholds).unwrap();
        comparison.judge(false, false);
        assert_eq!(comparison.verdict, verdict, "{:#?}", comparison.rows);
    }
}

#[test]
fn what_may_as_well_be_no_change_is_unclear() {
    // One run of three was much slower, on each side another one: nobody can tell.
    let noisy = |factors: [f64; 3]| factors.map(|factor| run((factor * 100.0) as u64, factor, 1000.0));
    let (before, after) = (noisy([0.7, 1.0, 1.1]), noisy([0.8, 1.2, 1.25]));
    check(&before, &after, "p50<+5%", Outcome::Unclear, Verdict::Met);
    let mut comparison = compare(&before, &after, &changes(&["p50<+5%"])).unwrap();
    comparison.judge(false, false);
    let page = page::of(&comparison, [&before, &after]).unwrap();
    assert!(
        page.contains("<strong>Met, as far as it can be told: a change may as well be none</strong>"),
        "{page}"
    );
    comparison.judge(true, false);
    assert_eq!(comparison.verdict, Verdict::NotMet);
}

#[test]
fn what_is_answered_after_the_window_is_in_every_draw() {
    let (before, mut after) = (run(1, 1.0, 1000.0), run(2, 1.0, 1000.0));
    let mut all = after.latencies[0].histogram().unwrap();
    all.auto(true);
    all.record_n(3_000_000_000, 400).unwrap();
    after.latencies = vec![Latency::of("response", &all)];
    let (before, after) = ([before], [after]);
    check(&before, &after, "p99<+5%", Outcome::NotMet, Verdict::NotMet);
    check(&before, &after, "p50<+10%", Outcome::Met, Verdict::Met);
    let comparison = compare(&before, &after, &[]).unwrap();
    let p99 = comparison.rows.iter().find(|row| row.metric == "p99").unwrap();
    let (low, high) = p99.interval.unwrap();
    assert!((low..=high).contains(&p99.change.unwrap()), "{p99:?}");
}

#[test]
fn seconds_without_an_answer_are_drawn() {
    let stalled = |seed| {
        let mut report = run(seed, 1.0, 1000.0);
        report.series[6..9].iter_mut().for_each(|each| (each.answered, each.histogram) = (0, None));
        report
    };
    let comparison = compare(&[run(1, 1.0, 1000.0)], &[stalled(2)], &[]).unwrap();
    let (low, high) = comparison.rows[0].interval.unwrap();
    assert!(low < -0.4 && high > -0.1, "{low} {high}");
}

#[test]
fn the_interval_holds_the_true_change() {
    let comparison = compare(&runs(5, 1, 1.0), &runs(5, 50, 1.1), &[]).unwrap();
    for row in comparison.rows.iter().filter(|row| ["p50", "p90"].contains(&row.metric.as_str())) {
        let (low, high) = row.interval.unwrap();
        assert!(low < 0.1 && 0.1 < high && low > 0.0, "{row:?}");
    }
    let rate = comparison.rows.iter().find(|row| row.metric == "rate").unwrap();
    assert_eq!((rate.change, rate.interval), (Some(0.0), Some((0.0, 0.0))));
}

#[test]
fn what_did_not_do_the_same_is_not_compared() {
    let (before, mut after) = (vec![run(1, 1.0, 1000.0)], vec![run(2, 1.0, 1000.0)]);
    after[0].load.connections = 300;
    after[0].verdict = Verdict::Invalid;
    after[0].environment.kernel = String::from("6.19.1");
    after[0].environment.sysctls.insert(String::from("net.core.somaxconn"), String::from("128"));
    let mut comparison = compare(&before, &after, &changes(&["p50<+5%"])).unwrap();
    comparison.judge(false, false);
    assert_eq!(comparison.verdict.exit_code(), 4);
    let mut text = String::new();
    text::write_block(&mut text, &comparison.block());
    for line in [
        "200 connections, 64 B binary, then open loop",
        "in 1 of 1 runs after, the generator and not the server was the limit",
        "Differs: kernel was 6.18.0, then 6.19.1.",
        "Differs: net.core.somaxconn was 4096, then 128.",
        "Verdict: NOT COMPARABLE",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    comparison.judge(false, true);
    assert_eq!(comparison.verdict, Verdict::Met);
}

#[test]
fn a_comparison_is_a_table() {
    let mut comparison =
        compare(&runs(3, 1, 1.0), &runs(3, 100, 1.2), &changes(&["p99<+5%", "rate>-5%"])).unwrap();
    comparison.judge(false, false);
    let (mut text, mut page) = (String::new(), String::new());
    text::write_block(&mut text, &comparison.block());
    markdown::write_block(&mut page, &comparison.block());
    crate::report::tests::check("compare.txt", &text);
    crate::report::tests::check("compare.md", &page);
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!((&json["verdict"], &json["thresholds"][0]["outcome"]), (&"not_met".into(), &"not_met".into()));
    assert!(json["rows"][1]["change"].as_f64() > Some(0.15), "{json}");
}

#[test]
fn a_comparison_is_a_page() {
    let (mut before, mut after) = (runs(3, 1, 1.0), runs(3, 100, 1.2));
    after[1].environment.kernel = String::from("6.19 <b>");
    // Processes of their own: clocks are part of it.
    before[0].clocks = vec![ClockOffset { uncertainty_ns: 20_000, ..ClockOffset::default() }];
    before[0].latencies[0].uncertainty = Some(20_000);
    let mut comparison =
        compare(&before, &after, &changes(&["p99<+5%", "rate>-5%", "server_cores<+5%"])).unwrap();
    comparison.judge(false, false);
    let page = page::of(&comparison, [&before, &after]).unwrap();
    crate::report::tests::well_formed(&page);
    let expected = [
        ("<figcaption>Latency by percentile, response</figcaption>", 1),
        ("<figcaption>Rate over time</figcaption>", 1),
        ("<figcaption>Latency over time</figcaption>", 1),
        ("<span class=\"key line-0\">before</span>", 2),
        ("<span class=\"key line-2\">before p99</span>", 1),
        ("<div class=\"verdict not-met\"><strong>Not met</strong><ul><li>p99&lt;+5%: NOT MET</li></ul>", 1),
        ("then 6.18.0 and 6.19 &lt;b&gt;", 1),
        ("Clocks were known to within 20.0 us, then 0 ns", 1),
        ("class=\"strip worse\"", 6),
        // Of rate and of server's cores, which are what they were.
        ("class=\"strip unsure\"", 2),
        ("class=\"bound\"", 3),
    ];
    for (text, count) in expected {
        assert_eq!(page.matches(text).count(), count, "{text}");
    }
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
    // Clocks that cannot tell a figure show none.
    before[1].latencies[0].uncertainty = Some(200_000);
    let comparison = compare(&before, &after, &changes(&[])).unwrap();
    let p50 = comparison.rows.iter().find(|row| row.metric == "p50").unwrap();
    assert!(p50.shown[0] == "< 200 us" && !p50.shown[1].starts_with('<'), "{p50:?}");
    // Of single runs without intervals there is nothing to draw but the table.
    let bare = |mut report: Report| {
        (report.series, report.latencies) = (Vec::new(), Vec::new());
        report
    };
    let (before, after) = ([bare(run(1, 1.0, 1000.0))], [bare(run(2, 1.0, 900.0))]);
    let comparison = compare(&before, &after, &changes(&["rate>-5%"])).unwrap();
    let page = page::of(&comparison, [&before, &after]).unwrap();
    crate::report::tests::well_formed(&page);
    assert!(!page.contains("<figure") && page.contains("-10.0 %"), "{page}");
}

#[test]
fn runs_of_a_side_are_one_line() {
    // The second begins later, and has one interval more.
    let (mut one, mut two) = (run(1, 1.0, 1000.0), run(2, 1.0, 500.0));
    two.series.iter_mut().for_each(|interval| interval.from_s += 7.3);
    one.series.pop();
    let (series, note) = page::over_time(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(note, "");
    assert_eq!((series.len(), series[0].from_s, series[11].from_s), (12, 0.0, 11.0));
    let mean = (one.series[3].answered + two.series[3].answered) as f64 / 2.0;
    assert!((series[3].answered as f64 - mean).abs() <= 1.0, "{:?}", series[3]);
    assert_eq!(series[11].answered, two.series[11].answered);
    let comparison = compare(&[one.clone()], &[two.clone()], &[]).unwrap();
    let page = page::of(&comparison, [&[one.clone()], &[two.clone()]]).unwrap();
    assert!(page.contains("<strong>Nothing was judged: no --threshold was given</strong>"), "{page}");
    assert!(comparison.block().notes.iter().any(|note| note.contains("with nothing judged")));
    let mut long = one.clone();
    long.series = (0..3000).map(|at| Interval { from_s: f64::from(at), ..one.series[0].clone() }).collect();
    let page = page::of(&comparison, [&[long], &[two.clone()]]).unwrap();
    assert_eq!(page.matches("Each point stands for 3 intervals").count(), 2, "{page}");
    let whole = page::whole(&[one.clone(), two.clone()]).unwrap().unwrap();
    assert_eq!(whole.count, one.latencies[0].count + two.latencies[0].count);
}
