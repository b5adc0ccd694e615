//! The connections of a bare-ring server: whose output waits for an earlier send, and which are over.

use super::{Event, Ring};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A listener on loopback whose connections inherit `TCP_NODELAY`.
///
/// # Errors
/// The environment's: the port is taken.
pub fn listen(port: u16) -> io::Result<TcpListener> {
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

/// A connection, with what its server keeps of it beside.
#[derive(Default)]
pub struct Link<T> {
    phase: Phase,
    /// A send is pending.
    pub sending: bool,
    /// What waits for it; empty while everything goes out at once.
    pub queue: Vec<u8>,
    /// The server's own.
    pub own: T,
}

impl<T> Link<T> {
    /// Whether it takes output.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}

/// All of them, by slot.
#[derive(Default)]
pub struct Links<T>(Vec<Link<T>>);

impl<T: Default> Links<T> {
    /// The connection in a slot.
    ///
    /// # Panics
    /// When none was ever accepted there.
    #[inline]
    pub fn at(&mut self, slot: u32) -> &mut Link<T> {
        &mut self.0[slot as usize]
    }

    /// All slots, vacant ones among them.
    pub fn all(&mut self) -> &mut [Link<T>] {
        &mut self.0
    }

    /// Does what every server does about an event; one that brings bytes is handed back.
    ///
    /// # Errors
    /// The environment's: the ring is broken.
    #[inline]
    pub fn act(&mut self, ring: &mut Ring, event: Event) -> io::Result<Option<Event>> {
        match event {
            Event::Received { .. } => return Ok(Some(event)),
            Event::Accepted { slot } => self.accepted(ring, slot)?,
            Event::Ended { slot } => {
                self.at(slot).phase = Phase::Ended;
                self.close_when_over(ring, slot)?;
            }
            Event::SendShort { slot, rest } => {
                self.at(slot).queue.splice(..0, rest);
                self.send_queue(ring, slot)?;
            }
            Event::SendDone { slot } => {
                self.at(slot).sending = false;
                self.send_queue(ring, slot)?;
            }
            Event::SendFailed { slot } => {
                let link = self.at(slot);
                (link.sending, link.queue) = (false, Vec::new());
                self.close_when_over(ring, slot)?;
            }
            Event::Tick => {}
        }
        Ok(None)
    }

    fn accepted(&mut self, ring: &mut Ring, slot: u32) -> io::Result<()> {
        if self.0.len() <= slot as usize {
            self.0.resize_with(slot as usize + 1, Link::default);
        }
        *self.at(slot) = Link { phase: Phase::Open, ..Link::default() };
        ring.receive(slot)
    }

    /// Sends what waits, unless a send is pending; its end calls this again.
    ///
    /// # Errors
    /// The environment's: the ring is broken.
    pub fn send_queue(&mut self, ring: &mut Ring, slot: u32) -> io::Result<()> {
        let link = self.at(slot);
        if link.is_open() && !link.sending && !link.queue.is_empty() {
            link.sending = true;
            let bytes = std::mem::take(&mut link.queue);
            ring.send_owned(slot, bytes)?;
        }
        self.close_when_over(ring, slot)
    }

    fn close_when_over(&mut self, ring: &mut Ring, slot: u32) -> io::Result<()> {
        let link = self.at(slot);
        if link.phase != Phase::Ended || link.sending {
            return Ok(());
        }
        *link = Link::default();
        ring.close(slot)
    }
}
