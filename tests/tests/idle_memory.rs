//! What an idle connection costs the server in user-space memory: the slope between 1,000 and 20,000
//! connections to `wsring serve`, as the kernel accounts it (proc_pid_smaps(5)). Two shards hold them, so
//! that a limit of 11,000 open files is enough. With and without compression agreed on, and what its windows
//! cost where the client may refer to what it has sent.
//!
//! What does not grow with the connections (rings, receive buffers, code) drops out of a slope, as long
//! as it is there before the first reading: so every receive buffer is written to by then.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, DeflateOptions, Handler, Message, OpenFailure,
    Remote, Settings,
};
use wsring_tests::binary::wsring;
use wsring_tests::{PATIENCE, wait_until};

/// The budget, in all.
const IDLE_BYTES_MAX: f64 = 256.0;
/// What compression without takeover may cost an idle connection more.
const DEFLATED_BYTES_MAX: f64 = 64.0;
const FEW: u32 = 1_000;
const MANY: u32 = 20_000;
/// Connections on their way at once: far fewer than the server's backlog, so that a slow machine
/// needs longer and nothing else.
const OPENING_MAX: u32 = 200;
/// Nearly a whole receive buffer of 16 KiB, and so many that each of 512 buffers of two shards has
/// its turn.
const WARM_UP_BYTES: usize = 16_000;
const WARM_UP_ROUNDS: u32 = 4;

const FEW_WINDOWS: u32 = 200;
const MANY_WINDOWS: u32 = 2_000;
/// Fills the largest window.
const WINDOW_MESSAGE_BYTES: usize = 40_000;
/// The list of windows, which doubles, and the heap's own: of so few connections it is not exact.
const WINDOW_OTHER_BYTES_MAX: f64 = 1024.0;

#[test]
fn an_idle_connection_costs_at_most_256_bytes() {
    let plain = idle_bytes(None);
    assert!(plain <= IDLE_BYTES_MAX, "an idle connection costs {plain:.1} B");
    let deflated = idle_bytes(Some(DeflateOptions::default()));
    let more = deflated - plain;
    assert!(more <= DEFLATED_BYTES_MAX, "compression costs {more:.1} B, {plain:.1} B without it");
}

/// What one costs that has agreed on nothing, or on compression without takeover.
fn idle_bytes(deflate: Option<DeflateOptions>) -> f64 {
    let server = Server::start(&[]);
    let fleet = Fleet::new(server.address, deflate);
    fleet.open_up_to(FEW);
    (0..WARM_UP_ROUNDS).for_each(|_| fleet.echo_on_each(WARM_UP_BYTES));
    let few = server.private_bytes();
    fleet.open_up_to(MANY);
    let many = server.private_bytes();
    let slope = (many as f64 - few as f64) / f64::from(MANY - FEW);
    println!("{deflate:?}: {FEW} connections: {few} B, {MANY} connections: {many} B, {slope:.1} B each");

    // They are connections, not leftovers: each still answers.
    fleet.echo_on_each(20);
    assert_eq!(fleet.account.ended.load(Ordering::Acquire), 0, "connections were lost");
    slope
}

/// A window is held as it is, without the inflater that it belongs to, once that has filled it.
#[test]
fn a_window_costs_its_own_size_and_little_more() {
    for window_bits in 8..=15 {
        let flags = ["--deflate-client-takeover", "--deflate-client-window", &window_bits.to_string()];
        let server = Server::start(&flags);
        let options = DeflateOptions {
            client_takeover: true,
            client_window_bits: window_bits,
            ..DeflateOptions::default()
        };
        let fleet = Fleet::new(server.address, Some(options));
        fleet.open_up_to(FEW_WINDOWS);
        let echo = || fleet.echo_on_so_many(WINDOW_MESSAGE_BYTES, FEW_WINDOWS as usize / 4);
        (0..WARM_UP_ROUNDS).for_each(|_| echo());
        let few = server.private_bytes();
        fleet.open_up_to(MANY_WINDOWS);
        echo();
        let many = server.private_bytes();
        let slope = (many as f64 - few as f64) / f64::from(MANY_WINDOWS - FEW_WINDOWS);
        println!("a client's window of {window_bits} bits: {slope:.0} B for each connection");
        let most = f64::from(1 << window_bits) + IDLE_BYTES_MAX + WINDOW_OTHER_BYTES_MAX;
        assert!(slope <= most, "a window of {window_bits} bits costs {slope:.0} B, at most {most} are right");
        assert_eq!(fleet.account.ended.load(Ordering::Acquire), 0, "connections were lost");
    }
}

