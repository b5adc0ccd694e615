//! Looking on until everything has come, or is not waited for any more.

use super::Times;
use super::apart::Correspondence;
use super::publish::{Campaign, lock};
use super::subscriber::{Desk, LastCall};
use super::tally::Tally;
use crate::args::FanoutOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::measure::health::{Strain, Vitals};
use crate::model::Opening;
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

/// Looks on. Where others publish, `others` asks them what and when.
pub(super) fn watch(
    options: &FanoutOptions,
    fleet: &Fleet<'_>,
    campaign: &Campaign,
    desk: &Desk,
    times: &mut Times,
    opening: Opening,
    others: Option<Correspondence>,
) -> Result<Watched, Failure> {
    let mut tally = Tally::new(times, campaign, options.phases.interval, opening.opened);
    let mut progress = Progress::new(options.common.output.no_progress);
    let mut edges = Edges::default();
    let mut shown = Time(0);
    let (mut ended_early, mut is_cut) = (None, false);
    loop {
        thread::sleep(LOOK);
        let now = clock::now();
        if !is_cut {
            ended_early = fleet.is_hopeless(campaign.failed(), None);
            is_cut = ended_early.is_some() || interrupt::is_asked();
            if is_cut {
                times.cut(now);
                tally.cut(now);
                campaign.is_over.store(true, Ordering::Relaxed);
            }
        }
        edges.look(now, times, fleet);
        take(&mut tally, desk, campaign);
        if now.since(shown) >= SHOWN_APART {
            shown = now;
            progress.show(&moment(times, now, fleet, campaign));
        }
        let is_published = is_cut || campaign.done() >= u64::from(campaign.count);
        let is_done = is_published && tally.is_complete();
        let is_cut_off = others.as_ref().is_some_and(Correspondence::is_broken);
        if now >= times.drained || is_cut_off || (now >= times.end && is_done && edges.are_both()) {
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
    let cut_off = others.and_then(|others| others.end().err());
    take(&mut tally, desk, campaign);
    tally.finish(campaign);
    let strain = edges.strain();
    if all_told { Ok(Watched { tally, strain, ended_early, cut_off }) } else { Err(Failure::Stuck) }
}

/// The generator's state at both ends of the measured time.
#[derive(Default)]
pub(super) struct Edges(Vec<Vitals>);

impl Edges {
    pub(super) fn look(&mut self, now: Time, times: &Times, fleet: &Fleet<'_>) {
        let edge = if self.0.is_empty() { times.start } else { times.end };
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

fn take(tally: &mut Tally, desk: &Desk, campaign: &Campaign) {
    // Deliveries are taken first: what is published later cannot be among them.
    let told = std::mem::take(&mut *lock(desk));
    let published = campaign.take_published();
    tally.take(told, published, campaign);
}

pub(super) fn moment<'m>(times: &Times, now: Time, fleet: &Fleet<'_>, campaign: &Campaign) -> Moment<'m> {
    let phases =
        [("settle", times.begin), ("warm_up", times.start), ("measure", times.end), ("drain", times.drained)];
    let (phase, end) = phases.into_iter().find(|(_, end)| now < *end).unwrap_or(("drain", now));
    let (connections, errors) = (u64::from(fleet.alive()), campaign.failed());
    Moment { phase, remaining: Some(end.since(now)), connections, interval: None, errors }
}
