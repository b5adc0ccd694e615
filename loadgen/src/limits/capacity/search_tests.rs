//! The search over servers that are made up: with a limit, with noise, with hiccups, and without sense.

use super::*;
use proptest::prelude::*;

/// A server that answers by a rule, and what it was asked.
struct Synthetic<F> {
    rule: F,
    asked: Vec<(u64, Step)>,
    trials_max: usize,
}

impl<F: FnMut(u64) -> Outcome> Trial for Synthetic<F> {
    type Stop = &'static str;

    fn run(&mut self, load: u64, step: Step) -> Result<Outcome, &'static str> {
        if self.asked.len() == self.trials_max {
            return Err("the time is up");
        }
        self.asked.push((load, step));
        Ok((self.rule)(load))
    }
}

fn run<F: FnMut(u64) -> Outcome>(plan: &Plan, rule: F) -> (Found<&'static str>, Vec<(u64, Step)>) {
    run_for(plan, usize::MAX, rule)
}

fn run_for<F: FnMut(u64) -> Outcome>(
    plan: &Plan,
    trials_max: usize,
    rule: F,
) -> (Found<&'static str>, Vec<(u64, Step)>) {
    let mut server = Synthetic { rule, asked: Vec::new(), trials_max };
    let found = search(plan, &mut server);
    (found, server.asked)
}

fn limit(limit: u64) -> impl FnMut(u64) -> Outcome {
    move |load| if load <= limit { Outcome::Held } else { Outcome::Missed }
}

/// Numbers from a seed (xorshift), so that what fails can be made again.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const PLAN: Plan = Plan { start: 100, most: 1_000_000, within: 0.03 };

#[test]
fn answers() {
    use Answer::{AtLeast, Below, Between};
    let exact = Plan { within: 0.0, ..PLAN };
    let table = [
        (exact, 5_431, Between { held: 5_431, missed: 5_432 }),
        (exact, 100, Between { held: 100, missed: 101 }),
        (exact, 200, Between { held: 200, missed: 201 }),
        (exact, 99, Below { missed: 100 }),
        (exact, 0, Below { missed: 100 }),
        (exact, 999_999, Between { held: 999_999, missed: 1_000_000 }),
        (exact, 1_000_000, AtLeast { held: 1_000_000 }),
        (Plan { start: 1, ..exact }, 3, Between { held: 3, missed: 4 }),
    ];
    for (plan, top, answer) in table {
        let (found, asked) = run(&plan, limit(top));
        assert_eq!(found.answer, answer, "a limit of {top}: {asked:?}");
        assert!(found.is_confirmed && found.stopped.is_none() && found.contradictions.is_empty());
    }
}

