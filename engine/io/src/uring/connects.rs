//! Outgoing connections: open, set options, bind where asked, connect.

#![expect(unsafe_code, reason = "vouching that addresses and descriptors outlive their requests")]

use super::Uring;
use super::request::{self, Outcome, SocketOption};
use super::slots::Life;
use super::token::{Kind, Token};
use crate::{Completion, Connect, Socket};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// All attempts under way. Each is boxed: the kernel reads its addresses where they are.
#[derive(Default)]
pub(super) struct Connects {
    attempts: Vec<Option<Box<Attempt>>>,
    vacant: Vec<u32>,
}

/// One outgoing connection until it is reported.
struct Attempt {
    request: u64,
    to: SockAddr,
    from: Option<SockAddr>,
    port_at_connect: bool,
    receive_buffer_bytes: Option<u32>,
    /// The place in the descriptor table, once there is one.
    socket: Option<Socket>,
    /// Without socket operations in the ring: the descriptor to install, over which the kernel
    /// writes its place, and its owner until then.
    descriptor: RawFd,
    ordinary: Option<OwnedFd>,
}

impl Connects {
    /// How many attempts are with the kernel.
    pub(super) fn in_flight(&self) -> usize {
        self.attempts.len() - self.vacant.len()
    }

    /// Index of every attempt.
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> {
        let used = |(attempt, index): (&Option<Box<Attempt>>, u32)| attempt.is_some().then_some(index);
        self.attempts.iter().zip(0..).filter_map(used)
    }

    fn insert(&mut self, attempt: Attempt) -> u32 {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.attempts.push(None);
            self.attempts.len() as u32 - 1
        });
        self.attempts[index as usize] = Some(Box::new(attempt));
        index
    }

    fn get(&mut self, index: u32) -> Option<&mut Attempt> {
        self.attempts.get_mut(index as usize)?.as_deref_mut()
    }

    fn remove(&mut self, index: u32) -> Option<Box<Attempt>> {
        let attempt = self.attempts.get_mut(index as usize)?.take()?;
        self.vacant.push(index);
        Some(attempt)
    }
}

impl Uring {
    pub(super) fn start_connecting(&mut self, connect: &Connect) {
        let mut attempt = Attempt {
            request: connect.request,
            to: connect.to.into(),
            from: connect.from.map(SockAddr::from),
            port_at_connect: connect.from.is_some_and(|from| from.port() == 0),
            receive_buffer_bytes: connect.receive_buffer_bytes,
            socket: None,
            descriptor: -1,
            ordinary: None,
        };
        if self.capabilities.socket_operations {
            let domain = attempt.to.family().into();
            let index = self.connects.insert(attempt);
            return self.ring.push(request::open_socket(domain, connect_token(index, Kind::ConnectOpen)));
        }
        match attempt.open_ordinary() {
            Ok(()) => {
                let index = self.connects.insert(attempt);
                self.install_ordinary(index);
            }
            Err(error) => {
                let (request, errno) = (connect.request, error.raw_os_error().unwrap_or(libc::EIO));
                self.ready.push(Completion::ConnectFailed { request, errno });
            }
        }
    }

    fn install_ordinary(&mut self, index: u32) {
        if let Some(attempt) = self.connects.get(index) {
            let descriptor = &raw mut attempt.descriptor;
            // SAFETY: the attempt is boxed, and `descriptor` is not touched before this request's
            // completion, `connect_opened`; the attempt is removed only then or later.
            let request = unsafe { request::install(descriptor, connect_token(index, Kind::ConnectOpen)) };
            self.ring.push(request);
        }
    }

    /// The socket has its place in the table, or there is none for it.
    pub(super) fn connect_opened(&mut self, index: u32, outcome: Outcome) {
        let place = match outcome.value() {
            Ok(place) => place,
            Err(errno) => return self.connect_failed(index, errno),
        };
        let Some(attempt) = self.connects.get(index) else { return };
        let is_ordinary = attempt.ordinary.take().is_some();
        let place = if is_ordinary { attempt.descriptor as u32 } else { place };
        attempt.socket = Some(self.slots.fill(place, Life::Connecting));
        if is_ordinary {
            return self.push_connect(index);
        }
        self.ring.push(request::set_option(place, SocketOption::NoDelay));
        if let Some(bytes) = &attempt.receive_buffer_bytes {
            // SAFETY: the attempt is boxed and stays until its last completion, which is that of a later request.
            self.ring.push(unsafe { request::set_receive_buffer(place, bytes) });
        }
        match &attempt.from {
            Some(from) => {
                self.ring.push(request::set_option(place, attempt.port_option()));
                // SAFETY: the attempt is boxed and stays until its last completion.
                let request = unsafe { request::bind(place, from, connect_token(index, Kind::ConnectBind)) };
                self.ring.push(request);
            }
            None => self.push_connect(index),
        }
    }

    pub(super) fn connect_bound(&mut self, index: u32, outcome: Outcome) {
        match outcome.value() {
            Ok(_) => self.push_connect(index),
            Err(errno) => self.connect_failed(index, errno),
        }
    }

