//! What stands in the report.

use super::subscriber::Audience;
use super::tally::Tally;
use super::{Load, Times};
use crate::args::{FanoutOptions, Way};
use crate::interrupt;
use crate::measure::health::Strain;
use crate::measure::neighbours;
use crate::model::{self, Arrivals, Latency, Model, Rates, Report, Section};
use crate::threshold::Nanos;
use wsring::Deflate;

/// What was asked for.
pub(super) fn describe(report: &mut Report, options: &FanoutOptions, load: &Load) {
    let (senders, burst) = options.round();
    let way = match (options.publish(), options.message_rate(), senders) {
        _ if options.clock.is_some() => "published by another process".to_owned(),
        (Way::Members, None, None) => "sent by all in rounds".to_owned(),
        (Way::Members, None, Some(1)) => "sent by one member in rounds".to_owned(),
        (Way::Members, None, Some(senders)) => format!("sent by {senders} members in rounds"),
        (Way::Members, Some(_), _) => "published by the subscribers".to_owned(),
        (Way::Ws, ..) => "published by WebSocket".to_owned(),
        (Way::Http, ..) => "published by POST".to_owned(),
        (Way::Command, ..) => "published by a command".to_owned(),
    };
    let is_publisher = options.clock_listen.is_some();
    report.load = model::Load {
        model: match load {
            Load::Schedule(campaign) => {
                Model::Open { rate: campaign.message_rate, arrivals: Arrivals::Fixed }
            }
            Load::Rounds(_) => Model::Closed { depth: burst },
        },
        connections: u64::from(if is_publisher { options.publishers } else { options.subscribers() }),
        kind: options.kind().name().to_owned(),
        size: format!("{} B, {way},", load.stamps().size()),
        preset: options.preset.clone(),
    };
    if let Some(preset) = options.preset() {
        report.warnings.push(format!(
            "the preset has the parameters of {}, which measures otherwise: compare throughput only",
            preset.name
        ));
    }
}

/// What came of it, and whether that was as it should be.
pub(super) fn fill(
    report: &mut Report,
    options: &FanoutOptions,
    times: &Times,
    load: &Load,
    mut tally: Tally,
    strain: &Strain,
) {
    let seconds = times.window.end.since(times.window.start).as_secs_f64().max(1e-9);
    let uncertainty = report.clocks.iter().map(|clock| clock.uncertainty_ns).max();
    report.latencies = tally.latencies(uncertainty);
    if options.slow.slow > 0.0 {
        report.latencies = report.latencies.drain(..).map(healthy).collect();
    }
    let (sent, answered) = (tally.messages as f64 / seconds, tally.deliveries as f64 / seconds);
    let bytes = load.stamps().mean_bytes();
    let offered = match load {
        Load::Schedule(campaign) => Some(campaign.message_rate),
        Load::Rounds(_) => None,
    };
    report.rates =
        Rates { offered, sent, answered, bytes_sent: sent * bytes, bytes_received: answered * bytes };
    report.series = tally.series();
    report.sections.push(section(load, &tally, seconds));
    // What has come to the generator is what it had to do, in rounds: it sends little, and gets much.
    report.health = strain.judge(&tally.meter, tally.messages, options.health.lag_max);
    neighbours::judge(&mut report.health, &options.common.url, strain.usage);
    let unpublished = match load {
        Load::Schedule(campaign) if options.clock.is_none() => tally.unpublished(campaign),
        _ => 0,
    };
    count(report, load, &tally, unpublished);
    judge_negative(report, &tally, uncertainty.unwrap_or_default());
    if (tally.messages == 0 || tally.deliveries == 0) && !interrupt::is_asked() {
        report.not_met("nothing was published in the window that came to anybody".into());
    }
    if tally.counts.rounds == 0 && tally.counts.rounds_missed > 0 {
        report
            .warnings
            .push("no round was complete: does each member get there what any of them sends?".into());
    }
    report.judge_health(options.health.allow_limited);
    let failures = load.failures();
    report.warnings.extend(failures.into_iter().map(|(text, count)| format!("{count} times: {text}")));
}

