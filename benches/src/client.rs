//! The closed loop of `load`: every connection has one message on its way; the next follows the echo.
//!
//! It stands on the same bare ring as the floor, so that it takes as little as a client can of what is
//! measured. While [`ClosedLoop::run_for`] is not running, nothing is sent and the server comes to rest.

use crate::driven::{Driven, Tally};
use crate::opening::{self, STALL};
use crate::ring::{Buffer, Event, Receive, Ring, Settings};
use crate::wire::{self, MASK_BYTES, MASKED};
use std::io;
use std::time::{Duration, Instant};

/// What to talk to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Path of the opening handshake.
    pub path: String,
    /// How many connections.
    pub connections: u32,
    /// Bytes of a message.
    pub payload: usize,
    /// First byte of a frame: [`wire::FIN_TEXT`] or [`wire::FIN_BINARY`].
    pub first: u8,
    /// Compare the content of each echo; the messages then differ from each other.
    pub verify: bool,
    /// No handshake, each answer is the request without its first four bytes.
    pub raw: bool,
}

#[derive(Clone, Default)]
struct Connection {
    sent_at: u64,
    sequence: u64,
    key: [u8; MASK_BYTES],
    /// The beginning of an echo whose end has not come.
    partial: Vec<u8>,
}

/// See the [module](self).
pub struct ClosedLoop {
    ring: Ring,
    connections: Vec<Connection>,
    /// Header of a request, without the key.
    request_header: Vec<u8>,
    /// Header of the echo; empty for the floor, which sends back what it got.
    echo_header: Vec<u8>,
    echo_bytes: usize,
    payload: Vec<u8>,
    target: Target,
    random: u64,
    epoch: Instant,
    /// Nanoseconds since `epoch`, as read at the start of this turn.
    now: u64,
    /// When the current run began: echoes of messages from before it have waited for us.
    resumed_at: u64,
    ticked: bool,
    tally: Tally,
}

