//! The text is what the specification says, and the figures stand where they belong.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn shard(connections: u64) -> ShardFigures {
    let mut turn_nanoseconds = [0; 24];
    (turn_nanoseconds[0], turn_nanoseconds[3], turn_nanoseconds[23]) = (5, 2, 1);
    ShardFigures {
        connections,
        deliveries: 1000 * connections,
        turn_nanoseconds,
        turn_nanoseconds_sum: 1_500_000_000,
        deflated_messages: 2,
        deflate_saved_bytes: 700,
        deflate_nanoseconds: 2_500_000,
        deflate_contexts: connections,
        inflate_saved_bytes: 600,
        inflate_nanoseconds: 500_000_000,
        ..ShardFigures::default()
    }
}

fn rendered() -> String {
    let shards = [shard(3), shard(4)];
    let topics = TopicFigures {
        topics: 2,
        published: 7,
        missed: wsring::Missed { skipped: 9, ..wsring::Missed::default() },
        deflated: Deflated { messages: 5, saved_bytes: 4000, nanoseconds: 1_000, ..Deflated::default() },
        ..TopicFigures::default()
    };
    let refusals = Refusals::default();
    refusals.count(Code::Forbidden);
    render(&Figures { shards: &shards, topics, slowest: &[40, 2], refusals: &refusals })
}

#[test]
fn the_figures_stand_where_they_belong() {
    let text = rendered();
    for line in [
        "wsring_build_info{version=\"0.1.0\",io=\"io_uring\"} 1",
        "wsring_connections{shard=\"0\"} 3",
        "wsring_connections{shard=\"1\"} 4",
        "wsring_deliveries_total{shard=\"1\"} 4000",
        "wsring_turn_seconds_bucket{shard=\"0\",le=\"0.000001024\"} 5",
        "wsring_turn_seconds_bucket{shard=\"0\",le=\"0.000008192\"} 7",
        "wsring_turn_seconds_bucket{shard=\"0\",le=\"+Inf\"} 8",
        "wsring_turn_seconds_count{shard=\"0\"} 8",
        "wsring_turn_seconds_sum{shard=\"0\"} 1.5",
        "wsring_topics 2",
        "wsring_published_total 7",
        "wsring_missed_total{policy=\"skip\"} 9",
        "wsring_slowest_behind_messages{rank=\"1\"} 40",
        "wsring_refused_total{code=\"forbidden\"} 1",
        "wsring_refused_total{code=\"bad_json\"} 0",
        "wsring_deflated_messages_total{shard=\"0\"} 2",
        "wsring_deflate_saved_bytes_total{shard=\"1\"} 700",
        "wsring_deflate_seconds_total{shard=\"1\"} 0.0025",
        "wsring_deflate_contexts{shard=\"1\"} 4",
        "wsring_inflate_saved_bytes_total{shard=\"0\"} 600",
        "wsring_inflate_seconds_total{shard=\"0\"} 0.5",
        "wsring_shared_deflated_messages_total 5",
        "wsring_shared_deflate_saved_bytes_total 4000",
        "wsring_shared_deflate_seconds_total 0.000001",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

/// Families are whole and stand together, counters end in `_total`, units are told, the end is there.
#[test]
fn the_text_is_openmetrics() {
    let text = rendered();
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let (mut types, mut series, mut family) = (BTreeMap::new(), BTreeSet::new(), String::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "TYPE", name, kind] => {
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
                family = name.to_owned();
            }
            ["#", "UNIT", name, unit] => assert!(name == family && name.ends_with(unit), "{line}"),
            ["#", "HELP", name, help] => assert!(name == family && help.ends_with('.'), "{line}"),
            _ => {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(series.insert(sample.to_owned()), "{sample} comes twice");
                let name = sample.split('{').next().unwrap();
                let suffix =
                    name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} in {family}"));
                let right = match types[&family].as_str() {
                    "counter" => suffix == "_total",
                    "gauge" => suffix.is_empty(),
                    "info" => suffix == "_info",
                    _ => ["_bucket", "_count", "_sum"].contains(&suffix),
                };
                assert!(right, "{line} in {family}");
            }
        }
    }
    assert!(types.len() > 20);
}
