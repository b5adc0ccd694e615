//! The speaker for the Linux kernel: one io_uring per shard.
//!
//! A [`Uring`] owns the ring, its descriptor table, its receive buffers and everything that the
//! kernel borrows while it works. It never interprets a byte and keeps no time of its own. Which
//! kernel features it uses, and why in this way, is told in `docs/ring.md`.
//!
//! Read [`Uring`]'s `turn` first, then `submission.rs` (what each [`Op`] becomes) and `completion.rs`
//! (what each answer means); the rest are the parts those two are made of:
//!
//! | file | owns |
//! | --- | --- |
//! | `setup`, `error` | sizes, flags, the check of the kernel, refusals |
//! | `ring`, `request`, `token` | the queues and the system call; every request; its name |
//! | `buffer_ring`, `receives` | receive buffers; arming, stopping, waiting for a buffer |
//! | `sends`, `pending` | outgoing bytes while the kernel reads them; what is left of them |
//! | `slots`, `closes` | what is known of each socket; its end |
//! | `lent` | half-closes and peers' addresses, on descriptors that the ring lends |
//! | `accepts`, `connects`, `mesh` | how sockets come, and go to other shards |
//! | `bell`, `shutdown` | waking from other threads; ending with everything in flight |

mod accepts;
mod bell;
mod buffer_ring;
mod closes;
mod completion;
mod connects;
mod error;
mod lent;
mod mesh;
mod pending;
mod receives;
mod request;
mod ring;
mod sends;
mod setup;
mod shutdown;
mod slots;
mod submission;
mod token;

pub use error::OpenError;
pub use mesh::Mesh;
pub use setup::{Capabilities, Config, probe};

use crate::{Completion, Counters, Io, Op, Received, Time, Waker};
use accepts::Acceptor;
use bell::Bell;
use buffer_ring::Buffers;
use connects::Connects;
use io_uring::cqueue;
use receives::Starved;
use ring::{Entered, Ring, Wait, clock};
use sends::Sends;
use slots::Slots;
use std::io;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// The kernel's cap on deferred completions per enter (`IO_LOCAL_TW_DEFAULT_MAX`): as many as this
/// means that more may wait.
const DEFERRED_PER_ENTER: usize = 20;

/// A turn stops collecting at this many completions, so that those it has are acted on.
const COLLECTED_MAX: usize = 4096;

/// From this many sends on, a turn submits them in an enter of their own before it waits. Their
/// buffers come back before the peers' answers arrive, and the enter costs each of them little.
const SENDS_FLUSHED_APART: usize = 32;

/// How often a kernel that is short of memory is asked again, a millisecond apart.
const BUSY_RETRIES_MAX: u32 = 1000;

/// One shard's way to the kernel. It belongs to the thread that opened it.
pub struct Uring {
    /// First of the fields, so that it is gone before the memory that it borrows.
    ring: Ring,
    slots: Slots,
    acceptor: Acceptor,
    connects: Connects,
    buffers: Buffers,
    sends: Sends,
    starved: Starved,
    bell: Arc<Bell>,
    mesh: Arc<Mesh>,
    shard: usize,
    capabilities: Capabilities,
    sockets_max: u32,
    /// What the next turn will report.
    ready: Vec<Completion>,
    /// Completions between the queue and their reading; empty otherwise.
    arrived: Vec<cqueue::Entry>,
    now: Time,
    /// Completions that the next wait is for.
    want: u32,
    counters: Counters,
    /// Why the ring is of no more use, when an enter outside a turn found out.
    broken: Option<io::Error>,
    /// The ring accepts submissions from one thread only, and its registered index is that thread's.
    thread: PhantomData<*mut ()>,
}

impl Uring {
    /// Opens the ring of `shard`, on the thread that will run it, and joins it to `mesh`. Next,
    /// submit [`AcceptStart`](Op::AcceptStart) or connects, and take turns.
    ///
    /// # Errors
    /// What the environment lacks, or what is wrong with the arguments; see [`OpenError`].
    pub fn open(
        config: &Config,
        listeners: impl IntoIterator<Item = TcpListener>,
        mesh: Arc<Mesh>,
        shard: usize,
    ) -> Result<Self, OpenError> {
        mesh.check(shard)?;
        config.check()?;
        let other = |step| move |error| OpenError::other(step, error);
        // Before the ring, so that whatever fails below, the ring goes first.
        let mut buffers = Buffers::new(config.buffers, config.buffer_bytes)
            .map_err(other("mapping the receive buffers"))?;
        let (uring, capabilities) = setup::open(config)?;
        buffers.register(&uring).map_err(|error| {
            OpenError::from_step("the ring of receive buffers", error, config.locked_bytes())
        })?;
        let bell = Arc::new(Bell::new().map_err(other("eventfd"))?);
        let acceptor = Acceptor::new(listeners).map_err(other("the listener"))?;
        mesh.join(shard, &uring)?;
        let mut opened = Self {
            ring: Ring::new(uring),
            slots: Slots::new(),
            acceptor,
            connects: Connects::default(),
            buffers,
            sends: Sends::new(),
            starved: Starved::default(),
            bell,
            mesh,
            shard,
            capabilities,
            sockets_max: config.sockets_max,
            ready: Vec::with_capacity(COLLECTED_MAX),
            arrived: Vec::with_capacity(config.completion_entries as usize),
            now: clock(),
            want: 1,
            counters: Counters::default(),
            broken: None,
            thread: PhantomData,
        };
        opened.watch_bell();
        Ok(opened)
    }

