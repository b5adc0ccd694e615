//! What a handler may do with its connection.

use crate::cluster::ConnectionId;
use crate::flow::Flow;
use crate::limits::GATHERED_COPY_BYTES_MAX;
use crate::remote::Remote;
use crate::settings::SlowPeer;
use crate::shard::{Local, Output};
use crate::topic::Topic;
use bytes::Bytes;
use wsring_io::{Outgoing, Time};
use wsring_proto::frame::{self, Opcode};
use wsring_proto::{Client, CloseCode, Framed, Kind, Message, Server};

/// What became of a message given to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a message may have been dropped; say so with `let _` when that does not matter"]
pub enum Sent {
    /// It leaves with this turn of the shard's loop.
    Sent,
    /// It waits behind output that the peer has not taken yet; [`Handler::drain`] tells when all is
    /// out. A sender that can slow down should.
    ///
    /// [`Handler::drain`]: crate::Handler::drain
    Queued {
        /// What waits, this message included.
        unsent_bytes: usize,
    },
    /// It was not taken: the connection is closing, or the high-water mark is reached.
    Dropped,
}

/// One connection, in the hands of its handler for the length of one call. Everything sent in one
/// turn of the shard's loop leaves as one send.
pub struct Conn<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) client: bool,
    /// Output now answers what the peer has sent, so that not reading on bounds it.
    pub(crate) answers: bool,
    pub(crate) flow: &'a mut Flow,
    pub(crate) topics: &'a mut Vec<u64>,
    pub(crate) output: &'a mut Output,
    pub(crate) local: &'a mut Local,
}

