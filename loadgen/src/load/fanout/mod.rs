//! The workload `fanout`: one publishes, many get it.
//!
//! ```text
//!   subscriber   what each subscriber has got; a shard's lane has the times at which each message came
//!   publish      by WebSocket, POST or command, by a schedule
//!   stamp        what is published, and how it is known in what arrives
//!   tally        first, median and last delivery of each message, reach, lag
//! ```
//!
//! Publishers and subscribers are one process with one clock, CLOCK_MONOTONIC: no delivery can be earlier than its
//! publish, and were one, it would be counted and not be made a zero.

mod publish;
mod stamp;
mod subscriber;
mod tally;

use crate::args::{FanoutOptions, KindChoice, Way};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::measure::health::{Strain, Vitals};
use crate::measure::neighbours;
use crate::model::{Arrivals, Load, Model, Opening, Phase, Rates, Report};
use crate::pace::wait_for;
use crate::report::{self, Moment, Progress};
use publish::{Campaign, HttpTarget, Log, Megaphone, Speaker, Speakers, lock};
use stamp::{STAMP_BYTES, Stamps};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use subscriber::{Audience, Desk, LastCall, Subscriber};
use tally::Tally;
use wsring::{ConnectOptions, ConnectionId, Kind, Time};

/// Where everything that is random begins.
const SEED: u64 = 1;
/// How often it is looked for what has come.
const LOOK: Duration = Duration::from_millis(10);
const SHOWN_APART: Duration = Duration::from_millis(500);
/// How much longer than that a shard may take for its last words.
const GRACE: Duration = Duration::from_secs(10);
/// What a server may put around a message.
const WRAPPING_BYTES: usize = 4096;

