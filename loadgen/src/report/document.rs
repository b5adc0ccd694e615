//! A report in words: what the summary on the terminal, the Markdown and the HTML page have in common.

use super::words::{self, UNKNOWN, counted, grouped, nanos, number, share, spaced};
use crate::measure::kernel::Counters;
use crate::model::{ClockOffset, Latency, Report, Section, ServerCost};
use crate::threshold::Nanos;

/// Percentiles that have a column.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99)];

/// A heading, and what stands under it. Facts or rows may be missing, not both.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) title: String,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) table: Table,
    /// Sentences below.
    pub(crate) notes: Vec<String>,
}

/// Rows are as long as `columns`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// The blocks that tell what was done and what came of it, in the order of reading.
pub(crate) fn blocks(report: &Report) -> Vec<Block> {
    let mut blocks = vec![run(report), latencies(report), messages(report), errors(report), health(report)];
    blocks.extend(report.server.as_ref().map(server));
    blocks.push(steady(report));
    blocks.push(clocks(report));
    blocks.extend(report.sections.iter().map(section));
    blocks.push(thresholds(report));
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// What a repetition needs.
pub(crate) fn repeat(report: &Report) -> Block {
    let environment = &report.environment;
    let governor = if environment.governor.is_empty() { UNKNOWN } else { &environment.governor };
    let mut facts = vec![
        fact("command", shell(&report.command)),
        fact("seed", report.seed.to_string()),
        fact("wsload", format!("{}, {}", report.wsload, report.io)),
        fact("host", environment.host.clone()),
        fact("kernel", environment.kernel.clone()),
        fact("processor", format!("{}, {} cores", environment.cpu, environment.cores)),
        fact("allowed cores", environment.affinity.clone()),
        fact("governor", governor.to_owned()),
        fact("memory", words::bytes(environment.memory_bytes as f64)),
    ];
    let settings = environment.limits.iter().chain(&environment.sysctls);
    facts.extend(settings.map(|(name, value)| fact(name, value.clone())));
    facts.retain(|(_, value)| !value.is_empty());
    Block { facts, notes: environment.notes.clone(), ..Block::new("To repeat it") }
}

/// The verdict and, where it is not the good one, why.
pub(crate) fn verdict(report: &Report) -> String {
    let title = report.verdict.title();
    if report.reasons.is_empty() {
        title.to_owned()
    } else {
        format!("{title}: {}", report.reasons.join(", "))
    }
}

impl Block {
    fn new(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.table.rows.is_empty()
    }
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|column| String::from(*column)).collect(), rows: Vec::new() }
    }
}