impl Conn<'_> {
    /// The connection's name, also after this call.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The shard that the connection lives on.
    pub fn shard(&self) -> usize {
        self.local.shard
    }

    /// The shard's clock, read once a turn.
    pub fn now(&self) -> Time {
        self.local.now
    }

    /// Whether messages are still taken: no Close was sent.
    pub fn is_open(&self) -> bool {
        !self.flow.close_sent
    }

    /// Bytes that wait because the peer does not keep up.
    pub fn unsent_bytes(&self) -> usize {
        self.flow.unsent_bytes()
    }

    /// A handle that reaches this connection from any thread.
    pub fn remote(&self) -> Remote {
        self.local.cluster.remote(self.id)
    }

    /// Sends a message that has just arrived back, without copying it: the frame header is written
    /// into the bytes before the payload and the receive buffer itself is sent. (It is copied where
    /// other output of this turn comes before it, or earlier output still waits.)
    pub fn send(&mut self, message: Message<'_>) -> Sent {
        let length = message.payload().len();
        let Some(sent) = self.admit(length) else { return Sent::Dropped };
        let stays = if message.is_gathered() {
            length >= GATHERED_COPY_BYTES_MAX
        } else {
            self.local.input_stays.is_some() && self.output.is_empty() && !self.flow.is_blocked()
        };
        if !stays {
            self.append(message.kind().opcode(), message.payload());
            return sent;
        }
        match self.in_place(message) {
            Ok(Framed::Input(range)) => self.local.stay(range),
            Ok(Framed::Owned { bytes, start }) => self.output.push(Outgoing::Buffer { bytes, start }),
            Err(message) => self.append(message.kind().opcode(), message.payload()),
        }
        sent
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) -> Sent {
        self.send_payload(Kind::Text, text.as_bytes())
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, payload: &[u8]) -> Sent {
        self.send_payload(Kind::Binary, payload)
    }

    /// Sends a message of either kind. A text's payload has to be UTF-8; the peer fails the
    /// connection when it is not.
    pub fn send_payload(&mut self, kind: Kind, payload: &[u8]) -> Sent {
        let Some(sent) = self.admit(payload.len()) else { return Sent::Dropped };
        self.append(kind.opcode(), payload);
        sent
    }

    /// Sends one frame of a message in fragments: the first of the message's kind, the others
    /// `None`, the last with `fin`. Other messages are dropped in between (RFC 6455 section 5.4), and so
    /// is a fragment that continues nothing.
    pub fn send_fragment(&mut self, kind: Option<Kind>, fin: bool, payload: &[u8]) -> Sent {
        // A message that has begun is taken to its end: the peer could make nothing of half of it.
        let sent = match kind {
            Some(_) => self.admit(payload.len()),
            None => (self.is_open() && self.flow.fragmenting).then(|| self.taken(payload.len())),
        };
        let Some(sent) = sent else { return Sent::Dropped };
        self.flow.fragmenting = !fin;
        let opcode = kind.map_or(Opcode::Continuation, Kind::opcode);
        self.append_frame(opcode, fin, payload);
        sent
    }

    /// Sends a Ping; the shard sends its own when the peer is silent.
    ///
    /// # Panics
    /// When the payload exceeds 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) {
        assert!(payload.len() <= 125, "a Ping carries at most 125 bytes, not {}", payload.len());
        if self.is_open() {
            self.append(Opcode::Ping, payload);
        }
    }

    /// Begins the closing handshake; nothing can be sent after it. A reason beyond 123 bytes is cut.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.append_close(wsring_proto::CloseReason { code: Some(code), reason });
    }

    /// Receives from now on what is published to the topic. A message in fragments that is being sent
    /// comes first: what is published meanwhile is dropped.
    ///
    /// # Panics
    /// When the topic is another server's, or the connection a client's: frames of a topic are those
    /// of a server.
    pub fn subscribe(&mut self, topic: &Topic) {
        let ours = !self.client && topic.belongs_to(&self.local.cluster);
        assert!(ours, "a connection subscribes to topics of its own server");
        if !self.topics.contains(&topic.id()) {
            self.topics.push(topic.id());
            self.local.topics.entry(topic.id()).or_default().push(self.id.socket);
        }
    }

    /// Receives it no more.
    pub fn unsubscribe(&mut self, topic: &Topic) {
        self.topics.retain(|id| *id != topic.id());
        if self.topics.is_empty() {
            *self.topics = Vec::new();
        }
        self.local.leave(topic.id(), self.id.socket);
    }

    /// Publishes to all subscribers of the topic, on all shards, this connection included when it
    /// is one.
    pub fn publish(&mut self, topic: &Topic, kind: Kind, payload: &[u8]) {
        topic.publish_from(self.local, kind, payload, None);
    }

    /// Publishes to all other subscribers.
    pub fn publish_to_others(&mut self, topic: &Topic, kind: Kind, payload: &[u8]) {
        topic.publish_from(self.local, kind, payload, Some(self.id.socket));
    }

    /// Sends a frame that other connections are sent too.
    pub(crate) fn push_shared(&mut self, frame: &Bytes) {
        if self.admit(frame.len()).is_some() {
            self.output.push_shared(frame.clone());
        }
    }

    /// Appends a Close unless one was sent.
    pub(crate) fn append_close(&mut self, reason: wsring_proto::CloseReason<'_>) {
        if self.flow.close_sent {
            return;
        }
        self.flow.close_sent = true;
        let masking = &mut self.local.masking;
        self.output.compose(|bytes| match self.client {
            true => frame::append_close::<Client>(bytes, reason, masking),
            false => frame::append_close::<Server>(bytes, reason, masking),
        });
    }

    pub(crate) fn append(&mut self, opcode: Opcode, payload: &[u8]) {
        self.append_frame(opcode, true, payload);
    }

    fn append_frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let masking = &mut self.local.masking;
        self.output.compose(|bytes| match self.client {
            true => frame::append::<Client>(bytes, opcode, fin, payload, masking),
            false => frame::append::<Server>(bytes, opcode, fin, payload, masking),
        });
    }

    fn in_place<'m>(&mut self, message: Message<'m>) -> Result<Framed, Message<'m>> {
        match self.client {
            true => message.frame_in_place::<Client>(&mut self.local.masking),
            false => message.frame_in_place::<Server>(&mut self.local.masking),
        }
    }

    /// Whether a message may be taken, and what to tell its sender.
    #[inline]
    fn admit(&mut self, length: usize) -> Option<Sent> {
        if self.flow.close_sent || self.flow.fragmenting || self.has_most() {
            return None;
        }
        let is_high = self.flow.is_high(self.output.len(), &self.local.settings);
        if is_high && !self.take_beyond_mark() {
            return None;
        }
        Some(self.taken(length))
    }

    /// Whether as much is waiting as one connection may ever have, whatever it answers.
    #[inline]
    fn has_most(&self) -> bool {
        self.flow.unsent_bytes() + self.output.len() >= self.local.settings.unsent_bytes_max()
    }

    /// What to tell the sender of a message that is taken.
    #[inline]
    fn taken(&mut self, length: usize) -> Sent {
        if !self.flow.is_blocked() {
            return Sent::Sent;
        }
        self.flow.drain_wanted = true;
        Sent::Queued { unsent_bytes: self.flow.unsent_bytes() + self.output.len() + length }
    }

    /// At the high-water mark: whether the message is taken all the same.
    fn take_beyond_mark(&mut self) -> bool {
        match self.local.settings.slow_peer {
            SlowPeer::Pause => self.answers,
            SlowPeer::Drop => false,
            SlowPeer::Close => {
                self.close(CloseCode::TRY_AGAIN_LATER, "too slow: output exceeds the high-water mark");
                false
            }
        }
    }
}
