//! What connections of the server of topics do.

use std::sync::{Arc, OnceLock};
use wsring::{Conn, Gap, Handler, Message, Topic};

/// Neighbours in a connection's share of the topics lie so far apart among all: a prime, so that every topic
/// has its turn whatever their number.
const STRIDE: usize = 7919;

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
        if let ([first, count], []) = message.payload().as_chunks::<4>() {
            let (first, count) = (u32::from_le_bytes(*first) as usize, u32::from_le_bytes(*count) as usize);
            for number in first..first + count {
                if let Some(topic) = topics.get(number * STRIDE % topics.len().max(1)) {
                    conn.subscribe(topic);
                }
            }
        }
        let _ = conn.send(message);
    }
}
