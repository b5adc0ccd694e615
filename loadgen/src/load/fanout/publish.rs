//! Publishing by a schedule: message n is due at `begin + n / rate`, and takes the publisher n modulo how many
//! there are.
//!
//! WebSockets are driven on their shard, to the microsecond. A POST or a command has a thread of its own, which
//! waits for the answer before it goes on: a server that takes longer than the schedule leaves it makes the messages
//! behind late, which the lag of the schedule shows.

use super::apart::Offsets;
use super::stamp::Stamps;
use super::window::Publisher;
use crate::args::{FanoutOptions, Way};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::interrupt;
use crate::pace::wait_for;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use wsring::{
    Again, Conn, ConnectOptions, ConnectionId, Deflate, Driver, Handler, Kind, Message, OpenFailure, Sent,
    Time, Turn,
};

/// What all publishers of a run know.
pub(crate) struct Campaign {
    pub(crate) stamps: Arc<Stamps>,
    pub(crate) wording: Wording,
    pub(crate) kind: Kind,
    /// This and the two below by the clock of who publishes.
    pub(crate) begin: Time,
    /// What is due from here on is measured.
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// Messages a second.
    pub(crate) message_rate: f64,
    /// How many there are.
    pub(crate) count: u64,
    pub(crate) publishers: u32,
    pub(crate) log: Mutex<Log>,
    /// Set when nobody waits for the rest.
    pub(crate) is_over: AtomicBool,
    /// How the clock of who publishes stands to this one; absent where it is the same.
    pub(crate) offsets: Option<Arc<Mutex<Offsets>>>,
}

/// What stands around a message: the parts of a text that `{payload}` divides.
#[derive(Clone, Debug)]
pub(crate) struct Wording(Vec<String>);

impl Wording {
    /// Of a text with `{payload}` in it.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.split("{payload}").map(String::from).collect())
    }

    /// Bytes of it all.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }

    /// Whether a message stands alone.
    pub(crate) fn is_plain(&self) -> bool {
        self.bytes() == 0
    }

    /// Writes the message with a number in its text, in the place of what is there.
    #[inline]
    pub(crate) fn write(&self, stamps: &Stamps, number: u64, out: &mut Vec<u8>) {
        out.clear();
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                stamps.write(number, out);
            }
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// What was published.
#[derive(Debug, Default)]
pub(crate) struct Log {
    published: Vec<Published>,
    /// What could not be published, by the reason.
    failures: BTreeMap<String, u64>,
    /// All of both.
    done: u64,
}

/// A message that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) number: u64,
    /// When the schedule wanted it; in rounds: when it was sent.
    pub(crate) due: Time,
    /// When it was given to the engine, the kernel or the command. Both by the clock of who publishes.
    pub(crate) at: Time,
}

impl Campaign {
    /// When a message is due.
    pub(crate) fn due(&self, number: u64) -> Time {
        Time(self.begin.0 + (number as f64 * 1e9 / self.message_rate) as u64)
    }

    /// The clock that this goes by.
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher { start: self.start, end: self.end, offsets: self.offsets.clone() }
    }

    fn note(&self, number: u64, at: Time, outcome: Result<(), String>) {
        let mut log = lock(&self.log);
        log.done += 1;
        match outcome {
            Ok(()) => log.published.push(Published { number, due: self.due(number), at }),
            Err(text) => *log.failures.entry(text).or_default() += 1,
        }
    }

    /// Takes over what another process has published, and all that it could not.
    pub(crate) fn learn(
        &self,
        published: impl Iterator<Item = (u64, Time)>,
        failures: BTreeMap<String, u64>,
    ) {
        let mut log = lock(&self.log);
        let failed = |failures: &BTreeMap<String, u64>| failures.values().sum::<u64>();
        let before = log.published.len();
        log.published.extend(published.map(|(number, at)| Published { number, due: self.due(number), at }));
        let more = (log.published.len() - before) as u64;
        log.done += more + failed(&failures).saturating_sub(failed(&log.failures));
        log.failures = failures;
    }

    /// Messages that were published, or could not be.
    pub(crate) fn done(&self) -> u64 {
        lock(&self.log).done
    }

    /// What could not be published, by why.
    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        lock(&self.log).failures.clone()
    }

    /// What was published since the last time.
    pub(crate) fn take_published(&self) -> Vec<Published> {
        std::mem::take(&mut lock(&self.log).published)
    }

    /// Calls `publish` for every message of one publisher when it is due.
    pub(super) fn walk(&self, publisher: u32, mut publish: impl FnMut(&[u8]) -> Result<(), String>) {
        let mut body = Vec::new();
        for number in (u64::from(publisher)..self.count).step_by(self.publishers as usize) {
            self.wording.write(&self.stamps, number, &mut body);
            clock::sleep_until(self.due(number));
            // A sleeper that is interrupted wakes up before its time.
            if self.is_over.load(Ordering::Relaxed) || interrupt::is_asked() {
                return;
            }
            let at = clock::now();
            self.note(number, at, publish(&body));
        }
    }
}

