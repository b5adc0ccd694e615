//! One round of a storm: a drop, and what follows from it until all are back or given up.

use super::{Board, Guest, lock};
use crate::args::StormOptions;
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member};
use crate::interrupt;
use crate::load::message::SplitMix;
use crate::measure::opening::Timed;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wsring::{CloseCode, Remote, Time};

/// How often it is looked how many connections are there.
const LOOK: Duration = Duration::from_millis(10);
/// How often it is looked what has failed.
const TURN: Duration = Duration::from_millis(1);
/// All are back when they have stayed for so long.
const STEADY: Duration = Duration::from_millis(50);
/// Without any progress for so much longer than the connect timeout and the longest wait, the rest is given up.
const GRACE: Duration = Duration::from_secs(1);

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) dropped: u32,
    pub(super) came: u32,
    pub(super) attempts: u32,
    pub(super) attempts_failed: u32,
    /// Why they did.
    pub(super) causes: BTreeMap<String, u32>,
    /// From the drop to the last reconnect, retries included; `None`: not all have come again.
    pub(super) recovered: Option<Duration>,
    /// From the drop to the opening of each connection that is back, retries included.
    pub(super) recoveries: Vec<Duration>,
    /// By the time since the drop: connections that were there, attempts and successes so far.
    pub(super) alive: Vec<(f64, f64)>,
    pub(super) tried: Vec<(f64, f64)>,
    pub(super) opened: Vec<(f64, f64)>,
}

/// A round that goes on.
pub(super) struct Storm<'a> {
    options: &'a StormOptions,
    fleet: &'a Fleet<'a>,
    board: &'a Arc<Board>,
    number: u32,
    random: SplitMix,
    dropped: Time,
    /// When the latest attempt of each connection was to begin, and how many of its attempts have failed.
    tries: HashMap<u32, (Time, u32)>,
    /// Attempts to come: when, and whose.
    due: BinaryHeap<Reverse<(Time, u32)>>,
    /// What was opened, and lost again, before it.
    before: (u32, u32),
    given_up: u32,
    /// The next look at how many connections are there.
    look: Time,
    round: Round,
}

impl<'a> Storm<'a> {
    pub(super) fn new(
        options: &'a StormOptions,
        fleet: &'a Fleet<'a>,
        board: &'a Arc<Board>,
        number: u32,
    ) -> Self {
        let now = clock::now();
        Self {
            options,
            fleet,
            board,
            number,
            random: SplitMix(RandomState::new().hash_one(number)),
            dropped: now,
            tries: HashMap::new(),
            due: BinaryHeap::new(),
            before: (0, 0),
            given_up: 0,
            look: now,
            round: Round::default(),
        }
    }

    /// Drops the connections, and returns when all are back, given up, or nothing happens any more.
    ///
    /// # Errors
    /// As [`Fleet::connect`].
    pub(super) fn run(mut self) -> Result<Round, Failure> {
        self.drop_all();
        let patience = self.options.common.connect_timeout + self.options.retry.longest() + GRACE;
        let (mut settled, mut progress) = (0, clock::now());
        while !interrupt::is_asked() {
            self.take_failures();
            self.connect_due()?;
            self.look();
            let now = clock::now();
            let is_waiting = self.due.peek().is_some_and(|Reverse((due, _))| *due > now);
            if self.came() + self.round.attempts_failed != settled || is_waiting {
                (settled, progress) = (self.came() + self.round.attempts_failed, now);
            }
            let is_over = self.came() + self.given_up >= self.round.dropped;
            if now > progress.after(if is_over { STEADY } else { patience }) {
                break;
            }
            clock::sleep_until(now.after(TURN));
        }
        self.round.came = self.came().min(self.round.dropped);
        self.round.recovered = (self.round.came == self.round.dropped).then(|| progress.since(self.dropped));
        self.round.recoveries = lock(&self.board.back).drain().map(|(_, time)| time).collect();
        self.look = Time(0);
        self.look();
        Ok(self.round)
    }

    /// Connections that have come again and not gone again.
    fn came(&self) -> u32 {
        // In this order: what is lost was opened before.
        let lost = self.board.lost_again.load(Ordering::Acquire) - self.before.1;
        (self.fleet.opened() - self.before.0).saturating_sub(lost)
    }

