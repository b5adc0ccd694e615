//! The workload `fanout`: one publishes, many get it.
//!
//! ```text
//!   subscriber   what each subscriber has got; a shard's lane has the times at which each message came
//!   publish      by WebSocket, POST (http) or command, by a schedule
//!   stamp        what is published, and how it is known in what arrives
//!   tally        first, median and last delivery of each message, reach, lag
//!   watch        looks on until everything has come
//!   apart        publisher and subscribers are processes of their own, on hosts of their own
//! ```
//!
//! In one process there is one clock, CLOCK_MONOTONIC: no delivery can be earlier than its publish, and were one, it
//! would be counted and not be made a zero. Between two machines (`apart`), the clocks' offset has an uncertainty.

mod apart;
mod http;
mod publish;
mod stamp;
mod subscriber;
mod tally;
mod watch;

use crate::args::{FanoutOptions, KindChoice, Way};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::load::phases;
use crate::measure::health::Strain;
use crate::measure::neighbours;
use crate::model::{Arrivals, Load, Model, Opening, Rates, Report};
use crate::pace::wait_for;
use crate::report;
use crate::threshold::Nanos;
use http::HttpTarget;
use publish::{Campaign, Log, Megaphone, Speaker, Speakers, lock};
use stamp::{STAMP_BYTES, Stamps};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use subscriber::{Audience, Desk, Subscriber};
use tally::Tally;
use wsring::{ConnectOptions, ConnectionId, Kind, Time};

/// Where everything that is random begins.
const SEED: u64 = 1;
/// How long deliveries are waited for after a run that was ended before its time.
const CUT_DRAIN: Duration = Duration::from_millis(500);
/// What a server may put around a message.
const WRAPPING_BYTES: usize = 4096;

/// The times of a run, by the clock here.
struct Times {
    origin: Time,
    begin: Time,
    start: Time,
    end: Time,
    drained: Time,
}

