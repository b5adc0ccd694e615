//! Those who follow topics, each in a thread and through many connections, and what came of it.

mod commands;
mod events;
mod passers;
mod patterns;
mod single;

use super::follow::Follow;
use super::random::Random;
use super::source::Topic;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wsring_tests::Peer;

/// How many of each kind.
const EACH: usize = 3;

/// What all of them have.
struct Life {
    address: SocketAddr,
    topics: Arc<[Topic]>,
    over: Arc<AtomicBool>,
    random: Random,
}

impl Life {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Acquire)
    }

    /// Does not read for a while; sometimes for so long that the kernel takes no more for it.
    fn stall(&mut self) {
        let most = if self.random.once_in(3) { 3000 } else { 300 };
        std::thread::sleep(Duration::from_millis(self.random.below(most) as u64));
    }

    /// A WebSocket; some have little room in their sockets.
    fn open(&mut self, path: &str) -> Peer {
        let narrow = self.random.once_in(2);
        let peer = if narrow { Peer::connect_narrow(self.address) } else { Peer::connect(self.address) };
        peer.upgrade(path)
    }
}

/// What one has done and seen, or all.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Its places in topics, to be followed to their ends.
    follows: Vec<Follow>,
    pub(crate) published: u64,
    pub(crate) received: u64,
    pub(crate) missed: u64,
    /// Of those missed for being slow, what the policies that go on have announced.
    pub(crate) skipped: u64,
    pub(crate) latest: u64,
    /// Connections.
    lives: u64,
    /// Those that were closed for being slow.
    closed: u64,
}

impl Ended {
    /// Of nobody yet.
    pub(crate) fn begin(published: u64) -> Self {
        Self { published, ..Self::default() }
    }

    fn of(follows: Vec<Follow>, lives: u64, closed: u64) -> Self {
        Self { follows, lives, closed, ..Self::default() }
    }

    /// Follows every topic to its head, now that nothing more is published.
    pub(crate) fn finish(&mut self, address: SocketAddr, topics: &[Topic], heads: &[u64]) {
        for mut follow in std::mem::take(&mut self.follows) {
            let at = topics.iter().position(|topic| topic.name == follow.topic.name).unwrap();
            single::follow_to(address, &mut follow, heads[at]);
            follow.check_complete(heads[at]);
            self.received += follow.received;
            self.missed += follow.missed;
            self.skipped += follow.skipped;
            self.latest += follow.latest;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.received += other.received;
        self.missed += other.missed;
        self.skipped += other.skipped;
        self.latest += other.latest;
        self.lives += other.lives;
        self.closed += other.closed;
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, received, missed, skipped, latest, lives, closed, .. } = self;
        write!(
            f,
            "{published} published; over {lives} connections {received} received, {missed} announced as missed \
             ({skipped} skipped, {latest} for the latest), {closed} closed for being slow"
        )
    }
}

/// Starts all of them.
pub(crate) fn start(
    address: SocketAddr,
    topics: &Arc<[Topic]>,
    over: &Arc<AtomicBool>,
    random: &mut Random,
) -> Vec<JoinHandle<Ended>> {
    let kinds: [fn(Life) -> Ended; 5] =
        [commands::live, single::live, events::live, patterns::live, passers::live];
    let all = (0..EACH).flat_map(|_| kinds);
    all.map(|live| {
        let (topics, over) = (Arc::clone(topics), Arc::clone(over));
        let life = Life { address, topics, over, random: random.split() };
        std::thread::spawn(move || live(life))
    })
    .collect()
}
