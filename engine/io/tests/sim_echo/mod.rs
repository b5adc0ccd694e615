//! A small echo server: what any shard does, without a protocol.

use std::collections::BTreeMap;
use std::time::Duration;
use wsring_io::sim::SimIo;
use wsring_io::{CloseHow, Completion, Io, Op, Outgoing, ReceiveEnd, Received, Socket};

/// One shard of an echo server that hands some of its connections to the others.
pub(crate) struct Echo {
    pub(crate) io: SimIo,
    pub(crate) ending: Ending,
    connections: BTreeMap<Socket, Connection>,
    handed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Serve,
    /// Closes everything that is open and whatever still comes.
    Stop,
}

#[derive(Default)]
struct Connection {
    /// What came while a send was pending or another went out in the same turn.
    queued: Vec<u8>,
    is_pending: bool,
    has_sent: bool,
    is_ended: bool,
    is_closing: bool,
}

impl Echo {
    pub(crate) fn new(mut io: SimIo) -> Self {
        io.submit(Op::AcceptStart);
        Self { io, ending: Ending::Serve, connections: BTreeMap::new(), handed: 0 }
    }

    /// One turn, and what follows from it. Every connection but each `spread`-th is handed on.
    pub(crate) fn turn(&mut self, spread: usize) {
        let deadline = self.io.now().after(Duration::from_millis(5));
        let mut completions = Vec::new();
        self.io.turn(Some(deadline), &mut completions).expect("a simulation does not break");
        self.connections.values_mut().for_each(|connection| connection.has_sent = false);
        for completion in completions {
            self.act(completion, spread);
        }
        for socket in self.sockets() {
            self.go_on(socket);
        }
    }

    /// The connections that are not being closed.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        let open = self.connections.iter().filter(|(_, connection)| !connection.is_closing);
        open.map(|(socket, _)| *socket).collect()
    }

    pub(crate) fn close(&mut self, socket: Socket, how: CloseHow) {
        self.connection(socket).is_closing = true;
        self.io.submit(Op::Close { socket, how });
    }

    fn act(&mut self, completion: Completion, spread: usize) {
        match completion {
            Completion::Accepted { socket } => self.accepted(socket, spread),
            Completion::HandOverRefused { shard } => panic!("shard {shard} refused a connection"),
            Completion::AcceptEnded { .. } => self.io.submit(Op::AcceptStart),
            Completion::Received { socket, buffer } => self.received(socket, buffer),
            Completion::ReceiveEnded { socket, end } => {
                self.connection(socket).is_ended = true;
                if end != ReceiveEnd::Eof {
                    self.fail(socket);
                }
            }
            Completion::SendPending { socket, .. } => self.connection(socket).is_pending = true,
            Completion::SendProgress { socket, .. } => assert!(self.connection(socket).is_pending),
            Completion::SendDone { socket } => self.connection(socket).is_pending = false,
            Completion::SendFailed { socket, .. } => {
                self.connection(socket).is_pending = false;
                self.fail(socket);
            }
            Completion::Closed { socket } => {
                let connection = self.connections.remove(&socket);
                assert!(connection.is_some_and(|connection| connection.is_closing));
            }
            Completion::Connected { .. }
            | Completion::ConnectFailed { .. }
            | Completion::SendShort { .. }
            | Completion::PeerAddress { .. }
            | Completion::Woken => {
                panic!("nobody asked for {completion:?}")
            }
        }
    }

    fn accepted(&mut self, socket: Socket, spread: usize) {
        self.handed += 1;
        let shard = self.handed % spread;
        if spread > 1 && shard != 0 && self.ending == Ending::Serve {
            return self.io.submit(Op::HandOver { socket, shard });
        }
        let before = self.connections.insert(socket, Connection::default());
        assert!(before.is_none(), "{socket:?} is in use");
        self.io.submit(Op::ReceiveStart(socket));
    }

    fn received(&mut self, socket: Socket, buffer: Received) {
        let connection = self.connections.get_mut(&socket).expect("only open sockets receive");
        if connection.is_closing {
            return self.io.release(buffer);
        }
        if connection.is_pending || connection.has_sent || !connection.queued.is_empty() {
            connection.queued.extend_from_slice(self.io.bytes(&buffer));
            return self.io.release(buffer);
        }
        connection.has_sent = true;
        let range = 0..buffer.len();
        self.io.submit(Op::Send { socket, bytes: Outgoing::Received { buffer, range }, notify: false });
    }

    /// Sends what is queued, or closes after the peer's end when nothing is left to send.
    fn go_on(&mut self, socket: Socket) {
        if self.ending == Ending::Stop {
            return self.close(socket, CloseHow::Reset);
        }
        let connection = self.connection(socket);
        if connection.is_pending || connection.has_sent {
            return;
        }
        if !connection.queued.is_empty() {
            connection.has_sent = true;
            let bytes = Outgoing::Buffer { bytes: std::mem::take(&mut connection.queued), start: 0 };
            return self.io.submit(Op::Send { socket, bytes, notify: true });
        }
        if connection.is_ended {
            self.close(socket, CloseHow::Fin);
        }
    }

    fn fail(&mut self, socket: Socket) {
        if !self.connection(socket).is_closing {
            self.close(socket, CloseHow::Reset);
        }
    }

    fn connection(&mut self, socket: Socket) -> &mut Connection {
        self.connections.get_mut(&socket).unwrap_or_else(|| panic!("{socket:?} is not open"))
    }
}
