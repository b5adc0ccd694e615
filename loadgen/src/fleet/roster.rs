//! The account of a run's connections, and each connection's place in it.

use super::compression::Agreements;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wsring::{Closed, Conn, OpenFailure, Remote};
use wsring_proto::handshake::OpeningError;

/// Different failures that are kept apart.
const FAILURES_MAX: usize = 32;
/// Ports that a connection tries, where those that it was given are in use.
pub(super) const PORTS_TRIED_MAX: u8 = 64;
/// `EADDRINUSE` and `EADDRNOTAVAIL`: what the kernel says of a port that is in use, or was for this server lately.
const PORT_IN_USE: [i32; 2] = [98, 99];

/// The account that all connections keep together.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) opened: AtomicU32,
    pub(super) failed: AtomicU32,
    pub(super) lost: AtomicU32,
    /// Ended by the workload itself.
    pub(super) left: AtomicU32,
    pub(super) remotes: Mutex<Vec<(u32, Remote)>>,
    /// Numbers of connections whose port was in use, and how many they have tried.
    pub(super) again: Mutex<Vec<(u32, u8)>>,
    /// How often each failure or loss was met, by its text.
    pub(super) failures: Mutex<BTreeMap<String, u32>>,
    /// What was agreed on about compression.
    pub(super) agreements: Mutex<Agreements>,
}

/// A connection's place in the account; its handler reports to it.
#[derive(Debug)]
pub(crate) struct Member {
    /// The connection's number in the fleet, from 0.
    pub(crate) number: u32,
    /// Ports that it has tried before.
    pub(super) tried: u8,
    pub(super) roster: Arc<Roster>,
}

impl Member {
    /// The handshake is done. It can be reached from now on, by [`Fleet::remotes`](super::Fleet::remotes).
    pub(crate) fn opened(&self, conn: &Conn<'_>) {
        lock(&self.roster.remotes).push((self.number, conn.remote()));
        self.joined(conn);
    }

    /// The handshake is done, and nobody needs to reach it.
    pub(crate) fn joined(&self, conn: &Conn<'_>) {
        if let Some(agreed) = conn.deflate() {
            lock(&self.roster.agreements).note(agreed);
        }
        self.roster.opened.fetch_add(1, Ordering::Release);
    }

    /// There will be no connection; or it is tried again from another port, and then this says `false`.
    pub(crate) fn failed(&self, failure: &OpenFailure) -> bool {
        let is_over = !self.takes_another_port(failure);
        if is_over {
            self.roster.failed(explain(failure));
        }
        is_over
    }

    /// Whether it failed for its port alone, and is tried again from another one.
    pub(crate) fn takes_another_port(&self, failure: &OpenFailure) -> bool {
        let takes = is_port_in_use(failure) && self.tried < PORTS_TRIED_MAX;
        if takes {
            lock(&self.roster.again).push((self.number, self.tried + 1));
        }
        takes
    }

    /// The connection is over because the workload has ended it.
    pub(crate) fn left(&self) {
        self.roster.left.fetch_add(1, Ordering::Release);
    }

    /// The connection is over. What ends after the run's account was taken is no loss.
    pub(crate) fn closed(&self, closed: &Closed<'_>) {
        self.roster.note(ending(closed));
        self.roster.lost.fetch_add(1, Ordering::Release);
    }
}

impl Roster {
    /// A connection will not be opened.
    pub(super) fn failed(&self, why: String) {
        self.note(why);
        self.failed.fetch_add(1, Ordering::Release);
    }

    fn note(&self, text: String) {
        let mut failures = lock(&self.failures);
        let is_new = !failures.contains_key(&text);
        let text = if is_new && failures.len() >= FAILURES_MAX { "other failures".into() } else { text };
        *failures.entry(text).or_default() += 1;
    }

    pub(super) fn settled(&self) -> u32 {
        self.opened.load(Ordering::Acquire) + self.failed.load(Ordering::Acquire)
    }

    pub(super) fn take_again(&self) -> Vec<(u32, u8)> {
        std::mem::take(&mut lock(&self.again))
    }
}

fn is_port_in_use(failure: &OpenFailure) -> bool {
    match failure {
        OpenFailure::Connect(cause) => cause.raw_os_error().is_some_and(|errno| PORT_IN_USE.contains(&errno)),
        _ => false,
    }
}

/// How a connection ended, in words.
pub(crate) fn ending(closed: &Closed<'_>) -> String {
    let number = closed.number();
    match (closed.clean, closed.reason) {
        (false, "") => "the connection was lost without a Close (1006)".into(),
        (_, "") => format!("closed with {number}"),
        (_, reason) => format!("closed with {number}: {reason}"),
    }
}

/// A failure with what it mostly means.
pub(crate) fn explain(failure: &OpenFailure) -> String {
    let hint = match failure {
        OpenFailure::Connect(cause) => match cause.kind() {
            std::io::ErrorKind::ConnectionRefused => " (nothing listens there: is the server running?)",
            std::io::ErrorKind::AddrNotAvailable => {
                " (no port is left: give more with --source or --source-ports)"
            }
            // ENFILE, which is what a full descriptor table of a ring is reported as.
            _ if cause.raw_os_error() == Some(23) => {
                " (the shards have no room left: give more --shards, or raise `ulimit -n`)"
            }
            _ => "",
        },
        OpenFailure::Handshake(OpeningError::Status { status, .. }) => match status {
            200..=299 => " (it serves HTTP there, and no WebSocket)",
            300..=399 => " (redirects are not followed: give the URL that it leads to)",
            401 | 403 => {
                " (credentials are given with --bearer, --header and --cookie, an origin with --origin)"
            }
            404 => " (is there a WebSocket at this path?)",
            _ => "",
        },
        OpenFailure::Lost | OpenFailure::Handshake(OpeningError::Malformed(_)) => {
            " (is it a WebSocket server, and one without TLS?)"
        }
        OpenFailure::Timeout => " (can the host be reached? --connect-timeout is how long to wait)",
        _ => "",
    };
    format!("{failure}{hint}")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