/// `wsring serve`, for as long as this value lives.
struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept, so that the server can go on logging.
    _log: BufReader<ChildStderr>,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(wsring())
            .args(["serve", "--listen", "127.0.0.1:0", "--shards", "2"])
            .args(flags)
            .stderr(Stdio::piped())
            .env("RUST_LOG", "info")
            .spawn()
            .expect("the server starts");
        let mut log = BufReader::new(process.stderr.take().expect("its log is piped"));
        let mut text = String::new();
        let address = loop {
            let before = text.len();
            log.read_line(&mut text).expect("its log is text");
            if let Some((_, rest)) = text.split_once(" address=") {
                break rest.split_whitespace().next().and_then(|word| word.parse().ok());
            }
            assert!(text.len() > before, "the server ended before it served:\n{text}");
        };
        let address = address.unwrap_or_else(|| panic!("no address in the log:\n{text}"));
        Self { process, address, _log: log }
    }

    /// Memory that is this process's alone and was written to.
    fn private_bytes(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let rollup = fs::read_to_string(&path).expect("the server runs");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        1024 * kibibytes.expect("smaps_rollup tells Private_Dirty")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what the test then fails for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Connections that the test holds.
struct Fleet {
    client: Client,
    address: SocketAddr,
    deflate: Option<DeflateOptions>,
    account: Arc<Account>,
}

/// What all of them report to.
#[derive(Default)]
struct Account {
    opened: AtomicU32,
    ended: AtomicU32,
    echoed: AtomicU32,
    remotes: Mutex<Vec<Remote>>,
}

/// Whether it is to have agreed on compression comes second.
struct Connection(Arc<Account>, bool);

impl Fleet {
    fn new(address: SocketAddr, deflate: Option<DeflateOptions>) -> Self {
        let settings = Settings {
            shards: Some(2),
            ping_interval: None,
            handshake_timeout: PATIENCE,
            ..Settings::default()
        };
        let client = Client::start(settings).expect("the client starts");
        Self { client, address, deflate, account: Arc::default() }
    }

    fn open_up_to(&self, count: u32) {
        let opened = || self.account.opened.load(Ordering::Acquire);
        for number in opened()..count {
            wait_until("the server accepts", || opened() + OPENING_MAX > number);
            // Two source addresses: beyond half of its ports, one connects slowly.
            let source = SocketAddr::from(([127, 0, 0, 1 + (number % 2) as u8], 0));
            let options = ConnectOptions::new(&format!("ws://{}/echo", self.address)).expect("a URL");
            let options = self.deflate.into_iter().fold(options.from(source), ConnectOptions::deflate);
            let connected =
                self.client.connect(&options, Connection(Arc::clone(&self.account), self.deflate.is_some()));
            connected.expect("the address is one");
        }
        wait_until("all connections open", || opened() == count);
    }

    /// Sends a message on each connection at once and waits for the echoes.
    fn echo_on_each(&self, bytes: usize) {
        self.echo_on_so_many(bytes, usize::MAX);
    }

    /// The same on a few connections at a time, so that the server never has more under way.
    fn echo_on_so_many(&self, bytes: usize, at_once: usize) {
        let remotes = self.account.remotes.lock().expect("no thread panicked with it");
        for some in remotes.chunks(at_once) {
            self.account.echoed.store(0, Ordering::Release);
            some.iter().for_each(|remote| remote.send_binary(vec![7; bytes]));
            let count = some.len() as u32;
            wait_until("all connections echo", || self.account.echoed.load(Ordering::Acquire) == count);
        }
    }
}

impl Handler for Connection {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.0.remotes.lock().expect("no thread panicked with it").push(conn.remote());
        assert_eq!(conn.deflate().is_some(), self.1, "what was asked for is agreed on");
        self.0.opened.fetch_add(1, Ordering::Release);
    }

    fn message(&mut self, _: &mut Conn<'_>, message: Message<'_>) {
        assert!(message.payload().iter().all(|byte| *byte == 7));
        self.0.echoed.fetch_add(1, Ordering::Release);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        eprintln!("not opened: {failure}");
        self.0.ended.fetch_add(1, Ordering::Release);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        eprintln!("lost: {closed:?}");
        self.0.ended.fetch_add(1, Ordering::Release);
    }
}
