//! Some of many subscribers stop reading: what it costs the server in memory, and those who go on in latency,
//! and whether each policy does what it says ([`wsring_benches::stalled`]). Needs `topics-server` beside it.

use clap::Parser;
use std::io;
use std::process::ExitCode;
use wsring_benches::proc;
use wsring_benches::stalled::{Options, round};
use wsring_benches::topics::Policy;

/// Subscribers that stop reading.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Policies to try, each in a round
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Policy::Skip, Policy::Latest, Policy::Close])]
    policies: Vec<Policy>,
    /// Rounds of each
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

fn main() -> io::Result<ExitCode> {
    let Arguments { options, policies, rounds } = Arguments::parse();
    println!(
        "Linux {}, {}; {} subscribers, {} % of them stop reading, {} B at {}/s, {} B kept",
        proc::kernel(),
        proc::cpu_model(),
        options.subscribers,
        options.stalled,
        options.payload,
        options.rate,
        options.retention_bytes
    );
    let mut holds = true;
    for policy in policies {
        for number in 1..=rounds {
            println!("\npolicy {}, round {number}", policy.name());
            for bound in round(&options, policy)?.bounds() {
                println!("  {bound}");
                holds &= bound.holds;
            }
        }
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
