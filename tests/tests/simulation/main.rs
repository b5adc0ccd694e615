//! Whole servers on a simulated network, from seeds: what clients get is exactly what they are due,
//! whatever the network does, and nothing is left behind.
//!
//! `SIM_SEEDS=2000 cargo test --release -p wsring-tests --test simulation` runs that many
//! seeds of each mood; `SIM_SEED=7` runs the one that a failure named.

mod app;
mod client;
mod crowd;
mod deflate;
mod fanout;
mod plan;
mod policies;
mod probe;
mod random;
mod scenario;
mod seeds;
mod timeouts;
mod wire;
mod world;

use scenario::{Mood, Outcome, run};
use seeds::{Replay, is_many, seeds};

/// Runs the seeds; says what they came to together.
fn run_all(mood: Mood, usual: u64, test: &'static str) -> Outcome {
    let mut sum = Outcome::default();
    for seed in seeds(usual) {
        let _replay = Replay { seed, test };
        sum.add(&run(seed, mood));
    }
    sum
}

/// Over many seeds every close code that can come has come.
fn check_codes(sum: &Outcome, codes: &[u16]) {
    for code in codes {
        assert!(!is_many() || sum.codes.contains_key(code), "{code} never came: {sum:?}");
    }
}

#[test]
fn every_answer_comes_when_no_connection_breaks() {
    let sum = run_all(Mood::Strict, 150, "every_answer_comes_when_no_connection_breaks");
    assert_eq!((sum.dropped, sum.cut_off), (0, 0));
    assert!(!is_many() || sum.queued > 0 && sum.drained > 0, "{sum:?}");
    check_codes(&sum, &[1000, 1001, 1002, 1006, 1007, 1009, 4000]);
}

#[test]
fn a_slow_peer_loses_what_the_policy_says_and_nothing_else() {
    let sum = run_all(Mood::Policy, 150, "a_slow_peer_loses_what_the_policy_says_and_nothing_else");
    assert!(!is_many() || sum.dropped > 0, "{sum:?}");
    check_codes(&sum, &[1013]);
}

#[test]
fn answers_are_right_as_far_as_they_come() {
    run_all(Mood::Broken, 150, "answers_are_right_as_far_as_they_come");
}

#[test]
fn deadlines_end_connections_in_order() {
    let sum = run_all(Mood::Hasty, 150, "deadlines_end_connections_in_order");
    assert!(!is_many() || sum.cut_off > 0, "{sum:?}");
}

#[test]
fn a_seed_replays() {
    for seed in seeds(20) {
        let _replay = Replay { seed, test: "a_seed_replays" };
        for mood in [Mood::Strict, Mood::Policy, Mood::Broken, Mood::Hasty] {
            assert_eq!(run(seed, mood), run(seed, mood), "seed {seed}");
        }
    }
}
