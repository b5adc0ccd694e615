//! How much more several shards deliver than one, with no client in the way
//! ([`wsring_benches::fanout_shards`]). Needs `topics-server` beside it.

use clap::Parser;
use std::io;
use std::process::ExitCode;
use wsring_benches::fanout_shards::{Line, Options, Outcome, run};
use wsring_benches::proc;

/// What two shards have to deliver, of what one does.
const RATIO_MIN: f64 = 1.7;
/// Others that use more of the cores than this make the rates doubtful.
const FOREIGN_MAX: f64 = 0.02;

/// Several shards against one.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> io::Result<ExitCode> {
    let Arguments { options } = Arguments::parse();
    println!(
        "Linux {}, {}; {} subscribers, {} B, bursts of {}",
        proc::kernel(),
        proc::cpu_model(),
        options.subscribers,
        options.payload,
        options.messages
    );
    let Outcome { one, several, ratio, cpu_ratio } = run(&options)?;
    println!("\nshards  million/s  million/CPU s   busy  others  messages/send");
    for line in [&one, &several] {
        let Line { shards, per_second, per_cpu_second, busy, foreign, per_send, .. } = line;
        println!(
            "{shards:>6} {:>10.3} {:>14.3} {:>5.0}% {:>6.0}% {per_send:>14.2}",
            per_second.median / 1e6,
            per_cpu_second.median / 1e6,
            busy * 100.0,
            foreign * 100.0
        );
    }
    for line in [&one, &several].into_iter().filter(|line| line.foreign > FOREIGN_MAX) {
        let others = line.foreign * 100.0;
        println!(
            "doubt: others used {others:.0} % of the cores of {} shards; quieten the machine",
            line.shards
        );
    }
    let blocked = one.sends_blocked + several.sends_blocked;
    if blocked > 0 {
        println!("doubt: {blocked} sends found a full socket; make the bursts shorter");
    }
    let holds = ratio.median >= RATIO_MIN;
    println!(
        "\n{}  {} shards deliver at least {RATIO_MIN} times what one does: {:.2} ({:.2} to {:.2}); for each \
         second of CPU time {:.2} ({:.2} to {:.2}) of what one does",
        if holds { "pass" } else { "FAIL" },
        options.shards,
        ratio.median,
        ratio.min,
        ratio.max,
        cpu_ratio.median,
        cpu_ratio.min,
        cpu_ratio.max
    );
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
