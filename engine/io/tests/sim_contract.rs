//! The simulation keeps the contract of `Io`, without faults and with any mix of them that loses
//! no connection.

mod contract;
mod sim_seeds;

use contract::{Far, Size, World, contract};
use std::net::{IpAddr, SocketAddr};
use wsring_io::sim::{Config, Faults, Network, Peer, SimIo};

struct SimWorld(Network);

impl World for SimWorld {
    type Io = SimIo;
    type Far = Peer;

    fn shard(&mut self, size: Size) -> SimIo {
        let Size { sockets_max, buffers, buffer_bytes } = size;
        self.0.shard(Config { sockets_max, buffers, buffer_bytes })
    }

    fn far(&mut self, shard: usize) -> Peer {
        self.0.peer(shard)
    }

    fn far_from(&mut self, shard: usize, address: IpAddr) -> Peer {
        self.0.peer_from(shard, address)
    }

    fn address(&self, shard: usize) -> SocketAddr {
        self.0.address(shard)
    }

    fn address_of_nobody(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }
}

impl Far for Peer {
    fn write(&mut self, bytes: &[u8]) -> usize {
        Self::write(self, bytes)
    }

    fn read(&mut self) -> Vec<u8> {
        Self::read(self)
    }

    fn finish(&mut self) {
        self.shutdown_write();
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn is_eof(&mut self) -> bool {
        Self::is_eof(self)
    }

    fn is_reset(&mut self) -> bool {
        Self::is_reset(self)
    }
}

#[test]
fn without_faults() {
    contract(|| SimWorld(Network::new(0, Faults::default())));
}

#[test]
fn with_each_mix_of_faults() {
    for seed in sim_seeds::seeds(40) {
        println!("seed {seed}");
        contract(|| SimWorld(Network::new(seed, Faults::from_seed(seed).lossless())));
    }
}
