//! News of a large audience are held back for a moment while more keep coming.
//!
//! A send to each of a thousand subscribers costs milliseconds, and what is published meanwhile has to wait
//! for the next round of as many sends. So it pays to look whether more is on its way before the first
//! one: in a room where everybody talks, one round of sends then carries what everybody has said. The first
//! look is short against what the sends take, it goes on only while more comes, at most for as long as the
//! sends themselves would take, and a small audience never waits.
//! `docs/decisions/0005-gathering.md` has the measurements.

use super::super::Shard;
use crate::limits::{
    GATHER_AUDIENCE_MIN, GATHER_COMPLETIONS, GATHER_PAUSE_MAX, GATHER_PAUSE_PER_SEND, GATHER_PAUSE_SHARE,
    GATHER_PER_SEND_MAX, GATHER_PER_SEND_MIN,
};
use std::time::Duration;
use wsring_io::{Counters, Io, Time};

/// Holds news back.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    held: Option<Held>,
    pace: Pace,
}

/// News that are held back.
#[derive(Clone, Copy, Debug)]
struct Held {
    since: Time,
    /// How often logs had been found to have grown when it was last looked at.
    news: u64,
    /// Until when it waits for more.
    until: Time,
}

/// What a send costs.
#[derive(Debug)]
struct Pace {
    per_send: Duration,
    sends: u64,
    nanoseconds: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { per_send: GATHER_PER_SEND_MIN, sends: 0, nanoseconds: 0 }
    }
}

impl Pace {
    /// Learns from the sends since the last time, a quarter each time.
    fn learn(&mut self, counters: &Counters) {
        let sends = counters.sends_timed - std::mem::replace(&mut self.sends, counters.sends_timed);
        let before = std::mem::replace(&mut self.nanoseconds, counters.sends_timed_nanoseconds);
        if let Some(last) = (self.nanoseconds - before).checked_div(sends) {
            let per_send = (self.per_send * 3 + Duration::from_nanos(last)) / 4;
            self.per_send = per_send.clamp(GATHER_PER_SEND_MIN, GATHER_PER_SEND_MAX);
        }
    }
}

impl Gathering {
    /// Until when news are held back.
    pub(super) fn until(&self) -> Option<Time> {
        self.held.map(|held| held.until)
    }

    /// Whether news for so many are held back until the next turn.
    fn holds(&mut self, audience: u32, news: u64, now: Time) -> bool {
        let (since, before) = self.held.map_or((now, None), |held| (held.since, Some(held.news)));
        let passed = now.since(since);
        self.held = None;
        if audience < GATHER_AUDIENCE_MIN || before == Some(news) || passed > self.pace.per_send * audience {
            return false;
        }
        let pause = (GATHER_PAUSE_PER_SEND * audience).min(GATHER_PAUSE_MAX);
        let until = now.after(pause.max(passed / GATHER_PAUSE_SHARE));
        self.held = Some(Held { since, news, until });
        true
    }
}

impl<I: Io> Shard<I> {
    /// Whether what was published is held back until the next turn.
    pub(super) fn holds_back(&mut self) -> bool {
        let fanout = &mut self.local.fanout;
        let (audience, news) = (fanout.audience(), fanout.figures.news);
        if audience >= GATHER_AUDIENCE_MIN {
            fanout.gathering.pace.learn(self.io.counters());
        }
        let holds = fanout.gathering.holds(audience, news, self.local.now);
        if holds {
            self.io.gather(GATHER_COMPLETIONS);
        }
        holds
    }
}

impl super::Fanout {
    /// Sends that the news would take.
    fn audience(&self) -> u32 {
        let ready = |number: &u32| self.feeds[*number as usize].as_ref().map_or(0, |feed| feed.ready);
        self.news.iter().map(ready).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: Duration = GATHER_PER_SEND_MIN;

    #[test]
    fn a_small_audience_never_waits() {
        let mut gathering = Gathering::default();
        assert!(!gathering.holds(GATHER_AUDIENCE_MIN - 1, 1, Time(0)));
        assert!(gathering.holds(GATHER_AUDIENCE_MIN, 1, Time(0)));
    }

    #[test]
    fn what_comes_alone_waits_for_one_short_pause() {
        let mut gathering = Gathering::default();
        assert!(gathering.holds(1000, 1, Time(0)));
        assert_eq!(gathering.until(), Some(Time(0).after(GATHER_PAUSE_MAX)));
        assert!(!gathering.holds(1000, 1, Time(20_000)), "nothing has come");
        assert_eq!(gathering.until(), None);
    }

    #[test]
    fn while_more_comes_it_is_held_for_as_long_as_the_sends_take() {
        let mut gathering = Gathering::default();
        let (mut now, mut news) = (Time(0), 1);
        while gathering.holds(1000, news, now) {
            (now, news) = (gathering.until().expect("it is held"), news + 1);
        }
        let took = now.since(Time(0));
        assert!((SEND * 1000..SEND * 1150).contains(&took), "{took:?}");
    }

    #[test]
    fn the_pace_follows_what_sends_cost() {
        let mut pace = Pace::default();
        let mut counters = Counters::default();
        for _ in 0..20 {
            counters.sends_timed += 100;
            counters.sends_timed_nanoseconds += 100 * 9_000;
            pace.learn(&counters);
        }
        assert!((8_900..=9_000).contains(&pace.per_send.as_nanos()), "{:?}", pace.per_send);
        pace.learn(&counters);
        assert!(pace.per_send.as_nanos() > 8_900, "no sends, nothing learnt");
    }
}
