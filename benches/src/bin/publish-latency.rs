//! How long a publish from a foreign thread takes to reach a subscriber whose shard sleeps.
//!
//! A server in this process, and one thread that belongs to no shard: it rests until the shards sleep,
//! publishes, and reads the message from the subscriber's socket. Measured is from before the call to
//! after the read. Beside it, turn about, the least that this can cost on the machine: the same with a
//! bare thread in the shard's place, asleep in a read, that sends the bytes on as soon as it wakes. Each
//! is done with a reader that stays awake, so that one wake-up is in it, the shard's; and with one that
//! sleeps in its read, which adds its own.

use clap::Parser;
use hdrhistogram::Histogram;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use wsring::{Conn, Drain, Handler, Kind, Message, Running, Server, Settings, Topic};
use wsring_benches::{opening, proc, wire};

/// Time from a publish on a foreign thread to the bytes at a subscriber of a sleeping shard.
#[derive(Parser)]
struct Options {
    /// Shards of the server
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// Core of the first shard, and of the bare thread
    #[arg(long)]
    core: Option<usize>,
    /// Core of the thread that publishes and reads
    #[arg(long)]
    publisher_core: Option<usize>,
    /// How many of each
    #[arg(long, default_value_t = 5000)]
    publishes: usize,
    /// Bytes of a message
    #[arg(long, default_value_t = 100)]
    payload: usize,
    /// Milliseconds of rest before each, at least; up to two and a half times as long
    #[arg(long, default_value_t = 2.0)]
    rest: f64,
}

struct Subscriber(Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}
}

/// How the reading thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Awake,
    Asleep,
}

const READERS: [Reader; 2] = [Reader::Awake, Reader::Asleep];

fn main() -> io::Result<()> {
    let options = Options::parse();
    let (running, topic) = start(&options).map_err(io::Error::other)?;
    let mut subscriber = opening::open(running.addresses()[0].port(), Some("/"))?;
    let frame_bytes = wire::header(wire::FIN_BINARY, options.payload).len() + options.payload;
    let (mut bare, mut relayed) = relay(frame_bytes, options.core)?;
    if let Some(core) = options.publisher_core {
        proc::pin(core)?;
    }
    let (payload, mut frame) = (vec![b'x'; options.payload], vec![b'x'; frame_bytes]);
    let mut times = [Times::new()?, Times::new()?];
    for round in 0..options.publishes {
        for (reader, times) in READERS.into_iter().zip(&mut times) {
            rest(&options, round, &subscriber, reader)?;
            let began = Instant::now();
            topic.publish(Kind::Binary, &payload);
            times.call.saturating_record(began.elapsed().as_nanos() as u64);
            read(&mut subscriber, &mut frame)?;
            times.publish.saturating_record(began.elapsed().as_nanos() as u64);
            if !frame.ends_with(&payload) {
                return Err(io::Error::other("the subscriber got something else than was published"));
            }

            rest(&options, round, &relayed, reader)?;
            let began = Instant::now();
            bare.write_all(&frame)?;
            read(&mut relayed, &mut frame)?;
            times.bare.saturating_record(began.elapsed().as_nanos() as u64);
        }
    }
    report(&options, &times);
    let at_once = Drain { window: Duration::ZERO, deadline: Duration::from_secs(1) };
    running.stop(at_once).map(drop).map_err(io::Error::other)
}

/// Nanoseconds.
struct Times {
    /// From before the call to the message at the subscriber.
    publish: Histogram<u64>,
    /// Of that, the call.
    call: Histogram<u64>,
    /// From before the write to the relayed bytes.
    bare: Histogram<u64>,
}

impl Times {
    fn new() -> io::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other);
        Ok(Self { publish: histogram()?, call: histogram()?, bare: histogram()? })
    }
}

fn report(options: &Options, times: &[Times; 2]) {
    println!(
        "Linux {}, {}; {} shards, {} B, {} of each",
        proc::kernel(),
        proc::cpu_model(),
        options.shards,
        options.payload,
        options.publishes
    );
    println!("\nmicroseconds                               median      p99      max");
    for (reader, times) in READERS.iter().zip(times) {
        let lines = [
            ("publish to bytes read", &times.publish),
            ("of that, the call", &times.call),
            ("bare thread in the shard's place", &times.bare),
        ];
        for (name, histogram) in lines {
            let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
            let reader = format!("{reader:?}").to_lowercase();
            println!("{reader:<7} {name:<33} {:>8.1} {:>8.1} {:>8.1}", at(0.5), at(0.99), at(1.0));
        }
    }
}

/// Every connection subscribes to the one topic.
fn start(options: &Options) -> Result<(Running, Topic), wsring::Error> {
    // The subscriber answers no Ping.
    let settings = Settings {
        shards: Some(options.shards),
        pin: options.core,
        ping_interval: None,
        ..Settings::default()
    };
    let server = Server::new().listen("127.0.0.1:0").settings(settings);
    let topic = server.topic("latency")?;
    let subscribed = topic.clone();
    let running =
        server.websocket("/", move |upgrade| upgrade.accept(Subscriber(subscribed.clone()))).start()?;
    Ok((running, topic))
}

/// A thread that sends on what it reads; where to write to, and where to read from.
fn relay(bytes: usize, core: Option<usize>) -> io::Result<(TcpStream, TcpStream)> {
    let ((near_in, mut far_in), (mut far_out, near_out)) = (pair()?, pair()?);
    std::thread::spawn(move || {
        core.map_or(Ok(()), proc::pin)?;
        let mut message = vec![0; bytes];
        // An end closes the sockets, which the other thread learns from its read.
        while far_in.read_exact(&mut message).is_ok() {
            far_out.write_all(&message)?;
        }
        io::Result::Ok(())
    });
    Ok((near_in, near_out))
}

/// Two ends of a connection.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (one, other) = (TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0);
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    Ok((one, other))
}

/// One message; the socket says whether this thread sleeps for it.
fn read(socket: &mut TcpStream, message: &mut [u8]) -> io::Result<()> {
    let (mut filled, start) = (0, Instant::now());
    while filled < message.len() {
        match socket.read(&mut message[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && start.elapsed() < opening::STALL => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Long enough for every shard to sleep, never twice the same, so that no timer beats in time with it;
/// and how the next message will be waited for.
fn rest(options: &Options, round: usize, socket: &TcpStream, reader: Reader) -> io::Result<()> {
    socket.set_nonblocking(reader == Reader::Awake)?;
    let share = (round * 7919 % 1000) as f64 / 1000.0;
    std::thread::sleep(Duration::from_secs_f64(options.rest * (1.0 + 1.5 * share) / 1000.0));
    Ok(())
}