fn fact(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn run(report: &Report) -> Block {
    let (environment, opening, closing) = (&report.environment, &report.opening, &report.closing);
    let (opened, asked) = (grouped(opening.opened), grouped(opening.asked));
    let rate = number(opening.rate);
    let mut facts = vec![
        fact("target", report.url.clone()),
        fact(
            "generator",
            format!("wsload {}, {}, {}", report.wsload, report.io, counted(report.shards as u64, "shard")),
        ),
        fact(
            "host",
            format!("Linux {}, {}, {} cores", environment.kernel, environment.cpu, environment.cores),
        ),
        fact("started", words::moment(report.started_unix_ms)),
        fact("load", words::load(&report.load)),
        fact(
            "opened",
            format!("{opened} of {asked} connections in {:.2} s ({rate} per second)", opening.seconds),
        ),
    ];
    let phases = report.phases.iter().map(|phase| format!("{} {:.1} s", spaced(&phase.name), phase.seconds));
    let phases = phases.collect::<Vec<_>>().join(", ");
    facts.push(fact("phases", phases));
    if closing.in_order + closing.cut_off > 0 {
        let (in_order, cut_off) = (grouped(closing.in_order), grouped(closing.cut_off));
        facts.push(fact("closed", format!("{in_order} in order, {cut_off} cut off")));
    }
    if !report.merged_from.is_empty() {
        facts.push(fact("merged from", report.merged_from.join("; ")));
    }
    facts.retain(|(_, value)| !value.is_empty());
    Block { facts, ..Block::new("Run") }
}

fn latencies(report: &Report) -> Block {
    let columns = ["latency", "samples", "min", "mean"].into_iter();
    let columns: Vec<_> = columns.chain(PERCENTILES.map(|(name, _)| name)).chain(["max"]).collect();
    let mut table = Table::new(&columns);
    table.rows = report.latencies.iter().filter(|latency| latency.count > 0).map(latency_row).collect();
    let is_short = table.rows.iter().flatten().any(|cell| cell == UNKNOWN);
    let notes =
        is_short.then(|| format!("{UNKNOWN} stands for fewer than ten samples above that percentile"));
    Block { table, notes: notes.into_iter().collect(), ..Block::new("Latency") }
}

fn latency_row(latency: &Latency) -> Vec<String> {
    let shown = |value: Option<u64>| words::latency(latency, value.map(|value| value as f64));
    let mean = words::latency(latency, Some(latency.mean));
    let mut row = vec![latency.title(), grouped(latency.count), shown(Some(latency.min)), mean];
    row.extend(PERCENTILES.map(|(_, percentile)| shown(latency.at(percentile))));
    row.push(shown(Some(latency.max)));
    row
}

fn messages(report: &Report) -> Block {
    let rates = &report.rates;
    let per_second = |value: f64| format!("{} per second", number(value));
    // What a fan-out publishes is answered to nobody.
    let answered = words::answered(&report.workload);
    let mut facts = Vec::new();
    if let Some(offered) = rates.offered {
        facts.push(fact("offered", per_second(offered)));
    }
    if rates.sent + rates.answered > 0.0 {
        facts.push(fact("sent", per_second(rates.sent)));
        facts.push(fact(answered, per_second(rates.answered)));
    }
    if rates.bytes_sent + rates.bytes_received > 0.0 {
        let (out, back) = (words::bytes(rates.bytes_sent), words::bytes(rates.bytes_received));
        facts.push(fact("payload", format!("{out} out and {back} back per second")));
    }
    // What went out and came back first, what is rare after it.
    let first = ["sent", "answered"];
    let rest = report.counts.keys().map(String::as_str).filter(|name| !first.contains(name));
    let counts = first.into_iter().chain(rest).filter(|name| report.count(name) > 0);
    let word = |name: &str| spaced(if name == "answered" { answered } else { name });
    let counts = counts.map(|name| format!("{} {}", grouped(report.count(name)), word(name)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    if !counts.is_empty() {
        facts.push(fact("counts", counts));
    }
    Block { facts, ..Block::new("Messages") }
}

fn errors(report: &Report) -> Block {
    let mut table = Table::new(&["errors", "what"]);
    table.rows = report.errors.iter().map(|(text, count)| vec![grouped(*count), text.clone()]).collect();
    Block { table, ..Block::new("Errors") }
}

fn health(report: &Report) -> Block {
    let health = &report.health;
    let mut facts = Vec::new();
    if let (Some(cores), Some(busiest)) = (health.cores, health.busiest) {
        facts.push(fact("CPU", format!("{cores:.2} cores, busiest thread {}", share(busiest))));
    }
    if let Some(calibration) = &report.calibration {
        let ceiling = number(calibration.ceiling_per_second);
        facts.push(fact("ceiling", format!("{ceiling} per second, {} used", share(calibration.share_used))));
    }
    if let (Some(send), Some(receive)) = (health.messages_per_send, health.messages_per_receive) {
        let (send, receive) = (number(send), number(receive));
        facts.push(fact("gathering", format!("{send} messages per send, {receive} per receive")));
    }
    if let Some(steal) = health.steal {
        facts.push(fact("steal", share(steal)));
    }
    let counters =
        health.counters.iter().map(|(name, count)| format!("{} {}", grouped(*count), spaced(name)));
    let counters = counters.collect::<Vec<_>>().join(", ");
    if !counters.is_empty() {
        facts.push(fact("rings", counters));
    }
    for (name, count) in &health.kernel {
        let meaning = Counters::meaning(name).unwrap_or(name);
        facts.push(fact("kernel", format!("{} {meaning}", grouped(*count))));
    }
    let mut table = Table::new(&["sign", "value", "limit", "exceeded"]);
    table.rows = health
        .evidence
        .iter()
        .map(|sign| {
            let exceeded = if sign.exceeded { "EXCEEDED" } else { "no" };
            vec![sign.what.clone(), sign.value.clone(), sign.limit.clone(), exceeded.to_owned()]
        })
        .collect();
    Block { facts, table, ..Block::new("Generator") }
}

fn server(cost: &ServerCost) -> Block {
    let mut facts = vec![fact("who", cost.who.clone())];
    let table = [
        ("CPU", cost.cores.map(|cores| format!("{cores:.2} cores"))),
        ("CPU per message", cost.cpu_ns_per_message.map(|value| Nanos(value).to_string())),
        (
            "CPU per idle connection",
            cost.cpu_us_per_idle_connection_second.map(|value| format!("{} us per second", number(value))),
        ),
        ("user memory per connection", cost.user_bytes_per_connection.map(words::bytes)),
        ("kernel memory per connection, its end", cost.kernel_bytes_per_connection.map(words::bytes)),
    ];
    facts.extend(table.into_iter().filter_map(|(name, value)| Some(fact(name, value?))));
    let mut table = Table::new(&["connections", "user memory", "kernel memory"]);
    let kernel =
        |bytes: Option<u64>| bytes.map_or_else(|| UNKNOWN.to_owned(), |bytes| words::bytes(bytes as f64));
    table.rows = cost
        .points
        .iter()
        .map(|point| {
            vec![
                grouped(point.connections),
                words::bytes(point.user_bytes as f64),
                kernel(point.kernel_bytes),
            ]
        })
        .collect();
    Block { facts, table, ..Block::new("Server") }
}

fn steady(report: &Report) -> Block {
    let Some(steady) = &report.steady else { return Block::default() };
    let text = if steady.steady { "yes" } else { "NO" };
    let mut table = Table::new(&["half", "rate", "p50", "p99"]);
    table.rows = ["first", "second"]
        .iter()
        .zip(&steady.halves)
        .map(|(name, half)| vec![String::from(*name), number(half.rate), nanos(half.p50), nanos(half.p99)])
        .collect();
    Block {
        facts: vec![fact("steady", text.to_owned())],
        table,
        notes: steady.reasons.clone(),
        ..Block::new("Steady state")
    }
}

/// What latencies between two processes are worth.
fn clocks(report: &Report) -> Block {
    let columns =
        ["subscribed", "published", "offset", "drift", "uncertainty", "questions", "best round trip"];
    let mut table = Table::new(&columns);
    let row = |clock: &ClockOffset| {
        let hosts = [clock.here.clone(), clock.there.clone()];
        let known = if clock.is_same {
            ["0 s", "0 ppm", "0 ns", "0", UNKNOWN].map(String::from)
        } else {
            [
                format!("{:.6} s", clock.offset_ns as f64 / 1e9),
                drift(clock),
                nanos(Some(clock.uncertainty_ns)),
                grouped(clock.probes),
                nanos(Some(clock.round_trip_ns)),
            ]
        };
        hosts.into_iter().chain(known).collect()
    };
    table.rows = report.clocks.iter().map(row).collect();
    let worst = report.clocks.iter().map(|clock| clock.uncertainty_ns).max().unwrap_or_default();
    let same = "0 s: both processes are on one machine and read the same CLOCK_MONOTONIC";
    let other = format!(
        "Deliveries are known to within {}; what is less than that is no figure, and < stands there",
        nanos(Some(worst))
    );
    let notes = [(report.clocks.iter().any(|clock| clock.is_same), same.to_owned()), (worst > 0, other)];
    let notes = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note);
    Block { table, notes: notes.collect(), ..Block::new("Clocks") }
}

/// None that is less than it is known to.
fn drift(clock: &ClockOffset) -> String {
    let (drift, within) = (clock.drift_ppm, clock.drift_within_ppm);
    if drift.abs() < within { format!("< {within:.1} ppm") } else { format!("{drift:.1} ppm") }
}

fn section(section: &Section) -> Block {
    let facts = section.facts.iter().map(|each| fact(&each.name, words::value(&each.value, &each.unit)));
    let rows = section.rows.iter().map(|row| row.iter().map(|value| words::value(value, "")).collect());
    let table = Table { columns: section.columns.clone(), rows: rows.collect() };
    Block { facts: facts.collect(), table, ..Block::new(&section.title) }
}

fn thresholds(report: &Report) -> Block {
    let mut table = Table::new(&["threshold", "measured", "met"]);
    table.rows = report
        .thresholds
        .iter()
        .map(|each| {
            let measured = each.measured.clone().unwrap_or_else(|| UNKNOWN.to_owned());
            vec![each.text.clone(), measured, String::from(if each.met { "yes" } else { "NO" })]
        })
        .collect();
    Block { table, ..Block::new("Thresholds") }
}

/// A command as a shell takes it.
pub(crate) fn shell(command: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = command.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let table: [(&[&str], &str); 3] = [
            (&["wsload", "echo", "ws://[::1]:80/"], "wsload echo 'ws://[::1]:80/'"),
            (&["wsload", "--threshold", "p99<10ms"], "wsload --threshold 'p99<10ms'"),
            (&["a b", "", "it's"], r"'a b' '' 'it'\''s'"),
        ];
        for (command, expected) in table {
            let command: Vec<String> = command.iter().map(|word| String::from(*word)).collect();
            assert_eq!(shell(&command), expected);
        }
    }
}
