//! Publisher and subscribers as processes of their own, on one host or on several.
//!
//! ```text
//!   wire     what they say to each other
//!   tell     the publishing process answers
//!   ask      a subscribing process asks
//!   offset   how the two clocks stand to each other, and how sure that is
//! ```
//!
//! The publishing process has the schedule and the times at which it was kept, all by its clock. A subscribing one asks
//! for both, and for what that clock shows: before the first message, all the time, and after the last.

mod ask;
mod offset;
mod tell;
mod wire;

pub(crate) use ask::Correspondence;
pub(crate) use offset::Offsets;

use super::publish::{self, Campaign, Log, Wording, lock};
use super::stamp::Stamps;
use super::tally::Tally;
use super::watch::{self, Edges, GRACE, LOOK, SHOWN_APART};
use super::{HttpTarget, Load, SEED, Seating, Times, Window, result};
use crate::args::FanoutOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::load::slow;
use crate::measure::health::Strain;
use crate::measure::neighbours;
use crate::model::{ClockOffset, Opening, Rates, Report};
use crate::pace::wait_for;
use crate::report::{self, Progress};
use ask::{Asker, READY_MAX};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;
use tell::Teller;
use wire::{Run, Schedule};
use wsring::{Kind, Time};

/// Subscribes to what another process publishes.
pub(super) fn subscribe(options: &FanoutOptions, address: &str) -> Result<Report, Failure> {
    let mut asker = Asker::connect(address, options.common.connect_timeout)?;
    let mut report = report::start("fanout", &options.common.url, SEED);
    let origin = clock::now();
    let (run, is_same) = (asker.run.clone(), asker.is_same);
    let stamps = Arc::new(run.stamps().ok_or_else(|| Failure::Damaged(format!("size {}", run.size)))?);
    let audience = super::audience(options, &stamps, run.publishers);
    let fleet = Fleet::start_with(&options.common, super::needs(options, options.subscribers(), &stamps))?;
    let opening = super::open(&fleet, &audience)?;
    let seating = Seating::of(&fleet, &audience.slow);
    let (schedule, offsets) = asker.ready()?;
    let offsets = Arc::new(Mutex::new(offsets));
    let there = elsewhere(&run, stamps, schedule, (!is_same).then(|| Arc::clone(&offsets)));
    let campaign = Arc::new(there);
    audience.count.store(campaign.count, Ordering::Relaxed);
    let [begin, start, end] =
        [campaign.begin, campaign.start, campaign.end].map(|there| campaign.publisher().here(there));
    let window = Window { origin, start, end, interval: options.phases.interval, round: None };
    let mut times = Times { begin, window, drained: end.after(options.phases.drain_timeout) };
    let load = Load::Schedule(Arc::clone(&campaign));
    let others = asker.go_on(Arc::clone(&campaign), Arc::clone(&offsets));
    let watched = watch::watch(options, &fleet, &load, &audience.desk, &mut times, &seating, Some(others))?;
    let over = clock::now();
    report.campaign = Some(name(run.campaign));
    report.clocks = vec![offset(&report, &run, is_same, &lock(&offsets))];
    result::describe(&mut report, options, &load);
    report.load.kind = run.kind;
    result::fill(&mut report, options, &times, &load, watched.tally, &watched.strain);
    result::slow(&mut report, &audience);
    if let Some(failure) = watched.cut_off {
        report.not_met(format!("not all is known of what was published: {failure}"));
    }
    fleet.account(opening, &mut report)?;
    super::note_phases(&mut report, &times, opening, over);
    Ok(report)
}

/// What another process publishes.
fn elsewhere(
    run: &Run,
    stamps: Arc<Stamps>,
    schedule: Schedule,
    offsets: Option<Arc<Mutex<Offsets>>>,
) -> Campaign {
    Campaign {
        stamps,
        wording: Wording::new("{payload}"),
        kind: Kind::Text,
        begin: Time(schedule.begin),
        start: Time(schedule.start),
        end: Time(schedule.end),
        message_rate: run.message_rate,
        count: schedule.count,
        publishers: run.publishers,
        log: Mutex::new(Log::default()),
        is_over: AtomicBool::new(false),
        offsets,
    }
}

fn offset(report: &Report, run: &Run, is_same: bool, offsets: &Offsets) -> ClockOffset {
    let (here, there) = (report.environment.host.clone(), run.host.clone());
    let known = offsets.known().filter(|_| !is_same).unwrap_or_default();
    ClockOffset { here, there, is_same, ..known }
}

/// Which messages reports are about.
fn name(campaign: u32) -> String {
    format!("{campaign:08x}")
}

