//! Taking connections from the listener.

use super::Uring;
use super::request::{self, Outcome};
use super::slots::Life;
use super::token::{Kind, Token};
use crate::Completion;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// The listener, and how far accepting is.
pub(super) struct Acceptor {
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
    pub(super) fn new(listener: Option<TcpListener>) -> io::Result<Self> {
        // The ring waits by itself; on a non-blocking descriptor it would answer EAGAIN instead.
        if let Some(listener) = &listener {
            listener.set_nonblocking(false)?;
        }
        Ok(Self { listener, state: Accepting::Idle })
    }

    /// Whether a request is with the kernel.
    pub(super) fn is_in_flight(&self) -> bool {
        self.state != Accepting::Idle
    }
}

impl Uring {
    pub(super) fn start_accepting(&mut self) {
        match self.acceptor.state {
            Accepting::Idle => self.arm_accept(),
            Accepting::Stopping => self.acceptor.state = Accepting::Restarting,
            Accepting::Armed | Accepting::Restarting | Accepting::Ending => {}
        }
    }

    pub(super) fn stop_accepting(&mut self) {
        match self.acceptor.state {
            Accepting::Armed => {
                self.acceptor.state = Accepting::Stopping;
                self.ring.push(request::cancel(Token::single(Kind::Accept)));
            }
            Accepting::Restarting => self.acceptor.state = Accepting::Stopping,
            Accepting::Idle | Accepting::Stopping | Accepting::Ending => {}
        }
    }

    /// The armed request holds the listener open, so it ends before the listener is closed.
    pub(super) fn close_listener(&mut self) {
        self.stop_accepting();
        match self.acceptor.state {
            Accepting::Idle => self.acceptor.listener = None,
            _ => self.acceptor.state = Accepting::Ending,
        }
    }

    pub(super) fn accept_completed(&mut self, outcome: Outcome) {
        match outcome.value() {
            Ok(place) => {
                let socket = self.slots.fill(place, Life::Open);
                self.counters.accepted += 1;
                self.ready.push(Completion::Accepted { socket });
                if !outcome.more {
                    self.accept_ended(None);
                }
            }
            Err(errno) => self.accept_ended(Some(errno)),
        }
    }

    fn accept_ended(&mut self, errno: Option<i32>) {
        match self.acceptor.state {
            Accepting::Armed => match errno {
                Some(errno) if !concerns_one_connection(errno) => {
                    self.acceptor.state = Accepting::Idle;
                    self.ready.push(Completion::AcceptEnded { errno });
                }
                // Ended by an overflow of the completion queue, or by a connection that broke.
                _ => self.arm_accept(),
            },
            Accepting::Restarting => self.arm_accept(),
            Accepting::Ending => {
                self.acceptor.state = Accepting::Idle;
                self.acceptor.listener = None;
            }
            Accepting::Stopping | Accepting::Idle => self.acceptor.state = Accepting::Idle,
        }
    }

    fn arm_accept(&mut self) {
        self.acceptor.state = match &self.acceptor.listener {
            Some(listener) => {
                self.ring.push(request::accept(listener.as_raw_fd()));
                Accepting::Armed
            }
            None => Accepting::Idle,
        };
    }
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
