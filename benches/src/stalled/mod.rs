//! Subscribers that stop reading, and what that costs those who go on and the server: one round with one
//! policy.
//!
//! Two servers stand beside each other, each with as many subscribers of one topic. At one of them some stop
//! reading. Both are then driven in turn by short slices, in which messages are published at a rate (an open
//! loop: each is timed from when it was due). What the machine does over seconds falls on both alike.

mod crowd;
mod listener;
mod outcome;

pub use outcome::{Account, Bound, Outcome};

use crate::led::Led;
use crate::proc;
use crate::topics::{Figures, Policy, Ready};
use clap::Args;
use crowd::{Crowd, Setup};
use hdrhistogram::Histogram;
use std::io;
use std::ops::Range;
use std::time::Duration;

const TOPIC: &str = "prices";
/// A server looks four times a second for those that are too slow.
const LOOKED: Duration = Duration::from_millis(400);
/// After this a server sleeps, and its account is complete.
const REST: Duration = Duration::from_millis(5);
/// The kernel holds less than this for one that does not read, however it is set up.
const KERNEL_BYTES_MAX: u64 = 16 << 20;

/// What a message takes up in a log beside its payload, at most.
const RECORD_BYTES: usize = 10 + 4;

/// How a round goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Subscribers
    #[arg(long, default_value_t = 2000)]
    pub subscribers: u32,
    /// Those of them that stop reading, per cent
    #[arg(long, default_value_t = 10)]
    pub stalled: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 1024)]
    pub payload: usize,
    /// Messages per second
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Slices of each server
    #[arg(long, default_value_t = 8)]
    pub slices: usize,
    /// Seconds of a slice
    #[arg(long, default_value_t = 2.0)]
    pub slice: f64,
    /// Bytes that the topic keeps
    #[arg(long, default_value_t = 1 << 20)]
    pub retention_bytes: usize,
    /// `SO_RCVBUF` of those that stop reading
    #[arg(long, default_value_t = 64 << 10)]
    pub receive_buffer: usize,
    /// Core of the servers
    #[arg(long)]
    pub server_core: Option<usize>,
    /// Core of the subscribers
    #[arg(long)]
    pub client_core: Option<usize>,
}

impl Options {
    fn stalled_count(&self) -> u32 {
        self.subscribers * self.stalled.min(100) / 100
    }

    /// More messages than the topic keeps.
    fn overtaking(&self) -> u64 {
        (self.retention_bytes / self.payload.max(1)) as u64 * 5 / 4 + 64
    }
}

/// One server with its subscribers.
struct Side {
    server: Led,
    crowd: Crowd,
}

/// What came of one slice.
#[derive(Debug)]
struct Slice {
    /// From when a message was due to when it was read, at those who keep reading.
    latency: Histogram<u64>,
    /// The server's CPU time for one message to all, in nanoseconds.
    cpu_per_message: f64,
}

/// What a server uses.
#[derive(Clone, Copy, Debug)]
struct Memory {
    figures: Figures,
    private_bytes: u64,
}

impl Side {
    fn start(options: &Options, policy: Policy) -> io::Result<Self> {
        let mut arguments = vec!["--behind".into(), policy.name().into()];
        arguments.extend(["--retention-bytes".into(), options.retention_bytes.to_string()]);
        arguments.extend(options.server_core.iter().flat_map(|core| ["--core".into(), core.to_string()]));
        let mut server = Led::start("topics-server", &arguments)?;
        let Ready { port } = server.answer()?;
        let setup = Setup {
            subscribers: options.subscribers,
            stalled: options.stalled_count(),
            payload: options.payload,
            receive_buffer: options.receive_buffer,
        };
        Ok(Self { crowd: Crowd::connect(port, TOPIC, setup)?, server })
    }

    fn slice(&mut self, options: &Options) -> io::Result<Slice> {
        let pid = self.server.pid();
        let (cpu, published) = (proc::cpu_nanoseconds(pid)?, self.crowd.published);
        let latency = self.crowd.run_for(options.slice, options.rate)?;
        std::thread::sleep(REST);
        let cpu = proc::cpu_nanoseconds(pid)? - cpu;
        Ok(Slice { latency, cpu_per_message: cpu as f64 / (self.crowd.published - published) as f64 })
    }

    fn memory(&mut self) -> io::Result<Memory> {
        Ok(Memory {
            figures: self.server.ask("figures")?,
            private_bytes: proc::private_bytes(self.server.pid())?,
        })
    }