    fn push_connect(&mut self, index: u32) {
        let Some(attempt) = self.connects.get(index) else { return };
        let Some(socket) = attempt.socket else { return };
        let token = connect_token(index, Kind::Connect);
        // SAFETY: the attempt is boxed and stays until its last completion.
        let request = unsafe { request::connect(socket.slot(), &attempt.to, token) };
        self.ring.push(request);
    }

    pub(super) fn connect_completed(&mut self, index: u32, outcome: Outcome) {
        if let Err(errno) = outcome.value() {
            return self.connect_failed(index, errno);
        }
        let Some(attempt) = self.connects.remove(index) else { return };
        let Some(socket) = attempt.socket else { return };
        if let Some(slot) = self.slots.get(socket) {
            slot.life = Life::Open;
        }
        self.ready.push(Completion::Connected { request: attempt.request, socket });
    }

    fn connect_failed(&mut self, index: u32, errno: i32) {
        let Some(attempt) = self.connects.remove(index) else { return };
        if let Some(socket) = attempt.socket {
            self.discard(socket);
        }
        self.ready.push(Completion::ConnectFailed { request: attempt.request, errno });
    }
}

impl Attempt {
    /// What makes ports go far: one that the kernel chooses is chosen at connect, for this peer alone, and one that
    /// the caller chose may have had a connection that has ended lately.
    fn port_option(&self) -> SocketOption {
        if self.port_at_connect { SocketOption::PortAtConnect } else { SocketOption::ReuseAddress }
    }

    /// Opens and binds the socket with system calls, as kernels before 6.11 need it.
    fn open_ordinary(&mut self) -> io::Result<()> {
        let domain = Domain::from(i32::from(self.to.family()));
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes as usize)?;
        }
        if let Some(from) = &self.from {
            match self.port_option() {
                SocketOption::ReuseAddress => socket.set_reuse_address(true)?,
                // Best effort: without it each connection has a port of its own, and they run out sooner.
                _ => drop(set_port_at_connect(&socket)),
            }
            socket.bind(from)?;
        }
        self.descriptor = socket.as_raw_fd();
        self.ordinary = Some(socket.into());
        Ok(())
    }
}

fn set_port_at_connect(socket: &socket2::Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let (level, name) = (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT);
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the option takes an int, and `on` is one, alive during the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Each index has one request at a time, so its uses need no telling apart.
fn connect_token(index: u32, kind: Kind) -> Token {
    Token::indexed(index, 0, kind)
}

impl Uring {
    /// Cancels the step that every attempt is at.
    pub(super) fn cancel_connects(&mut self) {
        for index in self.connects.indices() {
            for kind in [Kind::ConnectOpen, Kind::ConnectBind, Kind::Connect] {
                self.ring.push(request::cancel(connect_token(index, kind)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::{Config, Mesh};
    use crate::{CloseHow, Io, Op};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;

    /// What kernels before 6.11 need, on this one.
    #[test]
    fn connects_without_socket_operations() {
        let config = Config {
            submission_entries: 8,
            completion_entries: 1024,
            buffers: 4,
            sockets_max: 2,
            ..Config::default()
        };
        let mut io = Uring::open(&config, None, Arc::new(Mesh::new(1)), 0).unwrap();
        io.capabilities.socket_operations = false;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (to, gone) = (listener.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], 1)));
        let answer = |io: &mut Uring, to, from: Option<&str>| {
            let from = from.map(|from| from.parse().unwrap());
            io.submit(Op::Connect(Connect { request: 5, to, from, receive_buffer_bytes: Some(4096) }));
            let mut completions = Vec::new();
            io.turn(None, &mut completions).unwrap();
            assert_eq!(completions.len(), 1, "{completions:?}");
            completions.remove(0)
        };
        for (from, seen) in [(None, "127.0.0.1"), (Some("127.0.0.9:0"), "127.0.0.9")] {
            for _ in 0..3 {
                let Completion::Connected { request: 5, socket } = answer(&mut io, to, from) else {
                    panic!("not connected from {from:?}");
                };
                assert_eq!(listener.accept().unwrap().1.ip().to_string(), seen);
                io.submit(Op::Close { socket, how: CloseHow::Reset });
                let mut completions = Vec::new();
                io.turn(None, &mut completions).unwrap();
                assert!(matches!(completions[..], [Completion::Closed { .. }]));
            }
        }
        let failures = [
            (gone, None, libc::ECONNREFUSED),
            (to, Some("192.0.2.1:0"), libc::EADDRNOTAVAIL),
            (gone, Some("127.0.0.3:0"), libc::ECONNREFUSED),
        ];
        for (to, from, expected) in failures {
            let Completion::ConnectFailed { request: 5, errno } = answer(&mut io, to, from) else {
                panic!("connected from {from:?} to {to}");
            };
            assert_eq!(errno, expected, "from {from:?} to {to}");
        }
    }
}
