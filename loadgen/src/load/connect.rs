//! The workload `connect`: how openings go, step by step.
//!
//! ```text
//!   connect   the first alone, the others at a rate whatever becomes of those before them, or all at once
//!   hold
//!   close     by WebSocket, FIN or RST
//! ```

use super::phases;
use crate::args::load::HealthOptions;
use crate::args::{ConnectOptions, Ending};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{CLOSE_RATE, Fleet, Member, Needs};
use crate::interrupt;
use crate::measure::kernel::Counters;
use crate::measure::opening::{Openings, Timed};
use crate::model::{Evidence, Load, Opening, Report};
use crate::pace::{Pace, wait_for};
use crate::report;
use crate::threshold::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wsring::{CloseHow, Closed, Conn, ConnectionId, Handler, Message, OpenFailure, Steps, Time};

/// How long connections that were ended may take to be gone.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);
/// It is looked for connections that need another port after so many.
const LOOK_EVERY: u32 = 64;
/// The least schedule lag that makes a run INVALID.
const LAG_MIN: Duration = Duration::from_millis(10);

/// One connection.
struct Guest {
    member: Member,
    /// Its opening.
    timed: Timed,
    /// Set when this side ends all connections.
    leaving: Arc<AtomicBool>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_first`].
pub(crate) fn run(options: &ConnectOptions) -> Result<Report, Failure> {
    let mut report = report::start("connect", &options.common.url, 0);
    let fleet =
        Fleet::start_with(&options.common, Needs { connections: options.connections, ..Needs::default() })?;
    let (openings, leaving) = (Openings::new(fleet.shards()), Arc::new(AtomicBool::new(false)));
    let counters = Counters::read();
    let origin = clock::now();
    let opening = open(options, &fleet, &openings, &leaving)?;
    let opened = clock::now();
    clock::sleep_until(opened.after(options.hold));
    report.load = Load { connections: u64::from(options.connections), ..Load::default() };
    openings.report(&mut report);
    openings.diagnose(fleet.target().address(), &counters, &mut report);
    if !options.storm {
        judge(&mut report, &options.health);
    }
    let held = clock::now();
    report.counts.insert(format!("ended_by_{}", options.close.name()), u64::from(fleet.alive()));
    if let Some(how) = options.close.how() {
        leaving.store(true, Ordering::Release);
        let stayed = hang_up(&fleet, how);
        // One that was still being opened when the run was interrupted has not been hung up.
        if stayed > 0 && !interrupt::is_asked() {
            report.not_met(format!("{stayed} connections did not end"));
        }
    }
    fleet.account(opening, &mut report)?;
    let edges = [("connect", origin, opened), ("hold", opened, held), ("close", held, clock::now())];
    phases::note(&mut report, origin, &edges);
    Ok(report)
}

fn open(
    options: &ConnectOptions,
    fleet: &Fleet<'_>,
    openings: &Openings,
    leaving: &Arc<AtomicBool>,
) -> Result<Opening, Failure> {
    let began = Instant::now();
    let guest = |intended: Time| {
        let leaving = Arc::clone(leaving);
        move |member: Member, shard| {
            let timed = Timed::new(shard, Some(openings.begin(intended)));
            let guest = Guest { member, timed, leaving: Arc::clone(&leaving) };
            move || guest
        }
    };
    fleet.open_first(&guest(clock::now()))?;
    let begin = clock::now();
    // The number alone says when a connection is to be opened, also when it tries another port.
    let intended = |number: u32| match options.storm {
        true => begin,
        false => begin.after(spacing(number, options.common.rate)),
    };
    let make = |member: Member, shard| guest(intended(member.number))(member, shard);
    let mut begun = 1;
    while begun < options.connections {
        clock::sleep_until(intended(begun));
        if interrupt::is_asked() {
            break;
        }
        fleet.connect(begun, 0, &make)?;
        if begun.is_multiple_of(LOOK_EVERY) {
            fleet.connect_again(&make)?;
        }
        begun += 1;
    }
    fleet.await_settled(begun, &make)?;
    Ok(Opening::new(options.connections.into(), fleet.opened().into(), began.elapsed().as_secs_f64()))
}

/// When the thing with this number is due, from the start on.
pub(super) fn spacing(number: u32, rate: u32) -> Duration {
    Duration::from_nanos(u64::from(number) * 1_000_000_000 / u64::from(rate))
}

/// Ends all connections without a closing handshake, and waits until they are gone; says how many are not.
fn hang_up(fleet: &Fleet<'_>, how: CloseHow) -> u32 {
    let pace = Pace::begin(CLOSE_RATE);
    for (number, (_, remote)) in (0..).zip(fleet.remotes()) {
        pace.wait(number);
        remote.hang_up(how);
    }
    wait_for(Instant::now() + GONE_TIMEOUT, || fleet.alive() == 0);
    fleet.alive()
}

/// Connections that left later than the schedule wanted it say something about the generator.
pub(super) fn judge(report: &mut Report, options: &HealthOptions) {
    // Of however few openings: this is no figure to show but a limit to keep.
    let p99 = |report: &Report, name: &str| {
        let histogram = report.latency(name)?.histogram().ok()?;
        Some(histogram.value_at_percentile(99.0))
    };
    let Some(lag) = p99(report, "schedule_lag").map(Duration::from_nanos) else { return };
    let share = p99(report, "open").map_or(Duration::ZERO, |open| Duration::from_nanos(open / 10));
    let limit = options.lag_max.unwrap_or_else(|| LAG_MIN.max(share));
    let exceeded = lag > limit;
    let [value, most] = [lag, limit].map(|time| Nanos(time.as_nanos() as f64).to_string());
    if exceeded {
        let sign = format!("schedule lag, p99 is {value}, allowed are {most}");
        if options.allow_limited {
            report.warnings.push(format!("the generator was the limit: {sign}"));
        } else {
            report.health.valid = false;
            report.invalid(sign);
        }
    }
    let what = "schedule lag, p99".to_owned();
    report.health.evidence.push(Evidence { what, value, limit: most, exceeded });
}

impl Handler for Guest {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
        self.timed.opened();
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn connected(&mut self, steps: &Steps) {
        self.timed.connected(steps);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        if self.member.failed(failure) {
            self.timed.failed();
        }
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        if self.leaving.load(Ordering::Acquire) {
            self.member.left();
        } else {
            self.member.closed(closed);
        }
    }
}

impl Ending {
    /// Ends a connection this way.
    pub(super) fn end(self, conn: &mut Conn<'_>) {
        match self.how() {
            Some(how) => conn.hang_up(how),
            None => conn.close(wsring::CloseCode::NORMAL, ""),
        }
    }
}
