//! What connections of the server of topics do.

use std::sync::{Arc, OnceLock};
use wsring::{Conn, Gap, Handler, Message, Topic};

/// Topics that follow each other in the order of subscribing lie so far apart among all: a prime, so that
/// every topic has its turn whatever their number.
const STRIDE: usize = 7919;

/// When all topics have had their turn, the next lap begins so much further on, so that a connection meets
/// others than in the lap before.
const LAP: usize = 1009;

/// Which of so many topics the subscription with this number is for: of each `topics` numbers that follow each
/// other, every topic has one.
fn topic_of(number: usize, topics: usize) -> usize {
    (number % topics + number / topics * LAP) % topics * STRIDE % topics
}

/// Is told of gaps as text.
pub(super) struct Subscriber(pub(super) Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        let _ = conn.send_text(&format!("gap {} {}", gap.from, gap.to));
    }
}

/// Publishes what comes.
pub(super) struct Publisher(pub(super) Topic);

impl Handler for Publisher {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish(&self.0, message.kind(), message.payload());
    }
}

/// Is the one subscriber of what it publishes to.
pub(super) struct Own(pub(super) Topic);

impl Handler for Own {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish(&self.0, message.kind(), message.payload());
    }
}

/// Subscribes to many topics when it is told to.
pub(super) struct Many(pub(super) Arc<OnceLock<Vec<Topic>>>);

impl Handler for Many {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let topics = self.0.get().map_or(&[][..], Vec::as_slice);
        if let ([first, step, count], []) = message.payload().as_chunks::<4>() {
            let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
            let numbers = (number(first)..).step_by(number(step).max(1)).take(number(count));
            for number in numbers.filter(|_| !topics.is_empty()) {
                conn.subscribe(&topics[topic_of(number, topics.len())]);
            }
        }
        let _ = conn.send(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn subscriptions_spread_evenly() {
        for (connections, each, topics) in [(20_000, 50, 100_000), (10_000, 50, 100_000), (400, 5, 1000)] {
            let mut subscribers = vec![0; topics];
            for connection in 0..connections {
                let own = (0..each).map(|nth| topic_of(connection + nth * connections, topics));
                let own: BTreeSet<usize> = own.inspect(|topic| subscribers[*topic] += 1).collect();
                assert_eq!(own.len(), each, "{connection} of {connections}");
            }
            assert!(subscribers.iter().all(|count| *count == connections * each / topics));
        }
    }
}
