//! The subscribers of one server and its publisher, on a bare ring: who reads, who has stopped reading, and
//! when each message came.

use super::listener::{Listener, STAMP_BYTES};
use crate::opening::{self, STALL};
use crate::ring::{Buffer, Event, Receive, Ring, Settings};
use crate::wire::{self, FIN_BINARY, MASK_BYTES, MASKED};
use hdrhistogram::Histogram;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Completions that are waited for at once, and for how long: a client that woke for each would be busy with
/// waking.
const BATCH: u32 = 16;
const BATCH_PATIENCE: Duration = Duration::from_micros(100);
/// How long a receive takes to be stopped, mostly far less.
const STOP_PATIENCE: Duration = Duration::from_millis(20);
/// Messages of which a fill has so many on their way.
const FILL_BATCH: u64 = 16;
const KEY: [u8; MASK_BYTES] = [0x5a, 0x11, 0xc3, 0x7e];

/// Who subscribes, and to what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) subscribers: u32,
    /// Those of them, the last ones, that will stop reading.
    pub(super) stalled: u32,
    /// Bytes of a message.
    pub(super) payload: usize,
    /// `SO_RCVBUF` of those that will stop reading.
    pub(super) receive_buffer: usize,
}

/// See the [module](self).
pub(super) struct Crowd {
    setup: Setup,
    ring: Ring,
    listeners: Vec<Listener>,
    /// Messages that those who keep reading have passed, added up.
    passed: u64,
    /// Messages published.
    pub(super) published: u64,
    /// What the publisher has to send while it is sending.
    unsent: Vec<u8>,
    is_sending: bool,
    epoch: Instant,
    heard_at: Instant,
    /// How long nothing may come before that is a failure.
    silence_max: Duration,
    stalled_at: Instant,
    /// From when a message was due to when it was read, in nanoseconds, at those who keep reading.
    latency: Histogram<u64>,
}

impl Crowd {
    /// Everybody subscribes.
    pub(super) fn connect(port: u16, topic: &str, setup: Setup) -> io::Result<Self> {
        let slots = setup.subscribers + 1;
        let mut ring =
            Ring::new(Settings { slots, buffers: 1024, buffer_bytes: 16 << 10, receive: Receive::Copy })?;
        let path = format!("/subscribe/{topic}");
        for slot in 0..setup.subscribers {
            let narrow = slot >= setup.subscribers - setup.stalled;
            let mut socket = connect(port, narrow.then_some(setup.receive_buffer))?;
            opening::shake_hands(&mut socket, port, &path, false)?;
            ring.adopt(slot, &socket)?;
            ring.receive(slot)?;
        }
        let publisher = opening::open(port, Some(&format!("/publish/{topic}")))?;
        ring.adopt(setup.subscribers, &publisher)?;
        let now = Instant::now();
        Ok(Self {
            setup,
            ring,
            listeners: (0..setup.subscribers).map(|_| Listener::default()).collect(),
            passed: 0,
            published: 0,
            unsent: Vec::new(),
            is_sending: false,
            epoch: now,
            heard_at: now,
            silence_max: STALL,
            stalled_at: now,
            latency: histogram()?,
        })
    }

    /// The slots of those that stop reading.
    pub(super) fn stalled(&self) -> Range<u32> {
        self.setup.subscribers - self.setup.stalled..self.setup.subscribers
    }

    pub(super) fn listener(&self, slot: u32) -> &Listener {
        &self.listeners[slot as usize]
    }

    fn healthy(&self) -> u64 {
        u64::from(self.setup.subscribers - self.setup.stalled)
    }

    /// Publishes at a rate, whatever comes back, and waits until those who keep reading have all of it. Returns
    /// how long messages took from when they were due.
    pub(super) fn run_for(&mut self, seconds: f64, rate: f64) -> io::Result<Histogram<u64>> {
        self.latency = histogram()?;
        self.heard_at = Instant::now();
        let (start, every) = (self.epoch.elapsed(), Duration::from_secs_f64(1.0 / rate));
        let mut due = start + every;
        let end = start + Duration::from_secs_f64(seconds);
        loop {
            let now = self.epoch.elapsed();
            while due <= now && due <= end {
                self.publish(due)?;
                due += every;
            }
            if due > end && self.awaited() == 0 {
                break;
            }
            let patience = due.saturating_sub(now);
            self.turn(if self.awaited() > 0 { patience.min(BATCH_PATIENCE) } else { patience })?;
        }
        Ok(std::mem::replace(&mut self.latency, histogram()?))
    }

    /// Publishes so many messages, as fast as those who keep reading take them.
    pub(super) fn fill(&mut self, messages: u64) -> io::Result<()> {
        self.heard_at = Instant::now();
        for message in 0..messages {
            self.publish(self.epoch.elapsed())?;
            while (message + 1) % FILL_BATCH == 0 && self.awaited() > 0 {
                self.turn(BATCH_PATIENCE)?;
            }
        }
        while self.awaited() > 0 {
            self.turn(BATCH_PATIENCE)?;
        }
        Ok(())
    }

