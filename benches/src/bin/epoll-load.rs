//! The plainest closed-loop client there can be, on epoll and one thread: what `wsload` is measured against.
//!
//! It measures nothing and verifies nothing. Every connection has one message on its way, always the same frame with
//! the same mask, as load tests of well-known servers have it; what comes back is counted by its length alone. It
//! prints how many echoes came and what CPU time they cost, as one line of JSON.

use clap::Parser;
use rustix::event::{Timespec, epoll};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use wsring_benches::{opening, proc, wire};

/// Events that are taken from the kernel at once.
const EVENTS: usize = 1024;

/// An echo client without any measuring, on epoll and one thread.
#[derive(Parser)]
struct Arguments {
    /// Port of the server on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Path of the opening handshake
    #[arg(long, default_value = "/")]
    path: String,
    /// Connections, one message on its way on each
    #[arg(long, default_value_t = 200)]
    connections: usize,
    /// Bytes of a message
    #[arg(long, default_value_t = 20)]
    payload: usize,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
    /// Seconds before anything counts
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Seconds that count
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// A connection and how much of its echo has come.
struct Connection {
    socket: TcpStream,
    received: usize,
}

struct Client {
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    /// What is sent, and how long what comes back is.
    frame: Vec<u8>,
    echo_bytes: usize,
    events: Vec<epoll::Event>,
    input: Vec<u8>,
    messages: u64,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(core) = arguments.core {
        proc::pin(core)?;
    }
    let mut client = Client::connect(&arguments)?;
    client.run_for(Duration::from_secs_f64(arguments.warm_up))?;
    let (pid, began, before) = (std::process::id(), Instant::now(), client.messages);
    let cpu_before = proc::cpu_nanoseconds(pid)?;
    client.run_for(Duration::from_secs_f64(arguments.seconds))?;
    let cpu = proc::cpu_nanoseconds(pid)? - cpu_before;
    let (messages, seconds) = (client.messages - before, began.elapsed().as_secs_f64());
    println!(
        "{{\"messages_per_second\":{:.0},\"cores\":{:.4},\"messages_per_cpu_second\":{:.0}}}",
        messages as f64 / seconds,
        cpu as f64 / 1e9 / seconds,
        messages as f64 * 1e9 / cpu as f64,
    );
    Ok(())
}

impl Client {
    /// Opens all connections and sends the first message on each.
    fn connect(arguments: &Arguments) -> io::Result<Self> {
        let header = wire::header(wire::FIN_BINARY, arguments.payload);
        let echo_bytes = header.len() + arguments.payload;
        let mut request = header;
        request[1] |= wire::MASKED;
        let mut frame = vec![0; echo_bytes + wire::MASK_BYTES];
        wire::masked_frame(&mut frame, &request, [1, 2, 3, 4], &vec![b'a'; arguments.payload]);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(arguments.connections);
        for number in 0..arguments.connections {
            let mut socket = opening::open(arguments.port, Some(&arguments.path))?;
            socket.write_all(&frame)?;
            socket.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
            connections.push(Connection { socket, received: 0 });
        }
        let (events, input) = (Vec::with_capacity(EVENTS), vec![0; 65536]);
        Ok(Self { epoll, connections, frame, echo_bytes, events, input, messages: 0 })
    }

    fn run_for(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
        while Instant::now() < end {
            self.events.clear();
            let events = rustix::buffer::spare_capacity(&mut self.events);
            if epoll::wait(&self.epoll, events, Some(&patience))? == 0 {
                return Err(io::Error::other("the server has not answered for five seconds"));
            }
            for index in 0..self.events.len() {
                let number = self.events[index].data.u64() as usize;
                self.answer(number)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn answer(&mut self, number: usize) -> io::Result<()> {
        let connection = &mut self.connections[number];
        let length = connection.socket.read(&mut self.input)?;
        if length == 0 {
            return Err(io::Error::other(format!("the server closed connection {number}")));
        }
        connection.received += length;
        if connection.received >= self.echo_bytes {
            connection.received -= self.echo_bytes;
            self.messages += 1;
            connection.socket.write_all(&self.frame)?;
        }
        Ok(())
    }
}
