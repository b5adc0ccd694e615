//! The client of `broadcast-load` and `fanout-load`: rounds in which some connections send one message
//! each and all receivers get all of them; the next round begins when every receiver has.
//!
//! It stands on the same bare ring as the floors and does as little as a client can. All messages have
//! the same length, so that bytes tell how many came; unless it verifies, it has the kernel count them
//! and never copies them out ([`Receive::Count`]). Those that come compressed have any length, so that each
//! is looked at (`deflated`). It waits for several completions at once, so that the
//! server need not wake it for each. While [`Driven::run_for`] is not running, nothing is on its way.

mod check;
mod deflated;
mod messages;
mod report;

use crate::driven::{Driven, Tally};
use crate::opening::{self, STALL};
use crate::ring::{Buffer, Event, Receive, Ring, Settings};
use check::Check;
use clap::Args;
use deflated::Deflated;
use messages::Messages;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

pub use messages::{Content, PAYLOAD_BYTES_MIN};
pub use report::report;

/// So long the client waits for a whole batch at most: a server may have no more to send before some
/// of it is read.
const BATCH_PATIENCE: Duration = Duration::from_millis(1);

/// Who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Every receiver, on its own connection.
    Receivers,
    /// One connection that is no receiver, opened on this path.
    Publisher {
        /// Of the opening handshake.
        path: String,
    },
}

/// What to talk to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Path of the receivers' opening handshake.
    pub path: String,
    /// Who sends.
    pub senders: Senders,
    /// Messages of each sender in a round, sent at once.
    pub burst: usize,
    /// How many connections receive.
    pub receivers: u32,
    /// What stands in a message.
    pub content: Content,
    /// Bytes of a message, at least [`Content::bytes_min`].
    pub payload: usize,
    /// First byte of a frame.
    pub first: u8,
    /// Look at every byte: each message exactly once, the same order for all.
    pub verify: bool,
    /// No handshake; what is sent comes back without its first four bytes.
    pub raw: bool,
    /// What is delivered comes compressed, each message by itself. Only with a publisher.
    pub deflate: bool,
    /// How the client receives.
    pub tuning: Tuning,
}

/// How the client receives.
#[derive(Args, Clone, Debug)]
pub struct Tuning {
    /// Copy what comes out of the kernel, although nobody looks at it (as --verify does)
    #[arg(long)]
    pub copy: bool,
    /// Never sleep while something is awaited; the time is not counted as use of its core
    #[arg(long)]
    pub awake: bool,
    /// Receives that the client waits for at once
    #[arg(long, default_value_t = 64)]
    pub batch: u32,
    /// Receive buffers, a power of two
    #[arg(long, default_value_t = 64)]
    pub buffers: u16,
    /// KiB of each of them
    #[arg(long, default_value_t = 64)]
    pub buffer_kib: usize,
}

/// See the [module](self).
pub struct Rounds {
    ring: Ring,
    messages: Messages,
    check: Option<Check>,
    deflated: Option<Deflated>,
    /// Slots that send.
    senders: Range<u32>,
    /// Messages of each of them in a round.
    burst: usize,
    /// Of this round, by receiver: bytes that have not come.
    missing: Vec<usize>,
    /// Receivers that miss some.
    waiting: u32,
    /// Bytes that each receiver gets in a round.
    round_bytes: usize,
    round: u64,
    batch: u32,
    awake: bool,
    /// When something last came.
    heard_at: Instant,
    tally: Tally,
}

impl Rounds {
    /// Opens all connections; nothing is sent yet.
    ///
    /// # Errors
    /// The ring's, or the server refused a connection or its handshake; the caller's: a payload that
    /// cannot tell messages apart.
    pub fn connect(target: &Target) -> io::Result<Self> {
        let bytes_min = target.content.bytes_min();
        if target.payload < bytes_min {
            return Err(io::Error::other(format!("a message takes {bytes_min} bytes to be unique")));
        }
        let receivers = target.receivers;
        let senders = match target.senders {
            Senders::Receivers => 0..receivers,
            Senders::Publisher { .. } => receivers..receivers + 1,
        };
        let looks = target.verify || target.deflate || target.tuning.copy;
        let receive = if looks { Receive::Copy } else { Receive::Count };
        let messages = Messages::new(
            target.content,
            target.first,
            target.payload,
            senders.len() * target.burst,
            target.raw,
        );
        let round_bytes = messages.answer_bytes() * messages.senders();
        let mut client = Self {
            ring: Ring::new(Settings {
                slots: receivers.max(senders.end),
                buffers: target.tuning.buffers,
                buffer_bytes: target.tuning.buffer_kib << 10,
                receive,
            })?,
            check: (target.verify && !target.deflate).then(|| Check::new(&messages, receivers as usize)),
            deflated: target.deflate.then(|| Deflated::new(target)),
            messages,
            senders,
            burst: target.burst,
            missing: vec![0; receivers as usize],
            waiting: 0,
            round_bytes,
            round: 0,
            batch: target.tuning.batch.max(1),
            awake: target.tuning.awake,
            heard_at: Instant::now(),
            tally: Tally::new()?,
        };
        client.open_all(target)?;
        Ok(client)
    }

