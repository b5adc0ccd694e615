//! `wsload merge`: several generators that loaded one server at the same time, as one.
//!
//! Counts, rates and histograms are added; percentiles are taken from the sums, never averaged. Intervals are laid
//! over each other by the wall clock, whose offset between hosts is therefore part of the series, and of nothing else.
//!
//! ```text
//!   series     intervals, laid over each other
//!   audience   several that subscribed to the same messages, which were sent once
//! ```

mod audience;
mod series;

pub(super) use series::laid_over;

use super::{finish, read};
use crate::args::MergeOptions;
use crate::failure::Failure;
use crate::model::{
    Calibration, Closing, Health, Latency, Load, Model, Opening, Phase, Rates, Report, Section, ServerCost,
    Steady, Verdict,
};
use crate::threshold::{self, Threshold};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Share of the measured time that all have to have in common.
const OVERLAP_LEAST: f64 = 0.95;

/// Runs the subcommand.
///
/// # Errors
/// As [`read::file`] and [`finish`]; the reports are of different workloads, or a histogram is damaged.
pub(crate) fn run(options: &MergeOptions) -> Result<Verdict, Failure> {
    let reports = options.files.iter().map(|path| read::file(path)).collect::<Result<Vec<_>, _>>()?;
    for (index, report) in reports.iter().enumerate() {
        if let Some(before) = reports[..index].iter().position(|other| other == report) {
            let [one, other] = [before, index].map(|index| options.files[index].display());
            return Err(Failure::Usage(format!("{one} and {other} are the same report")));
        }
    }
    let mut report = merge(reports)?;
    finish(&mut report, &options.output)
}

fn merge(mut reports: Vec<Report>) -> Result<Report, Failure> {
    let is_one_campaign = audience::is_one(&reports);
    if is_one_campaign {
        audience::in_order(&mut reports);
    }
    let environment = reports[0].environment.clone();
    tell_apart(&mut reports);
    let (reports, first) = (reports.as_slice(), &reports[0]);
    if let Some(other) = reports.iter().find(|report| report.workload != first.workload) {
        let (one, other) = (&first.workload, &other.workload);
        return Err(Failure::Usage(format!("a report of {one} and one of {other} cannot be added up")));
    }
    let mut sum = Report {
        command: std::env::args().collect(),
        started_unix_ms: reports.iter().map(|report| report.started_unix_ms).min().unwrap_or_default(),
        shards: reports.iter().map(|report| report.shards).sum(),
        sources: reports.iter().map(|report| report.sources).sum(),
        environment,
        load: load(reports, is_one_campaign),
        phases: Vec::new(),
        opening: opening(reports),
        closing: Closing {
            in_order: reports.iter().map(|report| report.closing.in_order).sum(),
            cut_off: reports.iter().map(|report| report.closing.cut_off).sum(),
        },
        latencies: latencies(reports, is_one_campaign).map_err(Failure::Damaged)?,
        rates: rates(reports, is_one_campaign),
        counts: counts(reports, is_one_campaign),
        errors: added(reports, |report| &report.errors),
        health: health(reports),
        calibration: calibration(reports),
        server: None,
        steady: steady(reports),
        campaign: first.campaign.clone().filter(|_| is_one_campaign),
        clocks: reports.iter().flat_map(|report| report.clocks.clone()).collect(),
        thresholds: Vec::new(),
        verdict: Verdict::Met,
        reasons: Vec::new(),
        warnings: warnings(reports, is_one_campaign),
        sections: sections(reports, is_one_campaign),
        merged_from: reports.iter().map(|report| format!("{} ({})", origin(report), report.url)).collect(),
        ..first.clone()
    };
    sum.server = server(reports, sum.rates.answered);
    sum.phases = phases(reports, sum.started_unix_ms);
    sum.series = series::of(reports, sum.started_unix_ms, is_one_campaign).map_err(Failure::Damaged)?;
    judge(reports, &mut sum);
    Ok(sum)
}

