//! The workload `echo`: messages to an echo server, each answer verified.
//!
//! ```text
//!   closed loop   each connection has so many messages on their way; an answer is followed by the next message
//!   open loop     messages leave by a schedule, whatever is answered
//! ```
//!
//! All times are read from CLOCK_MONOTONIC. A message is sent when the driver gives it to the engine (the clock is
//! read for every eight messages), or, in a closed loop, in the turn of the shard in which the answer before it was
//! handled; it is answered in the turn in which its answer was collected, before anything in it is looked at. So
//! the generator's own work is part of what it measures, and never makes it shorter. `phases` has the order of
//! things, `lane` what a shard knows of its messages, `drive` what is done by the clock.

use super::crew::{Crew, Times};
use super::message::Messages;
use super::outcome::Outcome;
use super::phases;
use super::schedule::{self, Model};
use crate::args::EchoOptions;
use crate::clock;
use crate::failure::Failure;
use crate::interrupt;
use crate::measure::neighbours;
use crate::model::{self, Rates, Report};
use crate::report::{self, Progress};
use std::time::Duration;

/// Where everything that is random begins, unless something else is said: runs compare.
const SEED: u64 = 1;

/// Runs the workload.
///
/// # Errors
/// As [`Crew::open`] and [`Crew::load`], and the caller's fault: options that do not go together.
pub(crate) fn run(options: &EchoOptions) -> Result<Report, Failure> {
    options.phases.check()?;
    let mut report = report::start("echo", &options.common.url, SEED);
    let model = options.model()?;
    let crew = open(options, model)?;
    let begin = options.phases.begin()?;
    let mut progress = Progress::new(options.common.output.no_progress);
    let outcome = crew.load(model, &times(options), begin, SEED, &mut progress)?;
    drop(progress);
    describe(&mut report, options, model);
    fill(&mut report, &outcome, options, crew.has_slow());
    if crew.has_slow() {
        crew.report_slow(&mut report, &outcome.slow);
    }
    close(&mut report, crew, &outcome)?;
    Ok(report)
}

/// Opens the connections that a load is for.
///
/// # Errors
/// As [`Crew::open`], and the caller's fault: messages that cannot be.
pub(crate) fn open(options: &EchoOptions, model: Model) -> Result<Crew<'_>, Failure> {
    let in_flight = match model {
        Model::Closed { depth } => Some(depth),
        Model::Open { in_flight_max, .. } => in_flight_max,
    };
    let fragments = options.messages.fragments;
    Crew::open(
        &options.common,
        options.connections(),
        messages(options)?,
        fragments,
        in_flight,
        &options.slow,
    )
}

fn messages(options: &EchoOptions) -> Result<Messages, Failure> {
    match &options.messages.file {
        Some(path) => Messages::from_file(options.kind(), path, options.messages.file_whole),
        None => Messages::new(options.kind(), &options.size()),
    }
}

/// How long a load takes.
pub(crate) fn times(options: &EchoOptions) -> Times {
    Times {
        warm_up: options.phases.warm_up,
        duration: options.duration(),
        drain_timeout: options.phases.drain_timeout,
        interval: options.phases.interval,
        answer_timeout: options.answer_timeout,
    }
}

/// What was asked for.
fn describe(report: &mut Report, options: &EchoOptions, model: Model) {
    let (size, fragments) = (options.size(), options.messages.fragments);
    let mut size = match &options.messages.file {
        Some(path) if options.messages.file_whole => format!("{}, whole", path.display()),
        Some(path) => format!("lines of {}", path.display()),
        None => format!("{size} B"),
    };
    if fragments > 1 {
        size += &format!(", in {fragments} frames");
    }
    report.load = model::Load {
        model: match model {
            Model::Closed { depth } => model::Model::Closed { depth },
            Model::Open { rate, arrivals, .. } => model::Model::Open { rate, arrivals: spread(arrivals) },
        },
        connections: u64::from(options.connections()),
        kind: options.kind().name().to_owned(),
        size,
        preset: options.preset.clone(),
    };
    if let Some(preset) = options.preset() {
        report.warnings.push(format!(
            "the preset has the parameters of {}, which measures otherwise: compare throughput only",
            preset.name
        ));
    }
}

fn spread(arrivals: schedule::Arrivals) -> model::Arrivals {
    match arrivals {
        schedule::Arrivals::Fixed => model::Arrivals::Fixed,
        schedule::Arrivals::Poisson => model::Arrivals::Poisson,
        schedule::Arrivals::Burst => model::Arrivals::Burst,
    }
}

/// What came of it, and whether that was as it should be.
fn fill(report: &mut Report, outcome: &Outcome, options: &EchoOptions, has_slow: bool) {
    let (counts, seconds) = (&outcome.counts(), outcome.seconds());
    // What was sent and received in all, by the share of it that lies in the window.
    let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 / seconds };
    report.rates = Rates {
        offered: match outcome.plan.model {
            Model::Open { rate, .. } => Some(rate),
            Model::Closed { .. } => None,
        },
        sent: counts.window_sent as f64 / seconds,
        answered: counts.window_answered as f64 / seconds,
        bytes_sent: counts.bytes_sent as f64 * share(counts.window_sent, counts.sent),
        bytes_received: counts.bytes_received as f64 * share(counts.window_answered, counts.answered),
    };
    report.latencies = outcome.latencies(has_slow);
    report.counts = counts.named().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    report.series = outcome.series.clone();
    report.steady = outcome.steady.clone();
    report.health = outcome.strain.judge(&outcome.meter, counts.window_sent, options.health.lag_max);
    neighbours::judge(&mut report.health, &options.common.url, outcome.strain.usage);
    judge(report, outcome, options);
}

/// The verdict of everything that was measured.
fn judge(report: &mut Report, outcome: &Outcome, options: &EchoOptions) {
    let counts = outcome.counts();
    report.end_early(outcome.ended_early.clone());
    let faults = [
        (counts.refused, "messages could not be sent"),
        (counts.blocked, "messages were held back by --in-flight-max"),
        (counts.unanswered, "messages were not answered"),
        (counts.duplicate, "answers came twice"),
        (counts.out_of_order, "answers came out of order"),
        (counts.corrupt, "answers were not what was sent"),
        (counts.late, "answers came after their message had been given up"),
        (counts.unasked, "messages came that nobody had asked for"),
    ];
    for (count, what) in faults {
        if count > 0 {
            report.not_met(format!("{count} {what}"));
        }
    }
    if counts.window_answered == 0 && !interrupt::is_asked() {
        report.not_met("not a single answer came in the measured time".into());
    }
    if let Some(steady) = report.steady.as_ref().filter(|steady| !steady.steady) {
        report.warnings.push(format!("not steady: {}", steady.reasons.join(", ")));
    }
    report.judge_health(options.health.allow_limited);
}

/// Closes the connections, and writes down when each phase was.
///
/// # Errors
/// A shard was lost.
pub(crate) fn close(report: &mut Report, crew: Crew<'_>, outcome: &Outcome) -> Result<(), Failure> {
    let Crew { fleet, opening, origin, .. } = crew;
    let (plan, closing) = (&outcome.plan, clock::now());
    fleet.account(opening, report)?;
    let connected = origin.after(Duration::from_secs_f64(opening.seconds));
    let edges = [
        ("connect", origin, connected),
        ("settle", connected, plan.begin),
        ("warm_up", plan.begin, plan.start),
        ("measure", plan.start, plan.end),
        ("drain", plan.end, outcome.over),
        ("close", closing, clock::now()),
    ];
    phases::note(report, origin, &edges);
    Ok(())
}
