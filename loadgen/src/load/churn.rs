//! The workload `churn`: connections that come at a rate, stay for a while, and go.
//!
//! Whoever closes TCP first remembers the connection for a minute (TIME_WAIT), and with it the port: this side where
//! it ends with FIN, and the server after a closing handshake (RFC 6455 section 7.1.1). So a rate needs sixty times as
//! many ports. That is worked out before anything is opened.

use super::connect::{judge, spacing};
use super::phases;
use crate::args::{ChurnOptions, Ending};
use crate::clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Member, Needs, ending};
use crate::interrupt;
use crate::measure::kernel::Counters;
use crate::measure::opening::{Openings, Timed};
use crate::model::{Load, Opening, Report, Section};
use crate::pace::wait_for;
use crate::report;
use crate::target::TIME_WAIT;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wsring::{Closed, Conn, ConnectionId, Handler, Message, OpenFailure, Steps};

/// How much longer than it should a connection may be there: for its opening and its end.
const COMING_AND_GOING: Duration = Duration::from_secs(1);
/// How long the last of them may take to be gone.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);
/// It is looked for connections that need another port after so many.
const LOOK_EVERY: u32 = 64;

/// What all connections share.
struct Board {
    openings: Openings,
    lifetime: Duration,
    endings: Vec<Ending>,
    tally: Mutex<Tally>,
}

/// How they ended.
#[derive(Debug, Default)]
struct Tally {
    /// By how this side ended them.
    ended: BTreeMap<&'static str, u64>,
    /// Of those ended by WebSocket, those whose Close was not answered.
    unanswered: u64,
    /// Those that the server ended before their time, by how.
    by_server: BTreeMap<String, u64>,
}

/// One connection.
struct Guest {
    member: Member,
    board: Arc<Board>,
    /// Its opening.
    timed: Timed,
    /// How this side has ended it.
    ended: Option<Ending>,
}

/// Runs the workload.
///
/// # Errors
/// As [`Fleet::open_first`], and the caller's fault: too few ports for the rate.
pub(crate) fn run(options: &ChurnOptions) -> Result<Report, Failure> {
    let mut report = report::start("churn", &options.common.url, 0);
    let needs = needs(options);
    let fleet =
        Fleet::start_with(&options.common, needs).map_err(|failure| explain(failure, options, &needs))?;
    let board = Arc::new(Board {
        openings: Openings::new(fleet.shards()),
        lifetime: options.lifetime,
        endings: options.close.clone(),
        tally: Mutex::default(),
    });
    let counters = Counters::read();
    let origin = clock::now();
    let opening = come(options, &fleet, &board)?;
    let over = clock::now();
    report.load = Load { connections: opening.asked, ..Load::default() };
    board.openings.report(&mut report);
    board.openings.diagnose(fleet.target().address(), &counters, &mut report);
    judge(&mut report, &options.health);
    report.warnings.extend(time_wait_warning(&needs));
    lock(&board).report(&mut report);
    let stayed = fleet.alive();
    let ended_early = hopeless(&fleet, total(options));
    let is_early = ended_early.is_some() || interrupt::is_asked();
    report.end_early(ended_early);
    if stayed > 0 && !is_early {
        report.not_met(format!("{stayed} connections did not end"));
    }
    fleet.account(opening, &mut report)?;
    phases::note(&mut report, origin, &[("measure", origin, over), ("close", over, clock::now())]);
    Ok(report)
}

