//! How another machine's clock stands to this one's, by asking it the time: nothing here asks, sleeps or reads a clock.
//!
//! A question gives four times: sent here, received there, answered there, and came here. Whatever share of the way
//! was spent on which direction, the offset lies within half of the round trip of the middle (RFC 5905, section 8).
//! The quickest of many questions therefore knows best. It is an [`Anchor`]; between two anchors the offset is a line,
//! so that clocks that drift, or are slewed, are followed. What the anchors in between are away from the line of
//! their neighbours is what a line may be wrong by, and is added to the uncertainty.

use crate::model::ClockOffset;
use wsring::Time;

/// How much longer than the quickest a round trip may take and still say as much.
const WORSE_MAX: u64 = 2;

/// A question about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Here.
    pub(crate) sent: Time,
    /// There.
    pub(crate) received: Time,
    /// There.
    pub(crate) answered: Time,
    /// Here.
    pub(crate) came: Time,
}

/// The offset at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    /// Here, in the middle of the question.
    here: u64,
    /// What the clock there shows less what the clock here shows, in nanoseconds.
    offset: i64,
    round_trip: u64,
}

/// The offset over a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    anchors: Vec<Anchor>,
    /// The quickest since the last anchor.
    best: Option<Anchor>,
    probes: u64,
    quickest: Option<u64>,
}

impl Anchor {
    fn of(probe: &Probe) -> Self {
        let [sent, received, answered, came] =
            [probe.sent, probe.received, probe.answered, probe.came].map(|time| i128::from(time.0));
        // A clock that is quicker there can make a stay there longer than the whole.
        let round_trip = ((came - sent) - (answered - received)).max(0);
        let offset = ((received - sent) + (answered - came)) / 2;
        Self { here: ((sent + came) / 2) as u64, offset: offset as i64, round_trip: round_trip as u64 }
    }

    fn there(&self) -> u64 {
        self.here.saturating_add_signed(self.offset)
    }

    /// At least half of the round trip, rounded up.
    fn uncertainty(&self) -> u64 {
        self.round_trip / 2 + 1
    }
}

impl Offsets {
    /// Takes what a question gave.
    pub(crate) fn note(&mut self, probe: &Probe) {
        let anchor = Anchor::of(probe);
        self.probes += 1;
        self.quickest = Some(self.quickest.map_or(anchor.round_trip, |least| least.min(anchor.round_trip)));
        if self.best.is_none_or(|best| anchor.round_trip < best.round_trip) {
            self.best = Some(anchor);
        }
    }

    /// Whether what was asked since the last anchor is worth one.
    pub(crate) fn is_good(&self) -> bool {
        let least = self.quickest.unwrap_or_default();
        self.best.is_some_and(|best| best.round_trip <= least.saturating_mul(WORSE_MAX))
    }

    /// Makes an anchor of the quickest question since the last one.
    pub(crate) fn anchor(&mut self) {
        let is_later = |best: &Anchor| self.anchors.last().is_none_or(|last| best.here > last.here);
        let best = self.best.take().filter(is_later);
        self.anchors.extend(best);
    }

    /// Forgets all anchors: what is measured begins now.
    pub(crate) fn begin(&mut self) {
        (self.anchors, self.best) = (Vec::new(), None);
    }

    /// Whether a time there has anchors on both sides, so that nothing that comes changes where it is here.
    pub(crate) fn covers(&self, there: Time) -> bool {
        self.anchors.len() > 1 && self.anchors.last().is_some_and(|last| last.there() >= there.0)
    }

    /// What the clock here shows when the one there shows this; before the first anchor and after the last, the line
    /// of the nearest two goes on.
    pub(crate) fn here(&self, there: Time) -> Time {
        let offset = match self.anchors.as_slice() {
            [] => 0.0,
            [only] => only.offset as f64,
            anchors => {
                let after = anchors.partition_point(|anchor| anchor.there() < there.0);
                let after = after.clamp(1, anchors.len() - 1);
                between(&anchors[after - 1], &anchors[after], there.0)
            }
        };
        Time(there.0.saturating_add_signed(-(offset.round() as i64)))
    }

