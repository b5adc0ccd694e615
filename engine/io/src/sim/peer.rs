//! Raw ends of connections, driven by the test.

use super::link::{End, Owner};
use super::network::{Network, address_of};
use super::pipe::Taken;
use crate::CloseHow;
use std::net::SocketAddr;

/// A TCP-like peer of a shard. Nothing here waits: calls do what is possible at the present time.
/// Dropping it closes it, with a reset when input is left unread.
pub struct Peer {
    network: Network,
    end: Option<End>,
}

/// A listener that the test accepts from.
pub struct PeerListener {
    network: Network,
    listener: usize,
}

impl Peer {
    pub(super) fn new(network: Network, end: End) -> Self {
        Self { network, end: Some(end) }
    }

    /// Sends as many of the bytes as there is room for and says how many: none when the connection
    /// is broken, reset or finished from here.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        match self.end {
            Some(end) if !bytes.is_empty() => self.network.state().write(end, bytes).unwrap_or(0),
            _ => 0,
        }
    }

    /// Everything that has arrived, possibly nothing.
    pub fn read(&mut self) -> Vec<u8> {
        self.read_at_most(usize::MAX)
    }

    /// What has arrived, up to so many bytes; a slow reader leaves the rest.
    pub fn read_at_most(&mut self, bytes_max: usize) -> Vec<u8> {
        let Some(end) = self.end else { return Vec::new() };
        let mut state = self.network.state();
        let now = state.now;
        let mut bytes = vec![0; state.incoming(end).readable(now).min(bytes_max)];
        if bytes.is_empty() {
            return bytes;
        }
        let taken = state.read(end, &mut bytes);
        debug_assert_eq!(taken, Taken::Bytes(bytes.len()));
        bytes
    }

    /// Sends FIN: no more will be written, reading goes on.
    pub fn shutdown_write(&mut self) {
        if let Some(end) = self.end {
            self.network.state().finish(end);
        }
    }

    /// Sends RST and is gone.
    pub fn reset(&mut self) {
        self.close_how(CloseHow::Reset);
    }

    /// Closes both directions.
    pub fn close(&mut self) {
        self.close_how(CloseHow::Fin);
    }

    /// How many bytes the shard may send ahead of what was read; 0 holds it back for good. What is
    /// on its way already still arrives.
    pub fn set_window(&mut self, bytes: usize) {
        if let Some(end) = self.end {
            self.network.state().set_window(end, bytes);
        }
    }

    /// Whether everything was read and FIN followed.
    pub fn is_eof(&self) -> bool {
        self.ending() == Some(Taken::Fin)
    }

    /// Whether everything was read and the connection then broke, or never came about.
    pub fn is_reset(&self) -> bool {
        self.ending() == Some(Taken::Reset)
    }

    /// Whether there is nothing more to read and never will be.
    pub fn is_ended(&self) -> bool {
        self.end.is_none() || self.ending().is_some()
    }

    fn ending(&self) -> Option<Taken> {
        let end = self.end?;
        let mut state = self.network.state();
        let now = state.now;
        state.incoming(end).ending(now)
    }

    fn close_how(&mut self, how: CloseHow) {
        if let Some(end) = self.end.take() {
            self.network.state().close(end, how);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close_how(CloseHow::Fin);
        }
    }
}

impl PeerListener {
    pub(super) fn new(network: Network, listener: usize) -> Self {
        Self { network, listener }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        address_of(self.listener)
    }

    /// The next connection that has arrived.
    pub fn accept(&mut self) -> Option<Peer> {
        let mut state = self.network.state();
        let end = state.accept(self.listener)?;
        state.set_owner(end, Owner::Waiting);
        drop(state);
        Some(Peer::new(self.network.clone(), end))
    }
}

impl Drop for PeerListener {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.network.state().listener_close(self.listener);
        }
    }
}
