//! A shard's part of the rounds: what each of its members has got, and what it sends.

use super::got::{Got, Timing};
use super::{ROUNDS_APART, Rounds};
use crate::clock;
use crate::load::fanout::history::Place as Arrival;
use crate::load::fanout::publish::{Published, lock};
use crate::load::fanout::subscriber::{Desk, FanCounts, Farewell, Seat, Told};
use crate::measure::meter::record;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wsring::{Again, ConnectionId, Sent, Time, Turn};

/// Messages that leave before what has arrived meanwhile is looked at.
const SENT_IN_A_TURN_MAX: usize = 512;

/// See the [module](self). Handlers and driver of a shard have it in turn.
pub(crate) struct Part {
    rounds: Arc<Rounds>,
    desk: Desk,
    home: u32,
    players: Vec<Player>,
    round: u32,
    /// The number of its first message.
    first: u64,
    /// Messages of a round, and the digits of a number that messages hold.
    messages: u64,
    mask: u64,
    /// When it was seen to begin.
    entered: Time,
    /// Messages that each member is to get of it.
    expected: u32,
    /// Members that have not all of it.
    waiting: u32,
    /// Whether the others know that there are none.
    is_told: bool,
    is_over: bool,
    /// This shard has begun the round: the others sleep, perhaps.
    has_begun: bool,
    /// The latest rounds that were given up while members here waited.
    given_up: VecDeque<u32>,
    got: Got,
    timing: Timing,
    outbox: Outbox,
    /// What is given away when the round is over.
    told: Vec<Told>,
    piece: Piece,
    farewell: Farewell,
}

/// A member in its part.
struct Player {
    id: ConnectionId,
    position: u32,
    is_open: bool,
    /// Messages of this round that it has.
    got: u32,
}

/// Where a shard stands among those that have members, and its members: the number in the fleet and the position of
/// each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) home: u32,
    pub(crate) members: Vec<(u32, u32)>,
}

/// What is still to be sent of the round.
#[derive(Default)]
struct Outbox {
    /// Seats of those that send, and which of the senders each is.
    senders: Vec<(usize, u32)>,
    at: usize,
    sequence: u32,
    message: Vec<u8>,
}

/// What was done in a piece of the window.
#[derive(Default)]
struct Piece {
    index: Option<usize>,
    sent: u64,
    delivered: u64,
    /// All deliveries that have been added to a piece, or belong to none.
    seen: u64,
}

impl Part {
    /// Of the members that sit in a lane.
    pub(crate) fn new(rounds: Arc<Rounds>, desk: Desk, place: &Place, seats: &[Seat]) -> Self {
        // They stand in the order of their numbers.
        let position = |number| {
            let at = place.members.binary_search_by_key(&number, |(each, _)| *each).ok()?;
            Some(place.members[at].1)
        };
        let player = |seat: &Seat| {
            let position = position(seat.number)?;
            if !seat.is_open {
                rounds.members.lose(position);
            }
            Some(Player { id: seat.id, position, is_open: seat.is_open, got: 0 })
        };
        // In the order of the seats, by which they are known.
        let players: Vec<Player> = seats.iter().filter_map(player).collect();
        let (got, timing) = (Got::new(&rounds.shape, players.len()), Timing::new(&rounds.shape));
        Self {
            desk,
            home: place.home,
            players,
            round: 0,
            first: 0,
            messages: rounds.shape.messages(),
            mask: rounds.stamps.numbers() - 1,
            entered: Time(0),
            expected: 0,
            waiting: 0,
            is_told: true,
            is_over: false,
            has_begun: false,
            given_up: VecDeque::new(),
            got,
            timing,
            outbox: Outbox::default(),
            told: Vec::new(),
            piece: Piece::default(),
            farewell: Farewell::default(),
            rounds,
        }
    }

    /// A message has come to a member.
    #[inline]
    pub(crate) fn delivered(&mut self, seat: usize, name: u64, now: Time, counts: &mut FanCounts) {
        let mut index = self.index(name);
        if index >= self.messages || self.is_over {
            // Another shard may have begun the next round.
            self.settle(now, counts);
            index = self.index(name);
            if index >= self.messages || self.is_over {
                return self.stale(name, counts);
            }
        }
        match self.got.take(seat, index as usize) {
            Arrival::Fits => {}
            Arrival::Overtaken => counts.out_of_order += 1,
            Arrival::Repeated => return counts.duplicate += 1,
        }
        counts.delivered += 1;
        self.timing.add(index, now);
        let player = &mut self.players[seat];
        player.got += 1;
        if player.got == self.expected {
            self.waiting -= 1;
            if self.waiting == 0 {
                self.settle(now, counts);
            }
        }
    }

