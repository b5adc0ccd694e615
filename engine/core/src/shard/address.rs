//! Where connections come from, when somebody wants to know.

use super::Shard;
use std::net::IpAddr;
use wsring_io::{Io, Socket};
use wsring_proto::http::Response;

impl<I: Io> Shard<I> {
    /// The address of a new connection, before anything that it has sent.
    pub(super) fn peer_address(&mut self, socket: Socket, address: Option<IpAddr>) {
        let (Some(address), Some(_)) = (address, self.table.get(socket)) else { return };
        self.local.peers.insert(socket.slot(), address);
        let count = self.local.cluster.addresses().opened(address);
        let max = self.local.settings.connections_per_address_max;
        if let Some(max) = max.filter(|max| count > *max) {
            let text =
                format!("429 Too Many Requests: {address} has {max} connections, which is all it may\n");
            self.answer_and_linger(socket, &Response::text(429, text));
        }
    }

    /// A connection is gone.
    pub(super) fn forget_address(&mut self, socket: Socket) {
        if !self.local.peers.is_empty()
            && let Some(address) = self.local.peers.remove(&socket.slot())
        {
            self.local.cluster.addresses().closed(address);
        }
    }
}