/// Has all of them come, and waits until they are gone.
fn come(options: &ChurnOptions, fleet: &Fleet<'_>, board: &Arc<Board>) -> Result<Opening, Failure> {
    let rate = options.common.rate;
    let count = total(options);
    let began = Instant::now();
    let begin = clock::now();
    let make = |member: Member, shard| {
        let intended = if member.number == 0 { begin } else { begin.after(spacing(member.number, rate)) };
        let timed = Timed::new(shard, Some(board.openings.begin(intended)));
        let guest = Guest { member, timed, board: Arc::clone(board), ended: None };
        move || guest
    };
    fleet.open_first(&make)?;
    let mut begun = 1;
    while begun < count {
        clock::sleep_until(begin.after(spacing(begun, rate)));
        if interrupt::is_asked() || hopeless(fleet, count).is_some() {
            break;
        }
        fleet.connect(begun, 0, &make)?;
        if begun.is_multiple_of(LOOK_EVERY) {
            fleet.connect_again(&make)?;
        }
        begun += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    fleet.await_settled(begun, &make)?;
    wait_for(Instant::now() + options.lifetime + GONE_TIMEOUT, || {
        fleet.alive() == 0 || interrupt::is_asked() || hopeless(fleet, count).is_some()
    });
    Ok(Opening::new(begun.into(), fleet.opened().into(), seconds))
}

/// Why this run cannot meet any more what is asked of it, if so.
fn hopeless(fleet: &Fleet<'_>, count: u32) -> Option<String> {
    fleet.is_hopeless(0, Some(f64::from(count)))
}

/// How many connections come in all.
fn total(options: &ChurnOptions) -> u32 {
    let count = options.duration.as_secs_f64() * f64::from(options.common.rate);
    (count as u32).max(1)
}

/// How many connections there are at once, and how many ports those take that have gone.
fn needs(options: &ChurnOptions) -> Needs {
    let (rate, count) = (f64::from(options.common.rate), total(options));
    let at_once = (options.lifetime + COMING_AND_GOING).as_secs_f64() * rate;
    let connections = (at_once as u32).clamp(1, count);
    let remembered = options.close.iter().filter(|each| **each != Ending::Rst).count();
    let share = remembered as f64 / options.close.len() as f64;
    let ports = (rate * share * TIME_WAIT.as_secs_f64()).min(f64::from(count));
    Needs { connections, ports_more: ports as u64, ..Needs::default() }
}

/// Too few ports: says why it takes so many.
fn explain(failure: Failure, options: &ChurnOptions, needs: &Needs) -> Failure {
    match failure {
        Failure::Usage(text) if needs.ports_more > 0 => {
            let (rate, seconds) = (options.common.rate, TIME_WAIT.as_secs());
            Failure::Usage(format!(
                "{text} ({rate} connections a second that are ended by ws or fin keep up to {} ports for {seconds} s, in \
                 TIME_WAIT; those that are ended by rst keep none)",
                needs.ports_more
            ))
        }
        failure => failure,
    }
}

/// Beyond that many the kernel forgets connections early, and counts it as TCPTimeWaitOverflow.
fn time_wait_warning(needs: &Needs) -> Option<String> {
    let most =
        fs::read_to_string("/proc/sys/net/ipv4/tcp_max_tw_buckets").ok()?.trim().parse::<u64>().ok()?;
    (needs.ports_more > most).then(|| {
        format!(
            "up to {} connections are in TIME_WAIT at once, and net.ipv4.tcp_max_tw_buckets is {most}: the kernel forgets \
             the others early",
            needs.ports_more
        )
    })
}

impl Tally {
    fn report(&self, report: &mut Report) {
        let mut section = Section::new("ended", "How connections ended").columns(&["connections", "how"]);
        for (name, count) in &self.ended {
            section =
                section.row(vec![(*count).into(), format!("by {name}, when their time was over").into()]);
            report.counts.insert(format!("ended_by_{name}"), *count);
        }
        for (how, count) in &self.by_server {
            section = section.row(vec![(*count).into(), format!("by the server: {how}").into()]);
        }
        report.counts.insert("close_unanswered".into(), self.unanswered);
        if self.unanswered > 0 {
            report.not_met(format!("{} connections had no answer to their Close", self.unanswered));
        }
        report.sections.push(section);
    }
}

impl Guest {
    fn end(&mut self, conn: &mut Conn<'_>) {
        let endings = &self.board.endings;
        let ending = endings[self.member.number as usize % endings.len()];
        self.ended = Some(ending);
        ending.end(conn);
    }
}

impl Handler for Guest {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.member.joined(conn);
        self.timed.opened();
        if self.board.lifetime.is_zero() {
            self.end(conn);
        } else {
            conn.set_timer(Some(self.board.lifetime));
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.end(conn);
    }

    fn connected(&mut self, steps: &Steps) {
        self.timed.connected(steps);
    }

    fn failed(&mut self, failure: &OpenFailure) {
        if self.member.failed(failure) {
            self.timed.failed();
        }
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let mut tally = lock(&self.board);
        let Some(how) = self.ended else {
            *tally.by_server.entry(ending(closed)).or_default() += 1;
            return self.member.closed(closed);
        };
        *tally.ended.entry(how.name()).or_default() += 1;
        tally.unanswered += u64::from(how == Ending::Ws && !closed.clean);
        self.member.left();
    }
}

fn lock(board: &Board) -> MutexGuard<'_, Tally> {
    board.tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;

    fn options(line: &str) -> ChurnOptions {
        let words = ["wsload", "churn", "ws://127.0.0.1:1/"].into_iter().chain(line.split_whitespace());
        match Arguments::parse_from(words).command {
            Command::Churn(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ports_are_worked_out() {
        let table = [
            ("--rate 1000 --duration 10s --lifetime 1s", 10_000, 2000, 10_000),
            ("--rate 1000 --duration 5m --lifetime 1s", 300_000, 2000, 60_000),
            ("--rate 1000 --duration 5m --lifetime 0 --close rst", 300_000, 1000, 0),
            ("--rate 1000 --duration 5m --lifetime 1s --close ws,rst", 300_000, 2000, 30_000),
            ("--rate 10 --duration 1s --lifetime 1h", 10, 10, 10),
            ("--rate 1 --duration 500ms", 1, 1, 1),
        ];
        for (line, count, at_once, ports) in table {
            let options = options(line);
            let needs = needs(&options);
            assert_eq!(
                (total(&options), needs.connections, needs.ports_more),
                (count, at_once, ports),
                "{line}"
            );
        }
    }

    #[test]
    fn too_few_ports_are_explained() {
        let options = options("--rate 1000 --duration 5m --source 127.0.0.1");
        let failure = Fleet::start_with(&options.common, needs(&options)).err().expect("there are too few");
        let text = explain(failure, &options, &needs(&options)).to_string();
        assert!(text.contains("need 3 source addresses") && text.contains("60000 ports for 60 s"), "{text}");
    }
}
