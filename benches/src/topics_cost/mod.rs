//! What topics and subscriptions cost a server in memory, and whether a publish costs more where there are
//! many of them.
//!
//! Two servers stand beside each other. Both have a few connections of which each is the one subscriber of the
//! topic that it publishes to. One of them is then given many topics, and many connections with many
//! subscriptions each; its heap is read after every step. Then both are driven in turn by short slices.

mod many;

use crate::client::{ClosedLoop, Target};
use crate::comparison::summary::Spread;
use crate::driven::Driven;
use crate::led::Led;
use crate::proc;
use crate::topics::{Figures, Ready, name};
use crate::wire::FIN_BINARY;
use clap::Args;
use many::Many;
use std::io;
use std::time::{Duration, Instant};

/// After this a server sleeps, and its account is complete.
const REST: Duration = Duration::from_millis(5);
/// Open files that a process needs beside its connections; a table of connections keeps some free as well.
const FILES_BESIDE: u64 = 128;
/// What a step takes to be seen in the figures, at most.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// How much of everything.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Topics
    #[arg(long, default_value_t = 100_000)]
    pub topics: u32,
    /// Connections with many subscriptions
    #[arg(long, default_value_t = 20_000)]
    pub connections: u32,
    /// Subscriptions of each of them
    #[arg(long, default_value_t = 50)]
    pub subscriptions: u32,
    /// Topics with one subscriber each, which are published to, at both servers
    #[arg(long, default_value_t = 10)]
    pub own: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 100)]
    pub payload: usize,
    /// Slices of each server
    #[arg(long, default_value_t = 16)]
    pub slices: usize,
    /// Seconds of a slice
    #[arg(long, default_value_t = 0.5)]
    pub slice: f64,
    /// Shards of each server; as many as its connections need when not given
    #[arg(long)]
    pub shards: Option<usize>,
    /// Core of the first shard
    #[arg(long)]
    pub server_core: Option<usize>,
    /// Core of the client that publishes
    #[arg(long)]
    pub client_core: Option<usize>,
}