/// The publishers' WebSockets as they stand.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    pub(crate) open: Vec<ConnectionId>,
    /// What each has agreed on about compression, if anything.
    pub(crate) agreed: Vec<Deflate>,
    /// Why one could not be opened.
    pub(crate) failure: Option<String>,
}

/// A publisher's WebSocket: what the server says to it is of no interest.
pub(crate) struct Speaker(pub(crate) Arc<Mutex<Speakers>>);

impl Handler for Speaker {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let mut speakers = lock(&self.0);
        speakers.open.push(conn.id());
        speakers.agreed.extend(conn.deflate());
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn failed(&mut self, failure: &OpenFailure) {
        lock(&self.0).failure = Some(failure.to_string());
    }
}

/// Opens the connections that are published by, where those are WebSockets of their own: to the URL of the subscribers
/// as these are.
pub(super) fn open_speakers(options: &FanoutOptions, fleet: &Fleet<'_>) -> Result<Speakers, Failure> {
    if options.publish() != Way::Ws {
        return Ok(Speakers::default());
    }
    let speakers = Arc::new(Mutex::new(Speakers::default()));
    for publisher in 0..options.publishers {
        let connect = match &options.publish_url {
            Some(url) => elsewhere(url, options)?,
            None => fleet.target().options(options.subscribers().saturating_add(publisher), 0)?,
        };
        fleet.client().connect(&connect, Speaker(Arc::clone(&speakers)))?;
    }
    let deadline = Instant::now() + options.common.connect_timeout;
    wait_for(deadline, || {
        let speakers = lock(&speakers);
        interrupt::is_asked()
            || speakers.failure.is_some()
            || speakers.open.len() == options.publishers as usize
    });
    let mut speakers = lock(&speakers);
    if speakers.open.len() == options.publishers as usize {
        return Ok(std::mem::take(&mut *speakers));
    }
    if interrupt::is_asked() {
        return Ok(Speakers::default());
    }
    let url = options.publish_url.as_ref().unwrap_or(&options.common.url).clone();
    let cause = speakers.failure.take().unwrap_or_else(|| "no answer in time".into());
    Err(Failure::Open { url, cause })
}

/// How a connection to publish by is opened to a URL of its own.
fn elsewhere(url: &str, options: &FanoutOptions) -> Result<ConnectOptions, Failure> {
    let connect = ConnectOptions::new(url).map_err(|error| Failure::Usage(error.to_string()))?;
    let address = connect.resolve()?;
    let connect = connect.to(address).shard(0);
    Ok(match options.common.connection.compression.offer() {
        Some(offer) => connect.deflate(offer),
        None => connect,
    })
}

/// Publishes on WebSockets of one shard.
pub(crate) struct Megaphone {
    campaign: Arc<Campaign>,
    /// Which publishers these are, in ascending order.
    speakers: Vec<(u32, ConnectionId)>,
    /// Whose turn it is, and how often each had its turn.
    place: usize,
    cycle: u64,
    body: Vec<u8>,
}

impl Megaphone {
    /// Of these publishers.
    pub(crate) fn new(campaign: Arc<Campaign>, speakers: Vec<(u32, ConnectionId)>) -> Self {
        Self { campaign, speakers, place: 0, cycle: 0, body: Vec::new() }
    }

    /// The next message, and who is to send it.
    fn next(&self) -> Option<(u64, ConnectionId)> {
        let (publisher, id) = *self.speakers.get(self.place)?;
        let number = self.cycle * u64::from(self.campaign.publishers) + u64::from(publisher);
        (number < self.campaign.count).then_some((number, id))
    }

    fn advance(&mut self) {
        self.place += 1;
        if self.place == self.speakers.len() {
            (self.place, self.cycle) = (0, self.cycle + 1);
        }
    }
}

/// Messages that leave before what has arrived meanwhile is looked at.
const SENT_IN_A_TURN_MAX: usize = 512;

impl Driver for Megaphone {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let campaign = Arc::clone(&self.campaign);
        for _ in 0..SENT_IN_A_TURN_MAX {
            let next = self.next().filter(|_| !campaign.is_over.load(Ordering::Relaxed));
            let Some((number, speaker)) = next else { return Again::Never };
            let (due, now) = (campaign.due(number), clock::now());
            if due > now {
                return Again::At(due);
            }
            self.advance();
            campaign.wording.write(&campaign.stamps, number, &mut self.body);
            let sent = turn.with(speaker, |conn| conn.send_payload(campaign.kind, &self.body));
            campaign.note(
                number,
                now,
                match sent {
                    Some(Sent::Sent | Sent::Queued { .. }) => Ok(()),
                    Some(Sent::Dropped) => {
                        Err("the connection to publish by is closing, or has too much to send".into())
                    }
                    None => Err("the connection to publish by is lost".into()),
                },
            );
        }
        Again::At(turn.now())
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
            let _ = input.write_all(body);
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