/// Numbers those that ran on one host.
fn tell_apart(reports: &mut [Report]) {
    let hosts: Vec<String> = reports.iter().map(origin).collect();
    for (index, report) in reports.iter_mut().enumerate() {
        let of_this_host = |hosts: &[String]| hosts.iter().filter(|host| **host == origin(report)).count();
        let (before, all) = (of_this_host(&hosts[..index]), of_this_host(&hosts));
        if all > 1 {
            let name = format!("{} #{}", hosts[index], before + 1);
            report.clocks.iter_mut().for_each(|clock| clock.here.clone_from(&name));
            report.environment.host = name;
        }
    }
}

/// Who measured a report.
fn origin(report: &Report) -> String {
    let host = &report.environment.host;
    if host.is_empty() { String::from("a host without a name") } else { host.clone() }
}

/// A verdict anew: what thresholds said of the parts is asked of the sum.
fn judge(reports: &[Report], sum: &mut Report) {
    let texts: Vec<&String> =
        reports.iter().flat_map(|report| &report.thresholds).map(|each| &each.text).collect();
    for report in reports {
        let of_a_threshold = |reason: &String| texts.iter().any(|text| reason.starts_with(text.as_str()));
        for reason in report.reasons.iter().filter(|reason| !of_a_threshold(reason)) {
            let reason = format!("{}: {reason}", origin(report));
            if report.verdict == Verdict::Invalid { sum.invalid(reason) } else { sum.not_met(reason) }
        }
        // One whose generator may be the limit is not invalid by that; its warnings tell.
        if report.verdict == Verdict::Invalid {
            sum.verdict = Verdict::Invalid;
        }
    }
    let mut thresholds: Vec<Threshold> = Vec::new();
    for threshold in texts.iter().filter_map(|text| text.parse().ok()) {
        if !thresholds.contains(&threshold) {
            thresholds.push(threshold);
        }
    }
    threshold::apply(&thresholds, sum);
}

fn load(reports: &[Report], is_one_campaign: bool) -> Load {
    let first = &reports[0].load;
    let rate = |report: &Report| match report.load.model {
        Model::Open { rate, .. } => rate,
        _ => 0.0,
    };
    let model = match first.model {
        Model::Open { arrivals, .. } if is_one_campaign => {
            Model::Open { rate: audience::same(reports, rate), arrivals }
        }
        Model::Open { arrivals, .. } => Model::Open { rate: reports.iter().map(rate).sum(), arrivals },
        model => model,
    };
    let connections = reports.iter().map(|report| report.load.connections).sum();
    Load { model, connections, ..first.clone() }
}

fn opening(reports: &[Report]) -> Opening {
    let sum = |part: fn(&Opening) -> u64| reports.iter().map(|report| part(&report.opening)).sum();
    let seconds = reports.iter().map(|report| report.opening.seconds).fold(0.0, f64::max);
    Opening::new(sum(|opening| opening.asked), sum(|opening| opening.opened), seconds)
}

fn rates(reports: &[Report], is_one_campaign: bool) -> Rates {
    let sum = |part: fn(&Rates) -> f64| reports.iter().map(|report| part(&report.rates)).sum();
    let rates = Rates {
        offered: reports.iter().map(|report| report.rates.offered).sum(),
        sent: sum(|rates| rates.sent),
        answered: sum(|rates| rates.answered),
        bytes_sent: sum(|rates| rates.bytes_sent),
        bytes_received: sum(|rates| rates.bytes_received),
    };
    if !is_one_campaign {
        return rates;
    }
    Rates {
        offered: rates.offered.map(|_| audience::same(reports, |report| report.rates.offered.unwrap_or(0.0))),
        sent: audience::same(reports, |report| report.rates.sent),
        bytes_sent: audience::same(reports, |report| report.rates.bytes_sent),
        ..rates
    }
}

fn counts(reports: &[Report], is_one_campaign: bool) -> BTreeMap<String, u64> {
    let mut counts = added(reports, |report| &report.counts);
    if is_one_campaign {
        let sent = counts.iter_mut().filter(|(name, _)| audience::SENT.contains(&name.as_str()));
        for (name, count) in sent {
            *count = reports.iter().map(|report| report.count(name)).max().unwrap_or_default();
        }
    }
    counts
}

fn added(reports: &[Report], part: fn(&Report) -> &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (name, count) in reports.iter().flat_map(part) {
        *sum.entry(name.clone()).or_default() += count;
    }
    sum
}

