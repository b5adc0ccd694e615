//! When messages are due.
//!
//! The n-th message of a run is due at `start + n / rate`. That is arithmetic, and no clock has a part in it: who
//! is late finds the same times as who is not, so that a wait which the generator or the server has caused is
//! counted for every message that it has held up. Connections take turns, so that each is as far from the next as
//! can be, and each shard walks through those messages that are its connections'.

use super::message::SplitMix;
use clap::ValueEnum;
use serde::Serialize;
use wsring::Time;

/// How messages are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrivals {
    /// At equal distances.
    Fixed,
    /// At random, as by many clients that know nothing of each other.
    Poisson,
    /// On all connections in the same moment.
    Burst,
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Model {
    /// As much as is answered: each connection has so many messages on their way.
    Closed {
        /// So many.
        depth: u32,
    },
    /// So many a second, whatever is answered.
    Open {
        /// Of all connections together.
        rate: f64,
        /// How they are spread.
        arrivals: Arrivals,
        /// A connection that has so many on their way is not given another.
        in_flight_max: Option<u32>,
    },
}

/// The messages of one shard, in the order in which they are due.
#[derive(Debug)]
pub(crate) struct Schedule {
    start: Time,
    /// Nanoseconds from one message of the run to the next.
    period: f64,
    arrivals: Arrivals,
    /// Connections of the run.
    connections: u64,
    /// Where this shard's connections stand among them.
    positions: Vec<u32>,
    /// Whose turn it is, among `positions`.
    place: usize,
    /// How often each connection had its turn.
    cycle: u64,
    random: SplitMix,
    /// Since the start, where that is random.
    elapsed: f64,
}

impl Schedule {
    /// From `start` on, `rate` messages a second of so many connections. `positions` says which of them this
    /// shard has; `seed` makes random times repeat.
    pub(crate) fn new(
        start: Time,
        rate: f64,
        arrivals: Arrivals,
        connections: u32,
        positions: Vec<u32>,
        seed: u64,
    ) -> Self {
        let mut schedule = Self {
            start,
            period: 1e9 / rate,
            arrivals,
            connections: u64::from(connections),
            positions,
            place: 0,
            cycle: 0,
            random: SplitMix(seed),
            elapsed: 0.0,
        };
        schedule.elapsed = schedule.gap();
        schedule
    }

    /// The message that is due next: at which place among this shard's connections, and when.
    #[inline]
    pub(crate) fn next(&self) -> Option<(usize, Time)> {
        let position = *self.positions.get(self.place)?;
        let after = match self.arrivals {
            Arrivals::Fixed => (self.cycle * self.connections + u64::from(position)) as f64 * self.period,
            Arrivals::Burst => (self.cycle * self.connections) as f64 * self.period,
            Arrivals::Poisson => self.elapsed,
        };
        Some((self.place, Time(self.start.0.saturating_add(after as u64))))
    }

    /// Goes on to the one after it.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.place += 1;
        if self.place == self.positions.len() {
            self.place = 0;
            self.cycle += 1;
        }
        if self.arrivals == Arrivals::Poisson {
            self.elapsed += self.gap();
        }
    }

    /// The time to the shard's next message, where that is random: exponentially distributed.
    fn gap(&mut self) -> f64 {
        let mean = self.period * self.connections as f64 / self.positions.len().max(1) as f64;
        -self.random.next_share().ln() * mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: Arrivals, rate: f64, connections: u32, positions: Vec<u32>) -> Schedule {
        Schedule::new(Time(1_000), rate, arrivals, connections, positions, 7)
    }

    fn first(schedule: &mut Schedule, count: usize) -> Vec<(usize, u64)> {
        let mut next = || {
            let (place, time) = schedule.next()?;
            schedule.advance();
            Some((place, time.0 - 1_000))
        };
        (0..count).map_while(|_| next()).collect()
    }

    #[test]
    fn shards_share_one_schedule() {
        // A thousand a second over five connections on two shards: one each millisecond.
        let mut even = schedule(Arrivals::Fixed, 1000.0, 5, vec![0, 2, 4]);
        let mut odd = schedule(Arrivals::Fixed, 1000.0, 5, vec![1, 3]);
        let at = |millisecond: u64| millisecond * 1_000_000;
        assert_eq!(first(&mut even, 5), [(0, at(0)), (1, at(2)), (2, at(4)), (0, at(5)), (1, at(7))]);
        assert_eq!(first(&mut odd, 4), [(0, at(1)), (1, at(3)), (0, at(6)), (1, at(8))]);
        assert_eq!(first(&mut schedule(Arrivals::Fixed, 1.0, 5, Vec::new()), 1), []);
    }

    #[test]
    fn bursts_come_together() {
        let mut burst = schedule(Arrivals::Burst, 1000.0, 2, vec![0, 1]);
        assert_eq!(first(&mut burst, 4), [(0, 0), (1, 0), (0, 2_000_000), (1, 2_000_000)]);
    }

    #[test]
    fn random_times_have_the_rate_that_was_asked_for_and_repeat() {
        let times = || first(&mut schedule(Arrivals::Poisson, 4000.0, 4, vec![0, 2]), 20_000);
        let all = times();
        assert_eq!(all, times());
        let mean = all.last().unwrap().1 as f64 / all.len() as f64;
        assert!((mean / 500_000.0 - 1.0).abs() < 0.03, "{mean} ns between two of a shard with half of them");
        assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    }

    #[test]
    fn the_schedule_does_not_drift() {
        let mut one = schedule(Arrivals::Fixed, 3.0, 1, vec![0]);
        one.cycle = 3_000_000_000;
        assert_eq!(one.next(), Some((0, Time(1_000 + 1_000_000_000_000_000_000))));
    }
}
