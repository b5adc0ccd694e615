//! A shard's speaker: the trait's methods and the turn.

use super::buffers::Buffers;
use super::network::Network;
use super::state::{Phase as Sleep, State};
use super::table::Table;
use crate::{CloseHow, Completion, Counters, Io, Op, Outgoing, Received, Time, Waker};
use std::cell::RefMut;
use std::collections::VecDeque;
use std::net::IpAddr;

/// How large a simulated shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many sockets it holds at once.
    pub sockets_max: u32,
    /// How many receive buffers it has.
    pub buffers: u16,
    /// How long each is.
    pub buffer_bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { sockets_max: 4096, buffers: 256, buffer_bytes: 4096 }
    }
}

/// The simulated speaker of one shard; made by [`Network::shard`]. Dropping it resets its sockets and
/// closes its listener, as the end of a process would.
pub struct SimIo {
    pub(super) network: Network,
    pub(super) index: usize,
    pub(super) listener: usize,
    pub(super) table: Table,
    pub(super) buffers: Buffers,
    pub(super) accepting: Accepting,
    /// Slots with received bytes and no buffer, longest waiting first.
    pub(super) starved: VecDeque<u32>,
    /// Slots that put something off until the next turn.
    pub(super) again: Vec<u32>,
    /// Where the next turn starts looking for ready sockets, so that scarce buffers go round.
    pub(super) next_slot: u32,
    pub(super) counters: Counters,
    ops: Vec<Op>,
    spares: Vec<Vec<u8>>,
    now: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepting {
    Off,
    On,
    Stopping { until: u64 },
}

/// How many vectors are kept for [`Io::spare`], and how large each may be.
const SPARES_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 64 * 1024;

impl SimIo {
    pub(super) fn new(network: Network, index: usize, listener: usize, config: Config) -> Self {
        let now = network.now();
        let Config { sockets_max, buffers, buffer_bytes } = config;
        assert!(sockets_max > 0 && buffers > 0 && buffer_bytes > 0, "{config:?} leaves nothing to work with");
        Self {
            network,
            index,
            listener,
            table: Table::new(sockets_max),
            buffers: Buffers::new(buffers, buffer_bytes),
            accepting: Accepting::Off,
            starved: VecDeque::new(),
            again: Vec::new(),
            next_slot: 0,
            counters: Counters::default(),
            ops: Vec::new(),
            spares: Vec::new(),
            now,
        }
    }

    /// How many sockets are open, those connecting and closing included.
    pub fn sockets_open(&self) -> usize {
        self.table.used()
    }

    /// How many receive buffers are leased out.
    pub fn leases_out(&self) -> usize {
        self.buffers.out()
    }

    /// Checks that nothing of this speaker is left with the shard. To be called after a last turn:
    /// what was submitted since then holds its buffers still.
    ///
    /// # Panics
    /// When a lease has not come back, naming the seed.
    pub fn assert_quiet(&self) {
        let out = self.buffers.out();
        if out > 0 {
            self.state().fail(&format!("shard {} has not given {out} receive buffers back", self.index));
        }
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.network.state()
    }

    /// Ends the run because the shard broke the contract.
    pub(super) fn fail(&self, what: &str) -> ! {
        self.state().fail(&format!("shard {}: {what}", self.index))
    }

    /// Puts a finished send's bytes where they belong.
    pub(super) fn put_away(&mut self, bytes: Outgoing) {
        match bytes {
            Outgoing::Received { buffer, .. } => self.release(buffer),
            Outgoing::Buffer { bytes, .. } => self.restore(bytes),
            Outgoing::Shared(_) | Outgoing::Segment { .. } => {}
        }
    }

    /// Records what is reported, and lets different sockets' reports change places.
    fn report(&mut self, completions: &mut [Completion]) {
        let mut state = self.network.state();
        let reorder = state.faults.reorder;
        for last in 1..completions.len() {
            let mut at = last;
            while at > 0 && may_swap(&completions[at - 1], &completions[at]) && state.random.chance(reorder) {
                completions.swap(at - 1, at);
                at -= 1;
            }
        }
        for completion in completions {
            state.trace.word(self.index as u64);
            words(completion).into_iter().for_each(|word| state.trace.word(word));
        }
    }
}

impl Io for SimIo {
    fn submit(&mut self, op: Op) {
        self.state().rouse(self.index);
        self.ops.push(op);
    }

    fn turn(&mut self, deadline: Option<Time>, completions: &mut Vec<Completion>) -> std::io::Result<()> {
        let before = completions.len();
        self.counters.turns += 1;
        self.counters.enters += 1;
        let mut reports = Vec::new();
        for op in std::mem::take(&mut self.ops) {
            self.carry_out(op, &mut reports);
        }
        completions.append(&mut reports);
        self.collect(completions);
        let has_nothing = completions.len() == before && self.again.is_empty();
        // What it did may have reached a socket of its own.
        if has_nothing && self.state().doors[self.index].ready.is_empty() {
            self.state().sleep(self.index, deadline.map(|time| time.0));
            let has_moved = self.state().step();
            if has_moved {
                self.collect(completions);
            }
        }
        if completions.len() > before || !self.again.is_empty() {
            self.state().rouse(self.index);
        }
        self.report(&mut completions[before..]);
        self.counters.completions += (completions.len() - before) as u64;
        self.now = self.network.now();
        Ok(())
    }

