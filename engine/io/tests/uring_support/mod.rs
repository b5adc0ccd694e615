//! What the tests of the ring share: one shard driven by hand, and an echo that obeys the contract.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![expect(unreachable_pub, reason = "a module of several test binaries")]

use socket2::{Domain, SockRef, Type};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wsring_io::uring::{Config, Mesh, Uring};
use wsring_io::{
    CloseHow, Completion, Counters, Io, Op, Outgoing, ReceiveEnd, Received, Socket, Time, Waker,
};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Small enough that many tests may run at once under a common limit of locked memory.
pub fn config() -> Config {
    Config {
        submission_entries: 64,
        completion_entries: 1024,
        buffers: 64,
        buffer_bytes: 4096,
        sockets_max: 1024,
    }
}

/// A listener on a free port of loopback, without delays.
pub fn listener() -> TcpListener {
    listener_with(|_| {})
}

/// As [`listener`], with options set before it listens.
pub fn listener_with(prepare: impl Fn(&socket2::Socket)) -> TcpListener {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    socket.set_reuse_address(true).unwrap();
    prepare(&socket);
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

/// One shard, and what it has reported so far.
pub struct Shard {
    pub io: Uring,
    pub address: SocketAddr,
    unread: Vec<Completion>,
}

impl Shard {
    pub fn new(config: &Config) -> Self {
        Self::with_listener(config, listener())
    }

    pub fn with_listener(config: &Config, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let mesh = Arc::new(Mesh::new(1));
        let io = Uring::open(config, Some(listener), mesh, 0).unwrap();
        Self { io, address, unread: Vec::new() }
    }

    pub fn accepting(config: &Config) -> Self {
        let mut shard = Self::new(config);
        shard.io.submit(Op::AcceptStart);
        shard
    }

    pub fn turn_for(&mut self, duration: Duration) {
        // A turn whose deadline has passed reads the clock, and comes straight back.
        self.io.turn(Some(Time(0)), &mut self.unread).unwrap();
        if self.unread.is_empty() {
            let deadline = self.io.now().after(duration);
            self.io.turn(Some(deadline), &mut self.unread).unwrap();
        }
    }

    /// Everything reported within `duration`.
    pub fn all_within(&mut self, duration: Duration) -> Vec<Completion> {
        let end = Instant::now() + duration;
        let mut all = std::mem::take(&mut self.unread);
        while Instant::now() < end {
            self.turn_for(end.saturating_duration_since(Instant::now()));
            all.append(&mut self.unread);
        }
        all
    }

    /// The next completion, in order.
    pub fn next(&mut self) -> Completion {
        let end = Instant::now() + PATIENCE;
        while self.unread.is_empty() {
            assert!(Instant::now() < end, "nothing was reported in time");
            self.turn_for(Duration::from_millis(100));
        }
        self.unread.remove(0)
    }

    /// The first completion that `choose` takes; others are dropped, their buffers given back.
    pub fn await_one<T>(&mut self, mut choose: impl FnMut(&Completion) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "what was waited for was not reported in time");
            let completion = self.next();
            let chosen = choose(&completion);
            if let Completion::Received { buffer, .. } = completion {
                self.io.release(buffer);
            }
            if let Some(chosen) = chosen {
                return chosen;
            }
        }
    }

    /// Connects a peer and accepts it.
    pub fn pair(&mut self) -> (TcpStream, Socket) {
        let peer = connect(self.address);
        (peer, self.accepted())
    }

    pub fn accepted(&mut self) -> Socket {
        self.await_one(|completion| match completion {
            Completion::Accepted { socket } => Some(*socket),
            _ => None,
        })
    }

    pub fn closed(&mut self, socket: Socket) {
        self.await_one(|completion| match completion {
            Completion::Closed { socket: closed } if *closed == socket => Some(()),
            _ => None,
        });
    }

    pub fn received(&mut self) -> (Socket, Received) {
        match self.next() {
            Completion::Received { socket, buffer } => (socket, buffer),
            other => panic!("expected bytes, got {other:?}"),
        }
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).unwrap();
    peer.set_nodelay(true).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.set_write_timeout(Some(PATIENCE)).unwrap();
    peer
}

