//! The ring keeps the contract of `Io`, as every speaker does.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod contract;
mod uring_support;

use contract::{Far, Size, World, contract};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use wsring_io::uring::{Config, Mesh, Uring};

struct KernelWorld {
    mesh: Arc<Mesh>,
    addresses: Vec<SocketAddr>,
    nobody: SocketAddr,
}

impl KernelWorld {
    fn new() -> Self {
        // The listener is gone at once, and its port belongs to nobody.
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { mesh: Arc::new(Mesh::new(4)), addresses: Vec::new(), nobody }
    }
}

impl World for KernelWorld {
    type Io = Uring;
    type Far = FarStream;

    fn shard(&mut self, size: Size) -> Uring {
        // So little room that slow readers are soon met.
        let listener = uring_support::listener_with(|socket| socket.set_send_buffer_size(8192).unwrap());
        let Size { sockets_max, buffers, buffer_bytes } = size;
        let config = Config { sockets_max, buffers, buffer_bytes, ..uring_support::config() };
        let shard = self.addresses.len();
        self.addresses.push(listener.local_addr().unwrap());
        Uring::open(&config, Some(listener), self.mesh.clone(), shard).unwrap()
    }

    fn far(&mut self, shard: usize) -> FarStream {
        self.far_from(shard, Ipv4Addr::UNSPECIFIED.into())
    }

    fn far_from(&mut self, shard: usize, address: IpAddr) -> FarStream {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        socket.bind(&SocketAddr::new(address, 0).into()).unwrap();
        let connected = socket.connect(&self.addresses[shard].into());
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true).unwrap();
        FarStream { stream: connected.is_ok().then_some(stream), at: Position::Reading }
    }

    fn address(&self, shard: usize) -> SocketAddr {
        self.addresses[shard]
    }

    fn address_of_nobody(&self) -> SocketAddr {
        self.nobody
    }
}

/// An ordinary socket that never waits.
struct FarStream {
    stream: Option<TcpStream>,
    at: Position,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Reading,
    Eof,
    Broken,
}

impl Far for FarStream {
    fn write(&mut self, bytes: &[u8]) -> usize {
        self.stream.as_mut().and_then(|stream| stream.write(bytes).ok()).unwrap_or(0)
    }

    fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        // A broken socket tells so once, and reads like an ended one from then on.
        if self.at != Position::Reading {
            return all;
        }
        let Some(stream) = &mut self.stream else {
            self.at = Position::Broken;
            return all;
        };
        match stream.read_to_end(&mut all) {
            Ok(_) => self.at = Position::Eof,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.at = Position::Broken,
        }
        all
    }

    fn finish(&mut self) {
        if let Some(stream) = &self.stream {
            stream.shutdown(Shutdown::Write).unwrap();
        }
    }

    fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }

    fn is_eof(&mut self) -> bool {
        assert!(self.read().is_empty(), "the case reads everything before it asks for the end");
        self.at == Position::Eof
    }

    fn is_reset(&mut self) -> bool {
        self.read();
        self.at == Position::Broken
    }
}

#[test]
fn over_loopback() {
    contract(KernelWorld::new);
}
