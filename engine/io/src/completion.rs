//! Everything that can come back.

use crate::{LocalSegment, Received, Socket};
use std::net::IpAddr;
use std::ops::Range;

/// One event that a turn reports. Per socket the order is the order in which things happened.
#[derive(Debug)]
pub enum Completion {
    /// A connection was taken from the listener or handed over by another shard.
    Accepted {
        /// The new socket; nothing is started on it.
        socket: Socket,
    },
    /// Accepting ended without being stopped and is not armed any more: the table is full (start
    /// again when sockets have closed) or the kernel is short of something.
    AcceptEnded {
        /// The cause as an errno (`ENFILE`: table full, `EMFILE`, `ENOMEM`, ...).
        errno: i32,
    },
    /// A socket that was handed over was not taken, and is closed: the other shard has no place left
    /// or has ended.
    HandOverRefused {
        /// Index of the other shard.
        shard: usize,
    },
    /// A [`Connect`](crate::Connect) succeeded.
    Connected {
        /// As in the request.
        request: u64,
        /// The new socket; nothing is started on it.
        socket: Socket,
    },
    /// A [`Connect`](crate::Connect) failed; nothing is left of it.
    ConnectFailed {
        /// As in the request.
        request: u64,
        /// Why: `ECONNREFUSED`, `ETIMEDOUT`, `EADDRNOTAVAIL` (no port left), `ENFILE` (table full).
        errno: i32,
    },
    /// The answer to [`Op::PeerAddress`](crate::Op::PeerAddress).
    PeerAddress {
        /// Which.
        socket: Socket,
        /// Where the connection comes from, an IPv4 address always as such. `None` when that was not
        /// to be found out: the peer is gone, the process is out of descriptors, or the kernel is
        /// older than 6.8.
        address: Option<IpAddr>,
    },
    /// Bytes arrived, at least one.
    Received {
        /// From whom.
        socket: Socket,
        /// The bytes; yours until given back.
        buffer: Received,
    },
    /// No more will be received on this socket.
    ReceiveEnded {
        /// Which.
        socket: Socket,
        /// Why.
        end: ReceiveEnd,
    },
    /// The peer does not keep up: part of a send is still to go. Queue further output until `SendDone`.
    SendPending {
        /// Which.
        socket: Socket,
        /// How many bytes.
        unsent: usize,
    },
    /// The pending send has got shorter: the peer is slow and takes bytes all the same. May come any
    /// number of times between `SendPending` and the end of the send, or not at all.
    SendProgress {
        /// Which.
        socket: Socket,
        /// How many bytes are still to go; at least one, and fewer than were reported before.
        unsent: usize,
    },
    /// The pending send has gone out whole, or one with `notify` has.
    SendDone {
        /// Which.
        socket: Socket,
    },
    /// A send of [`Outgoing::Segment`](crate::Outgoing::Segment) went out in part or not at all, and is
    /// over: nothing is pending, the segment goes back to the shard, and what to send next is the shard's
    /// to decide. Reported in the turn right after the one that the send was submitted in, and before
    /// everything of this socket that came about after the send was carried out: a shard that hears
    /// nothing by the end of that turn knows that all is out.
    SendShort {
        /// Which.
        socket: Socket,
        /// As in the send.
        tag: u32,
        /// As in the send.
        segment: LocalSegment,
        /// What did not go: the end of the range, at least one byte, at most all.
        unsent: Range<u32>,
    },
    /// A send failed; the connection is broken and should be closed.
    SendFailed {
        /// Which.
        socket: Socket,
        /// Why: mostly `EPIPE` or `ECONNRESET`.
        errno: i32,
    },
    /// A socket asked to close is closed; its place may be used again from now on.
    Closed {
        /// Which.
        socket: Socket,
    },
    /// Somebody used the [`Waker`](crate::Waker).
    Woken,
}

const _: () = assert!(size_of::<Completion>() <= 32, "a turn gathers thousands");

/// Why receiving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveEnd {
    /// The peer has sent its last byte (FIN).
    Eof,
    /// The connection broke (`ECONNRESET`, ...).
    Failed(i32),
    /// [`ReceiveStop`](crate::Op::ReceiveStop) took effect.
    Stopped,
}