/// Each latency of each tag, from the histograms of all, known as well as in the worst of them.
fn latencies(reports: &[Report], is_one_campaign: bool) -> Result<Vec<Latency>, String> {
    let mut sums: Vec<(Latency, Histogram<u64>)> = Vec::new();
    for latency in reports.iter().flat_map(|report| &report.latencies) {
        let histogram = latency.histogram()?;
        match sums.iter_mut().find(|(each, _)| each.name == latency.name && each.tag == latency.tag) {
            // All have the same of the one that published.
            Some(_) if is_one_campaign && latency.name == "schedule_lag" => {}
            Some((first, sum)) => {
                first.uncertainty = first.uncertainty.max(latency.uncertainty);
                add(sum, &histogram)?;
            }
            None => sums.push((latency.clone(), histogram)),
        }
    }
    Ok(sums
        .into_iter()
        .map(|(first, sum)| Latency {
            tag: first.tag,
            uncertainty: first.uncertainty,
            ..Latency::of(&first.name, &sum)
        })
        .collect())
}

/// Adds what may be of another length.
pub(super) fn add(sum: &mut Histogram<u64>, histogram: &Histogram<u64>) -> Result<(), String> {
    sum.auto(true);
    sum.add(histogram).map_err(|cause| format!("histograms cannot be added: {cause}"))
}

fn health(reports: &[Report]) -> Health {
    let all = |part: fn(&Health) -> Option<f64>| reports.iter().map(move |report| part(&report.health));
    let sum = |part| all(part).sum::<Option<f64>>();
    let most = |part| all(part).flatten().reduce(f64::max);
    let least = |part| all(part).flatten().reduce(f64::min);
    let mut health = Health {
        valid: reports.iter().all(|report| report.health.valid),
        evidence: Vec::new(),
        cores: sum(|health| health.cores),
        busiest: most(|health| health.busiest),
        messages_per_send: least(|health| health.messages_per_send),
        messages_per_receive: least(|health| health.messages_per_receive),
        steal: most(|health| health.steal),
        counters: added(reports, |report| &report.health.counters),
        // Each is about a whole machine, which several parts may have in common.
        kernel: BTreeMap::new(),
    };
    for report in reports {
        let signs = report.health.evidence.iter().cloned();
        health.evidence.extend(signs.map(|mut sign| {
            sign.what = format!("{}: {}", origin(report), sign.what);
            sign
        }));
    }
    health
}

/// The one server, whoever looked at it: with the messages of all, and without its memory, of which each knows only how
/// it goes with its own connections.
fn server(reports: &[Report], answered: f64) -> Option<ServerCost> {
    let found = reports.iter().find_map(|report| report.server.as_ref())?;
    Some(ServerCost {
        who: found.who.clone(),
        cores: found.cores,
        cpu_ns_per_message: found.cores.filter(|_| answered > 0.0).map(|cores| cores * 1e9 / answered),
        ..ServerCost::default()
    })
}

fn calibration(reports: &[Report]) -> Option<Calibration> {
    let all: Option<Vec<Calibration>> = reports.iter().map(|report| report.calibration).collect();
    all.map(|all| Calibration {
        ceiling_per_second: all.iter().map(|each| each.ceiling_per_second).sum(),
        // The one that is next to its limit decides.
        share_used: all.iter().map(|each| each.share_used).fold(0.0, f64::max),
    })
}

fn steady(reports: &[Report]) -> Option<Steady> {
    let all: Option<Vec<(&Report, &Steady)>> =
        reports.iter().map(|report| report.steady.as_ref().map(|steady| (report, steady))).collect();
    all.map(|all| {
        let reasons = all.iter().flat_map(|(report, steady)| {
            steady.reasons.iter().map(|reason| format!("{}: {reason}", origin(report)))
        });
        let reasons = reasons.collect();
        Steady { steady: all.iter().all(|(_, steady)| steady.steady), halves: Vec::new(), reasons }
    })
}

fn sections(reports: &[Report], is_one_campaign: bool) -> Vec<Section> {
    let of = |report: &Report| {
        let origin = origin(report);
        let named = move |mut section: Section| {
            section.title = format!("{}, {origin}", section.title);
            section
        };
        report.sections.clone().into_iter().map(named).collect::<Vec<_>>()
    };
    let whole = audience::reach(reports).filter(|_| is_one_campaign);
    whole.into_iter().chain(reports.iter().flat_map(of)).collect()
}

