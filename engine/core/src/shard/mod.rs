//! One shard: a thread, a ring, and all connections that live on it.
//!
//! ```text
//!   turn:  wait for completions            (one call into the kernel, more while they keep coming)
//!          act on each                     protocol, handlers; output gathers per connection
//!          read the inbox                  other threads: decisions, publishes, connects, drain
//!          run what is due                 pings, timeouts
//!          drive                           what a client sends at times of its own
//!          fan out                         what was published, straight from the logs
//!          flush                           one send per connection that has output
//! ```
//!
//! Nothing in a turn blocks, and nothing allocates once the shard is warm. [`Shard`] is generic over
//! [`Io`], so that the simulated server is the real one. Read [`Shard::turn`] first, then `input`
//! (what happens to received bytes), `stream` (what a WebSocket does with them) and `flush`.

mod accept;
mod address;
mod commands;
mod compression;
mod drain;
mod drive;
mod due;
mod ending;
mod fanout;
mod figures;
mod flush;
mod hands;
mod http;
mod inbox;
mod input;
mod inspect;
mod local;
mod opening;
mod output;
mod session;
mod start;
mod stream;
mod table;
mod wheel;

pub(crate) use compression::{Compressing, Compression, Frame};
pub(crate) use fanout::{Circle, Survey};
pub(crate) use inbox::{Command, Inbox};
pub(crate) use local::Local;
pub(crate) use output::Output;
pub(crate) use start::start_shards;
pub(crate) use wheel::Tick;

