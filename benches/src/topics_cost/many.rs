//! Many connections to a server, held by the engine's own client, so that they may be more than a process may
//! have open files.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, Handler, Message, OpenFailure, Remote, Settings,
};

/// Connections on their way at once: far fewer than the server's backlog.
const OPENING_MAX: u32 = 200;
/// Source addresses, which all lie on this machine: beyond half of its ports one connects slowly.
const SOURCES: u32 = 8;
const STALL: Duration = Duration::from_secs(30);

/// See the [module](self).
pub(super) struct Many {
    client: Client,
    port: u16,
    count: u32,
    account: Arc<Account>,
}

#[derive(Default)]
struct Account {
    opened: AtomicU32,
    answered: AtomicU32,
    failure: Mutex<Option<String>>,
    remotes: Mutex<Vec<Remote>>,
}

impl Account {
    fn fail(&self, why: String) {
        lock(&self.failure).get_or_insert(why);
    }
}

struct One(Arc<Account>);

impl Many {
    /// Opens so many connections.
    pub(super) fn open(port: u16, count: u32) -> io::Result<Self> {
        let settings = Settings {
            ping_interval: None,
            handshake_timeout: STALL,
            connections_max: Some(count),
            ..Settings::default()
        };
        let client = Client::start(settings).map_err(io::Error::other)?;
        let many = Self { client, port, count, account: Arc::default() };
        let url = format!("ws://127.0.0.1:{}/many", many.port);
        let options = ConnectOptions::new(&url).map_err(io::Error::other)?;
        for number in 0..count {
            many.wait(|account| account.opened.load(Ordering::Acquire) + OPENING_MAX > number)?;
            let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number % SOURCES);
            let options = options.clone().from(SocketAddr::from((source, 0)));
            many.client.connect(&options, One(Arc::clone(&many.account))).map_err(io::Error::other)?;
        }
        many.wait(|account| account.opened.load(Ordering::Acquire) == count)?;
        Ok(many)
    }

    /// Each connection makes so many subscriptions beyond those that it has.
    pub(super) fn subscribe(&self, has: u32, more: u32) -> io::Result<()> {
        self.account.answered.store(0, Ordering::Release);
        let remotes = lock(&self.account.remotes).clone();
        for (number, remote) in (0..).zip(&remotes) {
            let words: [u32; 3] = [number + has * self.count, self.count, more];
            remote.send_binary(words.map(u32::to_le_bytes).concat());
        }
        self.wait(|account| account.answered.load(Ordering::Acquire) == self.count)
    }

    fn wait(&self, until: impl Fn(&Account) -> bool) -> io::Result<()> {
        let start = Instant::now();
        while !until(&self.account) {
            if let Some(failure) = lock(&self.account.failure).take() {
                return Err(io::Error::other(failure));
            }
            if start.elapsed() > STALL {
                return Err(io::Error::other(format!("{} connections wait in vain", self.count)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Handler for One {
    fn open(&mut self, conn: &mut Conn<'_>) {
        lock(&self.0.remotes).push(conn.remote());
        self.0.opened.fetch_add(1, Ordering::Release);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {
        self.0.answered.fetch_add(1, Ordering::Release);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.0.fail(format!("a connection was not opened: {failure}"));
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.0.fail(format!("a connection was lost: {}", closed.number()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
