//! How much more two shards deliver than one, with no client in the way: the server publishes bursts by
//! itself, and the subscribers' sockets take them in and are read from only between bursts.
//!
//! On loopback the sender of a segment also runs the receiver's half of TCP, up to the receive queue; so a burst
//! is everything that a delivery costs the sending machine, and some more, without a process that reads. Two
//! servers, with one shard and with several, are driven in turn.

use crate::comparison::summary::Spread;
use crate::led::Led;
use crate::opening;
use crate::proc::CoreTimes;
use crate::topics::{Burst, Ready};
use crate::wire::{FIN_BINARY, header};
use clap::Args;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

const TOPIC: &str = "bench";

/// How a comparison goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Shards that are compared with one
    #[arg(long, default_value_t = 2)]
    pub shards: usize,
    /// Core of the first shard; the others take the following ones
    #[arg(long, default_value_t = 0)]
    pub core: usize,
    /// Subscribers of each server
    #[arg(long, default_value_t = 4000)]
    pub subscribers: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 100)]
    pub payload: usize,
    /// Messages of a burst, which all have to fit into a receive buffer
    #[arg(long, default_value_t = 50)]
    pub messages: u64,
    /// Bursts of each server
    #[arg(long, default_value_t = 12)]
    pub bursts: usize,
}

/// One burst, and what the cores were busy with.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What the server tells of it.
    pub burst: Burst,
    /// Nanoseconds for which the shards' cores worked for others or were taken by the hypervisor.
    pub foreign: u64,
}

impl Run {
    fn per_second(&self) -> f64 {
        self.burst.deliveries as f64 / self.burst.seconds
    }

    fn per_cpu_second(&self) -> f64 {
        self.burst.deliveries as f64 / (self.burst.cpu_nanoseconds as f64 / 1e9)
    }
}

/// What came of one server.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its shards.
    pub shards: usize,
    /// Deliveries per second.
    pub per_second: Spread,
    /// Deliveries per second of CPU time of all shards.
    pub per_cpu_second: Spread,
    /// The share of their cores' time that the shards used.
    pub busy: f64,
    /// The share that others used.
    pub foreign: f64,
    /// Sends that had to wait: then the sockets were too full.
    pub sends_blocked: u64,
    /// Messages in a send.
    pub per_send: f64,
}

/// Both of them, and how the several compare with the one within pairs of bursts.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// One shard.
    pub one: Line,
    /// Several.
    pub several: Line,
    /// Of deliveries per second.
    pub ratio: Spread,
    /// Of deliveries per second of CPU time.
    pub cpu_ratio: Spread,
}

/// Compares.
///
/// # Errors
/// A server did not start; a subscriber did not get what was sent to it.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let mut sides = [Side::start(options, 1)?, Side::start(options, options.shards)?];
    for side in &mut sides {
        side.burst(options)?;
    }
    let mut runs = [Vec::new(), Vec::new()];
    for burst in 0..options.bursts.max(1) {
        for place in if burst % 2 == 0 { [0, 1] } else { [1, 0] } {
            runs[place].push(sides[place].burst(options)?);
        }
    }
    let ratio = |figure: fn(&Run) -> f64| {
        Spread::of(runs[1].iter().zip(&runs[0]).map(|(several, one)| figure(several) / figure(one)))
    };
    Ok(Outcome {
        one: line(1, &runs[0]),
        several: line(options.shards, &runs[1]),
        ratio: ratio(Run::per_second),
        cpu_ratio: ratio(Run::per_cpu_second),
    })
}

fn line(shards: usize, runs: &[Run]) -> Line {
    let sum = |figure: fn(&Run) -> f64| runs.iter().map(figure).sum::<f64>();
    let available = sum(|run| run.burst.seconds * 1e9) * shards as f64;
    Line {
        shards,
        per_second: Spread::of(runs.iter().map(Run::per_second)),
        per_cpu_second: Spread::of(runs.iter().map(Run::per_cpu_second)),
        busy: sum(|run| run.burst.cpu_nanoseconds as f64) / available,
        foreign: sum(|run| run.foreign as f64) / available,
        sends_blocked: runs.iter().map(|run| run.burst.sends_blocked).sum(),
        per_send: sum(|run| run.burst.deliveries as f64) / sum(|run| run.burst.sends as f64),
    }
}

/// One server with its subscribers.
struct Side {
    server: Led,
    shards: usize,
    sockets: Vec<TcpStream>,
}

impl Side {
    fn start(options: &Options, shards: usize) -> io::Result<Self> {
        let arguments = ["--shards".into(), shards.to_string(), "--core".into(), options.core.to_string()];
        let mut server = Led::start("topics-server", &arguments)?;
        let Ready { port } = server.answer()?;
        let open = |_| {
            let socket = opening::open(port, Some(&format!("/subscribe/{TOPIC}")))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = (0..options.subscribers).map(open).collect::<io::Result<_>>()?;
        Ok(Self { server, shards, sockets })
    }

    fn burst(&mut self, options: &Options) -> io::Result<Run> {
        let cores = options.core..options.core + self.shards;
        let busy = || {
            let times = cores.clone().map(CoreTimes::read);
            times.map(|times| times.map(|times| times.busy + times.steal)).sum::<io::Result<u64>>()
        };
        let before = busy()?;
        let burst: Burst =
            self.server.ask(&format!("burst {TOPIC} {} {}", options.messages, options.payload))?;
        let foreign = (busy()? - before).saturating_sub(burst.cpu_nanoseconds);
        self.drain(options)?;
        Ok(Run { burst, foreign })
    }

    /// Everybody has everything.
    fn drain(&self, options: &Options) -> io::Result<()> {
        let frame = header(FIN_BINARY, options.payload).len() + options.payload;
        let (expected, mut buffer) = (frame as u64 * options.messages, vec![0; 256 << 10]);
        for (number, socket) in self.sockets.iter().enumerate() {
            let got = drain(socket, &mut buffer)?;
            if got != expected {
                return Err(io::Error::other(format!("subscriber {number} got {got} B of {expected} B")));
            }
        }
        Ok(())
    }
}

fn drain(mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<u64> {
    let mut got = 0;
    loop {
        match socket.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => got += count as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(got),
            Err(error) => return Err(error),
        }
    }
}
