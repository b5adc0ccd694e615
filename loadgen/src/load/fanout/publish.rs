//! Publishing by a schedule: message n is due at `begin + n / rate`, and takes the publisher n modulo how many
//! there are.
//!
//! WebSockets are driven on their shard, to the microsecond. A POST or a command has a thread of its own, which
//! waits for the answer before it goes on: a server that takes longer than the schedule leaves it makes the messages
//! behind late, which the lag of the schedule shows.

use super::apart::Offsets;
use super::stamp::Stamps;
use crate::clock;
use crate::interrupt;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wsring::{Again, Conn, ConnectionId, Driver, Handler, Kind, Message, OpenFailure, Sent, Time, Turn};

/// What all publishers of a run know.
pub(crate) struct Campaign {
    pub(crate) stamps: Stamps,
    /// With `{payload}` in it.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// This and the two below by the clock of who publishes.
    pub(crate) begin: Time,
    /// What is due from here on is measured.
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// Messages a second.
    pub(crate) message_rate: f64,
    /// How many there are.
    pub(crate) count: u32,
    pub(crate) publishers: u32,
    pub(crate) log: Mutex<Log>,
    /// Set when nobody waits for the rest.
    pub(crate) is_over: AtomicBool,
    /// How the clock of who publishes stands to this one; absent where it is the same.
    pub(crate) offsets: Option<Arc<Mutex<Offsets>>>,
}

/// What was published.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of a message, and when it was given to the engine, the kernel or the command.
    published: Vec<(u32, Time)>,
    /// What could not be published, by the reason.
    failures: BTreeMap<String, u64>,
    /// All of both.
    done: u64,
}

impl Campaign {
    /// When a message is due.
    pub(crate) fn due(&self, number: u32) -> Time {
        Time(self.begin.0 + (f64::from(number) * 1e9 / self.message_rate) as u64)
    }

    /// When it is, by the clock here, what the clock of who publishes shows there.
    pub(crate) fn here(&self, there: Time) -> Time {
        self.offsets.as_ref().map_or(there, |offsets| lock(offsets).here(there))
    }

    /// Whether more questions about the time may still change that.
    pub(crate) fn is_settled(&self, there: Time) -> bool {
        self.offsets.as_ref().is_none_or(|offsets| lock(offsets).covers(there))
    }

    fn body(&self, number: u32) -> String {
        self.text.replace("{payload}", &self.stamps.payload(number))
    }

    fn note(&self, number: u32, at: Time, outcome: Result<(), String>) {
        let mut log = lock(&self.log);
        log.done += 1;
        match outcome {
            Ok(()) => log.published.push((number, at)),
            Err(text) => *log.failures.entry(text).or_default() += 1,
        }
    }

    /// Takes over what another process has published, and all that it could not.
    pub(crate) fn learn(&self, published: Vec<(u32, Time)>, failures: BTreeMap<String, u64>) {
        let mut log = lock(&self.log);
        let failed = |failures: &BTreeMap<String, u64>| failures.values().sum::<u64>();
        log.done += published.len() as u64 + failed(&failures).saturating_sub(failed(&log.failures));
        log.published.extend(published);
        log.failures = failures;
    }

    /// Messages that were published, or could not be.
    pub(crate) fn done(&self) -> u64 {
        lock(&self.log).done
    }

    /// Messages that could not be published.
    pub(crate) fn failed(&self) -> u64 {
        lock(&self.log).failures.values().sum()
    }

    /// Why, and how often.
    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        lock(&self.log).failures.clone()
    }

    /// What was published since the last time.
    pub(crate) fn take_published(&self) -> Vec<(u32, Time)> {
        std::mem::take(&mut lock(&self.log).published)
    }

    /// Calls `publish` for every message of one publisher when it is due.
    pub(super) fn walk(&self, publisher: u32, mut publish: impl FnMut(String) -> Result<(), String>) {
        for number in (publisher..self.count).step_by(self.publishers as usize) {
            let body = self.body(number);
            clock::sleep_until(self.due(number));
            // A sleeper that is interrupted wakes up before its time.
            if self.is_over.load(Ordering::Relaxed) || interrupt::is_asked() {
                return;
            }
            let at = clock::now();
            self.note(number, at, publish(body));
        }
    }
}

/// The publishers' WebSockets as they stand.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    pub(crate) open: Vec<ConnectionId>,
    /// Why one could not be opened.
    pub(crate) failure: Option<String>,
}

/// A publisher's WebSocket: what the server says to it is of no interest.
pub(crate) struct Speaker(pub(crate) Arc<Mutex<Speakers>>);

impl Handler for Speaker {
    fn open(&mut self, conn: &mut Conn<'_>) {
        lock(&self.0).open.push(conn.id());
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn failed(&mut self, failure: &OpenFailure) {
        lock(&self.0).failure = Some(failure.to_string());
    }
}

/// Publishes on WebSockets of one shard.
pub(crate) struct Megaphone {
    pub(crate) campaign: Arc<Campaign>,
    pub(crate) speakers: Vec<ConnectionId>,
    pub(crate) next: u32,
}

impl Driver for Megaphone {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let campaign = &self.campaign;
        while self.next < campaign.count {
            let (number, now) = (self.next, clock::now());
            let due = campaign.due(number);
            if due > now {
                return Again::At(due);
            }
            self.next += 1;
            let speaker = self.speakers[number as usize % self.speakers.len()];
            let body = campaign.body(number);
            let sent = turn.with(speaker, |conn| conn.send_payload(campaign.kind, body.as_bytes()));
            campaign.note(
                number,
                now,
                match sent {
                    Some(Sent::Sent | Sent::Queued { .. }) => Ok(()),
                    Some(Sent::Dropped) => Err("the connection to publish by is closing".into()),
                    None => Err("the connection to publish by is lost".into()),
                },
            );
        }
        Again::Never
    }
}

/// Runs a command for each message of one publisher.
pub(crate) fn run(campaign: &Campaign, command: &str, publisher: u32) {
    campaign.walk(publisher, |body| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = shell.spawn().map_err(|cause| format!("the command cannot be run: {cause}"))?;
        if let Some(mut input) = child.stdin.take() {
            // A command may take its message from elsewhere and not read this.
            let _ = input.write_all(body.as_bytes());
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the command ended with {status}")),
            Err(cause) => Err(format!("the command cannot be waited for: {cause}")),
        }
    });
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