/// Makes a peer's next close send RST.
pub fn reset_on_close(peer: &TcpStream) {
    SockRef::from(peer).set_linger(Some(Duration::ZERO)).unwrap();
}

/// An echo over any number of sockets that keeps the contract: while a send is pending it queues.
#[derive(Default)]
pub struct Echo {
    queues: HashMap<Socket, Option<Vec<u8>>>,
    pub pending_seen: usize,
    pub ended: usize,
    pub closed: usize,
}

impl Echo {
    /// Acts on one completion.
    pub fn act(&mut self, io: &mut Uring, completion: Completion) {
        match completion {
            Completion::Accepted { socket } | Completion::Connected { socket, .. } => {
                self.queues.insert(socket, None);
                io.submit(Op::ReceiveStart(socket));
            }
            Completion::Received { socket, buffer } => self.answer(io, socket, buffer),
            Completion::SendPending { socket, .. } => {
                self.pending_seen += 1;
                self.queues.insert(socket, Some(Vec::new()));
            }
            Completion::SendDone { socket } => {
                let queue = self.queues.insert(socket, None).flatten().unwrap_or_default();
                if !queue.is_empty() {
                    let bytes = Outgoing::Buffer { bytes: queue, start: 0 };
                    io.submit(Op::Send { socket, bytes, notify: false });
                }
            }
            Completion::ReceiveEnded { socket, end } => {
                assert_ne!(end, ReceiveEnd::Stopped, "nobody asked to stop");
                self.ended += 1;
                // What is pending goes out first, unless the peer is gone altogether.
                if self.queues.get(&socket).is_none_or(Option::is_none) || end != ReceiveEnd::Eof {
                    io.submit(Op::Close { socket, how: CloseHow::Fin });
                }
            }
            Completion::Closed { socket } => {
                self.queues.remove(&socket);
                self.closed += 1;
            }
            Completion::SendProgress { .. } | Completion::SendFailed { .. } | Completion::Woken => {}
            other => panic!("an echo does not cause {other:?}"),
        }
    }

    fn answer(&mut self, io: &mut Uring, socket: Socket, buffer: Received) {
        if let Some(Some(queue)) = self.queues.get_mut(&socket) {
            queue.extend_from_slice(io.bytes(&buffer));
            return io.release(buffer);
        }
        let range = 0..buffer.len();
        io.submit(Op::Send { socket, bytes: Outgoing::Received { buffer, range }, notify: false });
    }
}

/// Runs an echo shard on a thread of its own until the returned handle is dropped.
pub fn echo_on_a_thread(config: Config, listener: TcpListener) -> EchoThread {
    let (send_waker, waker) = std::sync::mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let mut io = Uring::open(&config, Some(listener), Arc::new(Mesh::new(1)), 0).unwrap();
        send_waker.send(io.waker()).unwrap();
        io.submit(Op::AcceptStart);
        let (mut echo, mut completions) = (Echo::default(), Vec::new());
        while !stopped.load(Ordering::Acquire) {
            io.turn(None, &mut completions).unwrap();
            for completion in completions.drain(..) {
                echo.act(&mut io, completion);
            }
        }
        (*io.counters(), echo)
    });
    EchoThread { waker: waker.recv().unwrap(), stop, thread: Some(thread) }
}

/// An echo shard under way.
pub struct EchoThread {
    waker: Waker,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Counters, Echo)>>,
}

impl EchoThread {
    /// Ends it; its counters and the echo's own.
    pub fn end(mut self) -> (Counters, Echo) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        self.thread.take().unwrap().join().unwrap()
    }
}

/// Bytes in which every position is told by its neighbourhood, so that a loss or a swap shows.
pub fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..6]);
    }
    bytes.truncate(length);
    bytes
}