    /// Those that are to do so stop reading, as soon as they have everything so far.
    pub(super) fn stall(&mut self) -> io::Result<()> {
        self.settle(self.stalled())?;
        let start = Instant::now();
        while let Some(first) = self.stalled().find(|slot| !self.listener(*slot).ended) {
            if start.elapsed() > STALL {
                return Err(io::Error::other(format!(
                    "connection {first} could not be stopped from reading"
                )));
            }
            for slot in self.stalled().filter(|slot| !self.listeners[*slot as usize].ended) {
                self.ring.receive_stop(slot)?;
            }
            self.turn(STOP_PATIENCE)?;
        }
        self.stalled_at = Instant::now();
        Ok(())
    }

    /// Some of those that have stopped read again, until they have everything or are told that they will not.
    ///
    /// What overran their receive buffers was dropped, and TCP sends it again at intervals that double (RFC 6298,
    /// section 5.5): the next one can be as far off as they have been stalled.
    pub(super) fn read_again(&mut self, slots: Range<u32>) -> io::Result<()> {
        self.silence_max = STALL + self.stalled_at.elapsed();
        for slot in slots.clone() {
            self.listeners[slot as usize].ended = false;
            self.ring.receive(slot)?;
        }
        self.settle(slots)?;
        self.silence_max = STALL;
        Ok(())
    }

    fn settle(&mut self, slots: Range<u32>) -> io::Result<()> {
        self.heard_at = Instant::now();
        while slots.clone().any(|slot| !self.is_settled(slot)) {
            self.turn(BATCH_PATIENCE)?;
        }
        Ok(())
    }

    fn is_settled(&self, slot: u32) -> bool {
        let listener = self.listener(slot);
        listener.ended || listener.closed.is_some() || listener.next == self.published
    }

    /// Messages that those who keep reading have not read, added up.
    fn awaited(&self) -> u64 {
        self.published * self.healthy() - self.passed
    }

    fn publish(&mut self, due: Duration) -> io::Result<()> {
        let mut payload = vec![0; self.setup.payload.max(STAMP_BYTES)];
        payload[..8].copy_from_slice(&self.published.to_le_bytes());
        payload[8..STAMP_BYTES].copy_from_slice(&(due.as_nanos() as u64).to_le_bytes());
        let mut header = wire::header(FIN_BINARY, payload.len());
        header[1] |= MASKED;
        let mut frame = vec![0; header.len() + MASK_BYTES + payload.len()];
        wire::masked_frame(&mut frame, &header, KEY, &payload);
        self.published += 1;
        self.unsent.append(&mut frame);
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        if self.is_sending || self.unsent.is_empty() {
            return Ok(());
        }
        self.is_sending = true;
        self.ring.send_owned(self.setup.subscribers, std::mem::take(&mut self.unsent))
    }

    fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let want = u32::try_from(self.awaited()).unwrap_or(u32::MAX).clamp(1, BATCH);
        self.ring.turn_for(want, patience)?;
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
        let now = Instant::now();
        if heard {
            self.heard_at = now;
        } else if now - self.heard_at > self.silence_max {
            return Err(io::Error::other(format!(
                "nothing has come for {:.1?}; those who keep reading lack {} messages, and {} of the others lack some",
                self.silence_max,
                self.awaited(),
                self.stalled().filter(|slot| !self.is_settled(*slot)).count(),
            )));
        }
        Ok(())
    }

    fn act(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Received { slot, buffer } => {
                self.received(slot, buffer);
                Ok(())
            }
            Event::SendDone { .. } => {
                self.is_sending = false;
                self.send()
            }
            Event::Ended { slot } if self.stalled().contains(&slot) => {
                self.listeners[slot as usize].ended = true;
                Ok(())
            }
            Event::Ended { slot } | Event::SendFailed { slot } => {
                Err(io::Error::other(format!("the server closed connection {slot}, which keeps reading")))
            }
            Event::SendShort { .. } | Event::Accepted { .. } | Event::Tick => Ok(()),
        }
    }

    fn received(&mut self, slot: u32, buffer: Buffer) {
        let is_healthy = !self.stalled().contains(&slot);
        let now = self.epoch.elapsed().as_nanos() as u64;
        let Self { listeners, latency, ring, passed, .. } = self;
        let listener = &mut listeners[slot as usize];
        let before = listener.next;
        let length = buffer.len();
        listener.read(&ring.bytes(&buffer)[..length], |due| {
            if is_healthy {
                latency.saturating_record(now.saturating_sub(due));
            }
        });
        if is_healthy {
            *passed += listener.next - before;
        }
        ring.release(buffer);
    }
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)
}

/// A connection, its receive buffer of this size when one is given.
fn connect(port: u16, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}
