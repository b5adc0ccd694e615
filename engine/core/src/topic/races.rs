//! What two threads may do to the registry at the same time.

use super::form::Form;
use super::log::Log;
use super::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wsring_proto::Kind;

/// So many that the end of a pattern nearly always meets a publish in the middle.
const ROUNDS: usize = 100_000;

/// Each of them deflates what is kept.
const DEFLATED_ROUNDS: usize = 3000;

fn publish(registry: &Registry, log: &Arc<Log>) {
    log.publish(registry, Kind::Text, b"x", |_, _| {});
}

#[test]
fn a_pattern_that_ends_while_somebody_publishes_keeps_nothing() {
    let (registry, over) = (Registry::default(), AtomicBool::new(false));
    let topic = registry.topic("a/b").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                publish(&registry, &topic);
            }
        });
        for _ in 0..ROUNDS {
            let pattern = registry.subscribe_pattern(&registry.pattern("a/+").unwrap());
            registry.unsubscribe_pattern(&pattern);
        }
        over.store(true, Ordering::Release);
    });
    assert_eq!(registry.retained_bytes().load(Ordering::Relaxed), topic.bytes());
}

/// The deflated variant begins and ends while somebody publishes: whoever reads it gets every message, in
/// whichever way it stands there.
#[test]
fn a_deflated_variant_that_comes_and_goes_misses_nothing() {
    let (registry, over) = (Registry::default(), AtomicBool::new(false));
    let topic = registry.topic("a/b").unwrap();
    let form = Form::PUBLISHED.deflated();
    let payload = [b'x'; 200];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                topic.publish(&registry, Kind::Text, &payload, |_, _| {});
            }
        });
        for _ in 0..DEFLATED_ROUNDS {
            let next = topic.listen(&registry, 0, form, true);
            let (place, bounds) = topic.locate(&registry, form, next);
            if bounds.next > next {
                let place = place.expect("the next message is there");
                let first = place.segment.message((next - place.base) as u32);
                assert!(matches!(first[0], 0x81 | 0xc1), "a whole text: {first:?}");
            }
            assert!(bounds.oldest <= next);
            topic.unlisten(0, form, true);
            topic.look_after(&registry);
        }
        over.store(true, Ordering::Release);
    });
    topic.clear(&registry);
    assert_eq!(registry.retained_bytes().load(Ordering::Relaxed), 0);
}
