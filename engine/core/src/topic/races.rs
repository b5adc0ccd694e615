//! What two threads may do to the registry at the same time.

use super::log::Log;
use super::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wsring_proto::Kind;

/// So many that the end of a pattern nearly always meets a publish in the middle.
const ROUNDS: usize = 100_000;

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
