//! Taking connections from the listeners.

use super::Uring;
use super::request::{self, Outcome};
use super::slots::Life;
use super::token::{Kind, Token};
use crate::Completion;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// The listeners, and how far accepting is on each.
pub(super) struct Acceptor {
    doors: Vec<Door>,
}

struct Door {
    /// `None` once it is closed for good.
    listener: Option<TcpListener>,
    state: Accepting,
}

/// Whether connections are being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepting {
    /// No.
    Idle,
    /// The request is with the kernel.
    Armed,
    /// A cancel is under way.
    Stopping,
    /// A cancel is under way, and the shard wants to accept again.
    Restarting,
    /// A cancel is under way; then the listener closes.
    Ending,
}

impl Acceptor {
    pub(super) fn new(listeners: impl IntoIterator<Item = TcpListener>) -> io::Result<Self> {
        let door = |listener: TcpListener| {
            // The ring waits by itself; on a non-blocking descriptor it would answer EAGAIN instead.
            listener.set_nonblocking(false)?;
            Ok(Door { listener: Some(listener), state: Accepting::Idle })
        };
        Ok(Self { doors: listeners.into_iter().map(door).collect::<io::Result<_>>()? })
    }

    /// Whether a request is with the kernel.
    pub(super) fn is_in_flight(&self) -> bool {
        self.doors.iter().any(|door| door.state != Accepting::Idle)
    }
}

impl Uring {
    pub(super) fn start_accepting(&mut self) {
        for door in 0..self.acceptor.doors.len() {
            match self.acceptor.doors[door].state {
                Accepting::Idle => self.arm_accept(door),
                Accepting::Stopping => self.acceptor.doors[door].state = Accepting::Restarting,
                Accepting::Armed | Accepting::Restarting | Accepting::Ending => {}
            }
        }
    }

    pub(super) fn stop_accepting(&mut self) {
        for (number, door) in self.acceptor.doors.iter_mut().enumerate() {
            match door.state {
                Accepting::Armed => {
                    door.state = Accepting::Stopping;
                    self.ring.push(request::cancel(token(number)));
                }
                Accepting::Restarting => door.state = Accepting::Stopping,
                Accepting::Idle | Accepting::Stopping | Accepting::Ending => {}
            }
        }
    }

    /// Closes all of them for good. An armed request holds its listener open, so it ends before.
    pub(super) fn close_listener(&mut self) {
        self.stop_accepting();
        for door in &mut self.acceptor.doors {
            match door.state {
                Accepting::Idle => door.listener = None,
                _ => door.state = Accepting::Ending,
            }
        }
    }

    pub(super) fn accept_completed(&mut self, door: u32, outcome: Outcome) {
        match outcome.value() {
            Ok(place) => {
                let socket = self.slots.fill(place, Life::Open);
                self.counters.accepted += 1;
                self.ready.push(Completion::Accepted { socket });
                if !outcome.more {
                    self.accept_ended(door as usize, None);
                }
            }
            Err(errno) => self.accept_ended(door as usize, Some(errno)),
        }
    }

    fn accept_ended(&mut self, number: usize, errno: Option<i32>) {
        if errno.is_some_and(|errno| errno != libc::ECANCELED && !concerns_one_connection(errno)) {
            self.counters.accepts_failed += 1;
        }
        let door = &mut self.acceptor.doors[number];
        match door.state {
            Accepting::Armed => match errno {
                // What one listener is short of the others are short of as well.
                Some(errno) if !concerns_one_connection(errno) => {
                    door.state = Accepting::Idle;
                    self.ready.push(Completion::AcceptEnded { errno });
                    self.stop_accepting();
                }
                // Ended by an overflow of the completion queue, or by a connection that broke.
                _ => self.arm_accept(number),
            },
            Accepting::Restarting => self.arm_accept(number),
            Accepting::Ending => {
                door.state = Accepting::Idle;
                door.listener = None;
            }
            Accepting::Stopping | Accepting::Idle => door.state = Accepting::Idle,
        }
    }

    fn arm_accept(&mut self, number: usize) {
        let door = &mut self.acceptor.doors[number];
        door.state = match &door.listener {
            Some(listener) => {
                self.ring.push(request::accept(listener.as_raw_fd(), token(number)));
                Accepting::Armed
            }
            None => Accepting::Idle,
        };
    }
}

/// The token of the request on the listener with this number.
fn token(door: usize) -> Token {
    Token::indexed(door as u32, 0, Kind::Accept)
}

/// Errors that accept(2) passes on from the connection it was about to return; the next may be fine.
fn concerns_one_connection(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNABORTED
            | libc::EINTR
            | libc::EAGAIN
            | libc::EPROTO
            | libc::EPERM
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET
            | libc::ENOPROTOOPT
    )
}