/// When a report was measured, in seconds of the wall clock: all the time of one that has no phase for that.
fn measured(report: &Report) -> Option<(f64, f64)> {
    let (first, last) = match report.phase("measure") {
        Some(phase) => (phase, phase),
        None => (report.phases.first()?, report.phases.last()?),
    };
    let start = report.started_unix_ms as f64 / 1000.0;
    Some((start + first.from_s, start + last.from_s + last.seconds))
}

/// The time in which any of them measured.
fn phases(reports: &[Report], started_unix_ms: u64) -> Vec<Phase> {
    let start = started_unix_ms as f64 / 1000.0;
    let from = reports.iter().filter_map(measured).map(|(from, _)| from).reduce(f64::min);
    let to = reports.iter().filter_map(measured).map(|(_, to)| to).reduce(f64::max);
    let phase = from.zip(to).map(|(from, to)| Phase {
        name: String::from("measure"),
        from_s: from - start,
        seconds: to - from,
    });
    phase.into_iter().collect()
}

/// Warnings of all, and what keeps the sum from being one run.
fn warnings(reports: &[Report], is_one_campaign: bool) -> Vec<String> {
    let mut warnings = of_all(reports, |report| &report.warnings);
    let times: Vec<(f64, f64)> = reports.iter().filter_map(measured).collect();
    if let Some(unknown) = reports.iter().find(|report| measured(report).is_none()) {
        warnings.push(format!(
            "when {} measured is not known, and so not whether all did at once",
            origin(unknown)
        ));
    }
    let common = times.iter().map(|(_, to)| *to).fold(f64::INFINITY, f64::min)
        - times.iter().map(|(from, _)| *from).fold(f64::NEG_INFINITY, f64::max);
    let longest = times.iter().map(|(from, to)| to - from).fold(0.0, f64::max);
    if times.len() > 1 && common < longest * OVERLAP_LEAST {
        let common = common.max(0.0);
        warnings.push(format!(
            "only {common:.1} s of {longest:.1} s were measured by all at once: their rates did not add up on the \
             server; start all at one moment, as echo and fanout do with --start-at"
        ));
    }
    warnings.extend(if is_one_campaign { Vec::new() } else { unlike(reports) });
    let first = &reports[0];
    if reports.iter().any(|report| report.environment.kernel != first.environment.kernel) {
        warnings.push(String::from("the generators ran on different kernels"));
    }
    warnings
}

/// What is said of reports: once where it is the same of several.
fn of_all(reports: &[Report], part: impl Fn(&Report) -> &Vec<String>) -> Vec<String> {
    let mut said: Vec<(&String, Vec<String>)> = Vec::new();
    for report in reports {
        for text in part(report) {
            match said.iter_mut().find(|(other, _)| *other == text) {
                Some((_, origins)) => origins.push(origin(report)),
                None => said.push((text, vec![origin(report)])),
            }
        }
    }
    let line = |(text, origins): (&String, Vec<String>)| {
        let is_all = origins.len() == reports.len();
        let who = if is_all { String::from("all") } else { origins.join(", ") };
        format!("{who}: {text}")
    };
    said.into_iter().map(line).collect()
}

/// What keeps loads from being parts of one.
fn unlike(reports: &[Report]) -> Vec<String> {
    let (mut warnings, first) = (Vec::new(), &reports[0]);
    if reports.iter().any(|report| report.campaign.is_some()) {
        warnings.push(String::from(
            "the reports are not all of the same publishing process: what was sent is added",
        ));
    }
    if reports.iter().any(|report| report.url != first.url) {
        warnings.push(String::from("the reports are of different addresses"));
    }
    let is_other = |report: &&Report| {
        let (one, other) = (&report.load, &first.load);
        (&one.kind, &one.size, std::mem::discriminant(&one.model))
            != (&other.kind, &other.size, std::mem::discriminant(&other.model))
    };
    if let Some(report) = reports.iter().find(is_other) {
        warnings.push(format!("{} sent another load than {}", origin(report), origin(first)));
    }
    warnings
}

#[cfg(test)]
mod tests;