    fn now(&self) -> Time {
        self.now
    }

    fn bytes(&mut self, received: &Received) -> &mut [u8] {
        if !self.buffers.is_out(received) {
            self.fail(&format!("{received:?} is not leased out here"));
        }
        self.buffers.bytes(received)
    }

    fn release(&mut self, received: Received) {
        if !self.buffers.is_out(&received) {
            self.fail(&format!("{received:?} is given back and not leased out here"));
        }
        self.buffers.release(&received);
        if !self.starved.is_empty() {
            let mut state = self.network.state();
            state.doors[self.index].ready.extend(self.starved.drain(..));
            state.rouse(self.index);
        }
    }

    fn spare(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_default()
    }

    fn restore(&mut self, mut spare: Vec<u8>) {
        if self.spares.len() < SPARES_MAX && spare.capacity() <= SPARE_BYTES_MAX {
            spare.clear();
            self.spares.push(spare);
        }
    }

    fn waker(&self) -> Waker {
        Waker::new(self.state().doors[self.index].flag.clone())
    }

    fn sockets_max(&self) -> u32 {
        self.table.places_max()
    }

    fn sockets_free(&self) -> u32 {
        self.table.places_free()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for SimIo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut state = self.network.state();
        for slot in self.table.slots() {
            if let Some(entry) = self.table.remove(slot) {
                state.close(entry.end, CloseHow::Reset);
            }
        }
        while let Some(handed) = state.doors[self.index].handed.pop_front() {
            state.refuse(handed.end, handed.from, self.index);
        }
        state.listener_close(self.listener);
        state.doors[self.index].phase = Sleep::Gone;
    }
}

/// Whether two reports may come in either order: those of one place may not (a socket's `Closed` and
/// the next one's `Accepted` included), nor may the end of accepting overtake what was accepted.
fn may_swap(first: &Completion, second: &Completion) -> bool {
    let ends_accepting = |completion: &Completion| matches!(completion, Completion::AcceptEnded { .. });
    let is_accepted = |completion: &Completion| matches!(completion, Completion::Accepted { .. });
    match (slot(first), slot(second)) {
        // What was received in this turn may have arrived before the send was carried out.
        (Some(one), Some(other)) if one == other => {
            matches!((first, second), (Completion::SendShort { .. }, Completion::Received { .. }))
        }
        (Some(_), Some(_)) => true,
        _ => !(ends_accepting(second) && is_accepted(first) || ends_accepting(first) && is_accepted(second)),
    }
}

/// The place that a report is about.
pub(super) fn slot(completion: &Completion) -> Option<u32> {
    match words(completion)[1] {
        u64::MAX => None,
        socket => Some((socket >> 32) as u32),
    }
}

/// A report as numbers: its kind, its socket or all ones, and one more.
fn words(completion: &Completion) -> [u64; 3] {
    const NONE: u64 = u64::MAX;
    let name = |socket: &crate::Socket| u64::from(socket.slot()) << 32 | u64::from(socket.generation());
    match completion {
        Completion::Accepted { socket } => [1, name(socket), 0],
        Completion::AcceptEnded { errno } => [2, NONE, *errno as u64],
        Completion::HandOverRefused { shard } => [13, NONE, *shard as u64],
        Completion::Connected { request, socket } => [3, name(socket), *request],
        Completion::ConnectFailed { request, errno } => [4 | (*errno as u64) << 8, NONE, *request],
        Completion::Received { socket, buffer } => [5, name(socket), buffer.len() as u64],
        Completion::ReceiveEnded { socket, end } => [6, name(socket), receive_end(*end)],
        Completion::SendPending { socket, unsent } => [7, name(socket), *unsent as u64],
        Completion::SendProgress { socket, unsent } => [14, name(socket), *unsent as u64],
        Completion::SendDone { socket } => [8, name(socket), 0],
        Completion::SendFailed { socket, errno } => [9, name(socket), *errno as u64],
        Completion::SendShort { socket, tag, unsent, .. } => {
            [15 | u64::from(*tag) << 8, name(socket), unsent.len() as u64]
        }
        Completion::Closed { socket } => [10, name(socket), 0],
        Completion::PeerAddress { socket, address } => [16, name(socket), address_number(*address)],
        Completion::Woken => [11, NONE, 0],
    }
}

/// Enough of an address to tell two runs apart.
fn address_number(address: Option<IpAddr>) -> u64 {
    match address {
        Some(IpAddr::V4(address)) => address.to_bits().into(),
        Some(IpAddr::V6(address)) => address.to_bits() as u64,
        None => u64::MAX,
    }
}

fn receive_end(end: crate::ReceiveEnd) -> u64 {
    match end {
        crate::ReceiveEnd::Eof => 0,
        crate::ReceiveEnd::Failed(errno) => errno as u64,
        crate::ReceiveEnd::Stopped => u64::MAX,
    }
}
