//! What the ring cannot do itself, or not without a kernel worker: one ordinary system call on a process
//! descriptor that the ring lends for it.
//!
//! The kernel makes such a descriptor while it takes the submission, in order and without waiting. So
//! the request is over before any close that is submitted after it, and nothing has to be waited for;
//! and its completion is looked at, whatever has become of the socket, in the enter that made it.

#![expect(unsafe_code, reason = "owning a descriptor that the ring has made")]

use super::Uring;
use super::request::{self, Outcome};
use super::token::{Kind, Token};
use crate::{Completion, Socket};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

impl Uring {
    /// Sends FIN. The ring's own operation for it always runs in a kernel worker.
    pub(super) fn half_close(&mut self, socket: Socket) {
        if self.slots.get_open(socket).is_some() {
            self.ring.push(request::lend_descriptor(Token::of(socket, Kind::HalfClose)));
        }
    }

    /// Asks who the peer is, which the ring has no operation for.
    pub(super) fn ask_peer_address(&mut self, socket: Socket) {
        if self.slots.get_open(socket).is_none() {
            return;
        }
        if self.capabilities.half_close {
            self.ring.push(request::lend_descriptor(Token::of(socket, Kind::PeerAddress)));
        } else {
            self.ready.push(Completion::PeerAddress { socket, address: None });
        }
    }

    pub(super) fn peer_address_completed(&mut self, socket: Socket, outcome: Outcome) {
        // Taken first, so that it is closed for a socket that is gone as well.
        let lent = lent(outcome);
        if self.slots.get_open(socket).is_some() {
            // A peer that has reset the connection has no address any more.
            let address = lent.and_then(|lent| lent.peer_addr().ok());
            let address = address.map(|address| address.ip().to_canonical());
            self.ready.push(Completion::PeerAddress { socket, address });
        }
    }
}

/// Sends FIN, or leaves that to the close where no descriptor was to be had.
pub(super) fn half_close_completed(outcome: Outcome) {
    if let Some(lent) = lent(outcome) {
        // A connection that broke meanwhile says so by its receive.
        let _ = lent.shutdown(Shutdown::Write);
    }
}

/// The descriptor that was lent, which closes when it is dropped; `None` when the process has too many.
fn lent(outcome: Outcome) -> Option<TcpStream> {
    let descriptor = outcome.value().ok()?;
    // SAFETY: the kernel has just made this descriptor for this completion, which is looked at once,
    // so that nobody else owns it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) };
    Some(descriptor.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::{Config, Mesh};
    use crate::{Io, Op};
    use std::net::TcpListener;
    use std::sync::Arc;

    /// Kernels before 6.8 lend nothing, and every question is answered all the same.
    #[test]
    fn without_descriptors_there_is_no_address() {
        let config = Config {
            submission_entries: 8,
            completion_entries: 1024,
            buffers: 4,
            sockets_max: 2,
            ..Config::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let mut io = Uring::open(&config, Some(listener), Arc::new(Mesh::new(1)), 0).unwrap();
        io.submit(Op::AcceptStart);
        let _peer = TcpStream::connect(to).unwrap();
        let mut completions = Vec::new();
        io.turn(None, &mut completions).unwrap();
        let [Completion::Accepted { socket }] = completions[..] else { panic!("{completions:?}") };
        for (lends, expected) in [(false, None), (true, Some(to.ip()))] {
            io.capabilities.half_close = lends;
            io.submit(Op::PeerAddress(socket));
            completions.clear();
            io.turn(None, &mut completions).unwrap();
            let [Completion::PeerAddress { address, .. }] = completions[..] else {
                panic!("{completions:?}")
            };
            assert_eq!(address, expected);
        }
    }
}
