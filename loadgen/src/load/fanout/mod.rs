//! The workload `fanout`: one publishes, many get it; or all do.
//!
//! ```text
//!   publish      by WebSocket, on the subscribers' own connections, by POST (http) or command, by a schedule
//!   rounds       the subscribers send to each other, and again when all have got everything
//!   subscriber   what each subscriber has got (history); a shard's lane has the times at which each message came
//!   seating      which subscribers there are, and where
//!   stamp        what is published, and how it is known in what arrives
//!   plan         the one or the other
//!   tally        first, median and last delivery of each message (deliveries), reach, lag, in a window
//!   watch        looks on until it is over;  result: what of that stands in the report
//!   apart        publisher and subscribers are processes of their own, on hosts of their own
//! ```
//!
//! In one process there is one clock, CLOCK_MONOTONIC: no delivery can be earlier than its publish, and were one, it
//! would be counted and not be made a zero. Between two machines (`apart`), the clocks' offset has an uncertainty.

mod apart;
mod deliveries;
mod history;
mod http;
mod plan;
mod publish;
mod result;
mod rounds;
mod seating;
mod stamp;
mod subscriber;
mod tally;
mod watch;
mod window;

use super::phases::{self, CUT_DRAIN};
use super::slow::{self, Fates};
use crate::args::{FanoutOptions, KindChoice, Way};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Needs};
use crate::interrupt;
use crate::model::{Opening, Report};
use crate::report;
use http::HttpTarget;
use plan::Load;
use publish::{Campaign, Log, Megaphone, Wording};
use rounds::{Members, PartDriver, Place, Rounds, Shape};
use seating::Seating;
use stamp::{FOUND_BYTES, Stamps};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use subscriber::{Audience, Desk, Shared, Subscriber};
use window::Window;
use wsring::{ConnectionId, Kind, Time};

/// Where everything that is random begins.
const SEED: u64 = 1;
/// What a server may put around a message.
const WRAPPING_BYTES: usize = 4096;
/// What a frame takes beside its payload (RFC 6455 section 5.2).
const HEADER_BYTES: usize = 14;

/// The times of a run.
#[derive(Clone, Copy)]
struct Times {
    begin: Time,
    window: Window,
    drained: Time,
}