    /// The offset with all that is to be said of it, but for whose clocks they are; `None` before anything is known.
    pub(crate) fn known(&self) -> Option<ClockOffset> {
        let (first, last) = (self.anchors.first()?, self.anchors.last()?);
        let seconds = last.here.saturating_sub(first.here) as f64 / 1e9;
        let gained = (last.offset - first.offset) as f64;
        let unsure = (first.uncertainty() + last.uncertainty()) as f64;
        let ppm = |gained: f64| if seconds > 0.0 { gained / seconds / 1e3 } else { 0.0 };
        let trips = self.anchors.iter().map(Anchor::uncertainty).max().unwrap_or_default();
        Some(ClockOffset {
            offset_ns: first.offset,
            drift_ppm: ppm(gained),
            drift_within_ppm: ppm(unsure),
            uncertainty_ns: trips + self.residual(),
            probes: self.probes,
            round_trip_ns: self.quickest.unwrap_or_default(),
            ..ClockOffset::default()
        })
    }

    /// The longest way from an anchor to the line between its neighbours.
    fn residual(&self) -> u64 {
        let away = |three: &[Anchor]| {
            let line = between(&three[0], &three[2], three[1].there());
            (three[1].offset as f64 - line).abs().ceil() as u64
        };
        self.anchors.windows(3).map(away).max().unwrap_or_default()
    }
}

