//! The workload `echo`: a closed loop, every echo verified.
//!
//! ```text
//!   open      all connections
//!   warm up   each connection is given a first message; its echo is answered with `depth` messages,
//!             and every further echo with the next one
//!   measure   the same; what is sent in this window is measured
//!   drain     nothing more is sent; the last echoes come in, and count as round trips too
//!   close
//! ```
//!
//! A round trip is measured from the moment at which a message is given to the engine to the moment at
//! which the handler gets its echo, both read from CLOCK_MONOTONIC for each message: the time that it
//! waits inside the generator is part of it. The first message of a connection, which comes from outside
//! its shard, starts the loop and is not measured.

use super::message::{Messages, Name};
use crate::args::{EchoOptions, KindChoice};
use crate::failure::Failure;
use crate::fleet::{Fleet, Member};
use crate::measure::cpu::Reading;
use crate::measure::meter::{self, Meter, Window};
use crate::model::{Latency, Load, Model, Rates, Report};
use crate::pace::{sleep_until, wait_for};
use crate::report;
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
    meter: meter::Shared,
    pipeline: Pipeline,
}

/// The messages that a connection has on their way.
struct Pipeline {
    run: Arc<Run>,
    /// The next message to send, and the one whose echo is due: they come back in order.
    next: Name,
    due: Name,
    /// When each message under way was sent; of the first one that is unknown.
    sent: VecDeque<Option<Instant>>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open`].
pub(crate) fn run(options: &EchoOptions) -> Result<Report, Failure> {
    if options.size > SIZE_MAX {
        return Err(Failure::Usage(format!("--size is {}; allowed are up to 64MiB", options.size)));
    }
    let mut report = report::start("echo", &options.common.url, 0);
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
    let first = begin(&run.messages, &fleet.remotes());
    sleep_until(window.start);
    let before = Reading::take();
    sleep_until(window.end);
    let generator = Reading::take().since(&before);
    wait_for(Instant::now() + options.drain_timeout, || unanswered(&meters, first) == 0);

    let sum = Meter::sum(&meters);
    fill(&mut report, options, &sum, unanswered(&meters, first));
    if let Some(usage) = generator {
        (report.health.cores, report.health.busiest) = (Some(usage.cores), Some(usage.busiest));
        if usage.is_suspect() {
            let share = usage.busiest * 100.0;
            report.warnings.push(format!(
                "the generator's busiest thread used {share:.0} % of a core: the figures may be its limit"
            ));
        }
    }
    fleet.account(opening, &mut report)?;
    Ok(report)
}

/// Writes down what was sent and what came of it.
fn fill(report: &mut Report, options: &EchoOptions, sum: &Meter, unanswered: u64) {
    let kind = match options.kind {
        KindChoice::Binary => "binary",
        KindChoice::Text => "text",
    };
    report.load = Load {
        model: Model::Closed { depth: options.depth },
        connections: u64::from(options.connections),
        kind: kind.to_owned(),
        size: format!("{} B", options.size),
        preset: None,
    };
    report.latencies.push(Latency::of("response", &sum.round_trips));
    let rate = sum.answered_in_window as f64 / options.duration.as_secs_f64();
    report.rates = Rates { answered: rate, sent: rate, ..Rates::default() };
    let counts = [
        ("sent", sum.sent, ""),
        ("answered", sum.answered, ""),
        ("corrupt", sum.wrong, "messages were not the echo that was due"),
        ("refused", sum.refused, "messages could not be sent"),
        ("unanswered", unanswered, "messages were not answered"),
    ];
    for (name, count, fault) in counts {
        report.counts.insert(name.to_owned(), count);
        if count > 0 && !fault.is_empty() {
            report.not_met(format!("{count} {fault}"));
        }
    }
    if sum.answered_in_window == 0 {
        report.not_met(String::from("window without a single echo"));
    }
}

/// Gives each connection its first message; says how many that were.
fn begin(messages: &Messages, remotes: &[(u32, Remote)]) -> u64 {
    for (connection, remote) in remotes {
        let mut payload = Vec::with_capacity(messages.size());
        messages.write(Name { connection: *connection, sequence: 0 }, &mut payload);
        match messages.kind() {
            Kind::Text => remote.send_text(String::from_utf8_lossy(&payload)),
            Kind::Binary => remote.send_binary(payload),
        }
    }
    remotes.len() as u64
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
        let due = Name { connection: member.number, sequence: 0 };
        // The first message is sent by `begin`.
        let pipeline = Pipeline { run, next: due.next(), due, sent: VecDeque::from([None]) };
        Self { member, meter, pipeline }
    }
}

impl Pipeline {
    fn is_due(&self, message: &Message<'_>) -> bool {
        let is_any_due = self.next.since(self.due) > 0;
        is_any_due && self.run.messages.matches(self.due, message.kind(), message.payload())
    }

    /// Takes the echo that was due.
    fn answered(&mut self, meter: &mut Meter, window: &Window, now: Instant) {
        self.due = self.due.next();
        meter.answer(window, self.sent.pop_front().flatten(), now);
    }

    /// Sends until `depth` messages are on their way.
    fn fill(&mut self, conn: &mut Conn<'_>, meter: &mut Meter, now: Instant) {
        while self.next.since(self.due) < self.run.depth {
            self.run.messages.write(self.next, &mut meter.scratch);
            match conn.send_payload(self.run.messages.kind(), &meter.scratch) {
                Sent::Sent | Sent::Queued { .. } => meter.sent += 1,
                Sent::Dropped => {
                    meter.refused += 1;
                    return;
                }
            }
            self.next = self.next.next();
            self.sent.push_back(Some(now));
        }
    }
}

impl Handler for Echo {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let now = Instant::now();
        let meter = &mut *meter::lock(&self.meter);
        let window = self.pipeline.run.window.get().copied();
        let Some(window) = window.filter(|_| self.pipeline.is_due(&message)) else {
            // What comes after a wrong echo is no measurement.
            meter.wrong += 1;
            return conn.close(CloseCode::NORMAL, "not the echo that was due");
        };
        self.pipeline.answered(meter, &window, now);
        if now < window.end {
            self.pipeline.fill(conn, meter, now);
        }
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.member.closed(closed);
    }
}