    /// What the kernel under this ring offers.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn watch_bell(&mut self) {
        self.ring.push(request::watch(self.bell.descriptor()));
    }

    /// One enter, and everything that it brought; how many completions that was.
    fn enter_and_collect(&mut self, wait: Wait) -> io::Result<usize> {
        let mut retries = 0;
        loop {
            self.counters.enters += 1;
            let entered = self.ring.enter(wait)?;
            let collected = self.collect()?;
            if entered == Entered::Done || collected > 0 {
                return Ok(collected);
            }
            retries += 1;
            if retries > BUSY_RETRIES_MAX {
                return Err(io::Error::from_raw_os_error(libc::EAGAIN));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes all completions that were posted and acts on each. When nothing is hidden in an
    /// overflow and everything was submitted, the sends that did not report are known to be out.
    fn collect(&mut self) -> io::Result<usize> {
        let mut arrived = std::mem::take(&mut self.arrived);
        self.ring.drain(&mut arrived);
        while self.ring.overflowed() {
            self.counters.overflows += 1;
            self.counters.enters += 1;
            self.ring.enter(Wait::Collect)?;
            self.ring.drain(&mut arrived);
        }
        let all_submitted = self.ring.is_submitted();
        let collected = arrived.len();
        self.counters.completions += collected as u64;
        for entry in arrived.drain(..) {
            self.complete(&entry);
        }
        self.arrived = arrived;
        if all_submitted {
            self.settle_sends();
        }
        Ok(collected)
    }

    /// Submits everything now, so that the sends so far are decided and there is room for more.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            self.enter_and_collect(Wait::No)?;
            if self.sends.submitted() == 0 && self.ring.has_room() {
                return Ok(());
            }
        }
    }

    /// Waits for something to report or the deadline, then collects what is ready.
    fn collect_turn(&mut self, deadline: Option<Time>) -> io::Result<()> {
        let mut rung = false;
        loop {
            self.offer_buffers();
            let sleep = self.ready.is_empty() && !rung && self.bell.lie_down();
            let want = std::mem::replace(&mut self.want, 1);
            let wait = if sleep { Wait::Until { deadline, want } } else { Wait::Collect };
            let collected = self.enter_and_collect(wait);
            rung |= self.bell.get_up();
            let more_waits = collected? >= DEFERRED_PER_ENTER && self.ring.has_deferred_work();
            if more_waits && self.ready.len() < COLLECTED_MAX {
                continue;
            }
            if rung {
                self.ready.push(Completion::Woken);
            }
            if self.sends.submitted() > 0 {
                // The kernel was busy and took only some: a turn ends with all of them decided.
                self.flush()?;
            }
            self.now = clock();
            if !self.ready.is_empty() || deadline.is_some_and(|deadline| deadline <= self.now) {
                return Ok(());
            }
        }
    }

    /// Gives the kernel the buffers that came back, and those who waited for them another go.
    fn offer_buffers(&mut self) {
        self.buffers.publish();
        if !self.starved.is_empty() {
            self.feed_starved();
        }
    }
}

impl Io for Uring {
    fn submit(&mut self, op: Op) {
        self.carry_out(op);
    }

    fn turn(&mut self, deadline: Option<Time>, completions: &mut Vec<Completion>) -> io::Result<()> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        self.counters.turns += 1;
        if self.sends.submitted() >= SENDS_FLUSHED_APART {
            let (sends, began) = (self.sends.submitted() as u64, clock());
            self.flush()?;
            self.counters.sends_timed += sends;
            self.counters.sends_timed_nanoseconds += clock().since(began).as_nanos() as u64;
        }
        self.collect_turn(deadline)?;
        if self.slots.rewind_is_due() {
            // Without it places are only given out less tightly.
            let _ = self.ring.rewind_places(self.sockets_max);
        }
        if completions.is_empty() {
            std::mem::swap(completions, &mut self.ready);
            // Once and for all, so that no batch of a later turn finds it too small.
            self.ready.reserve(COLLECTED_MAX);
        } else {
            completions.append(&mut self.ready);
        }
        Ok(())
    }

    fn gather(&mut self, completions: u32) {
        self.want = completions;
    }

    fn now(&self) -> Time {
        self.now
    }

    fn bytes(&mut self, received: &Received) -> &mut [u8] {
        self.buffers.bytes_mut(received)
    }

    fn release(&mut self, received: Received) {
        self.buffers.release(received);
    }

    fn spare(&mut self) -> Vec<u8> {
        self.sends.spare()
    }

    fn half_closes(&self) -> bool {
        self.capabilities.half_close
    }

    fn spare_long(&mut self) -> Option<Vec<u8>> {
        self.sends.spare_long()
    }

    fn restore(&mut self, spare: Vec<u8>) {
        self.sends.restore(spare);
    }

    fn waker(&self) -> Waker {
        Waker::new(self.bell.clone())
    }

    fn sockets_max(&self) -> u32 {
        self.sockets_max
    }

    fn sockets_free(&self) -> u32 {
        self.sockets_max.saturating_sub(self.slots.filled())
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring")
            .field("shard", &self.shard)
            .field("capabilities", &self.capabilities)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
