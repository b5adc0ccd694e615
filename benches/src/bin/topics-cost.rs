//! What topics and subscriptions cost in memory, and a publish to one of them among many
//! ([`wsring_benches::topics_cost`]). Needs `topics-server` beside it.

use clap::Parser;
use std::io;
use std::process::ExitCode;
use wsring_benches::proc;
use wsring_benches::topics_cost::{Options, run};

/// Heap bytes of an idle topic beside its name, and of a subscription.
const TOPIC_BYTES_MAX: f64 = 200.0;
const SUBSCRIPTION_BYTES_MAX: f64 = 32.0;
/// How much more a publish may cost among many topics.
const RATIO_MAX: f64 = 1.10;

/// The cost of topics, subscriptions, and a publish among them.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> io::Result<ExitCode> {
    let Arguments { options } = Arguments::parse();
    println!(
        "Linux {}, {}; {} topics, {} connections with {} subscriptions each",
        proc::kernel(),
        proc::cpu_model(),
        options.topics,
        options.connections,
        options.subscriptions
    );
    let outcome = run(&options)?;
    println!("{} shards, {} topics, {} subscriptions", outcome.shards, outcome.topics, outcome.subscriptions);
    let mut holds = true;
    let mut say = |claim: &str, found: String, is_so: bool| {
        println!("  {}  {claim}: {found}", if is_so { "pass" } else { "FAIL" });
        holds &= is_so;
    };
    say(
        "an idle topic takes 200 B at most beside its name",
        format!(
            "{:.1} B; its first subscription on each shard adds {:.1} B",
            outcome.topic_bytes, outcome.first_bytes
        ),
        outcome.topic_bytes <= TOPIC_BYTES_MAX,
    );
    say(
        "a subscription takes 32 B at most",
        format!(
            "{:.1} B; private memory of everything, divided by the subscriptions: {:.1} B",
            outcome.further_bytes, outcome.private_bytes
        ),
        outcome.further_bytes <= SUBSCRIPTION_BYTES_MAX,
    );
    let [many, few] = outcome.cpu;
    say(
        "a publish to a topic with one subscriber costs at most 1.10 of that with few topics in all",
        format!(
            "{:.3} ({:.3} to {:.3}); {:.0} and {:.0} ns of CPU time, the delivery included",
            outcome.ratio.median, outcome.ratio.min, outcome.ratio.max, many.median, few.median
        ),
        outcome.ratio.median <= RATIO_MAX,
    );
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