/// Deliveries before their publish: as far as clocks are uncertain they have to be expected, and no further.
fn judge_negative(report: &mut Report, tally: &Tally, uncertainty: u64) {
    let (count, earliest) = (tally.negative(), tally.earliest());
    report.counts.insert(String::from("negative_samples"), count);
    let by = Nanos(earliest as f64);
    if earliest > uncertainty {
        report.not_met(format!(
            "{count} deliveries came before they were published, by up to {by}: clocks differ"
        ));
    } else if count > 0 {
        report.warnings.push(format!(
            "{count} deliveries came before they were published, by up to {by}: less than the clocks are uncertain \
             by; no latency has them in it, so that its lower percentiles are too high"
        ));
    }
}

/// A latency of the subscribers that read as fast as they can; the lag of the schedule is nobody's.
fn healthy(latency: Latency) -> Latency {
    match latency.tag.as_deref() {
        _ if latency.name == "schedule_lag" => latency,
        Some(tag) => {
            let tag = format!("healthy, {tag}");
            latency.tagged(&tag)
        }
        None => latency.tagged("healthy"),
    }
}

pub(super) const REFUSED: &str = "messages could not be published";
pub(super) const UNPUBLISHED: &str = "messages were due and not published: publishing did not keep up";

fn count(report: &mut Report, load: &Load, tally: &Tally, unpublished: u64) {
    let (found, failed) = (&tally.counts, load.failures().values().sum::<u64>());
    let counts = [
        ("sent", tally.messages, ""),
        ("answered", tally.deliveries, ""),
        ("refused", failed + found.refused, REFUSED),
        ("unpublished", unpublished, UNPUBLISHED),
        ("rounds_missed", found.rounds_missed, "rounds were given up"),
        ("missed", tally.missed(), "deliveries did not come"),
        ("late", found.late, ""),
        ("duplicate", found.duplicate, "deliveries came twice"),
        ("out_of_order", found.out_of_order, "deliveries came out of order"),
        ("corrupt", found.corrupt, "deliveries were not what was published"),
        ("gap_notices", found.gap_notices, ""),
        ("other_messages", found.other, ""),
        ("slow_deliveries", found.slow, ""),
    ];
    enter(report, &counts);
}

/// Counts by name, some with the fault that they count.
pub(super) fn enter(report: &mut Report, counts: &[(&str, u64, &str)]) {
    for (name, count, fault) in counts {
        report.counts.insert((*name).to_owned(), *count);
        if *count > 0 && !fault.is_empty() {
            report.not_met(format!("{count} {fault}"));
        }
    }
}

fn section(load: &Load, tally: &Tally, seconds: f64) -> Section {
    let Load::Rounds(rounds) = load else { return tally.section() };
    let shape = &rounds.shape;
    let timed = match shape.timed_of() {
        1 => "all".to_owned(),
        of => format!("1 of {of} messages, another in each round"),
    };
    Section::new("rounds", "Rounds")
        .fact("members", u64::from(shape.members), "")
        .fact("senders in a round", u64::from(shape.senders), "")
        .fact("messages of each", u64::from(shape.burst), "")
        .fact("deliveries of a round", shape.deliveries(), "")
        .fact("rounds", tally.counts.rounds, "")
        .fact("rounds per second", tally.counts.rounds as f64 / seconds, "")
        .fact("deliveries per second", tally.deliveries as f64 / seconds, "")
        .fact("given up", tally.counts.rounds_missed, "")
        .fact("verified", "all", "")
        .fact("timed", timed, "")
        .fact("timed messages", tally.timed(), "")
}

/// What those have got that read slowly, if there are any, and what became of them.
pub(super) fn slow(report: &mut Report, audience: &Audience) {
    if !audience.slow.has_any() {
        return;
    }
    audience.fates.report(&audience.slow, report, None);
    let got = report.count("slow_deliveries");
    if let Some(section) = report.sections.iter_mut().find(|section| section.name == "slow_readers") {
        *section = std::mem::take(section).fact("deliveries that they got", got, "");
    }
}

/// What the connections that were published by have agreed on about compression, behind what the subscribers have.
pub(super) fn publishers(report: &mut Report, options: &FanoutOptions, agreed: &[Deflate]) {
    let section = report.sections.iter_mut().find(|section| section.name == "compression");
    let Some(section) = section.filter(|_| options.publish() == Way::Ws) else { return };
    let (agreed, all) = (agreed.len(), options.publishers);
    *section =
        std::mem::take(section).fact("publishers agreed", format!("by {agreed} of {all} connections"), "");
    if agreed < all as usize {
        report.warnings.push(format!(
            "the server did not agree to compress on {} of {all} connections to publish by: what they send is not \
             compressed",
            all as usize - agreed
        ));
    }
}
