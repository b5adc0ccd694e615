//! Whether a trial has met the objective.

use super::bounds::allowed_errors;
use super::search::Outcome;
use crate::failure::Failure;
use crate::model::{Report, Verdict};
use crate::threshold::Threshold;

/// The share of the messages asked for that has to be sent and answered.
const SHARE_MIN: f64 = 0.99;

/// Judges the report of a trial; says what was measured, or what went wrong. `openings` is how many connections a
/// second were asked for, where they are the load.
///
/// # Errors
/// The caller's fault: a trial has too few messages for a percentile of the objective.
pub(crate) fn judge(
    report: &Report,
    objective: &[Threshold],
    openings: Option<f64>,
) -> Result<(Outcome, String), Failure> {
    if report.verdict == Verdict::Invalid {
        let exceeded = report.health.evidence.iter().find(|evidence| evidence.exceeded);
        let why = exceeded.map_or_else(
            || report.reasons.join(", "),
            |evidence| format!("{} is {}, allowed is {}", evidence.what, evidence.value, evidence.limit),
        );
        return Ok((Outcome::Generator, why));
    }
    if let Some(why) = &report.ended_early {
        return Ok((Outcome::Missed, format!("ended early: {why}")));
    }
    let opened = report.opening.rate;
    if openings.is_some_and(|openings| opened < openings * SHARE_MIN) {
        return Ok((Outcome::Generator, format!("only {opened:.0} connections per second were begun")));
    }
    let samples = report.main_latency().map_or(0, |latency| latency.count);
    let mut measured = Vec::new();
    for threshold in objective {
        let result = threshold.check(report);
        match result.measured {
            None if samples > 0 => return Err(too_few(samples, &result.text)),
            None => return Ok((Outcome::Missed, "nothing was answered".into())),
            Some(value) if !result.met => {
                return Ok((Outcome::Missed, format!("{value}, not {}", result.text)));
            }
            Some(value) => measured.push(format!("{value} for {}", result.text)),
        }
    }
    // What an error rate of the objective allows is no fault.
    if report.verdict == Verdict::NotMet && allowed_errors(objective).is_none() {
        return Ok((Outcome::Missed, report.reasons.join(", ")));
    }
    if let Some(offered) = report.rates.offered.filter(|offered| *offered > 0.0) {
        let share = report.rates.answered / offered;
        if share < SHARE_MIN {
            return Ok((
                Outcome::Missed,
                format!("{:.1} % of the messages were answered in time", share * 100.0),
            ));
        }
    }
    Ok((Outcome::Held, measured.join(", ")))
}

fn too_few(samples: u64, text: &str) -> Failure {
    Failure::Usage(format!(
        "a trial of {samples} messages cannot tell {text}, which wants ten above the percentile: give a longer \
         --trial, or a larger --from"
    ))
}
