//! The programs that measure topics, as short as can be. What depends on the machine's speed means nothing in
//! such runs and is not looked at; what does not has to hold.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::process::Command;

/// What a program says; it must come to its end.
fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // 1 is for bounds that do not hold, as for errors, which are told there.
    assert!(output.stderr.is_empty(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn stalled_subscribers_are_told_and_counted() {
    let sizes = "--subscribers 60 --retention-bytes 65536 --rate 20 --slices 1 --slice 0.3";
    let said = run(env!("CARGO_BIN_EXE_stalled"), sizes);
    assert_eq!(said.matches("\npolicy").count(), 3, "{said}");
    let claims: Vec<&str> = said.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(claims.len(), 15, "{said}");
    // How fast an answer came, and whether a client was soon enough to read why it was closed.
    let is_timed = |claim: &str| claim.contains("p99") || claim.contains("soon");
    for claim in claims.iter().filter(|claim| !is_timed(claim)) {
        assert!(claim.starts_with("  pass"), "{said}");
    }
}

#[test]
fn topics_and_subscriptions_are_as_many_as_asked_for() {
    let sizes = "--topics 1000 --connections 200 --subscriptions 10 --slices 1 --slice 0.1";
    for shards in ["1", "2"] {
        let said = run(env!("CARGO_BIN_EXE_topics-cost"), &format!("{sizes} --shards {shards}"));
        assert!(said.contains(&format!("{shards} shards, 1010 topics, 2010 subscriptions")), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("  ")).count(), 3, "{said}");
    }
}

#[test]
fn bursts_reach_everybody() {
    let said = run(env!("CARGO_BIN_EXE_fanout-shards"), "--subscribers 50 --messages 5 --bursts 2");
    assert!(said.contains("2 shards deliver"), "{said}");
}
