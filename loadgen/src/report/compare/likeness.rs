//! Whether runs did the same under the same circumstances.

use crate::model::{Report, Verdict};
use crate::report::words;
use std::collections::BTreeSet;

/// What makes runs different things. One line each; empty: they can be compared.
pub(super) fn obstacles(before: &[Report], after: &[Report]) -> Vec<String> {
    let mut obstacles = differing(
        before,
        after,
        &[("workload", &|run| run.workload.clone()), ("load", &|run| words::load(&run.load))],
    );
    for (side, runs) in [("before", before), ("after", after)] {
        let invalid = runs.iter().filter(|run| run.verdict == Verdict::Invalid || !run.health.valid).count();
        if invalid > 0 {
            let of = runs.len();
            obstacles.push(format!(
                "in {invalid} of {of} runs {side}, the generator and not the server was the limit"
            ));
        }
    }
    obstacles
}

/// What else differs, and may be the cause of what is found.
pub(super) fn differences(before: &[Report], after: &[Report]) -> Vec<String> {
    let mut differences = differing(
        before,
        after,
        &[
            ("host", &|run| run.environment.host.clone()),
            ("kernel", &|run| run.environment.kernel.clone()),
            ("processor", &|run| format!("{}, {} cores", run.environment.cpu, run.environment.cores)),
            ("governor", &|run| run.environment.governor.clone()),
            ("allowed cores", &|run| run.environment.affinity.clone()),
            ("io", &|run| run.io.clone()),
            ("wsload", &|run| run.wsload.clone()),
            ("shards", &|run| run.shards.to_string()),
            ("duration", &|run| {
                run.phase("measure").map_or_else(String::new, |phase| format!("{:.0} s", phase.seconds))
            }),
        ],
    );
    let names: BTreeSet<&String> =
        before.iter().chain(after).flat_map(|run| run.environment.sysctls.keys()).collect();
    for name in names {
        let value = |run: &Report| run.environment.sysctls.get(name).cloned().unwrap_or_default();
        differences.extend(differing(before, after, &[(name, &value)]));
    }
    differences
}

/// How well the clocks were known on each side, where any run had two.
pub(super) fn clocks(before: &[Report], after: &[Report]) -> Option<[u64; 2]> {
    let worst = |runs: &[Report]| {
        runs.iter().flat_map(|run| &run.clocks).map(|clock| clock.uncertainty_ns).max().unwrap_or_default()
    };
    let clocks = [worst(before), worst(after)];
    clocks.iter().any(|uncertainty| *uncertainty > 0).then_some(clocks)
}

/// A name, and what a report has for it.
type Property<'a> = (&'a str, &'a dyn Fn(&Report) -> String);

fn differing(before: &[Report], after: &[Report], properties: &[Property<'_>]) -> Vec<String> {
    let values =
        |runs: &[Report], of: &dyn Fn(&Report) -> String| runs.iter().map(of).collect::<BTreeSet<_>>();
    let line = |(name, of): &Property<'_>| {
        let (before, after) = (values(before, of), values(after, of));
        let list = |values: &BTreeSet<String>| {
            let values = values.iter().map(|value| if value.is_empty() { "none" } else { value });
            values.collect::<Vec<_>>().join(" and ")
        };
        (before != after).then(|| format!("{name} was {}, then {}", list(&before), list(&after)))
    };
    properties.iter().filter_map(line).collect()
}
