//! A connection as other threads see it.

use crate::CloseCode;
use crate::cluster::{Cluster, ConnectionId};
use crate::shard::Command;
use bytes::Bytes;
use std::sync::Arc;
use wsring_io::CloseHow;
use wsring_proto::Kind;

/// Reaches one connection from any thread; cheap to clone. It keeps nothing alive: what is sent
/// after the connection has ended is dropped.
#[derive(Clone, Debug)]
pub struct Remote {
    cluster: Arc<Cluster>,
    id: ConnectionId,
}

impl Remote {
    pub(crate) fn new(cluster: Arc<Cluster>, id: ConnectionId) -> Self {
        Self { cluster, id }
    }

    /// The connection's name.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Sends a text message in one of the shard's next turns.
    pub fn send_text(&self, text: impl Into<String>) {
        self.send(Kind::Text, Bytes::from(text.into()));
    }

    /// Sends a binary message in one of the shard's next turns.
    pub fn send_binary(&self, payload: impl Into<Bytes>) {
        self.send(Kind::Binary, payload.into());
    }

    /// Begins the closing handshake in one of the shard's next turns.
    pub fn close(&self, code: CloseCode, reason: impl Into<String>) {
        self.command(Command::Close { socket: self.id.socket, code, reason: reason.into() });
    }

    /// Ends the connection in one of the shard's next turns, without a closing handshake, as
    /// [`Conn::hang_up`](crate::Conn::hang_up) does.
    pub fn hang_up(&self, how: CloseHow) {
        self.command(Command::HangUp { socket: self.id.socket, how });
    }

    /// Has the connection's shard go through a turn, in which its [drivers](crate::Driver) are called: they learn
    /// that way, and without waiting for it, of what the caller has left for them in shared memory. Several that
    /// ask for it at once bring one turn about. It comes about as well when the connection has ended.
    pub fn wake(&self) {
        self.command(Command::Wake);
    }

    fn send(&self, kind: Kind, payload: Bytes) {
        self.command(Command::Send { socket: self.id.socket, kind, payload });
    }

    pub(crate) fn command(&self, command: Command) {
        self.cluster.send(self.id.shard as usize, command);
    }
}
