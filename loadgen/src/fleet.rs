//! All connections of a run: opened at a rate, counted, and ended together.

use crate::args::Common;
use crate::failure::Failure;
use crate::model::{Closing, Opening, Report};
use crate::pace::{Pace, wait_for};
use crate::target::Target;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wsring::{Client, Closed, Conn, Drain, Handler, Limits, OpenFailure, Remote, Settings};

/// Connections that are closed per second at the end.
const CLOSE_RATE: u32 = 20_000;
/// How long the last of them have to end in order.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The engine's own timeout ends a handshake; when nothing at all has happened for that long and this
/// much longer, the rest is given up: the kernel may try for minutes to reach a host that is silent.
const GRACE: Duration = Duration::from_secs(1);
/// Different failures that are kept apart.
const FAILURES_MAX: usize = 32;

/// The engine's client and the connections that it holds for a workload.
pub(crate) struct Fleet<'a> {
    client: Client,
    target: Target,
    common: &'a Common,
    connections: u32,
    roster: Arc<Roster>,
}

/// The account that all connections keep together.
#[derive(Debug, Default)]
struct Roster {
    opened: AtomicU32,
    failed: AtomicU32,
    lost: AtomicU32,
    remotes: Mutex<Vec<(u32, Remote)>>,
    /// How often each failure or loss was met, by its text.
    failures: Mutex<BTreeMap<String, u32>>,
}

/// A connection's place in the account; its handler reports to it.
#[derive(Debug)]
pub(crate) struct Member {
    /// The connection's number in the fleet, from 0.
    pub(crate) number: u32,
    roster: Arc<Roster>,
}

impl Member {
    /// The handshake is done.
    pub(crate) fn opened(&self, conn: &Conn<'_>) {
        lock(&self.roster.remotes).push((self.number, conn.remote()));
        self.roster.opened.fetch_add(1, Ordering::Release);
    }

    /// There will be no connection.
    pub(crate) fn failed(&self, failure: &OpenFailure) {
        self.roster.note(explain(failure));
        self.roster.failed.fetch_add(1, Ordering::Release);
    }

    /// The connection is over. What ends after the run's account was taken is no loss.
    pub(crate) fn closed(&self, closed: &Closed<'_>) {
        let number = closed.number();
        self.roster.note(match (closed.clean, closed.reason) {
            (false, "") => "the connection was lost without a Close (1006)".into(),
            (_, "") => format!("closed with {number}"),
            (_, reason) => format!("closed with {number}: {reason}"),
        });
        self.roster.lost.fetch_add(1, Ordering::Release);
    }
}

impl Roster {
    fn note(&self, text: String) {
        let mut failures = lock(&self.failures);
        let is_new = !failures.contains_key(&text);
        let text = if is_new && failures.len() >= FAILURES_MAX { "other failures".into() } else { text };
        *failures.entry(text).or_default() += 1;
    }

    fn settled(&self) -> u32 {
        self.opened.load(Ordering::Acquire) + self.failed.load(Ordering::Acquire)
    }
}

impl<'a> Fleet<'a> {
    /// Starts the engine. `queue_bytes` is what one connection may have to send at once, and
    /// `message_bytes` what it may get in one message.
    ///
    /// # Errors
    /// The caller's fault: the target or a setting. The environment's: no ring.
    pub(crate) fn start(
        common: &'a Common,
        connections: u32,
        message_bytes: usize,
        queue_bytes: usize,
    ) -> Result<Self, Failure> {
        let target = Target::new(common, connections)?;
        let defaults = Settings::default();
        // A server that answers with something longer than what was asked for is found out, not
        // refused: the default limits are kept as the least.
        let limits = Limits {
            frame_bytes_max: defaults.limits.frame_bytes_max.max(message_bytes as u64),
            message_bytes_max: defaults.limits.message_bytes_max.max(message_bytes),
            held_bytes_max: usize::MAX,
        };
        let settings = Settings {
            limits,
            handshake_timeout: common.connect_timeout,
            ping_interval: None,
            shards: common.shards,
            pin: common.pin,
            connections_max: Some(connections),
            high_water_bytes: defaults.high_water_bytes.saturating_add(queue_bytes),
            ..defaults
        };
        let client = Client::start(settings).map_err(|error| match error {
            wsring::Error::Setting { .. } => Failure::Usage(error.to_string()),
            error => Failure::Engine(error),
        })?;
        Ok(Self { client, target, common, connections, roster: Arc::default() })
    }

