//! When a load begins, what of it is measured, and when it ends.
//!
//! ```text
//!   connect   all connections are opened
//!   settle    nothing is sent, so that what opening has left behind is over
//!   warm up   load, not measured
//!   measure   load; what is due in this window is measured, whenever its answer comes
//!   drain     nothing more is sent; the last answers come in
//!   close
//! ```

use super::schedule::Model;
use super::verify::Flight;
use crate::clock;
use crate::measure::meter::{self, Meter};
use crate::model::{Phase, Report};
use std::time::Duration;
use wsring::Time;

/// How long answers, or deliveries, are waited for after a load that was ended before its time.
pub(super) const CUT_DRAIN: Duration = Duration::from_millis(500);

/// The times of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) model: Model,
    /// The first message.
    pub(crate) begin: Time,
    /// The end of the warm-up.
    pub(crate) start: Time,
    /// Nothing is sent from here on.
    pub(crate) end: Time,
    /// What is unanswered then stays so.
    pub(crate) drained: Time,
    /// The window is looked at in pieces of this length.
    pub(crate) interval: Duration,
    /// A message without an answer for so long is given up.
    pub(crate) answer_timeout: Duration,
}

impl Plan {
    /// Whether a time lies in the window.
    #[inline]
    pub(crate) fn has(&self, time: Time) -> bool {
        self.start <= time && time < self.end
    }

    /// Whether messages are sent by a schedule.
    #[inline]
    pub(crate) fn is_open_loop(&self) -> bool {
        matches!(self.model, Model::Open { .. })
    }

    /// Records how long a message took that was answered now, or has waited until now, if it counts.
    #[inline]
    pub(crate) fn record(&self, meter: &mut Meter, flight: Flight, now: Time) {
        if self.has(flight.intended) {
            meter::record(&mut meter.response, now.since(flight.intended));
            if self.is_open_loop() {
                meter::record(&mut meter.service, now.since(flight.sent));
            }
        }
    }

    /// Ends the load before its time. The last answers have a moment to come in.
    pub(crate) fn cut(&mut self, at: Time) {
        self.begin = self.begin.min(at);
        self.start = self.start.min(at);
        self.end = self.end.min(at);
        self.drained = self.drained.min(at.after(CUT_DRAIN));
    }

    /// Pieces that the window has.
    pub(crate) fn intervals(&self) -> usize {
        let (window, interval) = (self.end.since(self.start).as_nanos(), self.interval.as_nanos());
        window.div_ceil(interval.max(1)) as usize
    }

    /// Those of them that are not cut short by its end.
    pub(crate) fn whole_intervals(&self) -> usize {
        (self.end.since(self.start).as_nanos() / self.interval.as_nanos().max(1)) as usize
    }

    /// When a piece ends: 0 is the warm-up, then come those of the window.
    pub(crate) fn interval_end(&self, interval: usize) -> Time {
        let pieces = u32::try_from(interval).unwrap_or(u32::MAX);
        self.start.after(self.interval.saturating_mul(pieces)).min(self.end)
    }
}

/// Writes into a report when it began, and its phases: each from one time to another, counted from there.
pub(crate) fn note(report: &mut Report, origin: Time, edges: &[(&str, Time, Time)]) {
    let phase = |(name, from, to): &(&str, Time, Time)| Phase {
        name: String::from(*name),
        from_s: from.since(origin).as_secs_f64(),
        seconds: to.since(*from).as_secs_f64(),
    };
    report.phases = edges.iter().map(phase).collect();
    // It was begun some milliseconds before: whoever lays it beside others by the wall clock needs the same zero.
    report.started_unix_ms = clock::unix_ms(origin);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(model: Model) -> Plan {
        Plan {
            model,
            begin: Time(0),
            start: Time(1_000),
            end: Time(3_500),
            drained: Time(9_000),
            interval: Duration::from_nanos(1_000),
            answer_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_window_is_cut_into_intervals() {
        let plan = plan(Model::Closed { depth: 1 });
        assert_eq!((plan.intervals(), plan.whole_intervals()), (3, 2));
        let ends: Vec<u64> = (0..=3).map(|interval| plan.interval_end(interval).0).collect();
        assert_eq!(ends, [1_000, 2_000, 3_000, 3_500]);
    }

    #[test]
    fn a_load_may_end_early() {
        let whole = plan(Model::Closed { depth: 1 });
        for (at, begin, start, end, intervals) in
            [(2_500, 0, 1_000, 2_500, 2), (500, 0, 500, 500, 0), (8_000, 0, 1_000, 3_500, 3)]
        {
            let mut plan = Plan { drained: Time(u64::MAX), ..whole };
            plan.cut(Time(at));
            assert_eq!((plan.begin, plan.start, plan.end), (Time(begin), Time(start), Time(end)), "{at}");
            assert_eq!((plan.intervals(), plan.drained), (intervals, Time(at).after(CUT_DRAIN)), "{at}");
        }
    }

    #[test]
    fn only_what_was_due_in_the_window_is_recorded() {
        let open =
            Model::Open { rate: 1.0, arrivals: super::super::schedule::Arrivals::Fixed, in_flight_max: None };
        for (model, services) in [(Model::Closed { depth: 1 }, 0), (open, 3)] {
            let (plan, mut meter) = (plan(model), Meter::new());
            for intended in [0, 999, 1_000, 2_000, 3_499, 3_500] {
                let flight = Flight { intended: Time(intended), sent: Time(intended + 100) };
                plan.record(&mut meter, flight, Time(20_000));
            }
            assert_eq!((meter.response.len(), meter.service.len()), (3, services));
            assert!(meter.response.equivalent(meter.response.max(), 19_000), "{}", meter.response.max());
        }
    }
}