#[test]
fn the_steps_of_a_search() {
    use Step::{Bisection, Confirmation, Doubling, Start};
    let (_, asked) = run(&Plan { within: 0.3, ..PLAN }, limit(1_000));
    let expected = [
        (100, Start),
        (200, Doubling),
        (400, Doubling),
        (800, Doubling),
        (1_600, Doubling),
        (1_600, Confirmation),
        (1_200, Bisection),
        (1_000, Bisection),
        (1_000, Confirmation),
        (1_200, Confirmation),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_hiccup_does_not_decide() {
    // The n-th trial is missed although the load is held.
    for hiccup in 0..24 {
        let mut count = 0;
        let (found, asked) = run(&PLAN, |load| {
            count += 1;
            if count - 1 == hiccup { Outcome::Missed } else { limit(20_000)(load) }
        });
        let Answer::Between { held, missed } = found.answer else { panic!("{hiccup}: {:?}", found.answer) };
        assert!(held <= 20_000 && 20_000 < missed, "{hiccup}: {found:?} {asked:?}");
        assert!(missed - held <= 600, "{hiccup}: {found:?}");
    }
}

#[test]
fn a_lucky_trial_does_not_decide() {
    for lucky in 0..24 {
        let mut count = 0;
        let (found, asked) = run(&PLAN, |load| {
            count += 1;
            if count - 1 == lucky { Outcome::Held } else { limit(20_000)(load) }
        });
        let Answer::Between { held, missed } = found.answer else { panic!("{lucky}: {:?}", found.answer) };
        assert!(held <= 20_000 && 20_000 < missed, "{lucky}: {found:?} {asked:?}");
    }
}

#[test]
fn the_generator_as_the_limit() {
    use Answer::{Below, Between, Generator};
    let table = [
        // The limit of the server, that of the generator, and what is known then.
        (5_000, 20_000, Between { held: 5_000, missed: 5_001 }),
        (5_000, 5_500, Between { held: 5_000, missed: 5_001 }),
        (5_000, 5_000, Generator { held: Some(5_000), failed: 5_001 }),
        (9_000, 5_000, Generator { held: Some(5_000), failed: 5_001 }),
        (9_000, 50, Generator { held: None, failed: 100 }),
        (50, 5_000, Below { missed: 100 }),
    ];
    for (server, generator, answer) in table {
        let rule = |load| if load > generator { Outcome::Generator } else { limit(server)(load) };
        let (found, _) = run(&Plan { within: 0.0, ..PLAN }, rule);
        assert_eq!(found.answer, answer, "server {server}, generator {generator}");
    }
}

#[test]
fn what_is_known_when_the_time_is_up() {
    use Answer::{AtLeast, Between, Unknown};
    let table = [
        (0, Unknown),
        (3, AtLeast { held: 400 }),
        (5, Between { held: 800, missed: 1_600 }),
        (7, Between { held: 800, missed: 1_200 }),
    ];
    for (trials, answer) in table {
        let (found, _) = run_for(&PLAN, trials, limit(1_000));
        assert_eq!(found.answer, answer, "{trials} trials");
        assert!(!found.is_confirmed && found.stopped == Some("the time is up"));
    }
}

#[test]
fn loads_that_contradict_are_named() {
    let mut first = true;
    let (found, _) = run(&PLAN, |load| match load {
        400 => {
            first = !first;
            if first { Outcome::Held } else { Outcome::Missed }
        }
        _ => limit(20_000)(load),
    });
    // Missed, held, missed: below it the search ends.
    assert!(matches!(found.answer, Answer::Between { missed: 400, .. }), "{found:?}");
    assert_eq!(found.contradictions, [400]);
}

proptest! {
    /// Every limit is found, as closely as asked for, in logarithmic time.
    #[test]
    fn a_limit_is_enclosed(top in 1_u64..100_000_000, start in 1_u64..5_000, within in 0.001_f64..0.5) {
        let plan = Plan { start, most: u64::MAX, within };
        let (found, asked) = run(&plan, limit(top));
        prop_assert!(found.is_confirmed && found.contradictions.is_empty());
        match found.answer {
            Answer::Below { missed } => prop_assert!(top < missed && missed == start),
            Answer::Between { held, missed } => {
                prop_assert!(held <= top && top < missed);
                prop_assert!(missed - held <= ((held as f64 * within) as u64).max(1));
            }
            other => prop_assert!(false, "{other:?}"),
        }
        let doublings = (top as f64 / start as f64).log2().max(0.0);
        // Over small loads the gap may be down to 1 before it is small as a share.
        let bisections = (1.0 / within).log2().min((top as f64 * 2.0).log2());
        prop_assert!(asked.len() as f64 <= doublings + bisections + 6.0, "{} trials", asked.len());
    }

    /// A server whose limit wavers by a few per cent is found within what it wavers.
    #[test]
    fn a_wavering_limit_is_enclosed(top in 2_000_u64..5_000_000, waver in 0.0_f64..0.05, seed: u64) {
        let mut random = random(seed);
        let (found, _) = run(&PLAN_WIDE, |load| {
            limit((top as f64 * (1.0 + waver * (2.0 * random() - 1.0))) as u64)(load)
        });
        let Answer::Between { held, missed } = found.answer else { panic!("{:?}", found.answer) };
        prop_assert!(found.is_confirmed);
        prop_assert!(held as f64 <= top as f64 * (1.0 + waver) + 1.0, "{held} of {top}");
        prop_assert!(missed as f64 >= top as f64 * (1.0 - waver) - 1.0, "{missed} of {top}");
    }

    /// Whatever a server does, the search ends, and what it says is what was seen.
    #[test]
    fn no_server_confuses_it(seed: u64, misses in 0.0_f64..1.0, generators in 0.0_f64..0.5) {
        let mut random = random(seed);
        let mut seen = Ledger::default();
        let (found, asked) = run(&PLAN, |load| {
            let outcome = match random() {
                value if value < misses => Outcome::Missed,
                _ if random() < generators => Outcome::Generator,
                _ => Outcome::Held,
            };
            seen.note(load, outcome);
            outcome
        });
        prop_assert!(asked.len() <= TRIALS_MAX);
        prop_assert!(asked.iter().all(|(load, _)| (1..=PLAN.most).contains(load)));
        match found.answer {
            Answer::Between { held, missed } => {
                prop_assert!(held < missed);
                prop_assert!(seen.0[&held].is_held() && !seen.0[&missed].is_held());
                prop_assert!(!found.is_confirmed || missed - held <= PLAN.tolerance(held));
            }
            Answer::AtLeast { held } => prop_assert!(seen.0[&held].is_held()),
            Answer::Below { missed } => prop_assert!(missed == PLAN.start && seen.0[&missed].held <= 1),
            Answer::Generator { failed, .. } => prop_assert!(seen.0[&failed].generator > 0),
            Answer::Unknown => prop_assert!(false, "there were trials"),
        }
    }
}

const PLAN_WIDE: Plan = Plan { most: u64::MAX, ..PLAN };
