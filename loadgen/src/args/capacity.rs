//! `wsload capacity`.

use super::OutputOptions;
use crate::limits::capacity::Of;
use crate::threshold::Threshold;
use crate::units::time;
use clap::Args;
use std::time::Duration;

/// Looks for the largest load that a server holds: doubles it until the objective is missed, halves the distance
/// until it is small, and tries both ends again. Each trial is a run with connections and histograms of its own.
///
/// What follows the URL are options of the workload: of echo for rate and connections, of fanout for subscribers,
/// of churn for churn. The search itself sets the load, --duration and --warm-up.
///
/// Exit codes: 0 the limit was found (or is above --most), 3 the first load was missed already, or the search ended
/// before the answer was as close as asked for, 4 the generator was the limit.
#[derive(Clone, Debug, Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("thresholds", |arg| arg.hide(true)),
    override_usage = "wsload capacity --slo SLO --of LOAD [OPTIONS] URL [OPTIONS OF THE WORKLOAD]"
)]
pub(crate) struct CapacityOptions {
    /// What has to be met, as in p99<10ms; several times for several.
    #[arg(long, value_name = "SLO", required = true)]
    pub(crate) slo: Vec<Threshold>,
    /// The load whose limit is looked for.
    #[arg(long, value_enum, value_name = "LOAD")]
    pub(crate) of: Of,
    /// The first load; 1000 messages per second, and 100 of everything else, when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: Option<u64>,
    /// The largest load that is tried.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) most: Option<u64>,
    /// How far apart what is held and what is not may be in the answer.
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = share)]
    pub(crate) within: f64,
    /// How long one trial measures.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    pub(crate) trial: Duration,
    /// Load before that.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = time)]
    pub(crate) warm_up: Duration,
    /// Rest of the server before each trial, twice as long after one that was too much.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = time)]
    pub(crate) settle: Duration,
    /// No trial begins that would end after this.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(crate) max_time: Duration,
    /// What to connect to: a URL such as ws://127.0.0.1:8080/echo
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    /// Options of the workload.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS OF THE WORKLOAD")]
    pub(crate) workload: Vec<String>,
}

/// A share, as in `3%` or `0.03`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let share = number.trim().parse::<f64>().ok().map(|number| number * unit);
    let wrong = || format!("{text:?} is no share between 0 and 100 %; write it as 3% or 0.03");
    share.filter(|share| (0.0..1.0).contains(share)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, value) in [("3%", 0.03), ("0.05", 0.05), ("0", 0.0), ("2.5 %", 0.025)] {
            assert!((share(text).expect(text) - value).abs() < 1e-12, "{text}");
        }
        for text in ["", "%", "-1%", "100%", "nan", "three"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