/// The offset on the line through two anchors, at a time there.
fn between(one: &Anchor, other: &Anchor, there: u64) -> f64 {
    let length = other.there().abs_diff(one.there()).max(1) as f64;
    let share = (there as f64 - one.there() as f64) / length;
    one.offset as f64 + share * (other.offset - one.offset) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::message::SplitMix;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 5_000 * SECOND;

    /// Two clocks, and the way between them. Delays are nanoseconds.
    #[derive(Clone, Copy)]
    struct World {
        offset: i64,
        drift_ppm: f64,
        /// A slew: so many parts per million more from the middle of the run on.
        bend_ppm: f64,
        out: u64,
        back: u64,
        /// The mean of what comes on top, each way, exponentially distributed.
        jitter: f64,
    }

    impl World {
        fn there(&self, here: u64) -> u64 {
            let ran = (here - START) as f64;
            let bent = (ran - 15.0 * SECOND as f64).max(0.0);
            let drift = ran * self.drift_ppm / 1e6 + bent * self.bend_ppm / 1e6;
            here.saturating_add_signed(self.offset + drift as i64)
        }

        fn delay(&self, least: u64, random: &mut SplitMix) -> u64 {
            let uniform = ((random.next() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
            least + (-uniform.ln() * self.jitter) as u64
        }

        fn ask(&self, sent: u64, random: &mut SplitMix) -> Probe {
            let received = sent + self.delay(self.out, random);
            let answered = received + 2_000;
            let came = answered + self.delay(self.back, random);
            let (received, answered) = (Time(self.there(received)), Time(self.there(answered)));
            Probe { sent: Time(sent), received, answered, came: Time(came) }
        }

        /// Thirty seconds, with fifty questions and an anchor in each.
        fn run(&self) -> Offsets {
            let mut random = SplitMix(7);
            let mut offsets = Offsets::default();
            for second in 0..=30 {
                for question in 0..50 {
                    offsets.note(&self.ask(START + second * SECOND + question * SECOND / 50, &mut random));
                }
                offsets.anchor();
            }
            offsets
        }
    }

    /// The offset is found to within what is said, and no more is said than `uncertainty_max` (in microseconds).
    fn check(name: &str, world: World, uncertainty_max: u64) {
        let offsets = world.run();
        let known = offsets.known().expect("there are anchors");
        for step in 10..=300 {
            let here = START + step * SECOND / 10;
            let found = offsets.here(Time(world.there(here)));
            let error = found.0.abs_diff(here);
            assert!(error <= known.uncertainty_ns, "{name}: {error} ns off at {step}, {known:?}");
        }
        assert!(known.uncertainty_ns <= uncertainty_max * 1000, "{name}: {known:?}");
        assert!(
            known.offset_ns.abs_diff(world.offset) <= known.uncertainty_ns + SECOND / 10_000,
            "{name}: {known:?}"
        );
        // A line over all of it has half of the bend.
        let drift = world.drift_ppm + world.bend_ppm / 2.0;
        let within = known.drift_within_ppm + world.bend_ppm.abs() / 20.0;
        assert!((known.drift_ppm - drift).abs() <= within + 0.1, "{name}: {known:?}");
    }

    #[test]
    fn a_known_offset_is_found_to_within_what_is_said() {
        let quiet =
            World { offset: 0, drift_ppm: 0.0, bend_ppm: 0.0, out: 25_000, back: 25_000, jitter: 0.0 };
        let days = 86_400 * SECOND as i64;
        let table = [
            ("one clock", quiet, 27),
            ("another boot", World { offset: 3 * days, ..quiet }, 27),
            ("behind", World { offset: -4_000 * SECOND as i64, ..quiet }, 27),
            ("a drift", World { offset: 12_345_678, drift_ppm: 80.0, ..quiet }, 30),
            ("a drift back", World { offset: -12_345_678, drift_ppm: -200.0, ..quiet }, 30),
            ("jitter", World { offset: days, jitter: 200_000.0, ..quiet }, 300),
            ("jitter and drift", World { drift_ppm: 50.0, jitter: 100_000.0, ..quiet }, 200),
            ("a longer way out", World { offset: 777, out: 900_000, back: 30_000, ..quiet }, 470),
            (
                "a longer way back",
                World { offset: 777, out: 30_000, back: 900_000, jitter: 50_000.0, ..quiet },
                600,
            ),
            ("a slewed clock", World { offset: 5, drift_ppm: 10.0, bend_ppm: 500.0, ..quiet }, 300),
            (
                "all of it",
                World {
                    offset: -4_000 * SECOND as i64,
                    drift_ppm: -30.0,
                    bend_ppm: 100.0,
                    out: 300_000,
                    back: 40_000,
                    jitter: 80_000.0,
                },
                450,
            ),
        ];
        for (name, world, uncertainty_max) in table {
            check(name, world, uncertainty_max);
        }
    }

    #[test]
    fn the_quickest_question_counts() {
        let mut offsets = Offsets::default();
        let probe = |sent: u64, out: u64, back: u64| Probe {
            sent: Time(sent),
            received: Time(sent + out + 1_000),
            answered: Time(sent + out + 1_010),
            came: Time(sent + out + 10 + back),
        };
        assert!(offsets.known().is_none() && !offsets.is_good());
        assert_eq!(offsets.here(Time(5_000)), Time(5_000));
        offsets.note(&probe(10_000, 500, 100));
        offsets.note(&probe(20_000, 50, 50));
        offsets.note(&probe(30_000, 900, 50));
        assert!(offsets.is_good());
        offsets.anchor();
        let known = offsets.known().expect("it is known");
        assert_eq!(
            (known.offset_ns, known.round_trip_ns, known.probes, known.uncertainty_ns),
            (1_000, 100, 3, 51)
        );
        assert_eq!(offsets.here(Time(41_000)), Time(40_000));
        assert!(!offsets.covers(Time(0)), "one anchor is on one side only");
        // Much slower than the best so far: worth waiting for another.
        offsets.note(&probe(50_000, 500, 500));
        assert!(!offsets.is_good());
        offsets.anchor();
        assert!(offsets.covers(Time(51_000)) && !offsets.covers(Time(52_000)));
        offsets.begin();
        assert!(offsets.known().is_none());
    }
}
