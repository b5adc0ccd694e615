//! The workload `idle`: many connections that say nothing.
//!
//! ```text
//!   open    at a rate
//!   hold    pings of the server are answered, and own ones sent where asked for; what ends is counted
//!   ping    where asked for: a Ping on each connection, at the same rate, and its Pong
//!   echo    where asked for: one message on each connection, at the same rate, and its echo verified
//!   close
//! ```

use super::phases::{self, CUT_DRAIN};
use super::pinging::{Pinged, ping_all};
use super::slow::{Fates, Plan, Reader};
use crate::args::IdleOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member, Needs};
use crate::interrupt;
use crate::limits::cost::{Steps, steps};
use crate::measure::memory::Memory;
use crate::model::{Latency, Load, Opening, Report, Section};
use crate::pace::{Pace, sleep_until, wait_for};
use crate::report;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use wsring::{Closed, Conn, ConnectionId, Handler, Kind, Message, OpenFailure};

/// What all connections share.
struct Board {
    right: AtomicU32,
    /// Messages that were no echo that was due.
    others: AtomicU32,
    pinged: Pinged,
    plan: Plan,
    fates: Arc<Fates>,
}

/// One connection.
struct Idle {
    member: Member,
    board: Arc<Board>,
    slow: Option<Box<Reader>>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_with`].
pub(crate) fn run(options: &IdleOptions) -> Result<Report, Failure> {
    let mut report = report::start("idle", &options.common.url, 0);
    let before = Memory::read();
    let plan = Plan::of(&options.slow);
    let fleet = Fleet::start_with(
        &options.common,
        Needs {
            connections: options.connections,
            ping: options.ping_interval.map(|interval| (interval, options.pong_timeout)),
            sends: options.echo_at_end,
            slow: plan,
            ..Needs::default()
        },
    )?;
    let board = Arc::new(Board {
        right: AtomicU32::new(0),
        others: AtomicU32::new(0),
        pinged: Pinged::new(fleet.shards()),
        plan,
        fates: Arc::new(Fates::new(&options.slow)),
    });
    let origin = clock::now();
    let mut cost = Steps::start(&options.common.server)?;
    let steps = match cost {
        Some(_) => steps(&options.steps, options.connections)?,
        None => vec![options.connections],
    };
    let make = |member, _| {
        let idle = Idle::new(member, &board);
        move || idle
    };
    let opening = fleet.open_in_steps(&steps, make, |opened| {
        if let Some(cost) = &mut cost {
            cost.hold(opened, options.step_hold);
        }
    })?;
    let (opened, memory) = (clock::now(), Memory::read());
    let mut section = hold(options, &fleet, opening);
    let others = board.others.load(Ordering::Relaxed);
    if others > 0 {
        section = section.fact("unasked", format!("{others} messages from the server"), "");
    }
    if options.ping_at_end && !interrupt::is_asked() {
        section = section.fact("ponged", pings(options, &fleet, &board, &mut report), "");
    }
    // A message that came unasked is no fault of an idle connection, but it is none of an echo server.
    board.others.store(0, Ordering::Relaxed);
    if options.echo_at_end && !interrupt::is_asked() {
        section = section.fact("echoed", echo(options, &fleet, &board, &mut report), "");
    }
    section = memory.since(&before).facts(section, opening.opened);
    report.load = Load { connections: u64::from(options.connections), ..Load::default() };
    report.counts.insert(String::from("unasked"), u64::from(others));
    report.sections.push(section);
    account(&board, &mut report);
    if options.slow.slow > 0.0 {
        board.fates.report(&plan, &mut report, None);
    }
    if let Some(cost) = cost {
        cost.fill(&mut report);
    }
    let held = clock::now();
    fleet.account(opening, &mut report)?;
    let edges = [("connect", origin, opened), ("hold", opened, held), ("close", held, clock::now())];
    phases::note(&mut report, origin, &edges);
    Ok(report)
}

/// Holds what is open, and says how much of it was there in the end.
fn hold(options: &IdleOptions, fleet: &Fleet<'_>, opening: Opening) -> Section {
    if !options.common.output.no_progress {
        eprintln!("wsload: {} connections open, holding them for {:?}", opening.opened, options.hold);
    }
    let began = Instant::now();
    sleep_until(began + options.hold);
    let alive = format!("{} after {:.1} s", fleet.alive(), began.elapsed().as_secs_f64());
    Section::new("held", "Held").fact("alive", alive, "")
}

/// Pongs, and how long they took.
fn account(board: &Board, report: &mut Report) {
    let (regular, at_end) = board.pinged.sum();
    report.counts.insert(String::from("pongs"), regular.len() + at_end.len());
    let named = [("ping", regular), ("ping_at_end", at_end)];
    let latencies = named.into_iter().filter(|(_, histogram)| !histogram.is_empty());
    report.latencies.extend(latencies.map(|(name, histogram)| Latency::of(name, &histogram)));
}

/// Sends a Ping on each connection that reads, and waits for the Pongs.
fn pings(options: &IdleOptions, fleet: &Fleet<'_>, board: &Board, report: &mut Report) -> String {
    let began = Instant::now();
    let connections = healthy(fleet, board);
    let all = connections.len() as u64;
    let pings = ping_all(fleet, &connections, options.common.rate);
    let window = Duration::from_secs_f64(all as f64 / f64::from(options.common.rate));
    let sent = || if interrupt::is_asked() { pings.load(Ordering::Relaxed) } else { all };
    wait_for_answers(window + options.echo_timeout, || board.pinged.at_end() >= sent());
    let (answered, sent) = (board.pinged.at_end(), sent());
    if answered < sent {
        report.not_met(format!("{} connections did not answer their Ping", sent - answered));
    }
    format!("{answered} of {sent} connections in {:.2} s", began.elapsed().as_secs_f64())
}

/// Waits until all that was sent is answered, so long at most; once the run is interrupted, for a moment more.
fn wait_for_answers(timeout: Duration, are_all_there: impl Fn() -> bool) {
    wait_for(Instant::now() + timeout, || are_all_there() || interrupt::is_asked());
    if interrupt::is_asked() {
        wait_for(Instant::now() + CUT_DRAIN, are_all_there);
    }
}

/// The connections that read, and their numbers.
fn healthy(fleet: &Fleet<'_>, board: &Board) -> Vec<(u32, wsring::Remote)> {
    fleet.remotes().into_iter().filter(|(number, _)| !board.plan.is_slow(*number)).collect()
}

/// Sends one message on each connection that reads, and waits for what comes back.
fn echo(options: &IdleOptions, fleet: &Fleet<'_>, board: &Board, report: &mut Report) -> String {
    let began = Instant::now();
    let pace = Pace::begin(options.common.rate);
    let mut sent = 0;
    for (connection, remote) in healthy(fleet, board) {
        pace.wait(sent);
        if interrupt::is_asked() {
            break;
        }
        sent += 1;
        remote.send_binary(proof(connection).to_vec());
    }
    let answers = || (board.right.load(Ordering::Relaxed), board.others.load(Ordering::Relaxed));
    wait_for_answers(options.echo_timeout, || answers().0 >= sent);
    let (right, wrong) = answers();
    if wrong > 0 {
        report.not_met(format!("{wrong} messages were not the echo that was due"));
    }
    if right < sent {
        report.not_met(format!("{} connections did not echo their message", sent - right));
    }
    format!("{right} of {sent} connections in {:.2} s, each verified", began.elapsed().as_secs_f64())
}

/// The message of a connection: its number, and content that depends on it.
fn proof(number: u32) -> [u8; 32] {
    let mut proof = [0; 32];
    let mut word = u64::from(number);
    for chunk in proof.chunks_exact_mut(8) {
        chunk.copy_from_slice(&word.to_be_bytes());
        // The multiplier of splitmix64's successor states: neighbours have nothing in common.
        word = (word ^ (word >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    }
    proof
}

impl Idle {
    fn new(member: Member, board: &Arc<Board>) -> Self {
        let is_slow = board.plan.is_slow(member.number);
        let slow = is_slow.then(|| Box::new(Reader::new(&board.plan, &board.fates)));
        Self { member, board: Arc::clone(board), slow }
    }
}

impl Handler for Idle {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
        if let Some(slow) = &mut self.slow {
            slow.open(conn);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if let Some(slow) = &mut self.slow {
            return slow.message(conn, &message);
        }
        let is_right = message.kind() == Kind::Binary && message.payload() == proof(self.member.number);
        let count = if is_right { &self.board.right } else { &self.board.others };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        if let Some(slow) = &mut self.slow {
            slow.timer(conn);
        }
    }

    fn pong(&mut self, conn: &mut Conn<'_>, payload: &[u8], round_trip: Option<Duration>) {
        self.board.pinged.pong(conn, payload, round_trip);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        match &self.slow {
            Some(slow) => {
                slow.close(closed);
                self.member.left();
            }
            None => self.member.closed(closed),
        }
    }
}
