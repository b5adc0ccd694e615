//! The workload `storm`: a share of all connections is dropped at once and connects again, all together or spread
//! over a while, as clients do after a failure of the network or a restart.

use super::phases;
use super::spread::Spread;
use crate::args::StormOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member, Needs};
use crate::measure::kernel::Counters;
use crate::measure::opening::{Openings, Timed};
use crate::model::{Curve, Line, Load, Report, Section};
use crate::report;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use wsring::{CloseCode, Closed, Conn, ConnectionId, Handler, Message, OpenFailure, Remote, Steps, Time};

/// How often it is looked how many connections are there.
const LOOK: Duration = Duration::from_millis(10);
/// Without any progress for so much longer than the connect timeout, the rest is given up.
const GRACE: Duration = Duration::from_secs(1);

/// What all connections share.
struct Board {
    dropped: Spread,
    /// The round that is going on; 0: none yet.
    round: AtomicU32,
    openings: Openings,
}

/// One connection.
struct Guest {
    member: Member,
    board: Arc<Board>,
    /// The round in which it has come.
    round: u32,
    /// Its opening.
    timed: Timed,
}

/// What came of a round.
#[derive(Debug, Default)]
struct Round {
    dropped: u32,
    failed: u32,
    /// From the drop to the last reconnect; `None`: not all have come again.
    recovered: Option<Duration>,
    /// Connections that were there, by the time since the drop.
    alive: Vec<(f64, f64)>,
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
    let board =
        Arc::new(Board { dropped, round: AtomicU32::new(0), openings: Openings::new(fleet.shards()) });
    let origin = clock::now();
    let opening = fleet.open_with(|member, shard| {
        let guest = Guest { member, timed: Timed::new(shard, None), board: Arc::clone(&board), round: 0 };
        move || guest
    })?;
    let opened = clock::now();
    let counters = Counters::read();
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        clock::sleep_until(clock::now().after(options.settle));
        let random = RandomState::new();
        rounds.push(Storm { options, fleet: &fleet, board: &board, round, random }.run()?);
    }
    let over = clock::now();
    report.load = Load { connections: u64::from(options.connections), ..Load::default() };
    board.openings.report(&mut report);
    describe(&mut report, options, &rounds);
    board.openings.diagnose(fleet.target().address(), &counters, &mut report);
    fleet.account(opening, &mut report)?;
    let edges = [("connect", origin, opened), ("measure", opened, over), ("close", over, clock::now())];
    phases::note(&mut report, origin, &edges);
    Ok(report)
}

fn describe(report: &mut Report, options: &StormOptions, rounds: &[Round]) {
    let columns = ["round", "dropped", "came again", "recovered after (ms)"];
    let mut section = Section::new("storm", "Reconnect storm")
        .fact("dropped by", options.close.name(), "")
        .fact("jitter", options.jitter.as_secs_f64(), "s")
        .columns(&columns);
    let mut curve = Curve {
        title: "Connections after the drop".into(),
        x: "time".into(),
        x_unit: "s".into(),
        y: "connections".into(),
        ..Curve::default()
    };
    for (number, round) in (1_u64..).zip(rounds) {
        let after = round.recovered.map(|time| time.as_secs_f64() * 1e3);
        let came = u64::from(round.dropped - round.failed);
        section =
            section.row(vec![number.into(), u64::from(round.dropped).into(), came.into(), after.into()]);
        curve.lines.push(Line { name: format!("round {number}"), points: round.alive.clone() });
    }
    section.curves.push(curve);
    report.sections.push(section);
    let failed: u32 = rounds.iter().map(|round| round.failed).sum();
    report.counts.insert("dropped".into(), rounds.iter().map(|round| u64::from(round.dropped)).sum());
    report.counts.insert("not_recovered".into(), failed.into());
    if failed > 0 {
        report.not_met(format!("{failed} connections did not come again"));
    }
}

/// One round.
struct Storm<'a> {
    options: &'a StormOptions,
    fleet: &'a Fleet<'a>,
    board: &'a Arc<Board>,
    round: u32,
    random: RandomState,
}

impl Storm<'_> {
    fn run(&self) -> Result<Round, Failure> {
        let doomed: HashMap<u32, Remote> =
            self.fleet.remotes().into_iter().filter(|(number, _)| self.board.dropped.has(*number)).collect();
        self.board.round.store(self.round, Ordering::Release);
        let drop = clock::now();
        for remote in doomed.values() {
            match self.options.close.how() {
                Some(how) => remote.hang_up(how),
                None => remote.close(CloseCode::NORMAL, ""),
            }
        }
        let begin = clock::now();
        let mut due: Vec<(Time, u32)> =
            doomed.keys().map(|number| (self.intended(begin, *number), *number)).collect();
        due.sort_unstable();
        self.reconnect(drop, begin, &due)
    }

    /// When a connection is to come again.
    fn intended(&self, begin: Time, number: u32) -> Time {
        let jitter = self.options.jitter.as_nanos() as u64;
        if jitter == 0 {
            return begin;
        }
        begin.after(Duration::from_nanos(self.random.hash_one(number) % jitter))
    }

    fn reconnect(&self, drop: Time, begin: Time, due: &[(Time, u32)]) -> Result<Round, Failure> {
        let make = |member: Member, shard| {
            let timed =
                Timed::new(shard, Some(self.board.openings.begin(self.intended(begin, member.number))));
            let (board, round) = (Arc::clone(self.board), self.round);
            let guest = Guest { member, timed, board, round };
            move || guest
        };
        let (opened, failed) = (self.fleet.opened(), self.fleet.failed());
        let count = due.len() as u32;
        let mut round = Round { dropped: count, ..Round::default() };
        let mut watch = Watch { drop, next: drop };
        for (time, number) in due {
            clock::sleep_until(*time);
            self.fleet.connect(*number, 0, &make)?;
            watch.look(self.fleet, &mut round);
        }
        let settled = || (self.fleet.opened() - opened, self.fleet.failed() - failed);
        let patience = self.options.common.connect_timeout + GRACE;
        let (mut last, mut progress) = (settled(), clock::now());
        while last.0 + last.1 < count && clock::now() < progress.after(patience) {
            self.fleet.connect_again(&make)?;
            clock::sleep_until(clock::now().after(Duration::from_millis(1)));
            watch.look(self.fleet, &mut round);
            let now = settled();
            if now != last {
                (last, progress) = (now, clock::now());
            }
        }
        let came = settled().0;
        round.failed = count - came.min(count);
        round.recovered = (round.failed == 0).then(|| progress.since(drop));
        watch.next = Time(0);
        watch.look(self.fleet, &mut round);
        Ok(round)
    }
}

/// Notes now and then how many connections are there.
struct Watch {
    drop: Time,
    next: Time,
}

impl Watch {
    fn look(&mut self, fleet: &Fleet<'_>, round: &mut Round) {
        let now = clock::now();
        if now >= self.next {
            round.alive.push((now.since(self.drop).as_secs_f64(), f64::from(fleet.alive())));
            self.next = now.after(LOOK);
        }
    }
}

impl Handler for Guest {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
        self.timed.opened();
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn connected(&mut self, steps: &Steps) {
        self.timed.connected(steps);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        if self.member.failed(failure) {
            self.timed.failed();
        }
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        // Those that are dropped have come in an earlier round.
        let is_dropped = self.board.dropped.has(self.member.number)
            && self.round < self.board.round.load(Ordering::Acquire);
        if is_dropped {
            self.member.left();
        } else {
            self.member.closed(closed);
        }
    }
}
