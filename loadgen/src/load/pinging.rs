//! Pings that a workload sends, and their Pongs.

use crate::clock;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::measure::meter::{histogram, record};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wsring::{Again, Conn, ConnectionId, Driver, Remote, Time, Turn};

/// The payload of our own Pings begins with this, and the time follows; those that the engine sends in silence have
/// only a time.
const MARK: &[u8; 4] = b"end:";
/// Pings that leave before what has arrived meanwhile is looked at.
const SENT_IN_A_TURN_MAX: usize = 256;

/// Round trips of Pings, for each shard.
#[derive(Debug)]
pub(crate) struct Pinged(Vec<Mutex<Histograms>>);

#[derive(Debug)]
struct Histograms {
    /// Of those that the engine sends in silence.
    regular: Histogram<u64>,
    /// Of [`ping_all`].
    at_end: Histogram<u64>,
}

impl Pinged {
    pub(crate) fn new(shards: usize) -> Self {
        let each = |_| Mutex::new(Histograms { regular: histogram(), at_end: histogram() });
        Self((0..shards).map(each).collect())
    }

    /// A Pong has arrived.
    pub(crate) fn pong(&self, conn: &Conn<'_>, payload: &[u8], round_trip: Option<Duration>) {
        let mut histograms = self.0[conn.shard()].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(round_trip) = round_trip {
            return record(&mut histograms.regular, round_trip);
        }
        let sent = payload.strip_prefix(MARK).and_then(|time| time.try_into().ok());
        if let Some(sent) = sent.map(u64::from_be_bytes) {
            record(&mut histograms.at_end, clock::now().since(Time(sent)));
        }
    }

    /// How many Pongs have answered [`ping_all`].
    pub(crate) fn at_end(&self) -> u64 {
        self.0.iter().map(|each| each.lock().unwrap_or_else(PoisonError::into_inner).at_end.len()).sum()
    }

    /// Both kinds, over all shards.
    pub(crate) fn sum(&self) -> (Histogram<u64>, Histogram<u64>) {
        let mut sum = (histogram(), histogram());
        for each in &self.0 {
            let each = each.lock().unwrap_or_else(PoisonError::into_inner);
            sum.0.add(&each.regular).expect("a histogram that grows takes any other");
            sum.1.add(&each.at_end).expect("a histogram that grows takes any other");
        }
        sum
    }
}

/// Sends a Ping on each of these connections, at a rate that holds for all of them together, until the run is to come
/// to its end. What is returned counts those that were sent.
pub(crate) fn ping_all(fleet: &Fleet<'_>, connections: &[(u32, Remote)], rate: u32) -> Arc<AtomicU64> {
    let sent = Arc::new(AtomicU64::new(0));
    let shards = fleet.shards();
    let begin = clock::now();
    let mut due: Vec<Vec<(Time, ConnectionId)>> = vec![Vec::new(); shards];
    for (position, (number, remote)) in (0..).zip(connections) {
        let after = Duration::from_nanos(position * 1_000_000_000 / u64::from(rate));
        due[*number as usize % shards].push((begin.after(after), remote.id()));
    }
    for (shard, due) in due.into_iter().enumerate().filter(|(_, due)| !due.is_empty()) {
        let sent = Arc::clone(&sent);
        fleet.client().drive(shard, move || PingAll { due, next: 0, sent });
    }
    sent
}

/// The Pings of a shard, and how many are out.
struct PingAll {
    due: Vec<(Time, ConnectionId)>,
    next: usize,
    /// Of all shards.
    sent: Arc<AtomicU64>,
}

impl Driver for PingAll {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        for _ in 0..SENT_IN_A_TURN_MAX {
            let next = self.due.get(self.next).filter(|_| !interrupt::is_asked());
            let Some((due, connection)) = next else { return Again::Never };
            let now = clock::now();
            if *due > now {
                return Again::At(*due);
            }
            let mut payload = MARK.to_vec();
            payload.extend_from_slice(&now.0.to_be_bytes());
            self.sent.fetch_add(1, Ordering::Relaxed);
            // One that is over by now is counted as lost, and not answered.
            let _ = turn.with(*connection, |conn| conn.ping(&payload));
            self.next += 1;
        }
        Again::At(turn.now())
    }
}