    /// Which message of the round a name is; of other rounds they are beyond.
    #[inline]
    fn index(&self, name: u64) -> u64 {
        name.wrapping_sub(self.first) & self.mask
    }

    /// A message of an earlier round has come: every member has had it then, but for rounds that were given up, and
    /// for what a member has sent that was lost before others had it. Or none that was sent lately.
    #[cold]
    fn stale(&self, name: u64, counts: &mut FanCounts) {
        let is_of = |round: &u32| {
            let first = u64::from(*round) * self.messages;
            name.wrapping_sub(first) & self.mask < self.messages
        };
        let behind = self.mask - self.index(name);
        let may_be_late = self.rounds.members.count() < self.rounds.shape.members;
        if self.given_up.iter().any(is_of) || (may_be_late && behind < ROUNDS_APART * self.messages) {
            counts.late += 1;
        } else if behind < ROUNDS_APART * self.messages {
            counts.duplicate += 1;
        } else {
            counts.corrupt += 1;
        }
    }

    /// A member is gone: it is not waited for any more, and sends nothing.
    pub(crate) fn left(&mut self, seat: usize, counts: &mut FanCounts) {
        let player = &mut self.players[seat];
        player.is_open = false;
        self.rounds.members.lose(player.position);
        if player.got < self.expected && self.waiting > 0 {
            self.waiting -= 1;
            self.settle(clock::now(), counts);
        }
    }

    /// Tells that this shard has everything, where it has, and goes on to the round that it is.
    fn settle(&mut self, now: Time, counts: &mut FanCounts) {
        loop {
            if self.waiting == 0 && !self.is_told {
                self.is_told = true;
                let (shards, goes_on) = (self.rounds.shards(), self.goes_on(now));
                if self.rounds.stage.complete(self.round, shards, goes_on) {
                    self.ended(now, counts);
                }
            }
            let scene = self.rounds.stage.scene();
            if scene.round == self.round {
                return;
            }
            self.enter(scene.round, scene.is_over(), now, counts);
        }
    }

    fn goes_on(&self, now: Time) -> bool {
        now < self.rounds.end() && self.rounds.members.count() > 0
    }

    /// This shard was the last that a round has waited for, and has begun the next.
    fn ended(&mut self, now: Time, counts: &mut FanCounts) {
        let began = Time(self.rounds.began.swap(now.0, Ordering::AcqRel));
        self.has_begun = true;
        counts.rounds += u64::from(self.rounds.piece(now).is_some());
        if self.rounds.piece(began).is_some() {
            record(&mut self.farewell.rounds, now.since(began));
        }
    }

    /// Leaves a round for a later one.
    fn enter(&mut self, round: u32, is_over: bool, now: Time, counts: &mut FanCounts) {
        if self.waiting > 0 {
            let missing = |player: &Player| u64::from(self.expected.saturating_sub(player.got));
            counts.missed += self.players.iter().filter(|player| player.is_open).map(missing).sum::<u64>();
            self.given_up.truncate(ROUNDS_APART as usize - 1);
            self.given_up.push_front(self.round);
        }
        self.give_away();
        (self.round, self.entered, self.is_over) = (round, now, is_over);
        self.first = u64::from(round) * self.messages;
        (self.waiting, self.is_told) = (0, is_over);
        self.timing.begin(round);
        self.got.clear();
        self.outbox.clear();
        if is_over {
            return;
        }
        self.expected = self.rounds.expected(round);
        for (seat, player) in self.players.iter_mut().enumerate().filter(|(_, player)| player.is_open) {
            player.got = 0;
            self.waiting += u32::from(self.expected > 0);
            let sender = self.rounds.shape.sender(round, player.position);
            self.outbox.senders.extend(sender.map(|sender| (seat, sender)));
        }
    }

    /// What is known of the messages of the round.
    fn give_away(&mut self) {
        let first = self.first;
        let told = self.timing.take().map(|(index, runs)| Told::Deliveries(first + index, runs));
        self.told.extend(told);
        if !self.told.is_empty() {
            lock(&self.desk).append(&mut self.told);
        }
    }

