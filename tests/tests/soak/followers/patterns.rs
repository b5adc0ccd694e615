//! All topics by one pattern: each in its order, with holes only after a gap of the pattern.

use super::super::message::{Said, next};
use super::{Ended, Life};
use std::collections::HashMap;

const PATTERNS: [&str; 3] = ["soak/#", "soak/skip/+", "soak/+/+"];

/// Where a topic is.
struct Place {
    next: u64,
    /// Some may be missing before the next.
    has_gap: bool,
}

pub(super) fn live(mut life: Life) -> Ended {
    let mut ended = Ended::default();
    while life.goes_on() {
        let pattern = PATTERNS[life.random.below(PATTERNS.len())];
        let mut peer = life.open("/ws");
        ended.lives += 1;
        peer.send_text(&format!(r#"{{"id":"p","command":"subscribe","topic":"{pattern}"}}"#));
        match next(&mut peer) {
            Said::Other(answer) => assert_eq!(answer["ok"]["topic"], pattern, "{answer}"),
            said => panic!("{said:?}"),
        }
        let mut places: HashMap<String, Place> = HashMap::new();
        for _ in 0..life.random.below(600) {
            if life.random.once_in(200) {
                life.stall();
            }
            if !life.goes_on() {
                break;
            }
            match next(&mut peer) {
                Said::Message { topic, offset, number } => {
                    assert_eq!(offset, number, "{topic}");
                    let place = places.entry(topic).or_insert(Place { next: offset, has_gap: false });
                    assert!(
                        offset == place.next || place.has_gap && offset > place.next,
                        "{pattern}: {offset}"
                    );
                    *place = Place { next: offset + 1, has_gap: false };
                    ended.received += 1;
                }
                Said::Gap { topic, gap } => {
                    assert_eq!((topic.as_str(), gap.reason.as_str()), (pattern, "skip"));
                    ended.missed += gap.to - gap.from;
                    ended.skipped += gap.to - gap.from;
                    places.values_mut().for_each(|place| place.has_gap = true);
                }
                said => panic!("{pattern}: {said:?}"),
            }
        }
    }
    ended
}
