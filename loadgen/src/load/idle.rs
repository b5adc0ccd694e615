//! The workload `idle`: many connections that say nothing.
//!
//! ```text
//!   open    at a rate, from one or more source addresses
//!   hold    the engine answers pings; what ends is counted
//!   echo    where asked for: one message on each connection, at the same rate, and its echo verified
//!   close
//! ```

use super::message::{Messages, Name};
use super::size::SizeChoice;
use crate::args::{IdleOptions, KindChoice};
use crate::failure::Failure;
use crate::fleet::{Fleet, Member};
use crate::model::{Load, Report, Section};
use crate::pace::{Pace, sleep_until, wait_for};
use crate::report;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use wsring::{Closed, Conn, ConnectionId, Handler, Message, OpenFailure};

/// Payload of the message at the end: a name and some content.
const SIZE: usize = 32;

/// What all connections share: the message that each may get, and how many got it.
struct Check {
    messages: Messages,
    right: AtomicU32,
    wrong: AtomicU32,
}

/// One connection.
struct Idle {
    member: Member,
    check: Arc<Check>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open`].
pub(crate) fn run(options: &IdleOptions) -> Result<Report, Failure> {
    let mut report = report::start("idle", &options.common.url, 0);
    let fleet = Fleet::start(&options.common, options.connections, SIZE, SIZE)?;
    let check = Arc::new(Check {
        messages: Messages::new(KindChoice::Binary, &SizeChoice::Fixed(SIZE))?,
        right: AtomicU32::new(0),
        wrong: AtomicU32::new(0),
    });
    let opening = fleet.open(|member, _| Idle { member, check: Arc::clone(&check) })?;
    eprintln!("wsload: {} connections open, holding them for {:?}", opening.opened, options.hold);
    sleep_until(Instant::now() + options.hold);
    let alive = fleet.alive();
    // A message that came unasked is no fault of an idle connection, but it is none of an echo server.
    let unasked = check.wrong.swap(0, Ordering::Relaxed);
    let echo = options.echo_at_end.then(|| echo(options, &fleet, &check));
    let hold_seconds = options.hold.as_secs_f64();
    let mut section =
        Section::new("held", "Held").fact("alive", format!("{alive} after {hold_seconds:.1} s"), "");
    if unasked > 0 {
        section = section.fact("unasked", format!("{unasked} messages from the server"), "");
    }
    report.load = Load { connections: u64::from(options.connections), ..Load::default() };
    report.counts.insert(String::from("unasked"), u64::from(unasked));
    if let Some(echo) = echo {
        section = section.fact("echoed", echo.text(), "");
        echo.judge(&mut report);
    }
    report.sections.push(section);
    fleet.account(opening, &mut report)?;
    Ok(report)
}

/// One message on each connection after the hold.
#[derive(Clone, Copy, Debug)]
struct FinalEcho {
    sent: u32,
    right: u32,
    wrong: u32,
    seconds: f64,
}

impl FinalEcho {
    fn text(&self) -> String {
        let Self { sent, right, seconds, .. } = self;
        format!("{right} of {sent} connections in {seconds:.2} s, each verified")
    }

    fn judge(&self, report: &mut Report) {
        if self.wrong > 0 {
            report.not_met(format!("{} messages were not the echo that was due", self.wrong));
        }
        if self.right < self.sent {
            report.not_met(format!("{} connections did not echo their message", self.sent - self.right));
        }
    }
}

/// Sends one message on each connection and waits for what comes back.
fn echo(options: &IdleOptions, fleet: &Fleet<'_>, check: &Check) -> FinalEcho {
    let began = Instant::now();
    let remotes = fleet.remotes();
    let pace = Pace::begin(options.common.rate);
    for (number, (connection, remote)) in (0..).zip(&remotes) {
        pace.wait(number);
        let mut payload = Vec::with_capacity(SIZE);
        check.messages.write(Name { connection: *connection, sequence: 0 }, &mut payload);
        remote.send_binary(payload);
    }
    let sent = remotes.len() as u32;
    let answers = || (check.right.load(Ordering::Relaxed), check.wrong.load(Ordering::Relaxed));
    wait_for(Instant::now() + options.echo_timeout, || answers().0 >= sent);
    let (right, wrong) = answers();
    FinalEcho { sent, right, wrong, seconds: began.elapsed().as_secs_f64() }
}

impl Handler for Idle {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.opened(conn);
    }

    fn message(&mut self, _: &mut Conn<'_>, message: Message<'_>) {
        let name = Name { connection: self.member.number, sequence: 0 };
        let is_right = self.check.messages.matches(name, message.kind(), message.payload());
        let count = if is_right { &self.check.right } else { &self.check.wrong };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.member.failed(failure);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.member.closed(closed);
    }
}