    /// Adds what has come in this turn to its piece of the window; gives the piece away that is over.
    fn account(&mut self, now: Time, counts: &FanCounts) {
        let delivered = counts.delivered - std::mem::replace(&mut self.piece.seen, counts.delivered);
        let index = self.rounds.piece(now);
        if index != self.piece.index {
            self.give_piece();
            self.piece.index = index;
        }
        self.piece.delivered += delivered;
    }

    fn give_piece(&mut self) {
        let (sent, delivered) =
            (std::mem::take(&mut self.piece.sent), std::mem::take(&mut self.piece.delivered));
        if let Some(index) = self.piece.index {
            lock(&self.desk).push(Told::Piece(index, sent, delivered));
        }
    }

    /// Sends what is still to be sent of the round, or some of it; says whether that was all.
    fn send(&mut self, turn: &mut Turn<'_>, counts: &mut FanCounts) -> bool {
        let rounds = &self.rounds;
        let burst = rounds.shape.burst;
        for _ in 0..SENT_IN_A_TURN_MAX {
            let outbox = &mut self.outbox;
            let Some((seat, sender)) = outbox.senders.get(outbox.at).copied() else { return true };
            let index = u64::from(sender) * u64::from(burst) + u64::from(outbox.sequence);
            let number = self.first + index;
            rounds.wording.write(&rounds.stamps, number, &mut outbox.message);
            if self.timing.has(index) {
                let now = clock::now();
                self.told.push(Told::Published(Published { number, due: now, at: now }));
            }
            let sent =
                turn.with(self.players[seat].id, |conn| conn.send_payload(rounds.kind, &outbox.message));
            match sent {
                Some(Sent::Sent | Sent::Queued { .. }) => self.piece.sent += 1,
                Some(Sent::Dropped) | None => counts.refused += 1,
            }
            outbox.sequence += 1;
            if outbox.sequence == burst {
                (outbox.sequence, outbox.at) = (0, outbox.at + 1);
            }
        }
        self.outbox.at == self.outbox.senders.len()
    }

    /// What is to be done by the clock, and what handlers have left to do.
    pub(super) fn turn(&mut self, turn: &mut Turn<'_>, counts: &mut FanCounts) -> Again {
        let now = turn.now();
        self.account(now, counts);
        if self.piece.index.is_some() {
            record(&mut self.farewell.turns, clock::now().since(now));
        }
        let is_cut = now >= self.rounds.end();
        if now < self.rounds.begin && !is_cut {
            return Again::At(self.rounds.begin);
        }
        if self.rounds.ready.load(Ordering::Acquire) < self.rounds.shards() && !is_cut {
            // The last of them begins.
            return Again::NextTurn;
        }
        if self.rounds.stage.begin(self.rounds.shards(), self.goes_on(now)) {
            self.rounds.began.store(now.0, Ordering::Release);
            self.has_begun = true;
        }
        self.settle(now, counts);
        let deadline = self.entered.after(self.rounds.timeout).min(self.rounds.drained());
        if now >= deadline && !self.is_over {
            let goes_on = self.goes_on(now) && now < self.rounds.drained();
            if self.rounds.stage.give_up(self.round, self.rounds.shards(), goes_on) {
                counts.rounds_missed += 1;
                self.rounds.began.store(now.0, Ordering::Release);
                self.has_begun = true;
            }
            self.settle(now, counts);
        }
        if std::mem::take(&mut self.has_begun) {
            self.rounds.wake(self.round, self.home, self.is_over);
        }
        if self.is_over {
            return self.end(counts);
        }
        let is_all = self.send(turn, counts);
        let deadline = self.entered.after(self.rounds.timeout).min(self.rounds.drained());
        let deadline = self.rounds.window.next_edge(now).map_or(deadline, |edge| edge.min(deadline));
        Again::At(if is_all { deadline } else { now })
    }

    fn end(&mut self, counts: &mut FanCounts) -> Again {
        self.give_away();
        self.give_piece();
        self.farewell.counts = std::mem::take(counts);
        let farewell = std::mem::take(&mut self.farewell);
        lock(&self.desk).push(Told::End(Box::new(farewell)));
        Again::Never
    }
}

impl Outbox {
    fn clear(&mut self) {
        self.senders.clear();
        (self.at, self.sequence) = (0, 0);
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("round", &self.round)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