    /// Receivers first: who publishes does so to all of them.
    fn open_all(&mut self, target: &Target) -> io::Result<()> {
        let mut open = |slot, path: &str, deflate: bool| {
            let mut socket = opening::open(target.port, None)?;
            if !target.raw {
                opening::shake_hands(&mut socket, target.port, path, deflate)?;
            }
            self.ring.adopt(slot, &socket)?;
            self.ring.receive(slot)
        };
        (0..target.receivers).try_for_each(|slot| open(slot, &target.path, target.deflate))?;
        match &target.senders {
            Senders::Receivers => Ok(()),
            Senders::Publisher { path } => open(target.receivers, path, false),
        }
    }

    /// One message of every sender, and all of them at every receiver.
    fn round(&mut self) -> io::Result<()> {
        let began = Instant::now();
        self.round += 1;
        self.missing.fill(self.round_bytes);
        self.waiting = self.missing.len() as u32;
        if let Some(check) = &mut self.check {
            check.begin(self.round);
        }
        if let Some(deflated) = &mut self.deflated {
            deflated.begin(self.round);
        }
        let messages = self.messages.compose(self.round);
        self.ring.send_pieces(messages, self.messages.request_bytes() * self.burst, self.senders.clone())?;
        while self.waiting > 0 {
            self.turn()?;
        }
        if let Some(check) = &mut self.check {
            self.tally.errors += check.take_errors();
        }
        if let Some(deflated) = &mut self.deflated {
            self.tally.errors += deflated.take_errors();
        }
        self.tally.messages += (self.missing.len() * self.messages.senders()) as u64;
        self.tally.latency.saturating_record(began.elapsed().as_nanos() as u64);
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        if self.awake {
            self.tally.idle += self.ring.turn_awake(BATCH_PATIENCE)?;
        } else {
            self.ring.turn_for(self.waiting.min(self.batch), BATCH_PATIENCE)?;
        }
        self.tally.turns += 1;
        let mut heard = false;
        loop {
            while let Some(event) = self.ring.next()? {
                heard = true;
                self.act(event)?;
            }
            if !self.ring.collect()? {
                break;
            }
        }
        if heard {
            self.heard_at = Instant::now();
        } else if self.heard_at.elapsed() > STALL {
            return Err(io::Error::other(format!(
                "{} of {} receivers still miss some of round {}, and nothing has come for five seconds",
                self.waiting,
                self.missing.len(),
                self.round
            )));
        }
        Ok(())
    }

    #[inline]
    fn act(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Received { slot, buffer } => self.received(slot, buffer),
            Event::SendShort { slot, rest } => self.ring.send_owned(slot, rest),
            Event::Ended { slot } | Event::SendFailed { slot } => {
                Err(io::Error::other(format!("the server closed connection {slot}")))
            }
            Event::SendDone { .. } | Event::Accepted { .. } | Event::Tick => Ok(()),
        }
    }

    #[inline]
    fn received(&mut self, slot: u32, buffer: Buffer) -> io::Result<()> {
        // What a publisher is told is nothing that counts.
        if (slot as usize) < self.missing.len() {
            let is_whole = match &mut self.deflated {
                Some(deflated) => {
                    deflated.received(slot as usize, &self.ring.bytes(&buffer)[..buffer.len()])?
                }
                None => self.counted(slot, &buffer)?,
            };
            self.waiting -= u32::from(is_whole);
        }
        self.ring.release(buffer);
        Ok(())
    }
}

impl Rounds {
    /// Whether a receiver has all of the round with this, by the bytes that are to come.
    #[inline]
    fn counted(&mut self, slot: u32, buffer: &Buffer) -> io::Result<bool> {
        let missing = &mut self.missing[slot as usize];
        let Some(rest) = missing.checked_sub(buffer.len()) else {
            let more = buffer.len() - *missing;
            return Err(io::Error::other(format!(
                "connection {slot} got {more} bytes more than round {} has",
                self.round
            )));
        };
        *missing = rest;
        if let Some(check) = &mut self.check {
            check.received(slot as usize, &self.ring.bytes(buffer)[..buffer.len()]);
        }
        Ok(rest == 0)
    }
}

impl Driven for Rounds {
    /// To the end of the round in which the time is over.
    fn run_for(&mut self, seconds: f64) -> io::Result<()> {
        let start = Instant::now();
        self.heard_at = start;
        while start.elapsed().as_secs_f64() < seconds {
            self.round()?;
        }
        Ok(())
    }

    fn take_tally(&mut self) -> io::Result<Tally> {
        Ok(std::mem::replace(&mut self.tally, Tally::new()?))
    }
}
