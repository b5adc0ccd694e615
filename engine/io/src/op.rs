//! Everything a shard may ask for.

use crate::{Outgoing, Socket};
use std::net::SocketAddr;

/// One request of a shard to its [`Io`](crate::Io).
#[derive(Debug)]
pub enum Op {
    /// Takes connections from the listener until [`AcceptStop`](Self::AcceptStop); each is an
    /// [`Accepted`](crate::Completion::Accepted). Does nothing without a listener.
    AcceptStart,
    /// Takes no more connections; they wait in the kernel's backlog. Some already on their way may
    /// still be reported.
    AcceptStop,
    /// Stops accepting and closes the listener for good: later connects are refused by the kernel.
    ListenerClose,
    /// Opens a connection; answered by `Connected` or `ConnectFailed`.
    Connect(Connect),
    /// Receives from now on; each piece is a [`Received`](crate::Completion::Received). When buffers
    /// run out the speaker waits for some to come back and goes on by itself.
    ReceiveStart(Socket),
    /// Receives no more until the next start (the kernel's window then holds the peer back). Some
    /// pieces already on their way may still be reported.
    ReceiveStop(Socket),
    /// As [`ReceiveStop`](Self::ReceiveStop), until the peer ends the connection or it breaks: then receiving goes
    /// on by itself, so that what came last, and the end, are reported.
    ReceivePause(Socket),
    /// Asks for the peer's IP address; answered by [`PeerAddress`](crate::Completion::PeerAddress),
    /// before anything is received when it was submitted before `ReceiveStart`. It costs two system
    /// calls and, for that moment, a descriptor of the process. Not answered for a socket that is
    /// closed or handed over before the next turn.
    PeerAddress(Socket),
    /// Sends bytes. When all went out at once nothing comes back. Otherwise the speaker keeps the
    /// rest and goes on sending: `SendPending` tells so, `SendProgress` how it comes along, `SendDone`
    /// the end. Only [`Outgoing::Segment`] is not kept: of it `SendShort` tells what did not go. While a
    /// send is pending no other may be submitted for the same socket, and never more than one in a
    /// turn.
    Send {
        /// To whom.
        socket: Socket,
        /// What.
        bytes: Outgoing,
        /// Whether `SendDone` is wanted even when all went out at once.
        notify: bool,
    },
    /// Gives the socket to another shard of the same process, where it appears as `Accepted`; here
    /// it is gone at once, and only `HandOverRefused` may come of it. Only for a socket on which nothing was started.
    HandOver {
        /// Which.
        socket: Socket,
        /// Index of the receiving shard.
        shard: usize,
    },
    /// Sends FIN behind all that was sent; receiving goes on until the peer does the same. Only for a
    /// speaker that [`half_closes`](crate::Io::half_closes), and with no send under way.
    HalfClose(Socket),
    /// Ends a socket: cancels what is under way, waits for it, closes; then `Closed` is reported and
    /// nothing else for this socket. Pieces already received may come before it.
    Close {
        /// Which.
        socket: Socket,
        /// How the peer learns of it.
        how: CloseHow,
    },
}

/// How a connection is ended towards the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseHow {
    /// In order: what the kernel holds is still delivered, then FIN. (RST when unread input is left.)
    Fin,
    /// At once with RST; what the kernel holds is thrown away.
    Reset,
}

/// Where to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Repeated in the answer.
    pub request: u64,
    /// The peer.
    pub to: SocketAddr,
    /// Our own address, where it matters (more connections to one peer than there are ports); port 0
    /// lets the kernel choose at connect, so that ports are shared between different peers.
    pub from: Option<SocketAddr>,
    /// Bytes of the receive buffer, `SO_RCVBUF`; `None`: the kernel fits it to what is received. (A kernel before
    /// 6.7 leaves it as it is.)
    pub receive_buffer_bytes: Option<u32>,
}
