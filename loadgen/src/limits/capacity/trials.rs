//! Trials of a server: each is a run of a workload with its own connections and histograms.

use super::bounds::Bounds;
use super::judge::judge;
use super::of::Of;
use super::search::{Outcome, Step, Trial};
use crate::args::{CapacityOptions, Command};
use crate::failure::Failure;
use crate::interrupt;
use crate::model::{Report, Verdict};
use crate::pace::sleep_until;
use std::time::{Duration, Instant};

/// Pieces that a trial is looked at in.
const PIECES: u32 = 12;
const PIECE_MIN: Duration = Duration::from_millis(50);

/// Runs a workload.
pub(crate) type Workload<'a> = dyn FnMut(&Command) -> Result<Report, Failure> + 'a;

/// One trial and what came of it.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) load: u64,
    pub(crate) step: Step,
    pub(crate) outcome: Outcome,
    /// What was measured against the objective, or what went wrong.
    pub(crate) why: String,
    /// `None`: the run did not take place.
    pub(crate) report: Option<Report>,
}

/// Why there are no more trials.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The time for the search is up.
    Time,
    /// A signal.
    Interrupted,
    /// The workload cannot be run.
    Failure(Failure),
}

/// All trials of a search.
pub(crate) struct Trials<'a> {
    options: &'a CapacityOptions,
    workload: &'a mut Workload<'a>,
    deadline: Instant,
    /// How long a trial takes, with opening and closing.
    longest: Duration,
    pub(crate) rounds: Vec<Round>,
}

impl<'a> Trials<'a> {
    /// No trial so far; the time begins to run.
    pub(crate) fn new(options: &'a CapacityOptions, workload: &'a mut Workload<'a>) -> Self {
        let deadline = Instant::now() + options.max_time;
        Self { options, workload, deadline, longest: Duration::ZERO, rounds: Vec::new() }
    }

    /// Leaves the server alone for a while: what the last trial has left there must not count in the next one. More
    /// so when it was too much.
    fn settle(&self) -> Result<(), Stop> {
        let Some(last) = self.rounds.last() else { return Ok(()) };
        let times = if last.outcome == Outcome::Held { 1 } else { 2 };
        let settle = self.options.settle * times;
        if Instant::now() + settle + self.longest > self.deadline {
            return Err(Stop::Time);
        }
        sleep_until(Instant::now() + settle);
        if interrupt::is_asked() { Err(Stop::Interrupted) } else { Ok(()) }
    }

    fn has_held(&self) -> bool {
        self.rounds.iter().any(|round| round.outcome == Outcome::Held)
    }

    fn tell(&self) {
        let Some(round) = self.rounds.last().filter(|_| !self.options.output.no_progress) else { return };
        let (number, unit) = (self.rounds.len(), self.options.of.way().unit);
        let Round { load, step, outcome, why, .. } = round;
        let (outcome, step) = (outcome.name(), step.name());
        eprintln!("wsload: trial {number}, {step}: {load} {unit}: {outcome}: {why}");
    }
}

impl Trial for Trials<'_> {
    type Stop = Stop;

    fn run(&mut self, load: u64, step: Step) -> Result<Outcome, Stop> {
        self.settle()?;
        let began = Instant::now();
        let command = command(self.options, load).map_err(Stop::Failure)?;
        let (outcome, why, report) = match (self.workload)(&command) {
            // Cut short, it says nothing.
            _ if interrupt::is_asked() => return Err(Stop::Interrupted),
            Ok(report) => {
                // What comes and goes is asked for by the opening alone.
                let asked = (self.options.of == Of::Churn).then_some(load as f64);
                let (outcome, why) = match judge(&report, &self.options.slo, asked) {
                    // Trials are long enough, as those have shown: under this load too little is answered.
                    Err(failure) if self.has_held() => (missed(&report), failure.to_string()),
                    judged => judged.map_err(Stop::Failure)?,
                };
                (outcome, why, Some(report))
            }
            // A server that has held something and now lets nobody in has had too much.
            Err(failure @ Failure::Open { .. }) if !self.rounds.is_empty() => {
                (Outcome::Missed, failure.to_string(), None)
            }
            // And what cannot be asked for at all, of ports or descriptors, says nothing about the server.
            Err(failure) if !self.rounds.is_empty() => (Outcome::Generator, failure.to_string(), None),
            Err(failure) => return Err(Stop::Failure(failure)),
        };
        self.longest = self.longest.max(began.elapsed());
        self.rounds.push(Round { load, step, outcome, why, report });
        self.tell();
        Ok(outcome)
    }
}

/// Of a trial that was too much, for whomever.
fn missed(report: &Report) -> Outcome {
    if report.verdict == Verdict::Invalid { Outcome::Generator } else { Outcome::Missed }
}

/// The command line of one trial.
///
/// # Errors
/// The caller's fault: an option that the workload does not know, or that the search sets itself.
pub(crate) fn command(options: &CapacityOptions, load: u64) -> Result<Command, Failure> {
    let way = options.of.way();
    for (option, source) in
        [(way.option, "--from and --most"), ("--duration", "--trial"), ("--warm-up", "--warm-up")]
    {
        if options.workload.iter().any(|word| word.split('=').next() == Some(option)) {
            return Err(Failure::Usage(format!(
                "{option} is set by {source} of the search, whose options stand before the URL"
            )));
        }
    }
    let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
    let mut words: Vec<String> = [way.workload, &options.url].map(str::to_owned).to_vec();
    words.extend(options.workload.iter().cloned());
    words.extend([way.option.to_owned(), load.to_string()]);
    words.extend(["--duration".to_owned(), milliseconds(options.trial)]);
    if let Some(option) = way.warm_up {
        words.extend([option.to_owned(), milliseconds(options.warm_up)]);
    }
    // What a trial has to tell, the search tells.
    const QUIET: &str = "--no-progress";
    if !words.iter().any(|word| word == QUIET) {
        words.push(QUIET.to_owned());
    }
    if way.warm_up.is_some() && !words.iter().any(|word| word.starts_with("--interval")) {
        // Often enough to see early that there is no hope.
        words.extend(["--interval".to_owned(), milliseconds((options.trial / PIECES).max(PIECE_MIN))]);
    }
    let mut command = Command::of_words(words)?;
    let common = match &mut command {
        Command::Echo(options) => &mut options.common,
        Command::Fanout(options) => &mut options.common,
        Command::Churn(options) => &mut options.common,
        _ => return Err(Failure::Usage("only echo, fanout and churn can be trials".into())),
    };
    common.bounds = Some(Bounds::of(&options.slo));
    if common.output.ask_for_a_report() {
        return Err(Failure::Usage("outputs of the search, and its --slo, stand before the URL".into()));
    }
    Ok(command)
}
