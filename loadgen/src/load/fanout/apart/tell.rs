//! The publishing process tells those that subscribe: what is published, when, and what its clock shows.
//!
//! Each has a connection and a thread here, which answers as it is asked. Nothing is sent unasked, so that nothing but
//! the question itself is on the way when a clock is read.

use super::wire::{self, MESSAGES_MAX, Published, QUESTION_BYTES_MAX, Reading, Refused, Run, Schedule};
use crate::clock;
use crate::failure::Failure;
use crate::load::fanout::publish::{self, lock};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Processes that may be connected.
const CONNECTED_MAX: usize = 1024;
/// How often it is looked whether the other is still there while it waits.
const LOOK: Duration = Duration::from_millis(200);
/// How long a process may take to read an answer.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Tells.
pub(crate) struct Teller {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    run: Run,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connected: usize,
    ready: usize,
    schedule: Option<Schedule>,
    published: Vec<(u64, u64)>,
    failures: BTreeMap<String, u64>,
}

impl Teller {
    /// Listens there.
    ///
    /// # Errors
    /// The environment's fault: the address is none of this machine, or taken.
    pub(crate) fn listen(address: SocketAddr, run: Run) -> Result<Self, Failure> {
        let failure = |cause: io::Error| Failure::Apart {
            address: address.to_string(),
            cause: format!("cannot listen there: {cause}"),
        };
        let listener = TcpListener::bind(address).map_err(failure)?;
        let address = listener.local_addr().map_err(failure)?;
        let shared = Arc::new(Shared { run, state: Mutex::default(), changed: Condvar::new() });
        let others = Arc::clone(&shared);
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&others);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Ok(Self { address, shared })
    }

    /// Processes that are connected, and those of them that are ready.
    pub(crate) fn audience(&self) -> (usize, usize) {
        let state = lock(&self.shared.state);
        (state.connected, state.ready)
    }

    /// Tells all that are ready when publishing begins. Who comes later is refused.
    pub(crate) fn begin(&self, schedule: Schedule) {
        lock(&self.shared.state).schedule = Some(schedule);
        self.shared.changed.notify_all();
    }

    /// Has this told when it is asked for.
    pub(crate) fn published(&self, messages: &[publish::Published], failures: BTreeMap<String, u64>) {
        let mut state = lock(&self.shared.state);
        state.published.extend(messages.iter().map(|each| (each.number, each.at.0)));
        state.failures = failures;
    }

    /// Waits until everybody has asked for the rest and gone.
    pub(crate) fn end(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut state = lock(&self.shared.state);
        while state.connected > 0 && Instant::now() < deadline {
            let waited = self.shared.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    /// Answers one process until it goes.
    fn serve(&self, stream: TcpStream) {
        let is_room = {
            let mut state = lock(&self.state);
            state.connected += 1;
            state.connected <= CONNECTED_MAX
        };
        let mut is_ready = false;
        if is_room {
            // Whoever goes without a word is seen by that.
            let _ = self.converse(stream, &mut is_ready);
        }
        let mut state = lock(&self.state);
        state.connected -= 1;
        state.ready -= usize::from(is_ready);
        drop(state);
        self.changed.notify_all();
    }

    fn converse(&self, stream: TcpStream, is_ready: &mut bool) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        let mut from = BufReader::new(stream.try_clone()?);
        let mut to = stream;
        let mut told = 0;
        loop {
            let question = wire::line(&mut from, QUESTION_BYTES_MAX)?;
            let received = clock::now().0;
            match question.as_str() {
                wire::CLOCK => say(&mut to, &Reading { received, answered: clock::now().0 })?,
                wire::RUN => say(&mut to, &self.run)?,
                wire::READY => {
                    let is_late = lock(&self.state).schedule.is_some();
                    if is_late {
                        let refused = String::from("publishing has begun without this process");
                        return say(&mut to, &Refused { refused });
                    }
                    if !std::mem::replace(is_ready, true) {
                        lock(&self.state).ready += 1;
                    }
                    let schedule = self.schedule(&to)?;
                    say(&mut to, &schedule)?;
                }
                wire::PUBLISHED => {
                    let news = self.news(&mut told);
                    say(&mut to, &news)?;
                }
                "" => return Ok(()),
                _ => return say(&mut to, &Refused { refused: String::from("no such question") }),
            }
        }
    }

    /// Waits for the schedule, as long as the other waits for it.
    fn schedule(&self, other: &TcpStream) -> io::Result<Schedule> {
        let mut state = lock(&self.state);
        loop {
            if let Some(schedule) = state.schedule {
                return Ok(schedule);
            }
            state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            // It says nothing while it waits: what can be read is its end.
            other.set_nonblocking(true)?;
            let is_gone = matches!(other.peek(&mut [0]), Ok(0));
            other.set_nonblocking(false)?;
            if is_gone {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }

    /// What was published beyond the first `told`.
    fn news(&self, told: &mut usize) -> Published {
        let state = lock(&self.state);
        let until = state.published.len().min(*told + MESSAGES_MAX);
        let messages = state.published[*told..until].to_vec();
        *told = until;
        Published { messages, failures: state.failures.clone() }
    }
}

/// One write for a line: halves would travel apart.
fn say(to: &mut TcpStream, answer: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    to.write_all(line.as_bytes())
}
