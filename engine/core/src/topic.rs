//! One message to many connections.

use crate::cluster::Cluster;
use crate::shard::{Command, Local};
use bytes::Bytes;
use std::sync::Arc;
use wsring_io::Socket;
use wsring_proto::Kind;
use wsring_proto::frame::Header;

/// A name to publish to: what is published reaches every connection that has subscribed with
/// [`Conn::subscribe`](crate::Conn::subscribe), on all shards. Each message is framed once and
/// handed over once per shard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Topic {
    cluster: Arc<Cluster>,
    id: u64,
}

impl Topic {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        let id = cluster.next_topic();
        Self { cluster, id }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it was made by the server or client with these shards.
    pub(crate) fn belongs_to(&self, cluster: &Arc<Cluster>) -> bool {
        Arc::ptr_eq(&self.cluster, cluster)
    }

    /// Publishes from any thread. Within a handler
    /// [`Conn::publish`](crate::Conn::publish) is cheaper.
    pub fn publish(&self, kind: Kind, payload: &[u8]) {
        let frame = frame(kind, payload);
        self.cluster.send_all(|| self.command(&frame, None));
    }

    /// From a shard's own thread: what concerns it takes no detour through its inbox.
    pub(crate) fn publish_from(&self, local: &mut Local, kind: Kind, payload: &[u8], except: Option<Socket>) {
        if !self.belongs_to(&local.cluster) {
            return self.publish(kind, payload);
        }
        let frame = frame(kind, payload);
        for shard in (0..self.cluster.shards()).filter(|shard| *shard != local.shard) {
            self.cluster.send(shard, self.command(&frame, None));
        }
        local.commands.push(self.command(&frame, except));
    }

    fn command(&self, frame: &Bytes, except: Option<Socket>) -> Command {
        Command::Publish { topic: self.id, frame: frame.clone(), except }
    }
}

/// The frame as a server sends it, the same for every subscriber.
fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    let header =
        Header { fin: true, reserved: 0, opcode: kind.opcode(), mask: None, length: payload.len() as u64 };
    let header = header.encode();
    let mut frame = Vec::with_capacity(header.len() + payload.len());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(payload);
    frame.into()
}
