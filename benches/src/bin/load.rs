//! A lean closed-loop client: every connection has one message on its way; the next follows the echo.
//!
//! It stands on the same bare ring as the floor, so that it takes as little as a client can of what is
//! measured. Each message is masked with a key of its own, as RFC 6455 section 5.3 wants, and every
//! echo is checked for opcode and length; with `--verify` for its content, which then differs from
//! message to message. The window's figures go to standard output as one line of JSON.

use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use wsring_benches::comparison::Window;
use wsring_benches::proc::{self, CoreTimes};
use wsring_benches::ring::{Buffer, Event, Ring, Settings};
use wsring_benches::wire::{self, MASK_BYTES, MASKED};

/// The example key of RFC 6455 section 1.3, and the answer it must get.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A window in which nothing came back for so long has failed.
const STALL: Duration = Duration::from_secs(5);

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
    /// Process whose CPU time over the window is reported (the server's)
    #[arg(long)]
    pid: Option<u32>,
    /// Core whose use over the window is reported (the server's)
    #[arg(long)]
    watch_core: Option<usize>,
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
    let mut load = Load::connect(&options)?;
    load.run_for(options.warmup)?;
    load.reset();
    let before = Accounts::read(&options)?;
    let start = Instant::now();
    load.run_for(options.seconds)?;
    let seconds = start.elapsed().as_secs_f64();
    let report = load.report(seconds, &before, &Accounts::read(&options)?, &options)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// The kernel's accounts at one edge of the window.
struct Accounts {
    client: u64,
    server: Option<u64>,
    core: Option<CoreTimes>,
}

impl Accounts {
    fn read(options: &Options) -> io::Result<Self> {
        Ok(Self {
            client: proc::cpu_nanoseconds(std::process::id())?,
            server: options.pid.map(proc::cpu_nanoseconds).transpose()?,
            core: options.watch_core.map(CoreTimes::read).transpose()?,
        })
    }
}

#[derive(Clone, Default)]
struct Connection {
    sent_at: u64,
    sequence: u64,
    key: [u8; MASK_BYTES],
    /// The beginning of an echo whose end has not come.
    partial: Vec<u8>,
}

struct Load {
    ring: Ring,
    connections: Vec<Connection>,
    /// Header of a request, without the key.
    request_header: Vec<u8>,
    /// Header of the echo; empty for the floor, which sends back what it got.
    echo_header: Vec<u8>,
    echo_bytes: usize,
    payload: Vec<u8>,
    raw: bool,
    verify: bool,
    random: u64,
    epoch: Instant,
    /// Nanoseconds since `epoch`, as read at the start of this turn.
    now: u64,
    latency: Histogram<u32>,
    messages: u64,
    errors: u64,
    turns: u64,
    ticked: bool,
}

