//! What a probe found, and how that is judged.

use serde::Serialize;

/// The judgement of one probe, better ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The server offers or says nothing to which the probe applies.
    NotApplicable,
    /// As the RFC demands and recommends.
    Pass,
    /// Not what the RFC recommends, but what it allows.
    Tolerated,
    /// Against the RFC.
    Fail,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [Self::Pass, Self::Tolerated, Self::Fail, Self::NotApplicable];

    /// As it stands in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotApplicable => "n/a",
            Self::Pass => "pass",
            Self::Tolerated => "tolerated",
            Self::Fail => "FAIL",
        }
    }
}

/// What a probe found.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// What the server did.
    pub(super) found: String,
    /// The RFC's words that allow it.
    pub(super) words: Option<&'static str>,
}

/// A probe's way through its steps: `Err` is an outcome too, one that ends the probe before its last step.
pub(super) type Probing = Result<Outcome, Outcome>;

impl Outcome {
    pub(super) fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), words: None }
    }

    pub(super) fn fail(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, found: found.into(), words: None }
    }

    /// Allowed by these words, which are the RFC's own.
    pub(super) fn tolerated(found: impl Into<String>, words: &'static str) -> Self {
        Self { verdict: Verdict::Tolerated, found: found.into(), words: Some(words) }
    }

    pub(super) fn not_applicable(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotApplicable, found: why.into(), words: None }
    }

    fn of(self, case: &str) -> Self {
        Self { found: format!("{case}: {}", self.found), ..self }
    }
}

/// Probes each case and answers the worst outcome, with its case; the first that fails ends it. When all
/// pass, the outcome says so of all of them if it is the same.
pub(super) fn each<Case>(
    cases: impl IntoIterator<Item = (String, Case)>,
    probe: impl Fn(Case) -> Probing,
) -> Outcome {
    let mut worst: Option<Outcome> = None;
    let mut founds: Vec<String> = Vec::new();
    for (name, case) in cases {
        let outcome = probe(case).unwrap_or_else(|outcome| outcome);
        founds.push(outcome.found.clone());
        if worst.as_ref().is_none_or(|worst| outcome.verdict > worst.verdict) {
            worst = Some(outcome.of(&name));
        }
        if worst.as_ref().is_some_and(|worst| worst.verdict == Verdict::Fail) {
            break;
        }
    }
    let worst = worst.unwrap_or_else(|| Outcome::not_applicable("there is no case"));
    let alike = founds.len() > 1 && founds.iter().all(|found| *found == founds[0]);
    match worst.verdict {
        Verdict::Fail => worst,
        _ if alike => Outcome { found: format!("{} ({} times)", founds[0], founds.len()), ..worst },
        Verdict::Pass => Outcome { found: format!("right in all {} cases", founds.len()), ..worst },
        _ => worst,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_case_is_the_outcome() {
        let (pass, other) = (Outcome::pass("closed"), Outcome::pass("closed with 1002"));
        let tolerated = Outcome::tolerated("late", "it MAY");
        let fail = Outcome::fail("open");
        let table = [
            (vec![pass.clone(), pass.clone()], Verdict::Pass, "closed (2 times)"),
            (vec![pass.clone(), other], Verdict::Pass, "right in all 2 cases"),
            (vec![pass.clone(), tolerated.clone(), pass.clone()], Verdict::Tolerated, "1: late"),
            (vec![tolerated, fail, pass.clone()], Verdict::Fail, "1: open"),
            (vec![pass], Verdict::Pass, "right in all 1 cases"),
            (vec![], Verdict::NotApplicable, "there is no case"),
        ];
        for (outcomes, verdict, found) in table {
            let cases = outcomes.into_iter().enumerate().map(|(at, outcome)| (at.to_string(), outcome));
            let outcome = each(cases, Ok);
            assert_eq!((outcome.verdict, outcome.found.as_str()), (verdict, found));
        }
    }
}
