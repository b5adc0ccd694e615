//! The limit: a bare io_uring echo with no WebSocket in it.
//!
//! It moves the bytes that an echoing WebSocket server moves. A frame from a client carries a masking
//! key of four bytes that the answer does not, so the floor drops the first four bytes of each request
//! of `--request` bytes and sends the rest back, straight from the receive buffer. It parses nothing,
//! unmasks nothing and knows connections only by their partial requests: what a server costs more than
//! this, on the same ring settings, is what its protocol costs.

use clap::Parser;
use std::io;
use wsring_benches::proc::pin;
use wsring_benches::ring::{
    BUFFER_BYTES, BUFFERS, Buffer, Event, Link, Links, Receive, Ring, Settings, listen,
};
use wsring_benches::wire::MASK_BYTES;

/// A bare io_uring echo: the least that an echo server on this kernel can cost.
#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
    /// Bytes of one request, masking key included (`load --raw` of the same payload sends these)
    #[arg(long)]
    request: usize,
    /// Receive buffers of 16 KiB, a power of two; the engine's number unless given
    #[arg(long, default_value_t = BUFFERS)]
    buffers: u16,
    /// Connections at most
    #[arg(long, default_value_t = 4096)]
    connections: u32,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    if options.request <= MASK_BYTES {
        return Err(io::Error::other("--request must be larger than the masking key of 4 bytes"));
    }
    if let Some(core) = options.core {
        pin(core)?;
    }
    let settings = Settings {
        slots: options.connections,
        buffers: options.buffers,
        buffer_bytes: BUFFER_BYTES,
        receive: Receive::Copy,
    };
    let mut ring = Ring::new(settings)?;
    let listener = listen(options.port)?;
    ring.accept(&listener)?;
    println!("floor listening on {}", listener.local_addr()?);
    let mut floor =
        Floor { ring, request: options.request, turn: 0, links: Links::default(), waiting: Vec::new() };
    loop {
        floor.turn()?;
    }
}

/// What is kept of a connection beside its output.
#[derive(Default)]
struct Own {
    /// The turn in which the last answer was sent from a receive buffer.
    answered_in: u64,
    /// The beginning of a request whose end has not come.
    partial: Vec<u8>,
}

struct Floor {
    ring: Ring,
    request: usize,
    turn: u64,
    links: Links<Own>,
    /// Slots with a queue that waits only for the sends of this turn to be over.
    waiting: Vec<u32>,
}

impl Floor {
    /// One turn of the loop: everything that is ready is collected, then all answers leave with the
    /// next turn's one enter.
    fn turn(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.turn += 1;
        self.ring.turn()?;
        loop {
            while let Some(event) = self.ring.next()? {
                if let Some(Event::Received { slot, buffer }) = self.links.act(&mut self.ring, event)? {
                    self.received(slot, buffer)?;
                }
            }
            if !self.ring.collect()? {
                break;
            }
        }
        waiting.into_iter().try_for_each(|slot| self.links.send_queue(&mut self.ring, slot))
    }

    #[inline]
    fn received(&mut self, slot: u32, buffer: Buffer) -> io::Result<()> {
        let link = self.links.at(slot);
        // Two sends of one socket in one enter could mix their bytes when the first goes out in part.
        let first = link.own.answered_in != self.turn && !link.sending;
        if !first || !link.own.partial.is_empty() || !buffer.len().is_multiple_of(self.request) {
            return self.received_in_pieces(slot, buffer);
        }
        link.own.answered_in = self.turn;
        let end = self.drop_keys(&buffer);
        self.ring.send(slot, buffer, MASK_BYTES..end)
    }

    /// Closes the gaps that the keys of all requests but the first leave, so that what stands from byte
    /// four on is one contiguous answer; tells where it ends.
    #[inline]
    fn drop_keys(&mut self, buffer: &Buffer) -> usize {
        let (len, mut end) = (buffer.len(), self.request);
        if len > self.request {
            let bytes = self.ring.bytes(buffer);
            for start in (self.request..len).step_by(self.request) {
                bytes.copy_within(start + MASK_BYTES..start + self.request, end);
                end += self.request - MASK_BYTES;
            }
        }
        end
    }

    /// A request was split, or an earlier answer is still on its way: bytes are gathered by copying.
    #[cold]
    fn received_in_pieces(&mut self, slot: u32, buffer: Buffer) -> io::Result<()> {
        let Link { own, queue, .. } = self.links.at(slot);
        own.partial.extend_from_slice(&self.ring.bytes(&buffer)[..buffer.len()]);
        self.ring.release(buffer);
        let whole = own.partial.len() / self.request * self.request;
        for request in own.partial[..whole].chunks_exact(self.request) {
            queue.extend_from_slice(&request[MASK_BYTES..]);
        }
        own.partial.drain(..whole);
        if own.answered_in == self.turn {
            self.waiting.push(slot);
            return Ok(());
        }
        self.links.send_queue(&mut self.ring, slot)
    }
}