/// The times of a run.
struct Times {
    origin: Time,
    begin: Time,
    start: Time,
    end: Time,
    drained: Time,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_with`], and the caller's fault: what cannot be published.
pub(crate) fn run(options: &FanoutOptions) -> Result<Report, Failure> {
    let target = check(options)?;
    let mut report = report::start("fanout", &options.common.url, SEED);
    let origin = clock::now();
    let stamp = || Stamps::new(options.size, (origin.0 >> 10) as u32 ^ std::process::id());
    let audience = Arc::new(Audience {
        stamps: stamp(),
        subscribe: options.subscribe(),
        publishers: options.publishers,
        desk: Desk::default(),
    });
    let bytes = options.size + WRAPPING_BYTES;
    let fleet = Fleet::start(&options.common, options.subscribers, bytes, bytes)?;
    let opening = fleet.open_with(|member, _| {
        let audience = Arc::clone(&audience);
        move || Subscriber::new(member, audience)
    })?;
    let speakers = if options.publish == Way::Ws { open_speakers(options, &fleet)? } else { Vec::new() };
    let times = times(options, origin)?;
    let campaign = Arc::new(campaign(options, stamp(), &times));
    publish(options, &campaign, target, speakers, &fleet);
    let (tally, strain) = watch(options, &fleet, &campaign, &audience.desk, &times, opening)?;
    let over = clock::now();
    describe(&mut report, options);
    fill(&mut report, options, &times, &campaign, tally, &strain);
    fleet.account(opening, &mut report)?;
    report.phases = phases(&times, opening, over);
    Ok(report)
}

/// What can be seen to be wrong before anything is opened; where POSTs go.
fn check(options: &FanoutOptions) -> Result<Option<HttpTarget>, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    if options.size < STAMP_BYTES {
        return usage(format!(
            "--size is {}; a message needs {STAMP_BYTES} bytes to be known by",
            options.size
        ));
    }
    if !options.publish_text().contains("{payload}") {
        return usage(format!("--publish-text {:?} has no {{payload}} in it", options.publish_text));
    }
    match (options.publish, &options.publish_url) {
        (Way::Http, None) => usage("--publish http needs --publish-url http://HOST:PORT/PATH".into()),
        (Way::Http, Some(url)) => HttpTarget::new(url, &options.publish_header).map(Some),
        _ => Ok(None),
    }
}

fn times(options: &FanoutOptions, origin: Time) -> Result<Times, Failure> {
    let begin = options.phases.begin()?;
    let start = begin.after(options.phases.warm_up);
    let end = start.after(options.phases.duration(None));
    Ok(Times { origin, begin, start, end, drained: end.after(options.phases.drain_timeout) })
}

fn campaign(options: &FanoutOptions, stamps: Stamps, times: &Times) -> Campaign {
    let seconds = times.end.since(times.begin).as_secs_f64();
    Campaign {
        stamps,
        text: options.publish_text(),
        kind: if options.kind == KindChoice::Binary { Kind::Binary } else { Kind::Text },
        begin: times.begin,
        period: 1e9 / options.message_rate,
        count: (seconds * options.message_rate).ceil() as u32,
        publishers: options.publishers,
        log: Mutex::new(Log::default()),
        is_over: AtomicBool::new(false),
    }
}

/// Opens the connections that are published by.
fn open_speakers(options: &FanoutOptions, fleet: &Fleet<'_>) -> Result<Vec<ConnectionId>, Failure> {
    let url = options.publish_url.as_ref().unwrap_or(&options.common.url);
    let connect = ConnectOptions::new(url).map_err(|error| Failure::Usage(error.to_string()))?;
    let address = connect.resolve()?;
    let connect = connect.to(address).shard(0);
    let speakers = Arc::new(Mutex::new(Speakers::default()));
    for _ in 0..options.publishers {
        fleet.client().connect(&connect, Speaker(Arc::clone(&speakers)))?;
    }
    let deadline = Instant::now() + options.common.connect_timeout;
    wait_for(deadline, || {
        let speakers = lock(&speakers);
        speakers.failure.is_some() || speakers.open.len() == options.publishers as usize
    });
    let mut speakers = lock(&speakers);
    if speakers.open.len() == options.publishers as usize {
        return Ok(std::mem::take(&mut speakers.open));
    }
    let cause = speakers.failure.take().unwrap_or_else(|| "no answer in time".into());
    Err(Failure::Open { url: url.clone(), cause })
}

/// Begins to publish.
fn publish(
    options: &FanoutOptions,
    campaign: &Arc<Campaign>,
    target: Option<HttpTarget>,
    speakers: Vec<ConnectionId>,
    fleet: &Fleet<'_>,
) {
    if options.publish == Way::Ws {
        let campaign = Arc::clone(campaign);
        return fleet.client().drive(0, move || Megaphone { campaign, speakers, next: 0 });
    }
    for publisher in 0..options.publishers {
        let (campaign, target) = (Arc::clone(campaign), target.clone());
        let command = options.publish_command.clone().unwrap_or_default();
        // They end with the schedule, or with the process: a publisher that hangs holds up nothing.
        thread::spawn(move || match target {
            Some(target) => publish::post(&campaign, &target, publisher),
            None => publish::run(&campaign, &command, publisher),
        });
    }
}

/// Looks on until everything has come, or is not waited for any more.
fn watch(
    options: &FanoutOptions,
    fleet: &Fleet<'_>,
    campaign: &Campaign,
    desk: &Desk,
    times: &Times,
    opening: Opening,
) -> Result<(Tally, Strain), Failure> {
    let interval = options.phases.interval.min(options.phases.duration(None));
    let mut tally = Tally::new(times.origin, times.start, times.end, interval, opening.opened);
    let mut progress = Progress::new(options.common.output.no_progress);
    let (mut edges, mut shown) = (Vec::new(), Time(0));
    loop {
        clock::sleep_until(clock::now().after(LOOK));
        let now = clock::now();
        let edge = if edges.is_empty() { times.start } else { times.end };
        if edges.len() < 2 && now >= edge {
            edges.push(Vitals::take(&fleet.client().observer().shards()));
        }
        take(&mut tally, desk, campaign);
        if now.since(shown) >= SHOWN_APART {
            shown = now;
            progress.show(&moment(times, now, fleet, campaign));
        }
        let is_done = campaign.done() >= u64::from(campaign.count) && tally.is_complete();
        if now >= times.drained || (now >= times.end && is_done && edges.len() == 2) {
            break;
        }
    }
    campaign.is_over.store(true, Ordering::Relaxed);
    let shards = fleet.shards();
    for shard in 0..shards {
        let desk = Arc::clone(desk);
        fleet.client().drive(shard, move || LastCall(desk));
    }
    let all_told = wait_for(Instant::now() + GRACE, || {
        take(&mut tally, desk, campaign);
        tally.ended == shards
    });
    tally.finish(campaign);
    let strain = edges.first().zip(edges.last()).map(|(first, last)| last.since(first));
    if all_told { Ok((tally, strain.unwrap_or_default())) } else { Err(Failure::Stuck) }
}

fn take(tally: &mut Tally, desk: &Desk, campaign: &Campaign) {
    // Deliveries are taken first: what is published later cannot be among them.
    let told = std::mem::take(&mut *lock(desk));
    let published = campaign.take_published();
    tally.take(told, published, campaign);
}

fn moment<'m>(times: &Times, now: Time, fleet: &Fleet<'_>, campaign: &Campaign) -> Moment<'m> {
    let phases =
        [("settle", times.begin), ("warm_up", times.start), ("measure", times.end), ("drain", times.drained)];
    let (phase, end) = phases.into_iter().find(|(_, end)| now < *end).unwrap_or(("drain", now));
    let (connections, errors) = (u64::from(fleet.alive()), campaign.failed());
    Moment { phase, remaining: Some(end.since(now)), connections, interval: None, errors }
}

fn describe(report: &mut Report, options: &FanoutOptions) {
    let way = match options.publish {
        Way::Ws => "published by WebSocket",
        Way::Http => "published by POST",
        Way::Command => "published by a command",
    };
    report.load = Load {
        model: Model::Open { rate: options.message_rate, arrivals: Arrivals::Fixed },
        connections: u64::from(options.subscribers),
        kind: options.kind.name().to_owned(),
        size: format!("{} B, {way},", options.size),
        preset: None,
    };
}

/// What came of it, and whether that was as it should be.
fn fill(
    report: &mut Report,
    options: &FanoutOptions,
    times: &Times,
    campaign: &Campaign,
    mut tally: Tally,
    strain: &Strain,
) {
    let seconds = times.end.since(times.start).as_secs_f64();
    report.latencies = tally.latencies();
    let (sent, answered) = (tally.messages as f64 / seconds, tally.deliveries as f64 / seconds);
    let (bytes_sent, bytes_received) = (sent * options.size as f64, answered * options.size as f64);
    report.rates = Rates { offered: Some(options.message_rate), sent, answered, bytes_sent, bytes_received };
    report.series = tally.series();
    report.sections.push(tally.section());
    report.health = strain.judge(&tally.meter, tally.messages, options.health.lag_max);
    neighbours::judge(&mut report.health, &options.common.url, strain.usage);
    let (found, failed) = (&tally.counts, campaign.failed());
    let counts = [
        ("sent", tally.messages, ""),
        ("answered", found.delivered, ""),
        ("refused", failed, "messages could not be published"),
        ("missed", tally.missed(), "deliveries did not come"),
        ("duplicate", found.duplicate, "deliveries came twice"),
        ("out_of_order", found.out_of_order, "deliveries came out of order"),
        ("corrupt", found.corrupt, "deliveries were not what was published"),
        ("negative_samples", tally.negative(), "deliveries came before they were published: clocks differ"),
        ("other_messages", found.other, ""),
    ];
    for (name, count, fault) in counts {
        report.counts.insert(name.to_owned(), count);
        if count > 0 && !fault.is_empty() {
            report.not_met(format!("{count} {fault}"));
        }
    }
    if tally.messages == 0 || tally.deliveries == 0 {
        report.not_met("nothing was published in the window that came to anybody".into());
    }
    report.judge_health(options.health.allow_limited);
    let failures = campaign.failures();
    report.warnings.extend(failures.into_iter().map(|(text, count)| format!("{count} times: {text}")));
}

fn phases(times: &Times, opening: Opening, over: Time) -> Vec<Phase> {
    let connected = times.origin.after(Duration::from_secs_f64(opening.seconds));
    let edges = [
        ("connect", times.origin, connected),
        ("settle", connected, times.begin),
        ("warm_up", times.begin, times.start),
        ("measure", times.start, times.end),
        ("drain", times.end, over),
        ("close", over, clock::now()),
    ];
    crate::load::phases::written(times.origin, &edges)
}