    /// Publishes until everybody who has stopped reading has been overtaken; how many messages that took.
    fn overtake(&mut self, options: &Options) -> io::Result<u64> {
        let (stalled, step) = (options.stalled_count() as usize, 256);
        let mut messages = 0;
        loop {
            self.crowd.fill(step)?;
            messages += step;
            std::thread::sleep(LOOKED);
            let figures: Figures = self.server.ask("figures")?;
            if figures.behind >= stalled || figures.closed > 0 {
                break;
            }
            if messages * options.payload as u64 > KERNEL_BYTES_MAX {
                let behind = figures.behind;
                return Err(io::Error::other(format!("only {behind} of {stalled} have fallen behind")));
            }
        }
        let rest = options.overtaking();
        self.crowd.fill(rest)?;
        std::thread::sleep(LOOKED);
        Ok(messages + rest)
    }
}

/// One round with one policy.
///
/// # Errors
/// A server did not start or did not deliver; one that kept reading was closed.
pub fn round(options: &Options, policy: Policy) -> io::Result<Outcome> {
    let (mut stalls, mut control) = (Side::start(options, policy)?, Side::start(options, policy)?);
    if let Some(core) = options.client_core {
        proc::pin(core)?;
    }
    // The logs are full, and everything has been used once.
    for side in [&mut stalls, &mut control] {
        side.crowd.fill(options.overtaking())?;
        side.crowd.run_for(options.slice, options.rate)?;
    }
    let before = [stalls.memory()?, control.memory()?];
    stalls.crowd.stall()?;
    let messages = stalls.overtake(options)?;
    let all = stalls.crowd.stalled();
    // Who is closed can read why only until the server gives up on it.
    let (early, late) = match policy {
        Policy::Close => {
            (all.start..all.start + all.len() as u32 / 2, all.start + all.len() as u32 / 2..all.end)
        }
        Policy::Skip | Policy::Latest => (all.start..all.start, all.clone()),
    };
    let closed_at = stalls.crowd.published;
    stalls.crowd.read_again(early.clone())?;
    control.crowd.fill(messages)?;
    let slices = slices(options, &mut stalls, &mut control)?;
    let after = [stalls.memory()?, control.memory()?];
    stalls.crowd.read_again(late.clone())?;
    std::thread::sleep(LOOKED);
    let accounts = [account(&stalls.crowd, early), account(&stalls.crowd, late)];
    let healthy = account(&stalls.crowd, 0..all.start);
    Ok(Outcome {
        policy,
        stalled: all.len() as u64,
        retention_bytes: options.retention_bytes as u64,
        before: before.map(|memory| (memory.figures, memory.private_bytes)),
        after: after.map(|memory| (memory.figures, memory.private_bytes)),
        end: stalls.server.ask("figures")?,
        published: stalls.crowd.published,
        closed_at,
        accounts,
        healthy,
        // A log drops an eighth at a time.
        kept_messages: (options.retention_bytes / (options.payload + RECORD_BYTES)) as u64 * 7 / 8,
        slices,
    })
}

/// Slices in turn, forth and back, with stalled ones and without.
fn slices(options: &Options, stalls: &mut Side, control: &mut Side) -> io::Result<Vec<[Slice; 2]>> {
    let mut all = Vec::new();
    for slice in 0..options.slices {
        all.push(if slice % 2 == 0 {
            let with = stalls.slice(options)?;
            [with, control.slice(options)?]
        } else {
            let without = control.slice(options)?;
            [stalls.slice(options)?, without]
        });
    }
    Ok(all)
}

/// What some subscribers have seen, added up.
fn account(crowd: &Crowd, slots: Range<u32>) -> Account {
    let mut account = Account::default();
    for slot in slots {
        let listener = crowd.listener(slot);
        account.subscribers += 1;
        account.received += listener.received;
        account.missed += listener.missed;
        account.gaps += listener.gaps;
        account.were_told += u64::from(listener.gaps > 0);
        account.at_newest += u64::from(listener.gap_to + 1 == crowd.published);
        account.faults += listener.faults;
        account.told_why += u64::from(listener.closed == Some(1013));
        account.closed += u64::from(listener.ended || listener.closed.is_some());
        account.complete += u64::from(
            listener.is_whole() && listener.received + listener.missed == crowd.published && !listener.ended,
        );
    }
    account
}
