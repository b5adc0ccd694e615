//! The floors of fan-out: a bare ring that passes on what it gets to many, with no WebSocket in it.
//!
//! It moves the bytes that a WebSocket server moves. A frame from a client carries a masking key of four
//! bytes that what is delivered does not, so the floor drops the first four bytes of each request of a
//! fixed size. It gathers the rest of as many messages as belong together in one block and sends that
//! one block to everybody: one send per receiver and one enter per turn. What a server costs more than
//! this, on the same ring settings, is what its protocol and its bookkeeping cost.

use crate::ring::{BUFFER_BYTES, BUFFERS, Buffer, Event, Receive, Ring, Settings};
use crate::wire::{self, MASK_BYTES};
use clap::Args;
use flate2::{Compress, Compression, FlushCompress};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
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
        delivery,
        connections: Vec::new(),
        gathered: Vec::new(),
        messages: 0,
    };
    loop {
        fan.turn()?;
    }
}

/// A listener whose connections inherit `TCP_NODELAY`.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// How far a slot's connection is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// None, or closed.
    #[default]
    Vacant,
    Open,
    /// The peer sends no more; closed as soon as no send is pending.
    Ended,
}

/// What is kept of a connection; the vectors are empty while messages come whole and go out at once.
#[derive(Default)]
struct Connection {
    phase: Phase,
    /// It has sent a message.
    speaks: bool,
    sending: bool,
    /// The beginning of a request whose end has not come.
    partial: Vec<u8>,
    /// What waits for an earlier send.
    queue: Vec<u8>,
    /// Where its messages are deflated for it.
    compressor: Option<Compress>,
}

impl Connection {
    fn listens(&self, receivers: Receivers) -> bool {
        self.phase == Phase::Open && (receivers == Receivers::All || !self.speaks)
    }
}

struct Fan {
    ring: Ring,
    request: usize,
    together: usize,
    batch: usize,
    receivers: Receivers,
    delivery: Delivery,
    /// By slot.
    connections: Vec<Connection>,
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
            self.act(event)?;
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
        for connection in &mut self.connections {
            if connection.sending && connection.listens(receivers) {
                connection.queue.extend_from_slice(&bytes);
            }
        }
        let connections = &self.connections;
        let free = |slot: &u32| {
            let connection = &connections[*slot as usize];
            !connection.sending && connection.listens(receivers)
        };
        self.ring.send_all(bytes, (0..connections.len() as u32).filter(free))
    }

    /// Messages of its own for each receiver.
    fn deflate_for_each(&mut self, frames: &[u8]) -> io::Result<()> {
        let frame_bytes = self.request - MASK_BYTES;
        for slot in 0..self.connections.len() as u32 {
            let connection = &mut self.connections[slot as usize];
            if connection.listens(self.receivers) {
                let new = || Compress::new(Compression::new(LEVEL), false);
                let compressor = connection.compressor.get_or_insert_with(new);
                for frame in frames.chunks_exact(frame_bytes) {
                    connection.queue.extend(deflate(compressor, frame)?);
                }
                self.send_queue(slot)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn act(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Received { slot, buffer } => {
                self.received(slot, buffer);
                Ok(())
            }
            Event::Accepted { slot } => self.accepted(slot),
            Event::Ended { slot } => {
                self.connection(slot).phase = Phase::Ended;
                self.close_when_over(slot)
            }
            Event::SendShort { slot, rest } => {
                self.connection(slot).queue.splice(..0, rest);
                self.send_queue(slot)
            }
            Event::SendDone { slot } => {
                self.connection(slot).sending = false;
                self.send_queue(slot)
            }
            Event::SendFailed { slot } => {
                let connection = self.connection(slot);
                (connection.sending, connection.queue) = (false, Vec::new());
                self.close_when_over(slot)
            }
            Event::Tick => Ok(()),
        }
    }

    fn connection(&mut self, slot: u32) -> &mut Connection {
        &mut self.connections[slot as usize]
    }

    fn accepted(&mut self, slot: u32) -> io::Result<()> {
        if self.connections.len() <= slot as usize {
            self.connections.resize_with(slot as usize + 1, Connection::default);
        }
        *self.connection(slot) = Connection { phase: Phase::Open, ..Connection::default() };
        self.ring.receive(slot)
    }

    #[inline]
    fn received(&mut self, slot: u32, buffer: Buffer) {
        let connection = &mut self.connections[slot as usize];
        connection.speaks = true;
        let bytes = &self.ring.bytes(&buffer)[..buffer.len()];
        if connection.partial.is_empty() && bytes.len() == self.request {
            self.gathered.extend_from_slice(&bytes[MASK_BYTES..]);
            self.messages += 1;
        } else {
            // A request was split, or several came at once.
            connection.partial.extend_from_slice(bytes);
            let whole = connection.partial.len() / self.request * self.request;
            for request in connection.partial.drain(..whole).as_slice().chunks_exact(self.request) {
                self.gathered.extend_from_slice(&request[MASK_BYTES..]);
                self.messages += 1;
            }
        }
        self.ring.release(buffer);
    }

    /// Sends what waits, unless a send is pending; its end calls this again.
    fn send_queue(&mut self, slot: u32) -> io::Result<()> {
        let connection = self.connection(slot);
        if connection.phase == Phase::Open && !connection.sending && !connection.queue.is_empty() {
            connection.sending = true;
            let bytes = std::mem::take(&mut connection.queue);
            self.ring.send_owned(slot, bytes)?;
        }
        self.close_when_over(slot)
    }

    fn close_when_over(&mut self, slot: u32) -> io::Result<()> {
        let connection = self.connection(slot);
        if connection.phase != Phase::Ended || connection.sending {
            return Ok(());
        }
        *connection = Connection::default();
        self.ring.close(slot)
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