    /// The engine, to have drivers run on its shards and to look at their figures.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.client.shards()
    }

    /// Opens all connections and returns when each is open or has failed. `make` makes the handler of
    /// a connection on a shard.
    ///
    /// # Errors
    /// The first connection, which goes alone, was not opened: then the others would not be either.
    pub(crate) fn open<H: Handler + Send>(
        &self,
        make: impl Fn(Member, usize) -> H,
    ) -> Result<Opening, Failure> {
        self.open_with(|member, shard| {
            let handler = make(member, shard);
            move || handler
        })
    }

    /// As [`open`](Self::open), with handlers that are made on their shards, where they may share what belongs to
    /// the thread.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_with<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        make: impl Fn(Member, usize) -> F,
    ) -> Result<Opening, Failure> {
        let began = Instant::now();
        self.connect(0, &make)?;
        self.await_settled(1);
        if self.roster.opened.load(Ordering::Acquire) == 0 {
            let failures = lock(&self.roster.failures);
            let cause = failures.keys().next().cloned();
            let timeout = self.common.connect_timeout;
            let cause = cause.unwrap_or_else(|| format!("no TCP connection within {timeout:?}"));
            return Err(Failure::Open { url: self.common.url.clone(), cause });
        }
        let pace = Pace::begin(self.common.rate);
        for number in 1..self.connections {
            pace.wait(number);
            self.connect(number, &make)?;
        }
        self.await_settled(self.connections);
        let opened = self.roster.opened.load(Ordering::Acquire);
        let seconds = began.elapsed().as_secs_f64();
        Ok(Opening::new(u64::from(self.connections), u64::from(opened), seconds))
    }

    /// What was opened, in the order of opening: each connection's number and the way to reach it.
    pub(crate) fn remotes(&self) -> Vec<(u32, Remote)> {
        lock(&self.roster.remotes).clone()
    }

    /// Connections that are open now.
    pub(crate) fn alive(&self) -> u32 {
        self.roster.opened.load(Ordering::Acquire).saturating_sub(self.lost())
    }

    /// Connections that were open and are no more.
    pub(crate) fn lost(&self) -> u32 {
        self.roster.lost.load(Ordering::Acquire)
    }

    /// Whether connecting gets slow for want of ports; says what helps.
    pub(crate) fn port_warning(&self) -> Option<String> {
        self.target.port_warning(self.connections)
    }

    /// Failures and losses so far, by their text.
    pub(crate) fn failures(&self) -> BTreeMap<String, u32> {
        lock(&self.roster.failures).clone()
    }

    /// Writes down how the connections came and went, and closes them.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn account(self, opening: Opening, report: &mut Report) -> Result<(), Failure> {
        report.shards = self.shards();
        report.sources = self.common.sources;
        report.opening = opening;
        report.errors = self.failures().into_iter().map(|(text, count)| (text, u64::from(count))).collect();
        report.warnings.extend(self.port_warning());
        let lost = u64::from(self.lost());
        report.counts.insert(String::from("connections_lost"), lost);
        for (count, what) in
            [(opening.asked - opening.opened, "connections were not opened"), (lost, "connections were lost")]
        {
            if count > 0 {
                report.not_met(format!("{count} {what}"));
            }
        }
        report.closing = self.close()?;
        Ok(())
    }

    /// Closes all connections in order.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn close(self) -> Result<Closing, Failure> {
        let window = Duration::from_secs_f64(f64::from(self.alive()) / f64::from(CLOSE_RATE));
        let report = self.client.stop(Drain { window, deadline: window + CLOSE_TIMEOUT })?;
        Ok(Closing { in_order: report.closed as u64, cut_off: report.cut_off as u64 })
    }

    fn connect<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        number: u32,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        let shard = number as usize % self.shards();
        let member = Member { number, roster: Arc::clone(&self.roster) };
        self.client.connect_with(&self.target.options(number, shard), make(member, shard))?;
        Ok(())
    }

    /// Waits until so many connections are open or have failed, as long as there is any progress.
    fn await_settled(&self, count: u32) {
        let mut settled = self.roster.settled();
        loop {
            let before = settled;
            let deadline = Instant::now() + self.common.connect_timeout + GRACE;
            wait_for(deadline, || {
                settled = self.roster.settled();
                settled >= count || settled > before
            });
            if settled >= count || settled == before {
                return;
            }
        }
    }
}

/// A failure with what it mostly means.
fn explain(failure: &OpenFailure) -> String {
    let hint = match failure {
        OpenFailure::Connect(cause) => match cause.kind() {
            std::io::ErrorKind::ConnectionRefused => " (nothing listens there: is the server running?)",
            std::io::ErrorKind::AddrNotAvailable => " (no port is left: give more --sources)",
            // ENFILE, which is what a full descriptor table of a ring is reported as.
            _ if cause.raw_os_error() == Some(23) => {
                " (the shards have no room left: give more --shards, or raise `ulimit -n`)"
            }
            _ => "",
        },
        OpenFailure::Lost => " (is it a WebSocket server?)",
        _ => "",
    };
    format!("{failure}{hint}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
