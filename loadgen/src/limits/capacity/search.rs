//! The search for the largest load that a server holds: what is tried next, and what follows from it.
//!
//! ```text
//!   start      the first load has to be held
//!   doubling   until a load is missed; that is tried a second time before the search turns
//!   bisection  between the largest load that was held and the smallest that was missed, until they are close
//!   confirm    both ends are tried again
//! ```
//!
//! Trials are noisy: a hiccup of the machine misses a load that the server holds. So no end of the answer
//! rests on one trial: where a second one contradicts the first, a third decides, and the search goes on
//! from what then stands in the [`Ledger`]. It knows no clock and no network; [`Trial`] does.

use std::collections::BTreeMap;

/// Trials of one search: far more than any needs that converges.
const TRIALS_MAX: usize = 100;

/// Puts a load on the server.
pub(crate) trait Trial {
    /// Why there can be no more trials.
    type Stop;

    /// Tries a load.
    ///
    /// # Errors
    /// No more trials: the time is up, or the load cannot be put on at all.
    fn run(&mut self, load: u64, step: Step) -> Result<Outcome, Self::Stop>;
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The objective was met.
    Held,
    /// It was not.
    Missed,
    /// The generator could not put this load on, so that the trial says nothing about the server.
    Generator,
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first load.
    Start,
    /// Twice what was held.
    Doubling,
    /// Between held and missed.
    Bisection,
    /// A load that was tried before.
    Confirmation,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::Generator => "the generator's limit",
        }
    }
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Doubling => "doubling",
            Self::Bisection => "bisection",
            Self::Confirmation => "confirmation",
        }
    }
}

/// Where to search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The first load, at least 1.
    pub(crate) start: u64,
    /// The largest load that is tried.
    pub(crate) most: u64,
    /// How far apart the ends of the answer may be, as a share of the lower.
    pub(crate) within: f64,
}

/// What is known about the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It lies between them.
    Between {
        /// The largest load that was held.
        held: u64,
        /// The smallest that was missed.
        missed: u64,
    },
    /// The largest load of the plan was held.
    AtLeast {
        /// That load.
        held: u64,
    },
    /// The first load was missed.
    Below {
        /// That load.
        missed: u64,
    },
    /// What was held is all that the generator could put on: the server may hold more.
    Generator {
        /// The largest load that was held; `None`: not even the first was put on.
        held: Option<u64>,
        /// The load that the generator could not put on.
        failed: u64,
    },
    /// There was no trial.
    Unknown,
}

/// The end of a search.
#[derive(Debug)]
pub(crate) struct Found<S> {
    pub(crate) answer: Answer,
    /// Whether each end of the answer rests on two trials or more, and the ends are as close as planned.
    pub(crate) is_confirmed: bool,
    /// Loads that were held at one time and missed at another, or held above one that was missed.
    pub(crate) contradictions: Vec<u64>,
    /// Why the search ended early.
    pub(crate) stopped: Option<S>,
}

/// Searches.
pub(crate) fn search<T: Trial>(plan: &Plan, trial: &mut T) -> Found<T::Stop> {
    let mut ledger = Ledger::default();
    let mut stopped = None;
    let mut is_confirmed = false;
    for _ in 0..TRIALS_MAX {
        let Some((load, step)) = ledger.next(plan) else {
            is_confirmed = true;
            break;
        };
        match trial.run(load, step) {
            Ok(outcome) => ledger.note(load, outcome),
            Err(stop) => {
                stopped = Some(stop);
                break;
            }
        }
    }
    let contradictions = ledger.contradictions();
    Found { answer: ledger.answer(plan), is_confirmed, contradictions, stopped }
}

/// All outcomes by load.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<u64, Votes>);

/// The outcomes of one load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Votes {
    held: u8,
    missed: u8,
    generator: u8,
}

impl Votes {
    fn against(self) -> u8 {
        self.missed + self.generator
    }

    fn is_held(self) -> bool {
        self.held > self.against()
    }

    fn is_undecided(self) -> bool {
        self.held == self.against()
    }

    /// Tried more than once, and decided.
    fn is_certain(self) -> bool {
        self.held + self.against() > 1 && !self.is_undecided()
    }

    /// Where there is doubt, the server is not blamed.
    fn is_generator(self) -> bool {
        !self.is_held() && self.generator >= self.missed
    }
}

impl Ledger {
    fn note(&mut self, load: u64, outcome: Outcome) {
        let votes = self.0.entry(load).or_default();
        match outcome {
            Outcome::Held => votes.held += 1,
            Outcome::Missed => votes.missed += 1,
            Outcome::Generator => votes.generator += 1,
        }
    }

    /// The smallest load that was not held.
    fn high(&self) -> Option<(u64, Votes)> {
        self.0.iter().find(|(_, votes)| !votes.is_held()).map(|(load, votes)| (*load, *votes))
    }

    /// The largest load below it that was held.
    fn low(&self) -> Option<(u64, Votes)> {
        let high = self.high().map_or(u64::MAX, |(load, _)| load);
        self.0.range(..high).next_back().map(|(load, votes)| (*load, *votes))
    }

    /// The next load; `None`: the answer stands.
    fn next(&self, plan: &Plan) -> Option<(u64, Step)> {
        if let Some((load, _)) = self.0.iter().find(|(_, votes)| votes.is_undecided()) {
            return Some((*load, Step::Confirmation));
        }
        let confirm =
            |(load, votes): (u64, Votes)| (!votes.is_certain()).then_some((load, Step::Confirmation));
        match (self.low(), self.high()) {
            (None, None) => Some((plan.start, Step::Start)),
            (None, Some(high)) => confirm(high),
            (Some(low), None) if low.0 >= plan.most => confirm(low),
            (Some(low), None) => Some((low.0.saturating_mul(2).min(plan.most), Step::Doubling)),
            (Some(low), Some(high)) => {
                let gap = high.0 - low.0;
                // Before it turns: a hiccup here would cost a whole bisection towards the wrong place.
                let is_turn = gap >= low.0 && !high.1.is_certain();
                if gap > plan.tolerance(low.0) && !is_turn {
                    return Some((low.0 + gap / 2, Step::Bisection));
                }
                confirm(high).filter(|_| is_turn).or_else(|| confirm(low)).or_else(|| confirm(high))
            }
        }
    }

    fn answer(&self, plan: &Plan) -> Answer {
        match (self.low(), self.high()) {
            (None, None) => Answer::Unknown,
            (held, Some((failed, votes))) if votes.is_generator() => {
                Answer::Generator { held: held.map(|(load, _)| load), failed }
            }
            (None, Some((missed, _))) => Answer::Below { missed },
            (Some((held, _)), None) => Answer::AtLeast { held: held.min(plan.most) },
            (Some((held, _)), Some((missed, _))) => Answer::Between { held, missed },
        }
    }

    /// A server that holds a load holds each smaller one; whatever says otherwise is named.
    fn contradictions(&self) -> Vec<u64> {
        let high = self.high().map_or(u64::MAX, |(load, _)| load);
        let contradicts = |load: u64, votes: Votes| {
            (votes.held > 0 && votes.against() > 0) || (load > high && votes.is_held())
        };
        self.0.iter().filter(|(load, votes)| contradicts(**load, **votes)).map(|(load, _)| *load).collect()
    }
}

impl Plan {
    /// How far above a load that was held one that was missed may be.
    fn tolerance(&self, held: u64) -> u64 {
        ((held as f64 * self.within) as u64).max(1)
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