impl ClosedLoop {
    /// Opens all connections; nothing is sent yet.
    ///
    /// # Errors
    /// The ring's, or the server refused a connection or its handshake.
    pub fn connect(target: Target) -> io::Result<Self> {
        let echo_header = wire::header(target.first, target.payload);
        let mut request_header = echo_header.clone();
        request_header[1] |= MASKED;
        let echo_bytes = echo_header.len() + target.payload;
        let buffers = (target.connections * 2).next_power_of_two().clamp(64, 32768) as u16;
        let buffer_bytes = (echo_bytes + MASK_BYTES).next_multiple_of(64).max(4096);
        let mut client = Self {
            ring: Ring::new(Settings {
                slots: target.connections,
                buffers,
                buffer_bytes,
                receive: Receive::Copy,
            })?,
            connections: vec![Connection::default(); target.connections as usize],
            request_header,
            echo_header: if target.raw { Vec::new() } else { echo_header },
            echo_bytes,
            payload: (b'a'..=b'z').cycle().take(target.payload).collect(),
            target,
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()),
            epoch: Instant::now(),
            now: 0,
            resumed_at: 0,
            ticked: false,
            tally: Tally::new()?,
        };
        client.open_all()?;
        Ok(client)
    }

    /// Connects, and queues the first message of each connection for the first run.
    fn open_all(&mut self) -> io::Result<()> {
        for slot in 0..self.target.connections {
            let path = (!self.target.raw).then_some(self.target.path.as_str());
            let socket = opening::open(self.target.port, path)?;
            self.ring.adopt(slot, &socket)?;
            self.ring.receive(slot)?;
        }
        self.ring.tick_start()?;
        for slot in 0..self.target.connections {
            let mut frame = vec![0; self.echo_bytes + MASK_BYTES];
            self.compose(slot, &mut frame);
            self.ring.send_owned(slot, frame)?;
        }
        Ok(())
    }

    /// Collects what is ready and answers each echo with the next message.
    fn turn(&mut self) -> io::Result<()> {
        self.ring.turn()?;
        self.now = self.epoch.elapsed().as_nanos() as u64;
        self.tally.turns += 1;
        loop {
            while let Some(event) = self.ring.next()? {
                self.act(event)?;
            }
            if !self.ring.collect()? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn act(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Received { slot, buffer } => self.received(slot, buffer),
            Event::SendShort { slot, rest } => self.ring.send_owned(slot, rest),
            Event::Ended { slot } | Event::SendFailed { slot } => {
                Err(io::Error::other(format!("the server closed connection {slot}")))
            }
            Event::Tick => {
                self.ticked = true;
                Ok(())
            }
            Event::SendDone { .. } | Event::Accepted { .. } => Ok(()),
        }
    }

    #[inline]
    fn received(&mut self, slot: u32, buffer: Buffer) -> io::Result<()> {
        let len = buffer.len();
        let connection = &mut self.connections[slot as usize];
        let sound = if len == self.echo_bytes && connection.partial.is_empty() {
            let echo = &self.ring.bytes(&buffer)[..len];
            echo.starts_with(&self.echo_header)
        } else {
            connection.partial.extend_from_slice(&self.ring.bytes(&buffer)[..len]);
            if connection.partial.len() < self.echo_bytes {
                self.ring.release(buffer);
                return Ok(());
            }
            connection.partial.len() == self.echo_bytes && connection.partial.starts_with(&self.echo_header)
        };
        let sound = sound && (!self.target.verify || self.content_is_sound(slot, &buffer));
        self.tally.errors += u64::from(!sound);
        self.tally.messages += 1;
        let connection = &mut self.connections[slot as usize];
        connection.partial.clear();
        if connection.sent_at >= self.resumed_at {
            self.tally.latency.saturating_record(self.now - connection.sent_at);
        }
        let length = self.echo_bytes + MASK_BYTES;
        self.compose_in(slot, &buffer);
        self.ring.send(slot, buffer, 0..length)
    }

    /// Whether the echo, in the buffer or gathered, is what was sent.
    fn content_is_sound(&mut self, slot: u32, buffer: &Buffer) -> bool {
        let connection = &self.connections[slot as usize];
        let mut expected = vec![0; self.echo_bytes + MASK_BYTES];
        let echo = match connection.partial.as_slice() {
            [] => &self.ring.bytes(buffer)[..self.echo_bytes],
            gathered => gathered,
        };
        let mut payload = self.payload.clone();
        number(&mut payload, slot, connection.sequence);
        if !self.target.raw {
            return echo[self.echo_header.len()..] == payload;
        }
        wire::masked_frame(&mut expected, &self.request_header, connection.key, &payload);
        echo == &expected[MASK_BYTES..]
    }

    /// Writes the next frame of `slot` over a received buffer.
    #[inline]
    fn compose_in(&mut self, slot: u32, buffer: &Buffer) {
        let key = self.next_message(slot);
        let length = self.echo_bytes + MASK_BYTES;
        wire::masked_frame(&mut self.ring.bytes(buffer)[..length], &self.request_header, key, &self.payload);
    }

    /// Writes the next frame of `slot` to `place`.
    fn compose(&mut self, slot: u32, place: &mut [u8]) {
        let key = self.next_message(slot);
        wire::masked_frame(place, &self.request_header, key, &self.payload);
    }

    /// Starts the next message of `slot`: a fresh key and, to verify, a payload that is numbered.
    #[inline]
    fn next_message(&mut self, slot: u32) -> [u8; MASK_BYTES] {
        // xorshift64: quality enough for keys that nobody attacks, at the price of three shifts.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let connection = &mut self.connections[slot as usize];
        connection.key = ((self.random >> 32) as u32).to_ne_bytes();
        connection.sent_at = self.now;
        if self.target.verify {
            connection.sequence += 1;
            number(&mut self.payload, slot, connection.sequence);
        }
        connection.key
    }
}

impl Driven for ClosedLoop {
    /// To a twentieth of a second.
    fn run_for(&mut self, seconds: f64) -> io::Result<()> {
        let start = self.epoch.elapsed();
        self.resumed_at = start.as_nanos() as u64;
        let end = start + Duration::from_secs_f64(seconds);
        let (mut last_messages, mut last_progress) = (self.tally.messages, start);
        loop {
            self.turn()?;
            if !std::mem::take(&mut self.ticked) {
                continue;
            }
            let now = Duration::from_nanos(self.now);
            if self.tally.messages != last_messages {
                (last_messages, last_progress) = (self.tally.messages, now);
            } else if now.saturating_sub(last_progress) > STALL {
                return Err(io::Error::other("the server has not answered for five seconds"));
            }
            if now >= end {
                return Ok(());
            }
        }
    }

    fn take_tally(&mut self) -> io::Result<Tally> {
        Ok(std::mem::replace(&mut self.tally, Tally::new()?))
    }
}

/// Writes who and which message this is over the front of a payload, as digits, so that text stays text.
fn number(payload: &mut [u8], slot: u32, sequence: u64) {
    let digits = format!("{slot:06}{sequence:012}");
    let count = payload.len().min(digits.len());
    payload[..count].copy_from_slice(&digits.as_bytes()[digits.len() - count..]);
}
