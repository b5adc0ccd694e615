//! Whole servers on a simulated network, from seeds: what clients get is exactly what they are due,
//! whatever the network does, and nothing is left behind.
//!
//! `WSRING_SIM_SEEDS=2000 cargo test --release -p wsring-tests --test simulation` runs that many
//! seeds of each mood; `WSRING_SIM_SEED=7` runs the one that a failure named.

mod app;
mod client;
mod plan;
mod random;
mod scenario;
mod seeds;
mod wire;
mod world;

use scenario::{Mood, run};
use seeds::{Replay, seeds};

fn run_all(mood: Mood, usual: u64, test: &'static str) {
    for seed in seeds(usual) {
        let _replay = Replay { seed, test };
        run(seed, mood);
    }
}

#[test]
fn every_answer_comes_when_no_connection_breaks() {
    run_all(Mood::Strict, 150, "every_answer_comes_when_no_connection_breaks");
}

#[test]
fn a_slow_peer_loses_what_the_policy_says_and_nothing_else() {
    run_all(Mood::Policy, 100, "a_slow_peer_loses_what_the_policy_says_and_nothing_else");
}

#[test]
fn answers_are_right_as_far_as_they_come() {
    run_all(Mood::Broken, 100, "answers_are_right_as_far_as_they_come");
}

#[test]
fn deadlines_end_connections_in_order() {
    run_all(Mood::Hasty, 100, "deadlines_end_connections_in_order");
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
