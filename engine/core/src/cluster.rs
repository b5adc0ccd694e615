//! What the shards of one server or client know of each other.

use crate::address::Addresses;
use crate::figures::Board;
use crate::remote::Remote;
use crate::shard::{Command, Inbox, Survey};
use crate::topic::registry::Registry;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wsring_io::Socket;

/// The name of a connection: unique among the connections that a process has open, and not used
/// again before 2^24 others had the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    pub(crate) shard: u32,
    pub(crate) socket: Socket,
}

impl std::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.shard, self.socket.slot(), self.socket.generation())
    }
}

/// The shards that work together: their inboxes, and how many connections each has. It is there
/// before them, so that topics can be made before the server starts; what is sent to it until then
/// reaches nobody.
#[derive(Debug, Default)]
pub struct Cluster {
    members: OnceLock<Vec<Member>>,
    /// Set while a shard that accepts has stopped because no table has room for it.
    accept_paused: AtomicBool,
    registry: Registry,
    addresses: Addresses,
}

#[derive(Debug, Default)]
struct Member {
    inbox: Inbox,
    load: Load,
    survey: Mutex<Survey>,
    board: Board,
}

/// On a cache line of its own, since each shard writes its own often.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Load(AtomicU32);

/// Set beside the count of a shard that has ended and takes no more connections.
const ENDED: u32 = 1 << 31;

impl Load {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !ENDED
    }
}

/// The shard that accepts for all others.
pub(crate) const ACCEPTOR: usize = 0;

impl Cluster {
    /// A cluster of `shards` shards with nothing to do yet.
    pub fn new(shards: usize) -> Arc<Self> {
        let cluster = Arc::new(Self::default());
        cluster.start(shards);
        cluster
    }

    /// Fixes the number of shards, once.
    pub(crate) fn start(&self, shards: usize) {
        self.members.get_or_init(|| (0..shards).map(|_| Member::default()).collect());
    }

    /// How many shards.
    pub fn shards(&self) -> usize {
        self.members().len()
    }

    /// Connections per shard, at this moment.
    pub fn connections(&self) -> Vec<u32> {
        self.members().iter().map(|member| member.load.count()).collect()
    }

    fn members(&self) -> &[Member] {
        self.members.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn inbox(&self, shard: usize) -> &Inbox {
        &self.members()[shard].inbox
    }

    pub(crate) fn send(&self, shard: usize, command: Command) {
        self.inbox(shard).push(command);
    }

    pub(crate) fn send_all(&self, mut command: impl FnMut() -> Command) {
        for member in self.members() {
            member.inbox.push(command());
        }
    }

    pub(crate) fn remote(self: &Arc<Self>, id: ConnectionId) -> Remote {
        Remote::new(Arc::clone(self), id)
    }

    /// All topics.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Connections by address.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Where a shard writes its figures.
    pub(crate) fn board(&self, shard: usize) -> &Board {
        &self.members()[shard].board
    }

    pub(crate) fn boards(&self) -> impl Iterator<Item = &Board> {
        self.members().iter().map(|member| &member.board)
    }

    /// A shard has looked at those that are behind.
    pub(crate) fn set_survey(&self, shard: usize, survey: Survey) {
        *lock(&self.members()[shard].survey) = survey;
    }

    /// What each shard last saw of those that are behind.
    pub(crate) fn surveys(&self) -> impl Iterator<Item = MutexGuard<'_, Survey>> {
        self.members().iter().map(|member| lock(&member.survey))
    }

    /// Of the shards that have room for more connections than they have, the one with the fewest, counted as having one
    /// more from now on; none when there are `most` in all.
    pub(crate) fn place(&self, most: u32, room: impl Fn(usize) -> u32) -> Option<usize> {
        loop {
            if self.total() >= most {
                return None;
            }
            let words = self.members().iter().map(|member| member.load.0.load(Ordering::Relaxed));
            // A shard that has ended counts as having more than any other.
            let with_room = words.enumerate().filter(|(shard, word)| *word < room(*shard));
            let (shard, word) = with_room.min_by_key(|(_, word)| *word)?;
            let load = &self.members()[shard].load.0;
            if load.compare_exchange(word, word + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(shard);
            }
        }
    }

    /// Connections of all shards.
    pub(crate) fn total(&self) -> u32 {
        self.members().iter().map(|member| member.load.count()).sum()
    }

    /// Ends a shard that has no connection left and none on its way to it; says whether that is so.
    pub(crate) fn retire(&self, shard: usize) -> bool {
        let load = &self.members()[shard].load.0;
        load.compare_exchange(0, ENDED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn opened(&self, shard: usize) {
        self.members()[shard].load.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections of one shard.
    pub(crate) fn count(&self, shard: usize) -> u32 {
        self.members()[shard].load.count()
    }

    /// One connection of `shard` is gone; whoever waits for room to accept learns of it.
    pub(crate) fn closed(&self, shard: usize) {
        self.members()[shard].load.0.fetch_sub(1, Ordering::Relaxed);
        if self.accept_paused.load(Ordering::SeqCst) && self.accept_paused.swap(false, Ordering::SeqCst) {
            self.send_all(|| Command::AcceptResume);
        }
    }

    pub(crate) fn pause_accept(&self) {
        self.accept_paused.store(true, Ordering::SeqCst);
    }
}

fn lock(survey: &Mutex<Survey>) -> MutexGuard<'_, Survey> {
    survey.lock().unwrap_or_else(PoisonError::into_inner)
}
