//! A shard that checks what its speaker reports, and keeps it for the case to look at.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;
use wsring_io::{CloseHow, Completion, Connect, Io, Op, Outgoing, ReceiveEnd, Received, Socket};

/// A shard of any speaker. Received bytes are gathered and their buffers given back, unless
/// [`hold`](Self::hold) says to keep them.
pub(crate) struct Watched<I> {
    pub(crate) io: I,
    pub(crate) accepted: VecDeque<Socket>,
    pub(crate) accept_ended: Vec<i32>,
    pub(crate) connected: Vec<(u64, Result<Socket, i32>)>,
    pub(crate) woken: usize,
    /// Leases kept back.
    pub(crate) held: VecDeque<(Socket, Received)>,
    pub(crate) hold: bool,
    sockets: BTreeMap<Socket, Seen>,
    closed: Vec<Socket>,
    completions: Vec<Completion>,
}

/// What a socket went through.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: Option<ReceiveEnd>,
    pub(crate) sends_done: usize,
    pub(crate) send_failed: Option<i32>,
    pub(crate) is_pending: bool,
    /// What the last short send left over, until the case takes it.
    pub(crate) short: Option<usize>,
    /// The peer's address each time that it was told, and how many bytes had been received.
    pub(crate) addresses: Vec<(Option<IpAddr>, usize)>,
    /// How many more times it is to be told.
    asked: usize,
    /// Of the pending send, as last reported.
    unsent: usize,
    is_receiving: bool,
    /// Receiving goes on by itself when the connection ends.
    is_paused: bool,
    /// A send was submitted for the next turn; `Some(true)` when it is to be answered.
    fresh: Option<bool>,
    /// Of a segment's send that was submitted for the next turn: its tag and length.
    segment: Option<(u32, usize)>,
    /// Something was reported in this turn.
    is_reported: bool,
    is_closing: bool,
}

/// More turns than any case needs.
const TURNS_MAX: usize = 200_000;

impl<I: Io> Watched<I> {
    pub(crate) fn new(io: I) -> Self {
        Self {
            io,
            accepted: VecDeque::new(),
            accept_ended: Vec::new(),
            connected: Vec::new(),
            woken: 0,
            held: VecDeque::new(),
            hold: false,
            sockets: BTreeMap::new(),
            closed: Vec::new(),
            completions: Vec::new(),
        }
    }

    /// One turn of at most a millisecond.
    pub(crate) fn turn(&mut self) {
        let deadline = self.io.now().after(Duration::from_millis(1));
        let mut completions = std::mem::take(&mut self.completions);
        self.io.turn(Some(deadline), &mut completions).expect("the speaker is sound");
        for completion in completions.drain(..) {
            self.note(completion);
        }
        for seen in self.sockets.values_mut() {
            (seen.fresh, seen.segment, seen.is_reported) = (None, None, false);
        }
        self.completions = completions;
    }

    /// Turns until `met` says so.
    pub(crate) fn until(&mut self, what: &str, mut met: impl FnMut(&mut Self) -> bool) {
        for _ in 0..TURNS_MAX {
            if met(self) {
                return;
            }
            self.turn();
        }
        panic!("never came: {what}; sockets {:?}", self.sockets);
    }

    /// Accepts until there is a connection.
    pub(crate) fn accept(&mut self) -> Socket {
        self.io.submit(Op::AcceptStart);
        self.until("a connection", |shard| !shard.accepted.is_empty());
        self.accepted.pop_front().expect("there is one")
    }

    /// Accepts a connection and receives from it.
    pub(crate) fn accept_and_receive(&mut self) -> Socket {
        let socket = self.accept();
        self.receive_start(socket);
        socket
    }

    pub(crate) fn connect(&mut self, request: u64, to: std::net::SocketAddr) -> Result<Socket, i32> {
        self.io.submit(Op::Connect(Connect { request, to, from: None, receive_buffer_bytes: None }));
        self.until("an answer", |shard| shard.connected.iter().any(|(answered, _)| *answered == request));
        let at = self.connected.iter().position(|(answered, _)| *answered == request).expect("answered");
        self.connected.swap_remove(at).1
    }

    pub(crate) fn receive_start(&mut self, socket: Socket) {
        self.seen(socket).is_receiving = true;
        self.io.submit(Op::ReceiveStart(socket));
    }

    /// Stops receiving until the connection ends.
    pub(crate) fn receive_pause(&mut self, socket: Socket) {
        self.io.submit(Op::ReceivePause(socket));
        if self.seen(socket).is_receiving {
            self.until("the stop", |shard| shard.seen(socket).end.is_some());
        }
        self.seen(socket).is_paused = true;
    }

    pub(crate) fn receive_stop(&mut self, socket: Socket) {
        self.io.submit(Op::ReceiveStop(socket));
        self.until("the stop", |shard| shard.seen(socket).end.is_some());
    }

    pub(crate) fn send(&mut self, socket: Socket, bytes: Outgoing, notify: bool) {
        let seen = self.seen(socket);
        assert!(!seen.is_pending && seen.fresh.is_none(), "the case sends one at a time");
        seen.fresh = Some(notify);
        if let Outgoing::Segment { tag, .. } = bytes {
            seen.segment = Some((tag, bytes.len()));
        }
        self.io.submit(Op::Send { socket, bytes, notify });
    }

    pub(crate) fn ask_peer_address(&mut self, socket: Socket) {
        self.seen(socket).asked += 1;
        self.io.submit(Op::PeerAddress(socket));
    }

    /// Closes and waits for it.
    pub(crate) fn close(&mut self, socket: Socket, how: CloseHow) {
        self.seen(socket).is_closing = true;
        self.io.submit(Op::Close { socket, how });
        self.until("the close", |shard| shard.closed.contains(&socket));
    }

