//! The workload `echo`: a closed loop, every echo verified.
//!
//! ```text
//!   open      all connections
//!   warm up   each connection is given its first `depth` messages; each echo is answered with the next
//!   measure   the same; what is sent in this window is measured
//!   drain     nothing more is sent; the last echoes come in, and count as round trips too
//!   close
//! ```
//!
//! A round trip is measured from the moment at which a message is given to the engine to the moment at
//! which the handler gets its echo, both read from CLOCK_MONOTONIC for each message: the time that it
//! waits inside the generator is part of it. The first messages of a connection, which come from
//! outside its shard, start the loop and are not measured.

use crate::args::EchoOptions;
use crate::cpu::Reading;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member};
use crate::message::{Messages, Name};
use crate::meter::{self, Meter, Window};
use crate::pace::{sleep_until, wait_for};
use crate::report::{Detail, EchoResult, Latency, Report};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use wsring::{CloseCode, Closed, Conn, ConnectionId, Handler, Kind, Message, OpenFailure, Remote, Sent};

/// Longest payload: the limit that most servers have.
const SIZE_MAX: usize = 64 << 20;

/// What all connections of a run share and none changes.
struct Run {
    messages: Messages,
    depth: u32,
    /// Set when the load begins.
    window: OnceLock<Window>,
}

/// One connection.
struct Echo {
    member: Member,
    run: Arc<Run>,
    meter: meter::Shared,
    /// The next message to send, and the one whose echo is next: they come back in order.
    next: Name,
    awaited: Name,
    /// When each message under way was sent, but for the first ones.
    sent: VecDeque<Instant>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open`].
pub(crate) fn run(options: &EchoOptions) -> Result<Report, Failure> {
    if options.size > SIZE_MAX {
        return Err(Failure::Usage(format!("--size is {}; allowed are up to 64MiB", options.size)));
    }
    let depth = options.depth as usize;
    let queue_bytes = options.size.saturating_add(16).saturating_mul(depth);
    let fleet = Fleet::start(&options.common, options.connections, options.size, queue_bytes)?;
    let meters = Meter::for_shards(fleet.shards());
    let run = Arc::new(Run {
        messages: Messages::new(options.kind.into(), options.size),
        depth: options.depth,
        window: OnceLock::new(),
    });
    let opening =
        fleet.open(|member, shard| Echo::new(member, Arc::clone(&run), Arc::clone(&meters[shard])))?;

    let start = Instant::now() + options.warm_up;
    let window = *run.window.get_or_init(|| Window { start, end: start + options.duration });
    let first = begin(&run, &fleet.remotes());
    sleep_until(window.start);
    let before = Reading::take();
    sleep_until(window.end);
    let generator = Reading::take().since(&before);
    wait_for(Instant::now() + options.drain_timeout, || unanswered(&meters, first) == 0);

    let sum = Meter::sum(&meters);
    let result = EchoResult {
        depth: options.depth,
        size: options.size,
        kind: options.kind,
        warm_up_seconds: options.warm_up.as_secs_f64(),
        seconds: options.duration.as_secs_f64(),
        messages: sum.answered_in_window,
        messages_per_second: sum.answered_in_window as f64 / options.duration.as_secs_f64(),
        round_trip: Latency::of(&sum.round_trips),
        wrong: sum.wrong,
        refused: sum.refused,
        unanswered: unanswered(&meters, first),
        generator,
    };
    Report::of(&options.common, fleet, opening, Detail::Echo(result))
}

/// Gives each connection the messages that it will have on their way; says how many that were.
fn begin(run: &Run, remotes: &[(u32, Remote)]) -> u64 {
    for (connection, remote) in remotes {
        for sequence in 0..run.depth {
            let mut payload = Vec::with_capacity(run.messages.size());
            run.messages.write(Name { connection: *connection, sequence }, &mut payload);
            match run.messages.kind() {
                Kind::Text => remote.send_text(String::from_utf8_lossy(&payload)),
                Kind::Binary => remote.send_binary(payload),
            }
        }
    }
    remotes.len() as u64 * u64::from(run.depth)
}

/// Messages that were sent and have no echo yet, of which `first` were sent by [`begin`].
fn unanswered(meters: &[meter::Shared], first: u64) -> u64 {
    let open = |meter: &meter::Shared| {
        let meter = meter::lock(meter);
        (meter.sent, meter.answered)
    };
    let (sent, answered) =
        meters.iter().map(open).fold((first, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    sent.saturating_sub(answered)
}

impl Echo {
    fn new(member: Member, run: Arc<Run>, meter: meter::Shared) -> Self {
        let awaited = Name { connection: member.number, sequence: 0 };
        let next = Name { sequence: run.depth, ..awaited };
        Self { member, run, meter, next, awaited, sent: VecDeque::new() }
    }

    /// When the message was sent whose echo is here.
    fn sent(&mut self) -> Option<Instant> {
        if self.awaited.sequence < self.run.depth { None } else { self.sent.pop_front() }
    }
}

impl Handler for Echo {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let now = Instant::now();
        let messages = &self.run.messages;
        let is_right = messages.matches(self.awaited, message.kind(), message.payload());
        let window = self.run.window.get().filter(|_| is_right && self.awaited.sequence < self.next.sequence);
        let Some(window) = window.copied() else {
            // What comes after a wrong echo is no measurement.
            meter::lock(&self.meter).wrong += 1;
            return conn.close(CloseCode::NORMAL, "not the echo that was due");
        };
        let sent = self.sent();
        self.awaited = self.awaited.next();
        let meter = &mut *meter::lock(&self.meter);
        meter.answer(&window, sent, now);
        if now >= window.end {
            return;
        }
        self.run.messages.write(self.next, &mut meter.scratch);
        match conn.send_payload(self.run.messages.kind(), &meter.scratch) {
            Sent::Sent | Sent::Queued { .. } => {
                meter.sent += 1;
                self.next = self.next.next();
                self.sent.push_back(now);
            }
            Sent::Dropped => meter.refused += 1,
        }
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.member.closed(closed);
    }
}