impl Times {
    /// Ends the run before its time; the last deliveries have a moment to come.
    fn cut(&mut self, at: Time) {
        self.begin = self.begin.min(at);
        self.window.cut(at);
        self.drained = self.drained.min(at.after(CUT_DRAIN));
    }
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_with`], and the caller's fault: what cannot be published.
pub(crate) fn run(options: &FanoutOptions) -> Result<Report, Failure> {
    let origin = clock::now();
    let number = run_number(origin);
    let stamps = Stamps::new(&options.size(), number, Shape::numbers(healthy(options), options.round()));
    let target = check(options, &stamps)?;
    match (options.clock_listen, &options.clock) {
        (Some(address), _) => apart::publish(options, address, target),
        (_, Some(address)) => apart::subscribe(options, address),
        _ => together(options, origin, &Arc::new(stamps), target),
    }
}

/// Publishers and subscribers in this process.
fn together(
    options: &FanoutOptions,
    origin: Time,
    stamps: &Arc<Stamps>,
    target: Option<HttpTarget>,
) -> Result<Report, Failure> {
    let mut report = report::start("fanout", &options.common.url, SEED);
    let publishers = if options.publish() == Way::Members { healthy(options) } else { options.publishers };
    // In rounds it is the rounds that know what has come.
    let publishers = if options.message_rate().is_some() { publishers } else { 1 };
    let audience = audience(options, stamps, publishers);
    let fleet = Fleet::start_with(&options.common, needs(options, options.subscribers(), stamps))?;
    let opening = open(&fleet, &audience)?;
    let seating = Seating::of(&fleet, &audience.slow);
    let speakers = publish::open_speakers(options, &fleet)?;
    let mut times = times(options, origin, &seating)?;
    let load = load(options, stamps, &times, &seating)?;
    match &load {
        Load::Rounds(rounds) => play(rounds, &fleet, &seating, &audience.desk),
        Load::Schedule(campaign) => {
            audience.publishers.store(campaign.publishers, Ordering::Relaxed);
            audience.count.store(campaign.count, Ordering::Relaxed);
            publish(options, campaign, target, &speakers.open, &fleet, &seating);
        }
    }
    let watched = watch::watch(options, &fleet, &load, &audience.desk, &mut times, &seating, None)?;
    let over = clock::now();
    result::describe(&mut report, options, &load);
    report.end_early(watched.ended_early);
    result::fill(&mut report, options, &times, &load, watched.tally, &watched.strain);
    result::slow(&mut report, &audience);
    fleet.account(opening, &mut report)?;
    result::publishers(&mut report, options, &speakers.agreed);
    note_phases(&mut report, &times, opening, over);
    Ok(report)
}

/// A number that no other run has, as far as time and process tell.
fn run_number(origin: Time) -> u32 {
    (origin.0 >> 10) as u32 ^ std::process::id()
}

/// Opens the subscribers.
fn open(fleet: &Fleet<'_>, audience: &Arc<Audience>) -> Result<Opening, Failure> {
    fleet.open_with(|member, _| {
        let audience = Arc::clone(audience);
        move || Subscriber::new(member, audience)
    })
}

/// What can be seen to be wrong before anything is opened; where POSTs go.
fn check(options: &FanoutOptions, stamps: &Stamps) -> Result<Option<HttpTarget>, Failure> {
    options.phases.check()?;
    let usage = |text: String| Err(Failure::Usage(text));
    let (text, way) = (options.publish_text(), options.publish());
    if !text.contains("{payload}") {
        return usage(format!("--publish-text {text:?} has no {{payload}} in it"));
    }
    let is_plain = Wording::new(&text).is_plain();
    match options.message_rate() {
        None => {
            let members = healthy(options);
            Shape::new(members.max(1), options.round(), stamps).map_err(Failure::Usage)?;
            if members == 0 {
                return usage("--slow 1 leaves no member that sends".into());
            }
        }
        Some(_) if (options.rounds.senders, options.rounds.burst) != (None, None) => {
            return usage(
                "--senders and --burst are about rounds: --publish members without --message-rate".into(),
            );
        }
        Some(_) => {}
    }
    if !stamps.can_be_found() && (options.message_rate().is_some() || !is_plain) {
        return usage(format!(
            "--size {} is too short: a message needs {FOUND_BYTES} bytes to be known by, but where it is sent as it is \
             in rounds",
            options.size()
        ));
    }
    match (way, &options.publish_url) {
        (Way::Http, None) => usage("--publish http needs --publish-url http://HOST:PORT/PATH".into()),
        (Way::Http, Some(url)) => HttpTarget::new(url, &options.publish_header).map(Some),
        (Way::Members, _) if options.clock_listen.is_some() => {
            usage("--clock-listen has no subscribers here that --publish members could send by".into())
        }
        (Way::Members, Some(_)) => usage(
            "--publish members sends on the subscribers' connections, and needs no --publish-url".into(),
        ),
        _ => Ok(None),
    }
}

/// Subscribers that are asked for and do not read slowly.
fn healthy(options: &FanoutOptions) -> u32 {
    let slow = slow::Plan::of(&options.slow);
    options.subscribers() - slow.up_to(options.subscribers())
}

fn audience(options: &FanoutOptions, stamps: &Arc<Stamps>, publishers: u32) -> Arc<Audience> {
    Arc::new(Audience {
        stamps: Arc::clone(stamps),
        subscribe: options.subscribe(),
        publishers: AtomicU32::new(publishers),
        count: AtomicU64::new(u64::MAX),
        desk: Desk::default(),
        slow: slow::Plan::of(&options.slow),
        fates: Arc::new(Fates::new(&options.slow)),
    })
}

/// What the engine has to be ready for.
fn needs(options: &FanoutOptions, connections: u32, stamps: &Stamps) -> Needs {
    let message = stamps.longest() + Wording::new(&options.publish_text()).bytes();
    let (_, burst) = options.round();
    Needs {
        connections,
        ports_more: if options.publish() == Way::Ws { u64::from(options.publishers) } else { 0 },
        message_bytes: message + WRAPPING_BYTES,
        queue_bytes: (message + HEADER_BYTES).saturating_mul(burst as usize).saturating_add(WRAPPING_BYTES),
        sends: options.clock.is_none() && matches!(options.publish(), Way::Ws | Way::Members),
        slow: slow::Plan::of(&options.slow),
        ..Needs::default()
    }
}

fn times(options: &FanoutOptions, origin: Time, seating: &Seating) -> Result<Times, Failure> {
    let begin = options.phases.begin()?;
    let start = begin.after(options.phases.warm_up);
    let end = start.after(options.duration());
    let (senders, burst) = options.round();
    let senders = senders.unwrap_or(u32::MAX).min(seating.members());
    let round = u64::from(senders) * u64::from(burst);
    let round = options.message_rate().is_none().then_some(round);
    let interval = options.phases.interval.min(options.duration());
    let window = Window { origin, start, end, interval, round };
    Ok(Times { begin, window, drained: end.after(options.phases.drain_timeout) })
}

fn kind(options: &FanoutOptions) -> Kind {
    if options.kind() == KindChoice::Binary { Kind::Binary } else { Kind::Text }
}

/// Rounds, or a schedule.
fn load(
    options: &FanoutOptions,
    stamps: &Arc<Stamps>,
    times: &Times,
    seating: &Seating,
) -> Result<Load, Failure> {
    let Some(rate) = options.message_rate() else {
        return Ok(Load::Rounds(Arc::new(rounds(options, stamps, times, seating)?)));
    };
    let is_by_members = options.publish() == Way::Members;
    let publishers = if is_by_members { seating.members() } else { options.publishers };
    Ok(Load::Schedule(Arc::new(campaign(options, stamps, times, rate, publishers))))
}

fn campaign(
    options: &FanoutOptions,
    stamps: &Arc<Stamps>,
    times: &Times,
    message_rate: f64,
    publishers: u32,
) -> Campaign {
    let seconds = times.window.end.since(times.begin).as_secs_f64();
    Campaign {
        stamps: Arc::clone(stamps),
        wording: Wording::new(&options.publish_text()),
        kind: kind(options),
        begin: times.begin,
        start: times.window.start,
        end: times.window.end,
        message_rate,
        count: (seconds * message_rate).ceil() as u64,
        publishers,
        log: Mutex::new(Log::default()),
        is_over: AtomicBool::new(false),
        offsets: None,
    }
}

fn rounds(
    options: &FanoutOptions,
    stamps: &Arc<Stamps>,
    times: &Times,
    seating: &Seating,
) -> Result<Rounds, Failure> {
    Ok(Rounds {
        stamps: Arc::clone(stamps),
        wording: Wording::new(&options.publish_text()),
        kind: kind(options),
        shape: Shape::new(seating.members(), options.round(), stamps).map_err(Failure::Usage)?,
        begin: times.begin,
        window: times.window,
        end: AtomicU64::new(times.window.end.0),
        drained: AtomicU64::new(times.drained.0),
        timeout: options.rounds.round_timeout,
        homes: seating.homes.clone(),
        home_of: seating.home_of.clone(),
        members: Members::new(seating.members()),
        ready: AtomicU32::new(0),
        stage: rounds::Stage::default(),
        began: AtomicU64::new(0),
    })
}

/// Begins to publish.
fn publish(
    options: &FanoutOptions,
    campaign: &Arc<Campaign>,
    target: Option<HttpTarget>,
    speakers: &[ConnectionId],
    fleet: &Fleet<'_>,
    seating: &Seating,
) {
    if interrupt::is_asked() {
        return;
    }
    match options.publish() {
        Way::Ws => {
            let (campaign, speakers) = (Arc::clone(campaign), (0..).zip(speakers.to_vec()).collect());
            fleet.client().drive(0, move || Megaphone::new(campaign, speakers));
        }
        Way::Members => {
            for (shard, place) in seating.busy() {
                let (campaign, place) = (Arc::clone(campaign), place.clone());
                fleet.client().drive(shard, move || Megaphone::new(campaign, speaking(&place)));
            }
        }
        Way::Http | Way::Command => {
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
    }
}

/// The members of a place and their names, on the shard's thread.
fn speaking(place: &Place) -> Vec<(u32, ConnectionId)> {
    let lane = Shared::here();
    let lane = lane.borrow();
    let names: BTreeMap<u32, ConnectionId> = lane.seats.iter().map(|seat| (seat.number, seat.id)).collect();
    let speaker = |(number, position): &(u32, u32)| Some((*position, *names.get(number)?));
    place.members.iter().filter_map(speaker).collect()
}

/// Begins the rounds.
fn play(rounds: &Arc<Rounds>, fleet: &Fleet<'_>, seating: &Seating, desk: &Desk) {
    for (shard, place) in seating.busy() {
        let (rounds, desk, place) = (Arc::clone(rounds), Arc::clone(desk), place.clone());
        fleet.client().drive(shard, move || PartDriver::new(rounds, desk, &place));
    }
}

fn note_phases(report: &mut Report, times: &Times, opening: Opening, over: Time) {
    let Window { origin, start, end, .. } = times.window;
    let connected = origin.after(Duration::from_secs_f64(opening.seconds));
    let edges = [
        ("connect", origin, connected),
        ("settle", connected, times.begin),
        ("warm_up", times.begin, start),
        ("measure", start, end),
        ("drain", end, over),
        ("close", over, clock::now()),
    ];
    phases::note(report, origin, &edges);
}