impl Load {
    /// Opens all connections and sends the first message on each.
    fn connect(options: &Options) -> io::Result<Self> {
        let first = if matches!(options.opcode, Opcode::Text) { wire::FIN_TEXT } else { wire::FIN_BINARY };
        let echo_header = wire::header(first, options.payload);
        let mut request_header = echo_header.clone();
        request_header[1] |= MASKED;
        let echo_bytes = echo_header.len() + options.payload;
        let buffers = (options.connections * 2).next_power_of_two().clamp(64, 32768) as u16;
        let buffer_bytes = (echo_bytes + MASK_BYTES).next_multiple_of(64).max(4096);
        let mut load = Self {
            ring: Ring::new(Settings { slots: options.connections, buffers, buffer_bytes })?,
            connections: vec![Connection::default(); options.connections as usize],
            request_header,
            echo_header: if options.raw { Vec::new() } else { echo_header },
            echo_bytes,
            payload: (b'a'..=b'z').cycle().take(options.payload).collect(),
            raw: options.raw,
            verify: options.verify,
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()),
            epoch: Instant::now(),
            now: 0,
            latency: Histogram::new_with_bounds(1, 60_000_000_000, 2).map_err(io::Error::other)?,
            messages: 0,
            errors: 0,
            turns: 0,
            ticked: false,
        };
        for slot in 0..options.connections {
            let socket = open(options)?;
            load.ring.adopt(slot, &socket)?;
            load.ring.receive(slot)?;
        }
        load.ring.tick_start()?;
        for slot in 0..options.connections {
            let mut frame = vec![0; echo_bytes + MASK_BYTES];
            load.compose(slot, &mut frame);
            load.ring.send_owned(slot, frame)?;
        }
        Ok(load)
    }

    fn run_for(&mut self, seconds: f64) -> io::Result<()> {
        let end = self.epoch.elapsed() + Duration::from_secs_f64(seconds);
        let (mut last_messages, mut last_progress) = (self.messages, self.epoch.elapsed());
        loop {
            self.turn()?;
            if !std::mem::take(&mut self.ticked) {
                continue;
            }
            let now = Duration::from_nanos(self.now);
            if self.messages != last_messages {
                (last_messages, last_progress) = (self.messages, now);
            } else if now.saturating_sub(last_progress) > STALL {
                return Err(io::Error::other("the server has not answered for five seconds"));
            }
            if now >= end {
                return Ok(());
            }
        }
    }

    /// Collects what is ready and answers each echo with the next message.
    fn turn(&mut self) -> io::Result<()> {
        self.ring.turn()?;
        self.now = self.epoch.elapsed().as_nanos() as u64;
        self.turns += 1;
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
        let sound = sound && (!self.verify || self.content_is_sound(slot, &buffer));
        self.errors += u64::from(!sound);
        self.messages += 1;
        let connection = &mut self.connections[slot as usize];
        connection.partial.clear();
        self.latency.saturating_record(self.now - connection.sent_at);
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
        if !self.raw {
            return echo[self.echo_header.len()..] == payload;
        }
        frame(&mut expected, &self.request_header, connection.key, &payload);
        echo == &expected[MASK_BYTES..]
    }

    /// Writes the next frame of `slot` over a received buffer.
    #[inline]
    fn compose_in(&mut self, slot: u32, buffer: &Buffer) {
        let key = self.next_message(slot);
        let length = self.echo_bytes + MASK_BYTES;
        frame(&mut self.ring.bytes(buffer)[..length], &self.request_header, key, &self.payload);
    }

    /// Writes the next frame of `slot` to `place`.
    fn compose(&mut self, slot: u32, place: &mut [u8]) {
        let key = self.next_message(slot);
        frame(place, &self.request_header, key, &self.payload);
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
        if self.verify {
            connection.sequence += 1;
            number(&mut self.payload, slot, connection.sequence);
        }
        connection.key
    }

    fn reset(&mut self) {
        self.latency.reset();
        (self.messages, self.errors, self.turns) = (0, 0, 0);
    }

    fn report(
        &self,
        seconds: f64,
        before: &Accounts,
        after: &Accounts,
        options: &Options,
    ) -> io::Result<Window> {
        let quantile = |q| self.latency.value_at_quantile(q) as f64 / 1000.0;
        let core = after.core.zip(before.core).map(|(after, before)| after.since(before));
        Ok(Window {
            messages: self.messages,
            errors: self.errors,
            seconds,
            rate: self.messages as f64 / seconds,
            latency_p50_us: quantile(0.5),
            latency_p99_us: quantile(0.99),
            messages_per_turn: self.messages as f64 / self.turns.max(1) as f64,
            client_cpu_ns: after.client - before.client,
            server_cpu_ns: after.server.zip(before.server).map(|(after, before)| after - before),
            server_threads: options.pid.map(proc::threads).transpose()?,
            core_busy_ns: core.map(|times| times.busy),
            core_steal_ns: core.map(|times| times.steal),
        })
    }
}

/// One masked frame, filling `place`.
#[inline]
fn frame(place: &mut [u8], header: &[u8], key: [u8; MASK_BYTES], payload: &[u8]) {
    let (head, masked) = place.split_at_mut(header.len() + MASK_BYTES);
    head[..header.len()].copy_from_slice(header);
    head[header.len()..].copy_from_slice(&key);
    wire::mask_into(masked, payload, key);
}

/// Writes who and which message this is over the front of a payload, as digits, so that text stays text.
fn number(payload: &mut [u8], slot: u32, sequence: u64) {
    let digits = format!("{slot:06}{sequence:012}");
    let count = payload.len().min(digits.len());
    payload[..count].copy_from_slice(&digits.as_bytes()[digits.len() - count..]);
}

/// Connects and, unless the server is the floor, shakes hands (RFC 6455 section 4.1).
fn open(options: &Options) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
    socket.set_nodelay(true)?;
    if options.raw {
        return Ok(socket);
    }
    let (path, port) = (&options.path, options.port);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    socket.set_read_timeout(Some(STALL))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    if head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT) {
        return Ok(socket);
    }
    Err(io::Error::other(format!("the opening handshake was refused: {}", head.lines().next().unwrap_or(""))))
}
