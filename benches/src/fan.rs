//! The floors of fan-out: a bare ring that passes on what it gets to many, with no WebSocket in it.
//!
//! It moves the bytes that a WebSocket server moves. A frame from a client carries a masking key of four
//! bytes that what is delivered does not, so the floor drops the first four bytes of each request of a
//! fixed size. It gathers the rest of as many messages as belong together in one block and sends that
//! one block to everybody: one send per receiver and one enter per turn. What a server costs more than
//! this, on the same ring settings, is what its protocol and its bookkeeping cost.

use crate::ring::{BUFFER_BYTES, BUFFERS, Buffer, Event, Link, Links, Receive, Ring, Settings, listen};
use crate::wire::{self, MASK_BYTES};
use clap::Args;
use flate2::{Compress, Compression, FlushCompress};
use std::io;
use std::time::Duration;

/// How hard it compresses, as the engine does.
const LEVEL: u32 = 6;

/// So long it waits for a whole batch of messages at most.
const BATCH_PATIENCE: Duration = Duration::from_millis(1);

/// Options of both floors.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1
    #[arg(long)]
    pub port: u16,
    /// Core to run on
    #[arg(long)]
    pub core: Option<usize>,
    /// Bytes of one request, masking key included
    #[arg(long)]
    pub request: usize,
    /// Receive buffers of 16 KiB, a power of two; the engine's number unless given
    #[arg(long, default_value_t = BUFFERS)]
    pub buffers: u16,
    /// Connections at most
    #[arg(long, default_value_t = 4096)]
    pub connections_max: u32,
    /// Messages that it waits for at once, of those that belong together
    #[arg(long, default_value_t = 64)]
    pub batch: usize,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// Everybody, who sent it included.
    All,
    /// Those who never sent one.
    Silent,
}

/// What is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// What has come.
    AsItIs,
    /// A frame (RFC 7692) that is deflated for each receiver anew, by a compressor of its own, which is reset
    /// for each message. What comes has to be one WebSocket frame.
    DeflatedForEach,
}

/// Listens, says so, and passes on messages until the process ends: `together` of them in one send to
/// each receiver.
///
/// # Errors
/// The environment's: no such core, the port is taken, no ring.
pub fn serve(
    name: &str,
    options: &Options,
    together: usize,
    receivers: Receivers,
    delivery: Delivery,
) -> io::Result<()> {
    if options.request <= MASK_BYTES {
        return Err(io::Error::other("--request must be larger than the masking key of 4 bytes"));
    }
    if let Some(core) = options.core {
        crate::proc::pin(core)?;
    }
    let mut ring = Ring::new(Settings {
        slots: options.connections_max,
        buffers: options.buffers,
        buffer_bytes: BUFFER_BYTES,
        receive: Receive::Copy,
    })?;
    let listener = listen(options.port)?;
    ring.accept(&listener)?;
    println!("{name} listening on {}", listener.local_addr()?);
    let mut fan = Fan {
        ring,
        request: options.request,
        together,
        batch: options.batch.max(1),
        receivers,
        links: Links::default(),
        delivery,
        gathered: Vec::new(),
        messages: 0,
    };
    loop {
        fan.turn()?;
    }
}

/// What is kept of a connection beside its output.
#[derive(Default)]
struct Own {
    /// It has sent a message.
    speaks: bool,
    /// The beginning of a request whose end has not come.
    partial: Vec<u8>,
    /// Where its messages are deflated for it.
    compressor: Option<Compress>,
}

fn listens(link: &Link<Own>, receivers: Receivers) -> bool {
    link.is_open() && (receivers == Receivers::All || !link.own.speaks)
}

struct Fan {
    ring: Ring,
    request: usize,
    together: usize,
    batch: usize,
    receivers: Receivers,
    links: Links<Own>,
    delivery: Delivery,
    /// Messages that have come and were not passed on, without their keys.
    gathered: Vec<u8>,
    messages: usize,
}

