//! What the load clients have in common: a client runs for a while, and the accounts of both sides are
//! read before and after. What came of all runs since the last report is one [`Window`].
//!
//! [`drive`] is led by the command line, or by lines on standard input when `--commands` is given:
//! `run SECONDS` keeps the client going for so long, lets the server come to rest and is answered by
//! `done`; `report` is answered by the figures of all runs since the last report. `compare` alternates
//! between servers in this way.

use crate::comparison::Window;
use crate::proc::{self, CoreTimes};
use crate::wire::Opcode;
use clap::Args;
use hdrhistogram::Histogram;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Within this time after a run the server has answered what it got and sleeps, so that its account is
/// complete: the kernel settles a thread's account when it stops running.
const REST: Duration = Duration::from_millis(5);

/// A client that can be kept going for a while. Between two runs it sends nothing and the server rests.
pub trait Driven {
    /// Keeps it going for about so long.
    ///
    /// # Errors
    /// The ring's; the server closed a connection or stopped answering.
    fn run_for(&mut self, seconds: f64) -> io::Result<()>;

    /// Returns what came back since the last call, and starts anew.
    ///
    /// # Errors
    /// None in practice; the histogram's bounds are constant.
    fn take_tally(&mut self) -> io::Result<Tally>;
}

/// What came back so far.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Messages.
    pub messages: u64,
    /// Those that were not what they should be.
    pub errors: u64,
    /// Waits of the client.
    pub turns: u64,
    /// How long the client was awake with nothing to do.
    pub idle: Duration,
    /// Nanoseconds from what was sent to the last of what came of it.
    pub latency: Histogram<u32>,
}

impl Tally {
    /// Nothing yet.
    ///
    /// # Errors
    /// None in practice; the histogram's bounds are constant.
    pub fn new() -> io::Result<Self> {
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 2).map_err(io::Error::other)?;
        Ok(Self { messages: 0, errors: 0, turns: 0, idle: Duration::ZERO, latency })
    }
}

/// Options that every load client has.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Port of the server on 127.0.0.1
    #[arg(long)]
    pub port: u16,
    /// Core to run on
    #[arg(long)]
    pub core: Option<usize>,
    /// What the messages are
    #[arg(long, value_enum, default_value_t = Opcode::Binary)]
    pub opcode: Opcode,
    /// Seconds before the window is measured
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of the window
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Check the content of everything that comes
    #[arg(long)]
    pub verify: bool,
    /// The server is a floor: no handshake, and it passes on each request without its first four bytes
    #[arg(long)]
    pub raw: bool,
    /// Process whose CPU time is reported (the server's)
    #[arg(long)]
    pub pid: Option<u32>,
    /// Core whose use is reported (the server's)
    #[arg(long)]
    pub watch_core: Option<usize>,
    /// Be led by lines on standard input
    #[arg(long)]
    pub commands: bool,
}

/// Runs a client as the options say. Returns the figures of the window, unless standard input led and
/// got them line by line.
///
/// # Errors
/// The client's, and `/proc`'s.
pub fn drive(client: impl Driven, options: Options) -> io::Result<Option<Window>> {
    let mut drive = Drive { client, options, used: Used::default() };
    if drive.options.commands {
        return drive.follow(io::stdin().lines()).map(|()| None);
    }
    drive.run(drive.options.warmup)?;
    drive.report()?;
    drive.run(drive.options.seconds)?;
    drive.report().map(Some)
}

/// One line on standard output, at once.
///
/// # Errors
/// Nobody reads it.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
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

struct Drive<C> {
    client: C,
    options: Options,
    used: Used,
}

impl<C: Driven> Drive<C> {
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
    /// cost. What is left unread at its end is as much as was at its start.
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
            client_cpu_ns: used.client.saturating_sub(tally.idle.as_nanos() as u64),
            server_cpu_ns: self.options.pid.map(|_| used.server),
            server_threads: self.options.pid.map(proc::threads).transpose()?,
            core_busy_ns: self.options.watch_core.map(|_| used.core.busy),
            core_steal_ns: self.options.watch_core.map(|_| used.core.steal),
        })
    }
}