    pub(crate) fn hand_over(&mut self, socket: Socket, shard: usize) {
        self.sockets.remove(&socket).expect("the case hands over what is open");
        self.io.submit(Op::HandOver { socket, shard });
    }

    pub(crate) fn seen(&mut self, socket: Socket) -> &mut Seen {
        self.sockets.get_mut(&socket).unwrap_or_else(|| panic!("{socket:?} is not open"))
    }

    /// Gives all leases back and receives freely from now on.
    pub(crate) fn release_all(&mut self) {
        self.hold = false;
        while let Some((_, buffer)) = self.held.pop_front() {
            self.io.release(buffer);
        }
    }

    fn note(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { socket } => {
                self.open(socket);
                self.accepted.push_back(socket);
            }
            Completion::AcceptEnded { errno } => {
                self.accept_ended.push(errno);
                if errno != libc::ENFILE {
                    self.io.submit(Op::AcceptStart);
                }
            }
            Completion::HandOverRefused { shard } => panic!("shard {shard} refused a connection"),
            Completion::Connected { request, socket } => {
                self.open(socket);
                self.connected.push((request, Ok(socket)));
            }
            Completion::ConnectFailed { request, errno } => self.connected.push((request, Err(errno))),
            Completion::PeerAddress { socket, address } => {
                let seen = self.active(socket, "an address");
                assert!(seen.asked > 0, "{socket:?} was not asked for an address");
                seen.asked -= 1;
                seen.addresses.push((address, seen.bytes.len()));
            }
            Completion::Received { socket, buffer } => self.received(socket, buffer),
            Completion::ReceiveEnded { socket, end } => {
                let seen = self.active(socket, "an end");
                assert!(seen.is_receiving || seen.is_paused, "{socket:?} ended twice");
                (seen.is_receiving, seen.is_paused) = (false, false);
                seen.end = Some(end);
            }
            Completion::Closed { socket } => {
                let seen = self.sockets.remove(&socket);
                assert!(seen.is_some_and(|seen| seen.is_closing), "{socket:?} closed of its own accord");
                self.closed.push(socket);
            }
            Completion::Woken => self.woken += 1,
            send => self.note_send(send),
        }
    }

    fn note_send(&mut self, completion: Completion) {
        match completion {
            Completion::SendPending { socket, unsent } => {
                let seen = self.active(socket, "a pending send");
                assert!(!seen.is_pending && seen.fresh.is_some(), "{socket:?} has nothing to be pending");
                assert!(unsent > 0, "{socket:?} waits for nothing");
                assert_eq!(seen.segment, None, "{socket:?} keeps nothing of a segment");
                (seen.is_pending, seen.unsent) = (true, unsent);
            }
            Completion::SendShort { socket, tag, unsent, .. } => {
                let unsent = unsent.len();
                let is_reported = self.seen(socket).is_reported;
                let seen = self.active(socket, "a short send");
                assert!(!is_reported, "{socket:?}: a short send is reported before what follows it");
                let (sent, length) = seen.segment.take().expect("a segment was sent");
                assert!(tag == sent && (1..=length).contains(&unsent), "{socket:?}: {unsent} of {length}");
                (seen.short, seen.fresh) = (Some(unsent), None);
            }
            Completion::SendProgress { socket, unsent } => {
                let seen = self.active(socket, "a send's progress");
                assert!(seen.is_pending, "{socket:?} has nothing pending");
                let before = std::mem::replace(&mut seen.unsent, unsent);
                assert!((1..before).contains(&unsent), "{socket:?}: {unsent} to go after {before}");
            }
            Completion::SendDone { socket } => {
                let seen = self.active(socket, "a done send");
                assert!(seen.is_pending || seen.fresh == Some(true), "{socket:?} has nothing to be done");
                (seen.is_pending, seen.fresh) = (false, None);
                seen.sends_done += 1;
            }
            Completion::SendFailed { socket, errno } => {
                let seen = self.active(socket, "a failed send");
                assert!(seen.is_pending || seen.fresh.is_some(), "{socket:?} has nothing to fail");
                (seen.is_pending, seen.fresh) = (false, None);
                seen.send_failed = Some(errno);
            }
            other => unreachable!("{other:?} is not of a send"),
        }
    }

    fn open(&mut self, socket: Socket) {
        assert!(socket.slot() < self.io.sockets_max(), "{socket:?} lies outside of the table");
        let is_taken = self.sockets.keys().any(|open| open.slot() == socket.slot());
        assert!(!is_taken, "the place of {socket:?} is in use");
        assert!(!self.closed.contains(&socket), "{socket:?} was used before");
        self.sockets.insert(socket, Seen::default());
    }

    /// Nothing but received bytes may be reported of a socket that is closing.
    fn active(&mut self, socket: Socket, what: &str) -> &mut Seen {
        let seen = self.seen(socket);
        assert!(!seen.is_closing, "{what} of {socket:?}, which is closing");
        seen.is_reported = true;
        seen
    }

    fn received(&mut self, socket: Socket, buffer: Received) {
        assert!(!buffer.is_empty(), "an empty piece");
        let seen = self.seen(socket);
        assert!(seen.is_receiving || seen.is_paused, "{socket:?} receives nothing");
        seen.is_reported = true;
        let bytes = self.io.bytes(&buffer).to_vec();
        assert_eq!(bytes.len(), buffer.len());
        self.seen(socket).bytes.extend(bytes);
        if self.hold {
            self.held.push_back((socket, buffer));
        } else {
            self.io.release(buffer);
        }
    }
}