impl Fan {
    /// One turn of the loop: everything that is ready is collected, then all sends leave with the next
    /// turn's one enter.
    fn turn(&mut self) -> io::Result<()> {
        match self.messages {
            // At rest, or alone in its turn.
            0 => self.ring.turn()?,
            some => self.ring.turn_for((self.together - some).min(self.batch) as u32, BATCH_PATIENCE)?,
        }
        loop {
            self.drain()?;
            if !self.ring.collect()? {
                break;
            }
        }
        if self.messages >= self.together {
            self.fan_out()?;
            // A crowd larger than the queue has entered by itself, and what failed is known already.
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        while let Some(event) = self.ring.next()? {
            if let Some(Event::Received { slot, buffer }) = self.links.act(&mut self.ring, event)? {
                self.received(slot, buffer);
            }
        }
        Ok(())
    }

    /// Sends what was gathered to all receivers; it waits where an earlier send is pending.
    fn fan_out(&mut self) -> io::Result<()> {
        self.messages = 0;
        let bytes = std::mem::take(&mut self.gathered);
        if self.delivery == Delivery::DeflatedForEach {
            return self.deflate_for_each(&bytes);
        }
        let receivers = self.receivers;
        for link in self.links.all() {
            if link.sending && listens(link, receivers) {
                link.queue.extend_from_slice(&bytes);
            }
        }
        let links = &*self.links.all();
        let free = |slot: &u32| {
            let link = &links[*slot as usize];
            !link.sending && listens(link, receivers)
        };
        self.ring.send_all(bytes, (0..links.len() as u32).filter(free))
    }

    /// Messages of its own for each receiver.
    fn deflate_for_each(&mut self, frames: &[u8]) -> io::Result<()> {
        let frame_bytes = self.request - MASK_BYTES;
        for slot in 0..self.links.all().len() as u32 {
            let link = self.links.at(slot);
            if listens(link, self.receivers) {
                let new = || Compress::new(Compression::new(LEVEL), false);
                let compressor = link.own.compressor.get_or_insert_with(new);
                for frame in frames.chunks_exact(frame_bytes) {
                    link.queue.extend(deflate(compressor, frame)?);
                }
                self.links.send_queue(&mut self.ring, slot)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn received(&mut self, slot: u32, buffer: Buffer) {
        let own = &mut self.links.at(slot).own;
        own.speaks = true;
        let bytes = &self.ring.bytes(&buffer)[..buffer.len()];
        if own.partial.is_empty() && bytes.len() == self.request {
            self.gathered.extend_from_slice(&bytes[MASK_BYTES..]);
            self.messages += 1;
        } else {
            // A request was split, or several came at once.
            own.partial.extend_from_slice(bytes);
            let whole = own.partial.len() / self.request * self.request;
            for request in own.partial.drain(..whole).as_slice().chunks_exact(self.request) {
                self.gathered.extend_from_slice(&request[MASK_BYTES..]);
                self.messages += 1;
            }
        }
        self.ring.release(buffer);
    }
}

/// The frame of a message, compressed by itself (RFC 7692 section 7.2.1).
fn deflate(compressor: &mut Compress, frame: &[u8]) -> io::Result<Vec<u8>> {
    let header_bytes = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    compressor.reset();
    let mut body = Vec::with_capacity(frame.len() + 64);
    compressor
        .compress_vec(&frame[header_bytes..], &mut body, FlushCompress::Sync)
        .map_err(io::Error::other)?;
    if !body.ends_with(&[0x00, 0x00, 0xff, 0xff]) {
        return Err(io::Error::other("a message that grows by more than 64 bytes when it is deflated"));
    }
    body.truncate(body.len() - 4);
    let mut whole = wire::header(frame[0] | wire::COMPRESSED, body.len());
    whole.append(&mut body);
    Ok(whole)
}
