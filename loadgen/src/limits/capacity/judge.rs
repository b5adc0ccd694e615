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
/// What the generator does too late makes times longer and never shorter. So a trial in which it was at its limit
/// says nothing about the server when it has missed, and still something when it has held.
///
/// # Errors
/// The caller's fault: a trial has too few messages for a percentile of the objective.
pub(crate) fn judge(
    report: &Report,
    objective: &[Threshold],
    openings: Option<f64>,
) -> Result<(Outcome, String), Failure> {
    // What was opened of them is the server's part.
    let begun = report.opening.asked as f64 / report.opening.seconds;
    if report.ended_early.is_none() && openings.is_some_and(|openings| begun < openings * SHARE_MIN) {
        return Ok((Outcome::Generator, format!("only {begun:.0} connections per second were begun")));
    }
    let judged = hold(report, objective);
    if report.verdict != Verdict::Invalid {
        return judged;
    }
    let limit = report.health.signs().next().unwrap_or_else(|| report.reasons.join(", "));
    judged.map(|(outcome, why)| match outcome {
        Outcome::Held => (Outcome::Held, format!("{why}, although {limit}")),
        _ => (Outcome::Generator, format!("{limit}; {why}")),
    })
}

/// Whether the objective was met, whoever the reason was.
fn hold(report: &Report, objective: &[Threshold]) -> Result<(Outcome, String), Failure> {
    if let Some(why) = &report.ended_early {
        return Ok((Outcome::Missed, format!("ended early: {why}")));
    }
    let mut measured = Vec::new();
    for threshold in objective {
        let result = threshold.check(report);
        let samples = threshold.metric.latency(report).map_or(0, |latency| latency.count);
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
    let faults = report.faults();
    if !faults.is_empty() && allowed_errors(objective).is_none() {
        return Ok((Outcome::Missed, faults.join(", ")));
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
        "a trial with {samples} samples cannot tell {text}, which wants ten above the percentile: give a longer \
         --trial, or a larger --from"
    ))
}
