//! Whether a trial has met the objective.

use super::search::Outcome;
use crate::failure::Failure;
use crate::model::{Report, Verdict};
use crate::threshold::Threshold;

/// The share of the messages asked for that has to be sent and answered.
const SHARE_MIN: f64 = 0.99;

/// Judges the report of a trial; says what was measured, or what went wrong.
///
/// # Errors
/// The caller's fault: a trial has too few messages for a percentile of the objective.
pub(crate) fn judge(report: &Report, objective: &[Threshold]) -> Result<(Outcome, String), Failure> {
    if report.verdict == Verdict::Invalid {
        let exceeded = report.health.evidence.iter().find(|evidence| evidence.exceeded);
        let why = exceeded.map_or_else(
            || report.reasons.join(", "),
            |evidence| format!("{} is {}, allowed is {}", evidence.what, evidence.value, evidence.limit),
        );
        return Ok((Outcome::Generator, why));
    }
    let mut measured = Vec::new();
    for threshold in objective {
        let result = threshold.check(report);
        match result.measured {
            None if report.rates.answered > 0.0 => return Err(too_few(report, &result.text)),
            None => return Ok((Outcome::Missed, "nothing was answered".into())),
            Some(value) if !result.met => {
                return Ok((Outcome::Missed, format!("{value}, not {}", result.text)));
            }
            Some(value) => measured.push(format!("{value} for {}", result.text)),
        }
    }
    if report.verdict == Verdict::NotMet {
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

fn too_few(report: &Report, text: &str) -> Failure {
    let samples = report.main_latency().map_or(0, |latency| latency.count);
    Failure::Usage(format!(
        "a trial of {samples} messages cannot tell {text}, which wants ten above the percentile: give a longer \
         --trial, or a larger --from"
    ))
}
