//! A lean closed-loop client on one thread: every connection has one message on its way.
//!
//! Each message is masked with a key of its own, as RFC 6455 section 5.3 wants, and every echo is
//! checked for opcode and length; with `--verify` for its content, which then differs from message to
//! message. The figures go to standard output as one line of JSON.
//!
//! With `--commands` it is led by lines on standard input: `run SECONDS` keeps the loop going for so
//! long, lets the server come to rest and is answered by `done`; `report` is answered by the figures of
//! all runs since the last report. `compare` alternates between servers in this way.

use clap::{Parser, ValueEnum};
use std::io::{self, Write};
use std::time::{Duration, Instant};
use wsring_benches::client::{ClosedLoop, Target};
use wsring_benches::comparison::Window;
use wsring_benches::proc::{self, CoreTimes};
use wsring_benches::wire;

/// Within this time after a run the server has answered what it got and sleeps, so that its account is
/// complete: the kernel settles a thread's account when it stops running.
const REST: Duration = Duration::from_millis(5);

/// A closed-loop echo client on one thread.
#[derive(Parser)]
struct Options {
    /// Port of the server on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Path of the opening handshake
    #[arg(long, default_value = "/")]
    path: String,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
    /// Connections, one message on its way on each
    #[arg(long, default_value_t = 200)]
    connections: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 20)]
    payload: usize,
    /// What the messages are
    #[arg(long, value_enum, default_value_t = Opcode::Binary)]
    opcode: Opcode,
    /// Seconds before the window is measured
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Seconds of the window
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Compare each echo with what was sent, byte for byte
    #[arg(long)]
    verify: bool,
    /// The server is the floor: no handshake, each answer is the request without its first four bytes
    #[arg(long)]
    raw: bool,
    /// Process whose CPU time is reported (the server's)
    #[arg(long)]
    pid: Option<u32>,
    /// Core whose use is reported (the server's)
    #[arg(long)]
    watch_core: Option<usize>,
    /// Be led by lines on standard input
    #[arg(long)]
    commands: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Opcode {
    Text,
    Binary,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    if let Some(core) = options.core {
        proc::pin(core)?;
    }
    let first = if matches!(options.opcode, Opcode::Text) { wire::FIN_TEXT } else { wire::FIN_BINARY };
    let target = Target {
        port: options.port,
        path: options.path.clone(),
        connections: options.connections,
        payload: options.payload,
        first,
        verify: options.verify,
        raw: options.raw,
    };
    let client = ClosedLoop::connect(target)?;
    let mut load = Load { client, options, used: Used::default() };
    if load.options.commands {
        return load.follow(io::stdin().lines());
    }
    load.run(load.options.warmup)?;
    load.report()?;
    load.run(load.options.seconds)?;
    say(&serde_json::to_string(&load.report()?)?)
}

/// What the kernel had accounted at one moment.
struct Accounts {
    client: u64,
    server: u64,
    core: CoreTimes,
}

impl Accounts {
    fn read(options: &Options) -> io::Result<Self> {
        Ok(Self {
            client: proc::cpu_nanoseconds(std::process::id())?,
            server: options.pid.map_or(Ok(0), proc::cpu_nanoseconds)?,
            core: options.watch_core.map_or_else(|| Ok(CoreTimes::default()), CoreTimes::read)?,
        })
    }
}

/// What was used in all runs since the last report.
#[derive(Default)]
struct Used {
    seconds: f64,
    client: u64,
    server: u64,
    core: CoreTimes,
}

struct Load {
    client: ClosedLoop,
    options: Options,
    used: Used,
}

impl Load {
    fn follow(&mut self, commands: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
        for command in commands {
            let command = command?;
            match command.split_once(' ') {
                Some(("run", seconds)) => {
                    self.run(seconds.parse().map_err(io::Error::other)?)?;
                    say("done")?;
                }
                None if command == "report" => say(&serde_json::to_string(&self.report()?)?)?,
                _ => return Err(io::Error::other(format!("{command:?} is no command"))),
            }
        }
        Ok(())
    }

    /// One run. The server rests before and after it: what its account gains is what this run's messages
    /// cost. As many echoes as there are connections are left unread at its end, and were at its start.
    fn run(&mut self, seconds: f64) -> io::Result<()> {
        let before = Accounts::read(&self.options)?;
        let start = Instant::now();
        self.client.run_for(seconds)?;
        self.used.seconds += start.elapsed().as_secs_f64();
        std::thread::sleep(REST);
        let after = Accounts::read(&self.options)?;
        self.used.client += after.client - before.client;
        self.used.server += after.server.saturating_sub(before.server);
        let core = after.core.since(before.core);
        self.used.core.busy += core.busy;
        self.used.core.steal += core.steal;
        Ok(())
    }

    fn report(&mut self) -> io::Result<Window> {
        let (tally, used) = (self.client.take_tally()?, std::mem::take(&mut self.used));
        let quantile = |q| tally.latency.value_at_quantile(q) as f64 / 1000.0;
        Ok(Window {
            messages: tally.messages,
            errors: tally.errors,
            seconds: used.seconds,
            rate: tally.messages as f64 / used.seconds,
            latency_p50_us: quantile(0.5),
            latency_p99_us: quantile(0.99),
            messages_per_turn: tally.messages as f64 / tally.turns.max(1) as f64,
            client_cpu_ns: used.client,
            server_cpu_ns: self.options.pid.map(|_| used.server),
            server_threads: self.options.pid.map(proc::threads).transpose()?,
            core_busy_ns: self.options.watch_core.map(|_| used.core.busy),
            core_steal_ns: self.options.watch_core.map(|_| used.core.steal),
        })
    }
}

/// One line on standard output, at once.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
