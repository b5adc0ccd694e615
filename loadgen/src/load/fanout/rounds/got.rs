//! What has come of a round, and when some of it did.

use super::Shape;
use crate::load::fanout::history::Place as Arrival;
use crate::load::fanout::subscriber::{Runs, add};
use wsring::Time;

/// What has come, a row for each member.
#[derive(Debug)]
pub(super) struct Got {
    /// A bit for each message.
    bits: Vec<u64>,
    row: usize,
    /// Of each sender, one more than the latest message; empty where each has one.
    next: Vec<u32>,
    senders: usize,
    burst: usize,
}

/// When the messages came that are timed: one of so many, another in each round.
#[derive(Debug)]
pub(super) struct Timing {
    of: u64,
    /// The first that is timed is so far from the end of its so many.
    offset: u64,
    runs: Vec<Runs>,
}

impl Got {
    /// Nothing, of so many members.
    pub(super) fn new(shape: &Shape, members: usize) -> Self {
        let row = (shape.messages() as usize).div_ceil(64);
        let (senders, burst) = (shape.senders as usize, shape.burst as usize);
        let orders = if burst > 1 { members * senders } else { 0 };
        Self { bits: vec![0; members * row], row, next: vec![0; orders], senders, burst }
    }

    /// Notes a message of a member.
    #[inline]
    pub(super) fn take(&mut self, member: usize, index: usize) -> Arrival {
        let word = &mut self.bits[member * self.row + index / 64];
        let bit = 1 << (index % 64);
        if *word & bit != 0 {
            return Arrival::Repeated;
        }
        *word |= bit;
        if self.burst > 1 && self.is_overtaken(member, index) { Arrival::Overtaken } else { Arrival::Fits }
    }

    /// Whether a later one of the same sender has come before it.
    #[inline]
    fn is_overtaken(&mut self, member: usize, index: usize) -> bool {
        let (sender, sequence) = (index / self.burst, (index % self.burst) as u32);
        let next = &mut self.next[member * self.senders + sender];
        let is_overtaken = sequence < *next;
        *next = (*next).max(sequence + 1);
        is_overtaken
    }

    /// Nothing, again.
    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
        self.next.fill(0);
    }
}

impl Timing {
    /// Of no round yet.
    pub(super) fn new(shape: &Shape) -> Self {
        let of = shape.timed_of();
        let most = shape.messages().div_ceil(of) as usize + 1;
        Self { of, offset: 0, runs: vec![Runs::new(); most] }
    }

    /// Another round: another one of so many.
    pub(super) fn begin(&mut self, round: u32) {
        self.offset = u64::from(round) & (self.of - 1);
    }

    /// Whether a message is one of those.
    #[inline]
    pub(super) fn has(&self, index: u64) -> bool {
        (index + self.offset) & (self.of - 1) == 0
    }

    /// A message has come now.
    #[inline]
    pub(super) fn add(&mut self, index: u64, now: Time) {
        if self.has(index) {
            add(&mut self.runs[((index + self.offset) / self.of) as usize], now);
        }
    }

    /// Takes what there is of the round's messages.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u64, Runs)> {
        let (of, offset) = (self.of, self.offset);
        let some = self.runs.iter_mut().enumerate().filter(|(_, runs)| !runs.is_empty());
        // The next ones will be as long, about.
        some.map(move |(place, runs)| {
            let empty = Runs::with_capacity(runs.len());
            (place as u64 * of - offset, std::mem::replace(runs, empty))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_own() {
        use Arrival::{Fits, Overtaken, Repeated};
        let one = Shape { members: 2, senders: 70, burst: 1 };
        let mut got = Got::new(&one, 2);
        for (member, index, expected) in [
            (0, 0, Fits),
            (1, 0, Fits),
            (0, 69, Fits),
            (0, 1, Fits),
            (0, 0, Repeated),
            (1, 69, Fits),
            (1, 69, Repeated),
        ] {
            assert_eq!(got.take(member, index), expected, "{member} {index}");
        }
        got.clear();
        assert_eq!(got.take(0, 69), Fits);
        // Three messages of each sender: its own order counts, and no other.
        let burst = Shape { members: 2, senders: 2, burst: 3 };
        let mut got = Got::new(&burst, 2);
        for (member, index, expected) in [
            (0, 3, Fits),
            (0, 0, Fits),
            (0, 2, Fits),
            (1, 2, Fits),
            (0, 1, Overtaken),
            (0, 1, Repeated),
            (1, 0, Overtaken),
            (0, 4, Fits),
        ] {
            assert_eq!(got.take(member, index), expected, "{member} {index}");
        }
    }

    #[test]
    fn one_of_so_many_is_timed_and_each_has_its_turn() {
        for shape in [
            Shape { members: 320, senders: 320, burst: 1 },
            Shape { members: 20_000, senders: 20_000, burst: 1 },
            Shape { members: 32, senders: 32, burst: 7 },
            Shape { members: 3, senders: 1, burst: 1 },
        ] {
            let mut timing = Timing::new(&shape);
            let (of, messages) = (shape.timed_of(), shape.messages());
            let mut turns = vec![0; messages as usize];
            for round in 1..=of as u32 {
                timing.begin(round);
                (0..messages).for_each(|index| timing.add(index, Time(index)));
                for (index, runs) in timing.take().collect::<Vec<_>>() {
                    assert!(
                        timing.has(index) && runs == [(Time(index), 1)],
                        "{shape:?} {round}: {index} {runs:?}"
                    );
                    turns[index as usize] += 1;
                }
            }
            assert!(turns.iter().all(|turns| *turns == 1), "{shape:?}");
        }
    }
}
