//! One client of a scenario: it follows its plan, answers what has to be answered, and compares
//! everything that comes with what was to come.

mod hearing;

use crate::app::Shared;
use crate::plan::{End, Expect, Plan, Step};
use crate::random::Random;
use crate::wire::{self, FIN, Reader};
use std::collections::VecDeque;
use wsring::SlowPeer;
use wsring_io::Time;
use wsring_io::sim::{Network, Peer};

/// What may go otherwise than planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) policy: SlowPeer,
    /// Connections break, or deadlines may pass.
    pub(crate) may_end_early: bool,
    /// The room keeps so little that members may be too slow for it.
    pub(crate) room_may_gap: bool,
}

/// What a connection speaks at present.
enum Speech {
    Http(Vec<u8>),
    WebSocket(Reader),
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    /// A Close came that the plan had not asked for, with this code.
    Dismissed(Option<u16>),
    /// The server has ended the stream in order.
    Ended,
    /// The connection broke.
    Broken,
    /// The client has gone.
    Gone,
}

pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) state: State,
    pub(crate) plan: Plan,
    pub(crate) switched_at: Option<Time>,
    /// When anything last happened here that is not the answer to a Ping.
    pub(crate) news: Time,
    rules: Rules,
    peer: Peer,
    random: Random,
    speech: Speech,
    expected: VecDeque<Expect>,
    outbox: Vec<u8>,
    /// Goes on with its plan then.
    wake: Time,
    /// Takes nothing in until then.
    reads_from: Time,
    /// The server shuts down.
    is_draining: bool,
    has_sent_close: bool,
    is_half_closed: bool,
    half_close_wanted: bool,
    /// Writes single bytes for a while.
    slow_bytes: usize,
    /// The last round wrote something, so that the next may too.
    has_written: bool,
    /// What the application has noted.
    shared: Shared,
    /// Offset of the room's next message, once it has heard of any.
    news_next: Option<u64>,
    /// Messages of the room that it was told it has missed.
    missed: u64,
}

impl Client {
    pub(crate) fn new(
        network: &Network,
        shard: usize,
        number: usize,
        plan: Plan,
        rules: Rules,
        shared: Shared,
        random: Random,
    ) -> Self {
        let mut random = random;
        let slow_bytes = if random.percent(25) { 300 } else { 0 };
        Self {
            number,
            state: State::Running,
            plan,
            switched_at: None,
            news: network.now(),
            rules,
            peer: network.peer(shard),
            random,
            speech: Speech::Http(Vec::new()),
            expected: VecDeque::new(),
            outbox: Vec::new(),
            wake: network.now(),
            reads_from: network.now(),
            is_draining: false,
            has_sent_close: false,
            is_half_closed: false,
            half_close_wanted: false,
            slow_bytes,
            has_written: false,
            shared,
            news_next: None,
            missed: 0,
        }
    }

