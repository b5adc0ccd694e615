//! The workload `storm`: a share of all connections is dropped at once and connects again, all together or spread
//! over a while, as clients do after a failure of the network or a restart. Those that fail are tried again.
//!
//! ```text
//!   round   one drop, and what follows from it until all are back or given up
//! ```

mod round;

use super::phases;
use super::spread::Spread;
use crate::args::StormOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member, Needs, ending, explain};
use crate::interrupt;
use crate::measure::kernel::Counters;
use crate::measure::meter::{histogram, record};
use crate::measure::opening::{Openings, Timed};
use crate::model::{Curve, Latency, Line, Load, Report, Section};
use crate::report;
use round::{Round, Storm};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wsring::{Closed, Conn, ConnectionId, Handler, Message, OpenFailure, Steps, Time};

/// What all connections share.
struct Board {
    dropped: Spread,
    /// The round that is going on; 0: none yet.
    round: AtomicU32,
    openings: Openings,
    /// Attempts that have failed, or have not lasted, and were not looked at yet: whose, and why.
    failed: Mutex<Vec<(u32, String)>>,
    /// Connections that have come again and were lost again.
    lost_again: AtomicU32,
    /// Of each connection that is back in this round, how long that took from the drop, whatever attempts lie between.
    back: Mutex<HashMap<u32, Duration>>,
}

/// One connection, in one attempt to open it.
struct Guest {
    member: Member,
    board: Arc<Board>,
    /// The round in which it has come.
    round: u32,
    /// When that began.
    dropped: Time,
    /// Its opening.
    timed: Timed,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_with`].
pub(crate) fn run(options: &StormOptions) -> Result<Report, Failure> {
    let mut report = report::start("storm", &options.common.url, 0);
    let dropped = Spread(options.drop);
    let ports_more = u64::from(dropped.up_to(options.connections)) * u64::from(options.rounds);
    let needs = Needs { connections: options.connections, ports_more, ..Needs::default() };
    let fleet = Fleet::start_with(&options.common, needs)?;
    let board = Arc::new(Board {
        dropped,
        round: AtomicU32::new(0),
        openings: Openings::new(fleet.shards()),
        failed: Mutex::default(),
        lost_again: AtomicU32::new(0),
        back: Mutex::default(),
    });
    let origin = clock::now();
    let opening = fleet.open_with(|member, shard| {
        let (timed, board) = (Timed::new(shard, None), Arc::clone(&board));
        let guest = Guest { member, timed, board, round: 0, dropped: origin };
        move || guest
    })?;
    let opened = clock::now();
    let counters = Counters::read();
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        clock::sleep_until(clock::now().after(options.settle));
        if interrupt::is_asked() {
            break;
        }
        rounds.push(Storm::new(options, &fleet, &board, round).run()?);
    }
    let over = clock::now();
    report.load = Load { connections: u64::from(options.connections), ..Load::default() };
    board.openings.report(&mut report);
    let mut recovery = histogram();
    rounds.iter().flat_map(|round| &round.recoveries).for_each(|time| record(&mut recovery, *time));
    report.latencies.extend((!recovery.is_empty()).then(|| Latency::of("recovery", &recovery)));
    describe(&mut report, options, &rounds);
    board.openings.diagnose(fleet.target().address(), &counters, &mut report);
    fleet.account(opening, &mut report)?;
    let edges = [("connect", origin, opened), ("measure", opened, over), ("close", over, clock::now())];
    phases::note(&mut report, origin, &edges);
    Ok(report)
}

fn describe(report: &mut Report, options: &StormOptions, rounds: &[Round]) {
    let columns =
        ["round", "dropped", "came again", "attempts", "attempts that failed", "recovered after (ms)"];
    let mut section = Section::new("storm", "Reconnect storm")
        .fact("dropped by", options.close.name(), "")
        .fact("jitter", options.jitter.as_secs_f64(), "s")
        .fact("tried again", options.retry.to_string(), "")
        .fact("for", options.retry_for.as_secs_f64(), "s after the drop")
        .columns(&columns);
    let mut there = curve("Connections after the drop", "connections");
    let mut tried = curve("Attempts and successes after the drop", "so far");
    for (number, round) in (1_u64..).zip(rounds) {
        let after = round.recovered.map(|time| time.as_secs_f64() * 1e3);
        let counts = [round.dropped, round.came, round.attempts, round.attempts_failed];
        let counts = counts.map(|count| u64::from(count).into());
        section = section.row([vec![number.into()], counts.into(), vec![after.into()]].concat());
        let line = |what: &str, points: &[(f64, f64)]| Line {
            name: format!("round {number}{what}"),
            points: points.to_vec(),
        };
        there.lines.push(line("", &round.alive));
        tried.lines.push(line(", attempts", &round.tried));
        tried.lines.push(line(", successes", &round.opened));
    }
    section.curves.extend([there, tried]);
    report.sections.push(section);
    report.sections.extend(failed_attempts(rounds));
    let sum = |part: fn(&Round) -> u32| rounds.iter().map(|round| u64::from(part(round))).sum::<u64>();
    let missing = sum(|round| round.dropped - round.came);
    let counts = [
        ("dropped", sum(|round| round.dropped)),
        ("not_recovered", missing),
        ("attempts", sum(|round| round.attempts)),
        ("attempts_failed", sum(|round| round.attempts_failed)),
    ];
    report.counts.extend(counts.map(|(name, count)| (name.to_owned(), count)));
    if missing > 0 && !interrupt::is_asked() {
        report.not_met(format!("{missing} connections did not come again"));
    }
}

fn curve(title: &str, y: &str) -> Curve {
    let [title, x, x_unit, y] = [title, "time", "s", y].map(str::to_owned);
    Curve { title, x, x_unit, y, ..Curve::default() }
}

/// Why attempts failed; `None`: none has.
fn failed_attempts(rounds: &[Round]) -> Option<Section> {
    let mut causes = BTreeMap::<&str, u64>::new();
    for (why, count) in rounds.iter().flat_map(|round| &round.causes) {
        *causes.entry(why).or_default() += u64::from(*count);
    }
    let section = Section::new("failed_attempts", "Attempts that failed").columns(&["attempts", "why"]);
    let row =
        |section: Section, (why, count): (&&str, &u64)| section.row(vec![(*count).into(), (*why).into()]);
    (!causes.is_empty()).then(|| causes.iter().fold(section, row))
}

impl Handler for Guest {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
        self.timed.opened();
        if self.round > 0 {
            lock(&self.board.back).insert(self.member.number, conn.now().since(self.dropped));
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn connected(&mut self, steps: &Steps) {
        self.timed.connected(steps);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        if self.round == 0 {
            self.member.failed(failure);
        } else if !self.member.takes_another_port(failure) {
            self.timed.failed();
            lock(&self.board.failed).push((self.member.number, explain(failure)));
        }
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        // Those that are dropped have come in an earlier round.
        let round = self.board.round.load(Ordering::Acquire);
        if self.board.dropped.has(self.member.number) && self.round < round {
            return self.member.left();
        }
        self.member.closed(closed);
        if self.round > 0 {
            lock(&self.board.back).remove(&self.member.number);
            self.board.lost_again.fetch_add(1, Ordering::Release);
            lock(&self.board.failed).push((self.member.number, format!("open, and then {}", ending(closed))));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