/// Publishes for subscribers that are other processes.
pub(super) fn publish(
    options: &FanoutOptions,
    address: SocketAddr,
    target: Option<HttpTarget>,
) -> Result<Report, Failure> {
    let mut report = report::start("fanout", &options.common.url, SEED);
    let origin = clock::now();
    let campaign = super::run_number(origin);
    report.campaign = Some(name(campaign));
    let run = Run {
        machine: wire::machine(),
        host: report.environment.host.clone(),
        campaign,
        kind: options.kind().name().to_owned(),
        size: options.size().to_string(),
        publishers: options.publishers,
        message_rate: options.message_rate().unwrap_or_default(),
    };
    let stamps = Arc::new(Stamps::new(&options.size(), campaign, 0));
    let rate = run.message_rate;
    let teller = Teller::listen(address, run)?;
    let fleet = Fleet::start_with(&options.common, super::needs(options, options.publishers, &stamps))?;
    let speakers = publish::open_speakers(options, &fleet)?;
    let seconds = clock::now().since(origin).as_secs_f64();
    let opened = speakers.open.len() as u64;
    let opening = Opening::new(opened, opened, seconds);
    await_audience(&teller, options)?;
    let seating = Seating::of(&fleet, &slow::Plan::default());
    let mut times = super::times(options, origin, &seating)?;
    let campaign = Arc::new(super::campaign(options, &stamps, &times, rate, options.publishers));
    let load = Load::Schedule(Arc::clone(&campaign));
    let [begin, start, end] = [times.begin, times.window.start, times.window.end].map(|time| time.0);
    teller.begin(Schedule { begin, start, end, count: campaign.count });
    super::publish(options, &campaign, target, &speakers.open, &fleet, &seating);
    let (tally, strain, left) = watch_publishing(options, &fleet, &campaign, &teller, &mut times);
    let over = clock::now();
    let gone = (options.processes as usize).saturating_sub(left);
    teller.end(options.phases.drain_timeout + 2 * GRACE);
    if gone > 0 {
        let of = options.processes;
        report.warnings.push(format!("{gone} of {of} subscribing processes had gone before the end"));
    }
    result::describe(&mut report, options, &load);
    fill_publisher(&mut report, options, &times, &campaign, &tally, &strain);
    fleet.account(opening, &mut report)?;
    result::publishers(&mut report, options, &speakers.agreed);
    super::note_phases(&mut report, &times, opening, over);
    Ok(report)
}

/// Waits until all subscribing processes have all their subscribers.
fn await_audience(teller: &Teller, options: &FanoutOptions) -> Result<(), Failure> {
    let (address, wanted) = (teller.address, options.processes as usize);
    eprintln!("wsload: subscribing processes ask at {address}; publishing waits for {wanted} of them");
    let patience = match options.phases.start_at {
        Some(seconds) => clock::until(clock::at_unix(seconds)).saturating_sub(options.phases.settle),
        None => READY_MAX,
    };
    if wait_for(Instant::now() + patience, || teller.audience().1 >= wanted || interrupt::is_asked()) {
        return if interrupt::is_asked() { Err(Failure::Interrupted) } else { Ok(()) };
    }
    let (connected, ready) = teller.audience();
    let cause = format!(
        "{ready} of {wanted} subscribing processes were ready in time; {connected} had asked what is published"
    );
    Err(Failure::Apart { address: address.to_string(), cause })
}

/// Looks on until all is published. Says how many subscribing processes were there until then, too.
fn watch_publishing(
    options: &FanoutOptions,
    fleet: &Fleet<'_>,
    campaign: &Arc<Campaign>,
    teller: &Teller,
    times: &mut Times,
) -> (Tally, Strain, usize) {
    let load = Load::Schedule(Arc::clone(campaign));
    let mut tally = Tally::new(times.window, load.publisher(), 0);
    let mut progress = Progress::new(options.common.output.no_progress);
    let mut edges = Edges::default();
    let (mut shown, mut left) = (Time(0), 0);
    loop {
        thread::sleep(LOOK);
        let now = clock::now();
        if interrupt::is_asked() && !campaign.is_over.swap(true, Ordering::Relaxed) {
            times.cut(now);
            tally.cut(now);
        }
        edges.look(now, times, fleet);
        if now < times.window.end {
            left = teller.audience().0;
        }
        let is_done = interrupt::is_asked() || campaign.done() >= campaign.count;
        let published = campaign.take_published();
        teller.published(&published, campaign.failures());
        tally.take(Vec::new(), published);
        if now.since(shown) >= SHOWN_APART {
            shown = now;
            progress.show(&watch::moment(times, now, fleet, &load, None));
        }
        if now >= times.drained || (now >= times.window.end && is_done && edges.are_both()) {
            break;
        }
    }
    campaign.is_over.store(true, Ordering::Relaxed);
    (tally, edges.strain(), left)
}

/// What is known without subscribers.
fn fill_publisher(
    report: &mut Report,
    options: &FanoutOptions,
    times: &Times,
    campaign: &Campaign,
    tally: &Tally,
    strain: &Strain,
) {
    let sent = tally.messages as f64 / times.window.end.since(times.window.start).as_secs_f64().max(1e-9);
    let bytes_sent = sent * campaign.stamps.mean_bytes();
    report.rates = Rates { offered: Some(campaign.message_rate), sent, bytes_sent, ..Rates::default() };
    report.latencies = vec![tally.lag()];
    report.series = tally.series();
    report.health = strain.judge(&tally.meter, tally.messages, options.health.lag_max);
    neighbours::judge(&mut report.health, &options.common.url, strain.usage);
    let failed = campaign.failures().values().sum::<u64>();
    let counts = [
        ("sent", tally.messages, ""),
        ("refused", failed, result::REFUSED),
        ("unpublished", tally.unpublished(campaign), result::UNPUBLISHED),
    ];
    result::enter(report, &counts);
    if tally.messages == 0 && !interrupt::is_asked() {
        report.not_met("nothing was published in the window".into());
    }
    report.judge_health(options.health.allow_limited);
    let failures = campaign.failures();
    report.warnings.extend(failures.into_iter().map(|(text, count)| format!("{count} times: {text}")));
}