impl Times {
    /// Ends the run before its time; the last deliveries have a moment to come.
    fn cut(&mut self, at: Time) {
        self.begin = self.begin.min(at);
        self.start = self.start.min(at);
        self.end = self.end.min(at);
        self.drained = self.drained.min(at.after(CUT_DRAIN));
    }
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_with`], and the caller's fault: what cannot be published.
pub(crate) fn run(options: &FanoutOptions) -> Result<Report, Failure> {
    let target = check(options)?;
    match (options.clock_listen, &options.clock) {
        (Some(address), _) => apart::publish(options, address, target),
        (_, Some(address)) => apart::subscribe(options, address),
        _ => together(options, target),
    }
}

/// Publishers and subscribers in this process.
fn together(options: &FanoutOptions, target: Option<HttpTarget>) -> Result<Report, Failure> {
    let mut report = report::start("fanout", &options.common.url, SEED);
    let origin = clock::now();
    let run = run_number(origin);
    let audience = audience(options, Stamps::new(options.size, run), options.publishers);
    let fleet = start(options, options.subscribers, options.size)?;
    let opening = open(&fleet, &audience)?;
    let speakers = if options.publish == Way::Ws { open_speakers(options, &fleet)? } else { Vec::new() };
    let mut times = times(options, origin)?;
    let campaign = Arc::new(campaign(options, Stamps::new(options.size, run), &times));
    publish(options, &campaign, target, speakers, &fleet);
    let watched = watch::watch(options, &fleet, &campaign, &audience.desk, &mut times, opening, None)?;
    let over = clock::now();
    describe(&mut report, options, &campaign);
    report.end_early(watched.ended_early);
    fill(&mut report, options, &times, &campaign, watched.tally, &watched.strain);
    fleet.account(opening, &mut report)?;
    note_phases(&mut report, &times, opening, over);
    Ok(report)
}

/// A number that no other run has, as far as time and process tell.
fn run_number(origin: Time) -> u32 {
    (origin.0 >> 10) as u32 ^ std::process::id()
}

fn audience(options: &FanoutOptions, stamps: Stamps, publishers: u32) -> Arc<Audience> {
    Arc::new(Audience { stamps, subscribe: options.subscribe(), publishers, desk: Desk::default() })
}

/// Starts the engine for so many connections and messages of that size.
fn start(options: &FanoutOptions, connections: u32, size: usize) -> Result<Fleet<'_>, Failure> {
    let bytes = size + WRAPPING_BYTES;
    Fleet::start(&options.common, connections, bytes, bytes)
}

/// Opens the subscribers.
fn open(fleet: &Fleet<'_>, audience: &Arc<Audience>) -> Result<Opening, Failure> {
    fleet.open_with(|member, _| {
        let audience = Arc::clone(audience);
        move || Subscriber::new(member, audience)
    })
}

/// What can be seen to be wrong before anything is opened; where POSTs go.
fn check(options: &FanoutOptions) -> Result<Option<HttpTarget>, Failure> {
    options.phases.check()?;
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
        start: times.start,
        end: times.end,
        message_rate: options.message_rate,
        count: (seconds * options.message_rate).ceil() as u32,
        publishers: options.publishers,
        log: Mutex::new(Log::default()),
        is_over: AtomicBool::new(false),
        offsets: None,
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
        interrupt::is_asked()
            || speakers.failure.is_some()
            || speakers.open.len() == options.publishers as usize
    });
    let mut speakers = lock(&speakers);
    if speakers.open.len() == options.publishers as usize {
        return Ok(std::mem::take(&mut speakers.open));
    }
    if interrupt::is_asked() {
        return Ok(Vec::new());
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
    if interrupt::is_asked() {
        return;
    }
    if options.publish == Way::Ws {
        let campaign = Arc::clone(campaign);
        return fleet.client().drive(0, move || Megaphone { campaign, speakers, next: 0 });
    }
    for publisher in 0..options.publishers {
        let (campaign, target) = (Arc::clone(campaign), target.clone());
        let command = options.publish_command.clone().unwrap_or_default();
        // They end with the schedule, or with the process: a publisher that hangs holds up nothing.
        thread::spawn(move || match target {
            Some(target) => http::post(&campaign, &target, publisher),
            None => publish::run(&campaign, &command, publisher),
        });
    }
}

fn describe(report: &mut Report, options: &FanoutOptions, campaign: &Campaign) {
    let way = match (options.publish, &options.clock) {
        (_, Some(_)) => "published by another process",
        (Way::Ws, _) => "published by WebSocket",
        (Way::Http, _) => "published by POST",
        (Way::Command, _) => "published by a command",
    };
    let is_publisher = options.clock_listen.is_some();
    report.load = Load {
        model: Model::Open { rate: campaign.message_rate, arrivals: Arrivals::Fixed },
        connections: u64::from(if is_publisher { options.publishers } else { options.subscribers }),
        kind: options.kind.name().to_owned(),
        size: format!("{} B, {way},", campaign.stamps.size()),
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
    let seconds = times.end.since(times.start).as_secs_f64().max(1e-9);
    let uncertainty = report.clocks.iter().map(|clock| clock.uncertainty_ns).max();
    report.latencies = tally.latencies(uncertainty);
    let (sent, answered) = (tally.messages as f64 / seconds, tally.deliveries as f64 / seconds);
    let size = campaign.stamps.size() as f64;
    let (bytes_sent, bytes_received) = (sent * size, answered * size);
    report.rates = Rates { offered: Some(campaign.message_rate), sent, answered, bytes_sent, bytes_received };
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
        ("other_messages", found.other, ""),
    ];
    for (name, count, fault) in counts {
        report.counts.insert(name.to_owned(), count);
        if count > 0 && !fault.is_empty() {
            report.not_met(format!("{count} {fault}"));
        }
    }
    judge_negative(report, &tally, uncertainty.unwrap_or_default());
    if (tally.messages == 0 || tally.deliveries == 0) && !interrupt::is_asked() {
        report.not_met("nothing was published in the window that came to anybody".into());
    }
    report.judge_health(options.health.allow_limited);
    let failures = campaign.failures();
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

fn note_phases(report: &mut Report, times: &Times, opening: Opening, over: Time) {
    let connected = times.origin.after(Duration::from_secs_f64(opening.seconds));
    let edges = [
        ("connect", times.origin, connected),
        ("settle", connected, times.begin),
        ("warm_up", times.begin, times.start),
        ("measure", times.start, times.end),
        ("drain", times.end, over),
        ("close", over, clock::now()),
    ];
    phases::note(report, times.origin, &edges);
}
