//! Looking on until everything has come, or is not waited for any more.

use super::apart::Correspondence;
use super::publish::lock;
use super::rounds::Place;
use super::subscriber::{Desk, LastCall, Stopwatch};
use super::tally::Tally;
use super::{Load, Seating, Times};
use crate::args::FanoutOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::measure::health::{Strain, Vitals};
use crate::model::Interval;
use crate::pace::wait_for;
use crate::report::{Moment, Progress};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use wsring::Time;

/// How often it is looked for what has come.
pub(super) const LOOK: Duration = Duration::from_millis(10);
pub(super) const SHOWN_APART: Duration = Duration::from_millis(500);
/// How much longer than that a shard may take for its last words.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// What was seen.
pub(super) struct Watched {
    pub(super) tally: Tally,
    pub(super) strain: Strain,
    /// Why it was ended before its time as the trial of a search.
    pub(super) ended_early: Option<String>,
    /// Why the end of what was published is not known.
    pub(super) cut_off: Option<Failure>,
}

/// Adds up what comes until it is over. Where others publish, `others` asks them what and when.
///
/// # Errors
/// A shard was lost.
pub(super) fn watch(
    options: &FanoutOptions,
    fleet: &Fleet<'_>,
    load: &Load,
    desk: &Desk,
    times: &mut Times,
    seating: &Seating,
    others: Option<Correspondence>,
) -> Result<Watched, Failure> {
    let mut tally = Tally::new(times.window, load.publisher(), u64::from(seating.members()));
    if let Load::Schedule(_) = load {
        let window = times.window;
        seating.busy().for_each(|(shard, _)| fleet.client().drive(shard, move || Stopwatch::new(window)));
    }
    let mut progress = Progress::new(options.common.output.no_progress);
    let mut edges = Edges::default();
    let mut shown = Time(0);
    let (mut ended_early, mut is_cut) = (None, false);
    loop {
        thread::sleep(LOOK);
        let now = clock::now();
        if !is_cut {
            ended_early = fleet.is_hopeless(load.failures().values().sum(), None);
            is_cut = ended_early.is_some() || interrupt::is_asked();
            if is_cut {
                times.cut(now);
                tally.cut(now);
                load.cut(now, times.drained);
            }
        }
        edges.look(now, times, fleet);
        take(&mut tally, desk, load);
        if now.since(shown) >= SHOWN_APART {
            shown = now;
            progress.show(&moment(times, now, fleet, load, tally.latest(now).as_ref()));
        }
        let is_done = match load {
            Load::Schedule(campaign) => (is_cut || campaign.done() >= campaign.count) && tally.is_complete(),
            Load::Rounds(_) => tally.ended == seating.homes.len(),
        };
        // In rounds it is the shards that wait no longer, and say so.
        let grace = if matches!(load, Load::Rounds(_)) { GRACE } else { Duration::ZERO };
        let is_cut_off = others.as_ref().is_some_and(Correspondence::is_broken);
        let is_late = is_cut_off || now >= times.drained.after(grace);
        if is_late || (is_done && now >= times.window.end && edges.are_both()) {
            break;
        }
    }
    if let Load::Schedule(campaign) = load {
        campaign.is_over.store(true, Ordering::Relaxed);
    }
    call(fleet, load, seating, desk);
    let all_told = wait_for(Instant::now() + GRACE, || {
        take(&mut tally, desk, load);
        tally.ended == fleet.shards()
    });
    let cut_off = others.and_then(|others| others.end().err());
    take(&mut tally, desk, load);
    tally.finish();
    let strain = edges.strain();
    if all_told { Ok(Watched { tally, strain, ended_early, cut_off }) } else { Err(Failure::Stuck) }
}

/// The generator's state at both ends of the measured time.
#[derive(Default)]
pub(super) struct Edges(Vec<Vitals>);

impl Edges {
    pub(super) fn look(&mut self, now: Time, times: &Times, fleet: &Fleet<'_>) {
        let edge = if self.0.is_empty() { times.window.start } else { times.window.end };
        if !self.are_both() && now >= edge {
            self.0.push(Vitals::take(&fleet.client().observer().shards()));
        }
    }

    pub(super) fn are_both(&self) -> bool {
        self.0.len() == 2
    }

    pub(super) fn strain(&self) -> Strain {
        let strain = self.0.first().zip(self.0.last()).map(|(first, last)| last.since(first));
        strain.unwrap_or_default()
    }
}

/// Asks shards for what they still have; those that take part in rounds have told it by themselves.
fn call(fleet: &Fleet<'_>, load: &Load, seating: &Seating, desk: &Desk) {
    let has_told = |place: &Place| matches!(load, Load::Rounds(_)) && !place.members.is_empty();
    for (shard, _) in seating.places.iter().enumerate().filter(|(_, place)| !has_told(place)) {
        let desk = Arc::clone(desk);
        fleet.client().drive(shard, move || LastCall(desk));
    }
}

fn take(tally: &mut Tally, desk: &Desk, load: &Load) {
    // Deliveries are taken first: what is published later cannot be among them.
    let told = std::mem::take(&mut *lock(desk));
    tally.take(told, load.take_published());
}

pub(super) fn moment<'m>(
    times: &Times,
    now: Time,
    fleet: &Fleet<'_>,
    load: &Load,
    interval: Option<&'m Interval>,
) -> Moment<'m> {
    let phases = [
        ("settle", times.begin),
        ("warm_up", times.window.start),
        ("measure", times.window.end),
        ("drain", times.drained),
    ];
    let (phase, end) = phases.into_iter().find(|(_, end)| now < *end).unwrap_or(("drain", now));
    let errors = load.failures().values().sum();
    let connections = u64::from(fleet.alive());
    Moment { phase, remaining: Some(end.since(now)), connections, interval, errors }
}
