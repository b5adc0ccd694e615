//! The contract of `Io` as one suite that every speaker has to pass.
//!
//! A speaker's test gives a [`World`]: how to make shards of it, and raw peers that connect to them.
//! [`contract`] then runs every case of [`cases`] in a world of its own. The shards are held by
//! [`Watched`], which checks the order of all reports by itself.

mod addresses;
mod cases;
mod pauses;
mod segments;
mod watched;

pub(crate) use watched::Watched;

use std::net::{IpAddr, SocketAddr};
use wsring_io::Io;

/// A speaker's surroundings.
pub(crate) trait World {
    /// The speaker.
    type Io: Io;
    /// A raw peer.
    type Far: Far;

    /// Adds a shard with a listener; shards count from 0.
    fn shard(&mut self, size: Size) -> Self::Io;

    /// Connects a peer to a shard's listener, which may be closed.
    fn far(&mut self, shard: usize) -> Self::Far;

    /// As [`far`](Self::far), from an address of loopback.
    fn far_from(&mut self, shard: usize, address: IpAddr) -> Self::Far;

    /// Where a shard listens.
    fn address(&self, shard: usize) -> SocketAddr;

    /// Where nobody listens.
    fn address_of_nobody(&self) -> SocketAddr;
}

/// A raw peer. Nothing waits: what cannot be done now is done in part or not at all.
pub(crate) trait Far {
    /// Sends what there is room for and says how much.
    fn write(&mut self, bytes: &[u8]) -> usize;
    /// Everything that has arrived, possibly nothing.
    fn read(&mut self) -> Vec<u8>;
    /// Sends FIN.
    fn finish(&mut self);
    /// Sends RST and is gone.
    fn reset(&mut self);
    /// Whether everything was read and FIN followed.
    fn is_eof(&mut self) -> bool;
    /// Whether everything was read and the connection then broke, or never came about.
    fn is_reset(&mut self) -> bool;
}

/// How large a shard is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) sockets_max: u32,
    pub(crate) buffers: u16,
    pub(crate) buffer_bytes: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { sockets_max: 64, buffers: 16, buffer_bytes: 512 }
    }
}

/// Runs every case, each in a fresh world.
pub(crate) fn contract<W: World>(mut world: impl FnMut() -> W) {
    for (name, case) in cases::all::<W>() {
        println!("case {name}");
        case(&mut world());
    }
}

/// Bytes that tell where they belong.
pub(crate) fn pattern(length: usize, key: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ key).collect()
}