    /// Drops them, and plans the first attempt of each.
    fn drop_all(&mut self) {
        let (fleet, board) = (self.fleet, self.board);
        // The last remote of a number is the one that is open.
        let doomed: HashMap<u32, Remote> =
            fleet.remotes().into_iter().filter(|(number, _)| board.dropped.has(*number)).collect();
        board.round.store(self.number, Ordering::Release);
        // What was lost since the last round has not come again in it, and does now if it is among these.
        lock(&board.failed).clear();
        lock(&board.back).clear();
        self.before = (fleet.opened(), board.lost_again.load(Ordering::Acquire));
        self.dropped = clock::now();
        for remote in doomed.values() {
            match self.options.close.how() {
                Some(how) => remote.hang_up(how),
                None => remote.close(CloseCode::NORMAL, ""),
            }
        }
        let begin = clock::now();
        for number in doomed.into_keys() {
            let wait = self.options.jitter.mul_f64(self.random.next_share());
            self.due.push(Reverse((begin.after(wait), number)));
        }
        self.round.dropped = self.due.len() as u32;
    }

    /// Begins all attempts whose time has come, and those that need another port.
    fn connect_due(&mut self) -> Result<(), Failure> {
        while let Some(Reverse((due, number))) = self.due.peek().copied() {
            if due > clock::now() {
                break;
            }
            self.due.pop();
            self.tries.entry(number).or_insert((due, 0)).0 = due;
            self.round.attempts += 1;
            self.fleet.connect(number, 0, &|member, shard| self.guest(member, shard))?;
            self.look();
        }
        self.fleet.connect_again(&|member, shard| self.guest(member, shard))
    }

    fn guest(&self, member: Member, shard: usize) -> impl FnOnce() -> Guest + Send + 'static {
        let intended = self.tries.get(&member.number).map_or(self.dropped, |(intended, _)| *intended);
        let timed = Timed::new(shard, Some(self.board.openings.begin(intended)));
        let (board, round, dropped) = (Arc::clone(self.board), self.number, self.dropped);
        move || Guest { member, board, round, dropped, timed }
    }

    /// Plans the next attempt of those that have failed, as long as there may be one.
    fn take_failures(&mut self) {
        let failed = std::mem::take(&mut *lock(&self.board.failed));
        let last = self.dropped.after(self.options.retry_for);
        for (number, why) in failed {
            self.round.attempts_failed += 1;
            *self.round.causes.entry(why.clone()).or_default() += 1;
            let count = self.tries.get_mut(&number).map_or(1, |(_, failed)| {
                *failed += 1;
                *failed
            });
            let wait = self.options.retry.wait(count, self.random.next());
            match wait.map(|wait| clock::now().after(wait)).filter(|due| *due <= last) {
                Some(due) => self.due.push(Reverse((due, number))),
                None => {
                    self.given_up += 1;
                    self.fleet.give_up(why);
                }
            }
        }
    }

    /// Notes now and then how many connections are there.
    fn look(&mut self) {
        let now = clock::now();
        if now < self.look {
            return;
        }
        self.look = now.after(LOOK);
        let seconds = now.since(self.dropped).as_secs_f64();
        let (alive, attempts, came) = (self.fleet.alive(), self.round.attempts, self.came());
        let round = &mut self.round;
        for (points, count) in
            [(&mut round.alive, alive), (&mut round.tried, attempts), (&mut round.opened, came)]
        {
            push(points, (seconds, f64::from(count)));
        }
    }
}

/// Adds a point to a line; where it is flat, two points are enough.
fn push(points: &mut Vec<(f64, f64)>, point: (f64, f64)) {
    if let [.., (_, before), (_, last)] = points[..]
        && before == last
        && last == point.1
    {
        points.pop();
    }
    points.push(point);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_line_has_two_points() {
        let mut points = Vec::new();
        for (time, count) in [(0.0, 5.0), (1.0, 5.0), (2.0, 5.0), (3.0, 6.0), (4.0, 6.0), (5.0, 6.0)] {
            push(&mut points, (time, count));
        }
        assert_eq!(points, [(0.0, 5.0), (2.0, 5.0), (3.0, 6.0), (5.0, 6.0)]);
    }
}
