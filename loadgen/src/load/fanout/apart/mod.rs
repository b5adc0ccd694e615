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

use super::publish::{Campaign, Log, lock};
use super::stamp::Stamps;
use super::watch::{self, Edges, GRACE, LOOK, SHOWN_APART};
use super::{HttpTarget, SEED, Tally, Times, describe, fill};
use crate::args::{FanoutOptions, Way};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
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
    let audience = super::audience(options, Stamps::new(run.size, run.campaign), run.publishers);
    let fleet = super::start(options, options.subscribers, run.size)?;
    let opening = super::open(&fleet, &audience)?;
    let (schedule, offsets) = asker.ready()?;
    let offsets = Arc::new(Mutex::new(offsets));
    let campaign = Arc::new(elsewhere(&run, schedule, (!is_same).then(|| Arc::clone(&offsets))));
    let end = campaign.here(campaign.end);
    let mut times = Times {
        origin,
        begin: campaign.here(campaign.begin),
        start: campaign.here(campaign.start),
        end,
        drained: end.after(options.phases.drain_timeout),
    };
    let others = asker.go_on(Arc::clone(&campaign), Arc::clone(&offsets));
    let watched =
        watch::watch(options, &fleet, &campaign, &audience.desk, &mut times, opening, Some(others))?;
    let over = clock::now();
    report.campaign = Some(name(run.campaign));
    report.clocks = vec![offset(&report, &run, is_same, &lock(&offsets))];
    describe(&mut report, options, &campaign);
    report.load.kind = run.kind;
    fill(&mut report, options, &times, &campaign, watched.tally, &watched.strain);
    if let Some(failure) = watched.cut_off {
        report.not_met(format!("not all is known of what was published: {failure}"));
    }
    fleet.account(opening, &mut report)?;
    super::note_phases(&mut report, &times, opening, over);
    Ok(report)
}

/// What another process publishes.
fn elsewhere(run: &Run, schedule: Schedule, offsets: Option<Arc<Mutex<Offsets>>>) -> Campaign {
    Campaign {
        stamps: Stamps::new(run.size, run.campaign),
        text: String::new(),
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
    let named = ClockOffset { here, there, is_same, ..ClockOffset::default() };
    match offsets.known() {
        Some(known) if !is_same => ClockOffset {
            offset_ns: known.offset_ns,
            drift_ppm: known.drift_ppm,
            drift_within_ppm: known.drift_within_ppm,
            uncertainty_ns: known.uncertainty_ns,
            probes: known.probes,
            round_trip_ns: known.round_trip_ns,
            ..named
        },
        _ => named,
    }
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
        kind: options.kind.name().to_owned(),
        size: options.size,
        publishers: options.publishers,
        message_rate: options.message_rate,
    };
    let teller = Teller::listen(address, run)?;
    let fleet = super::start(options, options.publishers, options.size)?;
    let speakers =
        if options.publish == Way::Ws { super::open_speakers(options, &fleet)? } else { Vec::new() };
    let seconds = clock::now().since(origin).as_secs_f64();
    let opened = speakers.len() as u64;
    let opening = Opening::new(opened, opened, seconds);
    await_audience(&teller, options)?;
    let mut times = super::times(options, origin)?;
    let campaign = Arc::new(super::campaign(options, Stamps::new(options.size, campaign), &times));
    let [begin, start, end] = [times.begin, times.start, times.end].map(|time| time.0);
    teller.begin(Schedule { begin, start, end, count: campaign.count });
    super::publish(options, &campaign, target, speakers, &fleet);
    let (tally, strain, left) = watch_publishing(options, &fleet, &campaign, &teller, &mut times);
    let over = clock::now();
    let gone = (options.processes as usize).saturating_sub(left);
    teller.end(options.phases.drain_timeout + 2 * GRACE);
    if gone > 0 {
        let of = options.processes;
        report.warnings.push(format!("{gone} of {of} subscribing processes had gone before the end"));
    }
    describe(&mut report, options, &campaign);
    fill_publisher(&mut report, options, &times, &campaign, &tally, &strain);
    fleet.account(opening, &mut report)?;
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
    campaign: &Campaign,
    teller: &Teller,
    times: &mut Times,
) -> (Tally, Strain, usize) {
    let mut tally = Tally::new(times, campaign, options.phases.interval, 0);
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
        if now < times.end {
            left = teller.audience().0;
        }
        let is_done = interrupt::is_asked() || campaign.done() >= u64::from(campaign.count);
        let published = campaign.take_published();
        teller.published(&published, campaign.failures());
        tally.take(Vec::new(), published, campaign);
        if now.since(shown) >= SHOWN_APART {
            shown = now;
            progress.show(&watch::moment(times, now, fleet, campaign));
        }
        if now >= times.drained || (now >= times.end && is_done && edges.are_both()) {
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
    let sent = tally.messages as f64 / times.end.since(times.start).as_secs_f64().max(1e-9);
    let bytes_sent = sent * campaign.stamps.size() as f64;
    report.rates = Rates { offered: Some(campaign.message_rate), sent, bytes_sent, ..Rates::default() };
    report.latencies = vec![tally.lag()];
    report.series = tally.series();
    report.health = strain.judge(&tally.meter, tally.messages, options.health.lag_max);
    neighbours::judge(&mut report.health, &options.common.url, strain.usage);
    let failed = campaign.failed();
    report.counts.extend([(String::from("sent"), tally.messages), (String::from("refused"), failed)]);
    if failed > 0 {
        report.not_met(format!("{failed} messages could not be published"));
    }
    if tally.messages == 0 && !interrupt::is_asked() {
        report.not_met("nothing was published in the window".into());
    }
    report.judge_health(options.health.allow_limited);
    let failures = campaign.failures();
    report.warnings.extend(failures.into_iter().map(|(text, count)| format!("{count} times: {text}")));
}
