//! What a handler may do with its connection.

use crate::cluster::ConnectionId;
use crate::flow::Flow;
use crate::limits::GATHERED_COPY_BYTES_MAX;
use crate::remote::Remote;
use crate::settings::SlowPeer;
use crate::shard::{Circle, Command, Compression, Frame, Local, Output, Tick};
use std::time::Duration;
use wsring_io::{CloseHow, Outgoing, Time};
use wsring_proto::deflate::Deflate;
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

/// What the bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Frames of a server.
    Server,
    /// Frames of a client.
    Client,
    /// An event stream.
    Events,
}

/// One connection, in the hands of its handler for the length of one call. Everything sent in one
/// turn of the shard's loop leaves as one send.
pub struct Conn<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) wire: Wire,
    /// Output now answers what the peer has sent, so that not reading on bounds it.
    pub(crate) answers: bool,
    pub(crate) flow: &'a mut Flow,
    pub(crate) topics: &'a mut Circle,
    pub(crate) timer: &'a mut Tick,
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

    /// What was agreed with the peer about compression (permessage-deflate, RFC 7692); `None`: nothing.
    pub fn deflate(&self) -> Option<Deflate> {
        self.flow.compression.map(|compression| compression.agreed)
    }

    /// Sends a message that has just arrived back, without copying it: the frame header is written
    /// into the bytes before the payload and the receive buffer itself is sent. (It is copied where
    /// other output of this turn comes before it, or earlier output still waits, and compressed where
    /// that was agreed.)
    pub fn send(&mut self, message: Message<'_>) -> Sent {
        let length = message.payload().len();
        if !self.admits() {
            return Sent::Dropped;
        }
        let stays = if self.compresses(message.kind().opcode(), true, length).is_some() {
            false
        } else if message.is_gathered() {
            length >= GATHERED_COPY_BYTES_MAX
        } else {
            self.local.input_stays.is_some() && self.output.is_empty() && !self.flow.is_blocked()
        };
        if !stays {
            self.append(message.kind().opcode(), message.payload());
            return self.taken();
        }
        match self.in_place(message) {
            Ok(Framed::Input(range)) => self.local.stay(range),
            Ok(Framed::Owned { bytes, start }) => self.output.push(Outgoing::Buffer { bytes, start }),
            Err(message) => self.append(message.kind().opcode(), message.payload()),
        }
        self.taken()
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
        if !self.admits() {
            return Sent::Dropped;
        }
        self.append(kind.opcode(), payload);
        self.taken()
    }

    /// Sends one frame of a message in fragments: the first of the message's kind, the others
    /// `None`, the last with `fin`. Other messages are dropped in between (RFC 6455 section 5.4), and so
    /// is a fragment that continues nothing.
    pub fn send_fragment(&mut self, kind: Option<Kind>, fin: bool, payload: &[u8]) -> Sent {
        // A message that has begun is taken to its end: the peer could make nothing of half of it.
        let admits = match kind {
            Some(_) => self.admits(),
            None => self.is_open() && self.flow.fragmenting,
        };
        if !admits {
            return Sent::Dropped;
        }
        self.flow.fragmenting = !fin;
        let opcode = kind.map_or(Opcode::Continuation, Kind::opcode);
        self.append_frame(opcode, fin, payload);
        self.taken()
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

    /// Ends the connection without a closing handshake, as a program does that is killed: with FIN behind what was
    /// sent, or with RST, which throws that away. Its handler is told that it was lost (1006).
    pub fn hang_up(&mut self, how: CloseHow) {
        self.local.commands.push(Command::HangUp { socket: self.id.socket, how });
    }

    /// Has [`Handler::timer`](crate::Handler::timer) called once, this long from now, to within a tenth of a
    /// second; `None`: not any more.
    pub fn set_timer(&mut self, after: Option<Duration>) {
        *self.timer = after.map_or(Tick(0), |after| self.local.tick.after(after));
        self.local.commands.push(Command::Reschedule(self.id.socket));
    }

    /// Reads nothing more from the peer until [`resume_reading`](Self::resume_reading): what it sends stays with the
    /// kernel, and then with the peer. Messages that have arrived already may still come. Meanwhile its Pings are
    /// not answered and none are sent to it; when it ends the connection, or a Close is sent, reading goes on by
    /// itself.
    pub fn pause_reading(&mut self) {
        self.set_reading(false);
    }

    /// Reads on after [`pause_reading`](Self::pause_reading).
    pub fn resume_reading(&mut self) {
        self.set_reading(true);
    }

    fn set_reading(&mut self, on: bool) {
        self.local.commands.push(Command::Read { socket: self.id.socket, on });
    }

    /// Sends bytes of an event stream as they are; on a WebSocket they are dropped.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Sent {
        if self.wire != Wire::Events {
            return Sent::Dropped;
        }
        if !self.admits() {
            return Sent::Dropped;
        }
        self.output.compose(|out| out.extend_from_slice(bytes));
        self.taken()
    }

    /// Appends a Close unless one was sent.
    pub(crate) fn append_close(&mut self, reason: wsring_proto::CloseReason<'_>) {
        if self.flow.close_sent {
            return;
        }
        self.flow.close_sent = true;
        if self.flow.compression.is_some() {
            self.local.compressing.forget(self.id.socket.slot());
        }
        let masking = &mut self.local.masking;
        self.output.compose(|bytes| match self.wire {
            Wire::Client => frame::append_close::<Client>(bytes, reason, masking),
            Wire::Server => frame::append_close::<Server>(bytes, reason, masking),
            // The end of the response is the end of the stream.
            Wire::Events => {}
        });
    }

    pub(crate) fn append(&mut self, opcode: Opcode, payload: &[u8]) {
        self.append_frame(opcode, true, payload);
    }

    fn append_frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if let Some(compression) = self.compresses(opcode, fin, payload.len()) {
            return self.append_compressed(compression, opcode, fin, payload);
        }
        let masking = &mut self.local.masking;
        self.output.compose(|bytes| match self.wire {
            Wire::Client => frame::append::<Client>(bytes, opcode, fin, payload, masking),
            Wire::Server => frame::append::<Server>(bytes, opcode, fin, payload, masking),
            // Nothing but comments and events can be told there.
            Wire::Events => {}
        });
    }

    /// Appends a frame of a message that goes out compressed, all but surely.
    fn append_compressed(&mut self, compression: Compression, opcode: Opcode, fin: bool, payload: &[u8]) {
        let Local { compressing, masking, .. } = &mut *self.local;
        let fresh = opcode != Opcode::Continuation && std::mem::take(&mut self.flow.stale);
        let slot = self.id.socket.slot();
        let frame = Frame { slot, compression, fresh, opcode, fin, payload };
        self.output.compose(|bytes| match self.wire {
            Wire::Client => compressing.append_frame::<Client>(&frame, bytes, masking),
            Wire::Server => compressing.append_frame::<Server>(&frame, bytes, masking),
            Wire::Events => {}
        });
    }

    /// With what a frame goes out compressed, if it does; whole messages that are short do not. How long one in
    /// fragments gets nobody knows.
    #[inline]
    fn compresses(&self, opcode: Opcode, fin: bool, length: usize) -> Option<Compression> {
        let compression = self.flow.compression?;
        let compresses = match opcode {
            Opcode::Text | Opcode::Binary if fin => length >= self.local.compressing.bytes_min(compression),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => true,
            Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        };
        compresses.then_some(compression)
    }

    fn in_place<'m>(&mut self, message: Message<'m>) -> Result<Framed, Message<'m>> {
        match self.wire {
            Wire::Client => message.frame_in_place::<Client>(&mut self.local.masking),
            Wire::Server => message.frame_in_place::<Server>(&mut self.local.masking),
            Wire::Events => Err(message),
        }
    }

    /// Whether a message may be taken. What counts is what waits already, as it goes out: a compressed
    /// message takes no more memory than that.
    #[inline]
    fn admits(&mut self) -> bool {
        if self.flow.close_sent || self.flow.fragmenting || self.has_most() {
            return false;
        }
        let is_high = self.flow.is_high(self.output.len(), &self.local.settings);
        !is_high || self.take_beyond_mark()
    }

    /// Whether as much is waiting as one connection may ever have, whatever it answers.
    #[inline]
    fn has_most(&self) -> bool {
        self.flow.unsent_bytes() + self.output.len() >= self.local.settings.unsent_bytes_max()
    }

    /// What to tell the sender of a message that was taken, and is among the output by now.
    #[inline]
    fn taken(&mut self) -> Sent {
        if !self.flow.is_blocked() {
            return Sent::Sent;
        }
        self.flow.drain_wanted = true;
        Sent::Queued { unsent_bytes: self.flow.unsent_bytes() + self.output.len() }
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
