//! What a trial may still come to and meet its objective: one that cannot any more is ended at once.
//!
//! Nothing here is a guess. A trial is hopeless when more has gone wrong than the whole of it allows, or when more
//! messages were slow than the whole of it allows to be.

use crate::threshold::{Metric, Nanos, Part, Relation, Threshold};
use hdrhistogram::Histogram;
use std::time::Duration;

/// The bounds of an objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    /// The share of messages and connections that may go wrong.
    errors: f64,
    /// Shares of the messages that may take longer, and than how many nanoseconds.
    slow: Vec<(f64, f64)>,
}

impl Bounds {
    /// Those of an objective. Without an error rate in it nothing may go wrong.
    pub(crate) fn of(objective: &[Threshold]) -> Self {
        let mut bounds = Self { errors: allowed_errors(objective).unwrap_or(0.0), slow: Vec::new() };
        for threshold in objective.iter().filter(|each| is_most(each.relation)) {
            let Metric::Latency { name, tag: None, part: Part::Percentile(at) } = &threshold.metric else {
                continue;
            };
            if name.as_deref().is_none_or(|name| name == "response") {
                bounds.slow.push((1.0 - at / 100.0, threshold.bound));
            }
        }
        bounds
    }

    /// Why a trial is hopeless in which so many messages went wrong, and connections were not opened or lost, if it
    /// is. `all` is how many messages and connections the whole of it has, where that is known.
    pub(crate) fn errors(&self, faults: u64, failed: u64, lost: u64, all: Option<f64>) -> Option<String> {
        let count = (faults + failed + lost) as f64;
        let allowed = match all {
            _ if self.errors == 0.0 => 0.0,
            Some(all) => all * self.errors,
            None => return None,
        };
        if count <= allowed {
            return None;
        }
        let parts = [
            (faults, "messages went wrong"),
            (failed, "connections were not opened"),
            (lost, "connections were lost"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        let limit = if allowed > 0.0 { format!(", {allowed:.0} are allowed in all") } else { String::new() };
        Some(words.join(", ") + &limit)
    }

    /// Why a trial of so many messages is hopeless with these response times, if it is. `waiting` says how many have
    /// waited so long already and have no answer.
    pub(crate) fn slow(
        &self,
        response: &Histogram<u64>,
        waiting: impl Fn(Duration) -> u64,
        messages: f64,
    ) -> Option<String> {
        self.slow.iter().find_map(|(share, bound)| {
            let nanoseconds = *bound as u64;
            let slow = count_above(response, nanoseconds) + waiting(Duration::from_nanos(nanoseconds));
            let allowed = messages * share;
            (slow as f64 > allowed + 1.0).then(|| {
                let bound = Nanos(*bound);
                format!("{slow} of {messages:.0} messages took longer than {bound}, {allowed:.0} may")
            })
        })
    }
}

/// The share of errors that an objective allows, if it speaks of them.
pub(crate) fn allowed_errors(objective: &[Threshold]) -> Option<f64> {
    let is_about = |each: &&Threshold| each.metric == Metric::ErrorRate && is_most(each.relation);
    objective.iter().filter(is_about).map(|each| each.bound).reduce(f64::min)
}

fn is_most(relation: Relation) -> bool {
    matches!(relation, Relation::Below | Relation::AtMost)
}

fn count_above(histogram: &Histogram<u64>, bound: u64) -> u64 {
    if histogram.is_empty() || histogram.max() <= bound {
        return 0;
    }
    histogram.count_between(histogram.next_non_equivalent(bound), histogram.max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::meter::{histogram, record};

    fn bounds(objective: &[&str]) -> Bounds {
        let parsed: Vec<Threshold> = objective.iter().map(|text| text.parse().expect(text)).collect();
        Bounds::of(&parsed)
    }

    #[test]
    fn what_goes_wrong_is_bounded() {
        type Case<'a> = (&'a [&'a str], [u64; 3], Option<f64>, Option<&'a str>);
        let table: [Case<'_>; 8] = [
            (&["p99<10ms"], [0, 0, 0], Some(100.0), None),
            (&["p99<10ms"], [0, 0, 1], None, Some("1 connections were lost")),
            (
                &["p99<10ms"],
                [2, 3, 0],
                Some(1e9),
                Some("2 messages went wrong, 3 connections were not opened"),
            ),
            (&["error_rate<1%"], [5, 3, 2], Some(1000.0), None),
            (&["error_rate<1%"], [5, 3, 3], Some(1000.0), Some("10 are allowed in all")),
            (&["error_rate<1%"], [500, 0, 0], None, None),
            (&["error_rate<1%", "error_rate<=0.1%"], [2, 0, 0], Some(1000.0), Some("1 are allowed in all")),
            (&["error_rate>1%"], [1, 0, 0], None, Some("1 messages went wrong")),
        ];
        for (objective, [faults, failed, lost], all, expected) in table {
            let found = bounds(objective).errors(faults, failed, lost, all);
            let is_expected = match (&found, expected) {
                (Some(found), Some(part)) => found.contains(part),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(is_expected, "{objective:?}: {found:?}");
        }
    }

    #[test]
    fn what_is_slow_is_bounded() {
        let mut response = histogram();
        (0..60).for_each(|_| record(&mut response, Duration::from_millis(20)));
        (0..1000).for_each(|_| record(&mut response, Duration::from_millis(1)));
        let table: [(&[&str], f64, bool); 7] = [
            (&["p99<10ms"], 5000.0, true),
            (&["p99<10ms"], 6000.0, false),
            (&["response.p99<10ms"], 5000.0, true),
            (&["p50<10ms", "p90<10ms"], 500.0, true),
            (&["p99<20ms"], 1060.0, false),
            (&["service.p99<10ms"], 1000.0, false),
            (&["p99>10ms", "max<10ms", "rate>5k"], 1000.0, false),
        ];
        for (objective, messages, expected) in table {
            let found = bounds(objective).slow(&response, |_| 0, messages);
            assert_eq!(found.is_some(), expected, "{objective:?} of {messages}: {found:?}");
        }
        let waiting = |bound: Duration| if bound <= Duration::from_millis(10) { 40 } else { 0 };
        assert!(
            bounds(&["p99<10ms"]).slow(&response, waiting, 9000.0).is_some(),
            "60 and 40 are more than 90"
        );
        assert_eq!(bounds(&["p99<10ms"]).slow(&histogram(), |_| 0, 0.0), None);
    }
}