    /// Reads, goes on with the plan, writes; says whether anything was done.
    pub(crate) fn act(&mut self, now: Time) -> bool {
        if self.is_over() {
            return false;
        }
        let before = (self.expected.len(), self.plan.steps.len(), self.news_next, self.state);
        let has_read = self.read(now);
        let has_stepped = !self.is_over() && self.step(now);
        if before != (self.expected.len(), self.plan.steps.len(), self.news_next, self.state) {
            self.news = now;
        }
        self.has_written = !self.is_over() && self.write();
        has_read || has_stepped || self.has_written
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Broken | State::Gone)
    }

    /// Whether nothing more is going to happen unless the server begins it.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_over() || self.plan.steps.is_empty() && self.outbox.is_empty() && self.expected.is_empty()
    }

    /// When it does something by itself again.
    pub(crate) fn wakes(&self, now: Time) -> Option<Time> {
        if self.is_over() {
            return None;
        }
        let plan = (!self.plan.steps.is_empty() && self.wake > now).then_some(self.wake);
        let read = (self.reads_from > now).then_some(self.reads_from);
        plan.into_iter().chain(read).min()
    }

    /// Whether it would write on at once.
    pub(crate) fn has_more_to_write(&self) -> bool {
        !self.is_over() && self.has_written
    }

    /// Reads on whatever it had planned, as at the end of a run.
    pub(crate) fn stop_planning(&mut self, now: Time) {
        self.plan.steps.clear();
        self.is_draining = true;
        self.reads_from = now;
        if !self.is_over() {
            self.peer.set_window(1 << 20);
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what}: {}", self.describe())
    }

    /// Where it stands, for a failure's text.
    pub(crate) fn describe(&self) -> String {
        let Self { number, state, plan, expected, outbox, .. } = self;
        let next: Vec<String> = expected.iter().take(3).map(shown).collect();
        format!(
            "client {number} is {state:?}, meant to end with {:?}; {} steps and {} bytes to go; {} answers to come: {next:?}",
            plan.end,
            plan.steps.len(),
            outbox.len(),
            expected.len(),
        )
    }

    /// Offset of the message of the room that has to come next; `None` before it was there.
    pub(crate) fn news_next(&self) -> Option<u64> {
        self.news_next.or_else(|| self.shared.entry(self.number).joined)
    }

    /// Messages of the room that it was told it has missed.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    fn say(&mut self, first: u8, payload: &[u8]) {
        if self.has_sent_close {
            return;
        }
        self.has_sent_close = first == FIN | wire::CLOSE;
        wire::append(&mut self.outbox, first, payload, [3, 1, 4, 1]);
    }

    /// Takes the next step of the plan when its time has come.
    fn step(&mut self, now: Time) -> bool {
        if now < self.wake || !self.outbox.is_empty() {
            return false;
        }
        if matches!(self.plan.steps.front(), Some(Step::Await)) && !self.has_all() {
            return false;
        }
        let Some(step) = self.plan.steps.pop_front() else { return false };
        match step {
            Step::Say { bytes, expect } => {
                self.has_sent_close |=
                    bytes.first() == Some(&(FIN | wire::CLOSE)) && self.switched_at.is_some();
                self.has_sent_close |= matches!(expect.first(), Some(Expect::Close { reason: None, .. }))
                    && self.plan.end == End::Close;
                self.outbox = bytes;
                self.expected.extend(expect);
            }
            Step::Think(time) => self.wake = now.after(time),
            Step::StopReading(time) => self.reads_from = now.after(time),
            Step::Window(bytes) => self.peer.set_window(bytes),
            Step::Await => {}
            Step::HalfClose => self.half_close_wanted = true,
            Step::Reset => {
                self.peer.reset();
                self.state = State::Gone;
            }
            Step::Leave => {
                self.peer.close();
                self.state = State::Gone;
            }
        }
        true
    }

    /// Whether all that is expected but the end has come.
    fn has_all(&self) -> bool {
        self.expected.iter().all(|expect| *expect == Expect::Eof)
    }

    fn write(&mut self) -> bool {
        if self.outbox.is_empty() {
            return self.half_close();
        }
        let most = match self.slow_bytes {
            0 => self.random.pick(&[7, 1_000, 20_000, 1 << 20]),
            _ => 1,
        };
        let count = self.peer.write(&self.outbox[..most.min(self.outbox.len())]);
        self.slow_bytes = self.slow_bytes.saturating_sub(count);
        self.outbox.drain(..count);
        if count == 0 && (self.is_half_closed || self.peer.is_ended()) {
            self.outbox.clear();
        }
        count > 0
    }

    fn half_close(&mut self) -> bool {
        if !self.half_close_wanted || self.is_half_closed {
            return false;
        }
        self.is_half_closed = true;
        self.peer.shutdown_write();
        true
    }

    /// What has to hold when the run is over and nothing was allowed to go wrong.
    pub(crate) fn check_done(&self) {
        if !self.plan.steps.is_empty() || !self.expected.iter().all(|expect| *expect == Expect::Eof) {
            self.fail(&format!("{} steps are left", self.plan.steps.len()));
        }
        if !self.is_over() {
            self.fail("the server has not ended it");
        }
    }
}

/// An expectation, payloads cut short.
fn shown(expect: &Expect) -> String {
    let text = format!("{expect:?}");
    let cut = text.floor_char_boundary(160);
    if cut < text.len() { format!("{}... ({} characters)", &text[..cut], text.len()) } else { text }
}