use crate::cluster::Cluster;
use crate::conn::Conn;
use crate::handler::Handler;
use crate::limits::{DUE_DELAY_MAX, TURN_COMPLETIONS_FULL};
use crate::route::Routes;
use crate::running::DrainReport;
use crate::settings::Settings;
use accept::Accept;
use drain::Draining;
use drive::Drivers;
use fanout::{Fanout, Rest};
use hashbrown::HashMap;
use output::Outputs;
use session::{Lent, Phase, Session};
use std::collections::{HashMap as StdHashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use table::Table;
use wheel::Wheel;
use wsring_io::{CloseHow, Completion, Io, Op, Received, Socket, Time};
use wsring_proto::{Masking, Resources};

/// What a shard is started with.
pub struct Start {
    /// The shards it belongs to.
    pub cluster: Arc<Cluster>,
    /// Its number among them.
    pub shard: usize,
    /// How it treats connections.
    pub settings: Arc<Settings>,
    /// What it serves.
    pub routes: Arc<Routes>,
    /// Whether it has listeners.
    pub accepts: bool,
    /// Real entropy for masking keys.
    pub seed: [u8; 32],
}

/// One shard. [`run`](Self::run) it on its thread, or [`turn`](Self::turn) it by hand in a simulation.
pub struct Shard<I: Io> {
    io: I,
    table: Table,
    outputs: Outputs,
    wheel: Wheel,
    resources: Resources,
    local: Local,
    routes: Arc<Routes>,
    /// Connects under way, by request, and when each is given up.
    openings: StdHashMap<u64, Box<crate::client::Opening>>,
    openings_due: VecDeque<(Time, u64)>,
    accept: Accept,
    /// When accepting is tried again after a shortage.
    accept_again: Option<Time>,
    /// When a shortage that ended accepting was last told of.
    shortage_told: Option<Time>,
    draining: Option<Draining>,
    drivers: Drivers,
    completions: Vec<Completion>,
    commands: Vec<Command>,
    due: Vec<u32>,
    /// Copies of messages that connections stopped in, in this turn.
    rests: Vec<Rest>,
    /// Sends from logs that have stopped short so far.
    sends_short: u64,
    /// When deadlines were last looked at.
    ran_due: Time,
    /// Of all timed turns.
    turn_nanoseconds: u64,
    /// When a turn was timed last.
    turn_sampled: Time,
}

impl<I: Io> Shard<I> {
    /// A shard that has not turned yet. It starts to accept when told so by the cluster.
    pub fn new(io: I, start: Start) -> Self {
        start.cluster.inbox(start.shard).set_waker(io.waker());
        let now = io.now();
        let local = Local {
            masking: Masking::new(start.seed),
            frames: Vec::new(),
            input_stays: None,
            compressing: Compressing::new(start.settings.compressor_bytes_max),
            commands: Vec::new(),
            fanout: Fanout::default(),
            peers: HashMap::new(),
            messages: 0,
            started: now,
            now,
            tick: Tick(0),
            cluster: start.cluster,
            shard: start.shard,
            settings: Arc::clone(&start.settings),
        };
        Self {
            io,
            table: Table::default(),
            outputs: Outputs::default(),
            wheel: Wheel::new(now),
            resources: Resources::new(start.settings.limits),
            local,
            routes: start.routes,
            openings: StdHashMap::new(),
            openings_due: VecDeque::new(),
            accept: if start.accepts { Accept::Paused } else { Accept::Never },
            accept_again: None,
            shortage_told: None,
            draining: None,
            drivers: Drivers::default(),
            completions: Vec::new(),
            commands: Vec::new(),
            due: Vec::new(),
            rests: Vec::new(),
            sends_short: 0,
            ran_due: now,
            turn_nanoseconds: 0,
            turn_sampled: now,
        }
    }

    /// Turns until drained.
    ///
    /// # Errors
    /// The ring is broken.
    pub fn run(mut self) -> std::io::Result<DrainReport> {
        loop {
            if let Some(report) = self.turn()? {
                return Ok(report);
            }
        }
    }

    /// One turn of the loop; a report when it was the last.
    ///
    /// # Errors
    /// The ring is broken.
    pub fn turn(&mut self) -> std::io::Result<Option<DrainReport>> {
        let deadline = earliest(self.wheel.next(), self.draining.as_ref().and_then(Draining::next));
        let deadline = earliest(earliest(deadline, self.accept_again), self.next_upkeep());
        let deadline = earliest(deadline, self.local.fanout.gathers_until());
        let deadline = if self.local.fanout.is_pressing() { Some(self.local.now) } else { deadline };
        let deadline = earliest(deadline, self.openings_due.front().map(|(due, _)| *due));
        let deadline = earliest(deadline, self.drivers.next);
        let mut completions = std::mem::take(&mut self.completions);
        self.io.turn(deadline, &mut completions)?;
        self.local.now = self.io.now();
        self.local.tick = self.wheel.tick(self.local.now);
        let began = self.samples_turn().then(Instant::now);
        while let Some(long) = self.io.spare_long() {
            self.resources.give(long);
        }
        let more_waits = completions.len() >= TURN_COMPLETIONS_FULL;
        self.complete_short_sends(&mut completions);
        for completion in completions.drain(..) {
            self.complete(completion);
        }
        self.completions = completions;
        self.read_inbox();
        self.accept_on();
        // Where more waits to be read, a deadline would pass for bytes that have arrived in time.
        if !more_waits || self.local.now.since(self.ran_due) >= DUE_DELAY_MAX {
            self.ran_due = self.local.now;
            self.run_due();
            self.run_openings_due();
        }
        self.drain_on();
        self.upkeep_on();
        self.drive();
        self.read_own_commands();
        self.fan_out();
        self.flush();
        self.tell_figures(began);
        Ok(self.report())
    }

    /// First of all, what did not go out: handlers are then told where their subscriptions are.
    fn complete_short_sends(&mut self, completions: &mut [Completion]) {
        let short = self.io.counters().sends_short;
        if std::mem::replace(&mut self.sends_short, short) != short {
            for completion in completions {
                if let Completion::SendShort { .. } = completion {
                    let short = std::mem::replace(completion, Completion::Woken);
                    self.complete(short);
                }
            }
        }
        self.local.fanout.all_sent();
    }

    /// What the speaker has counted.
    pub fn counters(&self) -> &wsring_io::Counters {
        self.io.counters()
    }

    /// Everything that can wake a shard.
    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { socket } => self.accepted(socket),
            Completion::HandOverRefused { shard } => self.local.cluster.closed(shard),
            Completion::AcceptEnded { errno } => self.accept_ended(errno),
            Completion::Connected { request, socket } => self.connected(request, socket),
            Completion::ConnectFailed { request, errno } => self.connect_failed(request, errno),
            Completion::Received { socket, buffer } => self.received(socket, buffer),
            Completion::ReceiveEnded { socket, end } => self.receive_ended(socket, end),
            Completion::SendPending { socket, unsent } => self.send_pending(socket, unsent),
            Completion::SendProgress { socket, unsent } => self.send_progress(socket, unsent),
            Completion::SendDone { socket } => self.send_done(socket),
            Completion::SendShort { socket, tag, segment, unsent } => {
                self.send_short(socket, &segment, unsent, tag);
            }
            Completion::SendFailed { socket, .. } => self.lost(socket),
            Completion::PeerAddress { socket, address } => self.peer_address(socket, address),
            Completion::Closed { socket } => self.closed(socket),
            Completion::Woken => {}
        }
    }

    fn open(&mut self, socket: Socket, phase: Phase) {
        if self.draining.is_some() {
            self.local.cluster.closed(self.local.shard);
            self.io.submit(Op::Close { socket, how: CloseHow::Reset });
            return;
        }
        if matches!(phase, Phase::Http(_)) && self.local.settings.wants_addresses() {
            self.io.submit(Op::PeerAddress(socket));
        }
        let mut patience = self.local.settings.handshake_timeout;
        if let Phase::Opening(opening, _) = &phase {
            patience = patience.saturating_sub(self.local.now.since(opening.begun));
        }
        let mut session = Session::new(socket, phase, self.local.tick);
        session.clock.limit = self.local.tick.after(patience);
        self.wheel.set(socket.slot(), session.clock.limit);
        self.table.insert(session);
        self.io.submit(Op::ReceiveStart(socket));
    }

    fn received(&mut self, socket: Socket, buffer: Received) {
        let Some(session) = self.table.get(socket) else { return self.io.release(buffer) };
        session.clock.heard = self.local.tick;
        match &mut session.phase {
            Phase::Server(_) | Phase::Client(_) | Phase::Http(_) | Phase::Opening(..) => {
                self.input(socket, buffer);
            }
            // Whoever reads events has nothing to say.
            Phase::Events(_) => self.io.release(buffer),
            Phase::Deferred(pending) => {
                let input = self.io.bytes(&buffer);
                pending.extend_from_slice(session.transport.open(input));
                let too_much = pending.len() > crate::limits::DEFERRED_BYTES_MAX;
                self.io.release(buffer);
                if too_much {
                    self.end(socket, CloseHow::Reset);
                }
            }
            Phase::Lingering { bytes } => {
                *bytes = bytes.saturating_add(buffer.len() as u32);
                let too_much = *bytes > crate::limits::LINGER_BYTES_MAX;
                self.io.release(buffer);
                if too_much {
                    self.end(socket, CloseHow::Reset);
                }
            }
            Phase::Free | Phase::Closing => self.io.release(buffer),
        }
    }

    /// Gives the present phase a deadline.
    fn limit(&mut self, socket: Socket, after: std::time::Duration) {
        if let Some(session) = self.table.get(socket) {
            session.clock.limit = self.local.tick.after(after);
            self.wheel.set(socket.slot(), session.clock.limit);
        }
    }

    /// The number of the connection's output this turn, opened when there is none yet.
    fn output(&mut self, socket: Socket) -> Option<usize> {
        let session = self.table.get(socket)?;
        if session.output == 0 {
            session.output = self.outputs.open(socket) as u32 + 1;
        }
        self.outputs.at(session.output as usize - 1).prepare(&mut self.io);
        Some(session.output as usize - 1)
    }

    /// Calls a connection's handler, if it still has one, outside of receiving.
    fn with_handler(&mut self, socket: Socket, call: impl FnOnce(&mut dyn Handler, &mut Conn<'_>)) {
        let Some(number) = self.output(socket) else { return };
        let Some(session) = self.table.get(socket) else { return };
        let Lent { mut conn, phase, .. } = session.lend(self.outputs.at(number), &mut self.local, false);
        let Some(handler) = phase.handler() else { return };
        match input::guarded(|| call(handler.as_mut(), &mut conn)) {
            Some(()) => self.note_close(socket),
            None => self.panicked(socket),
        }
    }
}

fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