impl Options {
    /// As many shards as have room for the connections.
    fn shards_needed(&self) -> io::Result<usize> {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let room = files.unwrap_or(1 << 20).saturating_sub(FILES_BESIDE).max(1);
        let needed = u64::from(self.connections + self.own).div_ceil(room) as usize;
        match self.shards {
            Some(shards) if shards < needed => Err(io::Error::other(format!(
                "{} connections need {needed} shards, since a process may open {} files: give --shards \
                 {needed} or fewer --connections, or raise `ulimit -n`",
                self.connections + self.own,
                files.unwrap_or_default()
            ))),
            Some(shards) => Ok(shards),
            None => Ok(needed),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Shards of each server.
    pub shards: usize,
    /// Heap bytes of a topic that nobody has subscribed to, beside its name and the handle that holds it.
    pub topic_bytes: f64,
    /// Heap bytes that the first subscription of a topic on a shard adds.
    pub first_bytes: f64,
    /// Heap bytes that each further one adds.
    pub further_bytes: f64,
    /// All of it by the kernel's account, for one subscription.
    pub private_bytes: f64,
    /// Subscriptions in all.
    pub subscriptions: u64,
    /// Topics in all.
    pub topics: usize,
    /// CPU nanoseconds of a publish with its delivery where there are many topics, and where there are few.
    pub cpu: [Spread; 2],
    /// Those divided within pairs of slices.
    pub ratio: Spread,
}

/// One server with its publishers.
struct Side {
    server: Led,
    port: u16,
    publishers: ClosedLoop,
}

impl Side {
    fn start(options: &Options, shards: usize) -> io::Result<Self> {
        let mut arguments = vec!["--shards".into(), shards.to_string()];
        arguments.extend(options.server_core.iter().flat_map(|core| ["--core".into(), core.to_string()]));
        let mut server = Led::start("topics-server", &arguments)?;
        let Ready { port } = server.answer()?;
        let publishers = ClosedLoop::connect(Target {
            port,
            path: "/own".into(),
            connections: options.own,
            payload: options.payload,
            first: FIN_BINARY,
            verify: false,
            raw: false,
        })?;
        Ok(Self { server, port, publishers })
    }

    /// CPU nanoseconds of a publish with its delivery.
    fn slice(&mut self, seconds: f64) -> io::Result<f64> {
        let pid = self.server.pid();
        let before = proc::cpu_nanoseconds(pid)?;
        self.publishers.run_for(seconds)?;
        std::thread::sleep(REST);
        let used = proc::cpu_nanoseconds(pid)? - before;
        let tally = self.publishers.take_tally()?;
        if tally.errors > 0 {
            return Err(io::Error::other(format!("{} of {} came back wrong", tally.errors, tally.messages)));
        }
        Ok(used as f64 / tally.messages as f64)
    }

    /// The figures when there are so many subscriptions.
    fn settled(&mut self, subscriptions: u64) -> io::Result<(Figures, u64)> {
        let start = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let figures: Figures = self.server.ask("figures")?;
            if figures.subscriptions == subscriptions {
                return Ok((figures, proc::private_bytes(self.server.pid())?));
            }
            if start.elapsed() > SEEN_WITHIN {
                return Err(io::Error::other(format!(
                    "{} subscriptions where there should be {subscriptions}",
                    figures.subscriptions
                )));
            }
        }
    }
}

/// Everything once.
///
/// # Errors
/// A limit of this machine, by name; a server that failed.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let shards = options.shards_needed()?;
    let (mut large, mut small) = (Side::start(options, shards)?, Side::start(options, shards)?);
    let many = Many::open(large.port, options.connections)?;
    // What one slice uses for the first time is there before the heap is read.
    large.slice(options.slice)?;
    small.slice(options.slice)?;
    let own = u64::from(options.own);
    let (connected, private) = large.settled(own)?;
    let _: Figures = large.server.ask(&format!("topics {}", options.topics))?;
    let (made, _) = large.settled(own)?;
    // As many for each topic as there are shards, from connections with numbers that follow each other and so
    // on different shards; then all others.
    let lap = options.topics / options.connections.max(1);
    let first = (lap * shards as u32).clamp(1, options.subscriptions);
    many.subscribe(0, first)?;
    let firsts = u64::from(first * options.connections);
    let (once, _) = large.settled(own + firsts)?;
    many.subscribe(first, options.subscriptions - first)?;
    let all = u64::from(options.subscriptions) * u64::from(options.connections);
    let (full, private_full) = large.settled(own + all)?;
    if let Some(core) = options.client_core {
        proc::pin(core)?;
    }
    let pairs = slices(options, &mut large, &mut small)?;

    let step = |from: &Figures, to: &Figures, count: u64| {
        (to.heap_bytes as f64 - from.heap_bytes as f64) / count.max(1) as f64
    };
    let topics = u64::from(options.topics);
    let beside = name(0).len() + size_of::<wsring::Topic>();
    Ok(Outcome {
        shards,
        topic_bytes: step(&connected, &made, topics) - beside as f64,
        first_bytes: step(&made, &once, firsts),
        further_bytes: step(&once, &full, all - firsts),
        private_bytes: (private_full as f64 - private as f64) / all as f64,
        subscriptions: full.subscriptions,
        topics: full.topics,
        cpu: [0, 1].map(|side| Spread::of(pairs.iter().map(|pair| pair[side]))),
        ratio: Spread::of(pairs.iter().map(|[large, small]| large / small)),
    })
}

/// Slices in turn, forth and back.
fn slices(options: &Options, large: &mut Side, small: &mut Side) -> io::Result<Vec<[f64; 2]>> {
    let mut pairs = Vec::new();
    for slice in 0..options.slices.max(1) {
        pairs.push(if slice % 2 == 0 {
            let first = large.slice(options.slice)?;
            [first, small.slice(options.slice)?]
        } else {
            let first = small.slice(options.slice)?;
            [large.slice(options.slice)?, first]
        });
    }
    Ok(pairs)
}
