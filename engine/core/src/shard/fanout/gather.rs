//! News of a large audience are held back for a moment while more keep coming.
//!
//! A send to each of a thousand subscribers costs milliseconds, and what is published meanwhile has to wait
//! for the next round of as many sends. So it pays to look whether more is on its way before the first
//! one: in a room where everybody talks, one round of sends then carries what everybody has said. The first
//! look is short against what the sends take, it goes on only while more comes, at most for as long as the
//! sends themselves would take, and a small audience never waits. How many came the last time tells how
//! many are likely to come, so that they can be waited for together.
//! `docs/decisions/0005-gathering.md` has the measurements.

use super::super::Shard;
use crate::limits::{
    GATHER_AUDIENCE_MIN, GATHER_COMPLETIONS, GATHER_PAUSE_EXPECTED, GATHER_PAUSE_MAX, GATHER_PAUSE_PER_SEND,
    GATHER_PAUSE_SHARE, GATHER_PER_SEND_MAX, GATHER_PER_SEND_MIN,
};
use std::time::Duration;
use wsring_io::{Counters, Io, Time};

/// Holds news back.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    held: Option<Held>,
    /// How many news were held back together the last time.
    expected: u64,
    pace: Pace,
}

/// News that are held back.
#[derive(Clone, Copy, Debug)]
struct Held {
    since: Time,
    /// How often logs had been found to have grown before the first of them, and when it was last looked at.
    before: u64,
    news: u64,
    /// Until when it waits for more, and for how many.
    until: Time,
    wanted: u32,
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
        let last = self.held.take();
        if last.is_none() && audience < GATHER_AUDIENCE_MIN {
            return false;
        }
        let (since, before) = last.map_or((now, news - 1), |held| (held.since, held.before));
        let passed = now.since(since);
        let has_come = news - before;
        let nothing_came = last.is_some_and(|held| held.news == news);
        let to_come = self.expected.saturating_sub(has_come);
        let sends = self.pace.per_send * audience;
        // Cut short, what is left would cost another round of sends.
        let most = if to_come > 0 { sends * 2 } else { sends };
        if audience < GATHER_AUDIENCE_MIN || nothing_came || passed > most {
            if last.is_some() {
                self.expected = has_come;
            }
            return false;
        }
        let pause = (GATHER_PAUSE_PER_SEND * audience).min(GATHER_PAUSE_MAX);
        let pause = pause.max(passed / GATHER_PAUSE_SHARE);
        let pause = if to_come > 0 && last.is_some() { pause.max(GATHER_PAUSE_EXPECTED) } else { pause };
        let wanted = to_come.clamp(1, GATHER_COMPLETIONS.into()) as u32;
        self.held = Some(Held { since, before, news, until: now.after(pause), wanted });
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
        if let Some(held) = &fanout.gathering.held {
            self.io.gather(held.wanted);
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
        assert!(!gathering.holds(0, 0, Time(0)), "nobody has published, nobody listens");
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

    /// Whatever has come so far, who waits for more waits for one short pause when nothing comes.
    #[test]
    fn as_many_as_the_last_time_are_waited_for_together() {
        let mut gathering = Gathering::default();
        let wanted = |gathering: &Gathering| gathering.held.map(|held| held.wanted);
        assert!(gathering.holds(1000, 1, Time(0)));
        assert!(gathering.holds(1000, 40, Time(1_000)));
        assert_eq!(wanted(&gathering), Some(1), "nobody knows how many there will be");
        assert!(!gathering.holds(1000, 40, Time(30_000)), "forty it was");
        assert!(gathering.holds(1000, 41, Time(1_000_000)));
        assert_eq!(
            gathering.until(),
            Some(Time(1_000_000).after(GATHER_PAUSE_MAX)),
            "the first pause is short"
        );
        assert!(gathering.holds(1000, 50, Time(1_010_000)));
        assert_eq!(wanted(&gathering), Some(30), "ten have come, thirty are to come");
        assert_eq!(gathering.until(), Some(Time(1_010_000).after(GATHER_PAUSE_EXPECTED)));
        assert!(gathering.holds(1000, 80, Time(1_050_000)));
        assert_eq!(gathering.until(), Some(Time(1_050_000).after(GATHER_PAUSE_MAX)), "all are there");
        assert!(!gathering.holds(1000, 80, Time(1_070_000)));
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
