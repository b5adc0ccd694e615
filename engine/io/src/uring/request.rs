//! Every submission that this speaker makes, each built in one place.
//!
//! A [`Request`] in hand may be pushed by safe code: those that borrow memory are made by functions
//! whose callers vouch for it, all others borrow nothing or what lives for ever.

#![expect(unsafe_code, reason = "constructors of requests whose memory the kernel borrows")]

use super::token::{Kind, Token};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed};
use io_uring::{cqueue, opcode};
use socket2::SockAddr;
use std::os::fd::RawFd;
use std::ptr;

/// The most bytes that one pending send may name.
///
/// The kernel tries a send again at most 128 times as room appears (`APOLL_MAX_RETRY` in io_uring's
/// poll.c) and then hands it to a worker thread, where one slow peer would hold up all others. Even
/// the smallest send buffer that Linux grants, 4608 bytes, makes room by a third at a time, and a
/// segment is 536 bytes or more, so this many bytes are out before that.
pub(super) const PENDING_BYTES_MAX: usize = 64 * 1024;

/// The most bytes that one send that does not wait may name; a single call takes less than 2 GiB.
pub(super) const NOW_BYTES_MAX: usize = 1 << 30;

/// A submission that is safe to push: what the kernel will borrow stays valid long enough.
pub(super) struct Request(Entry);

impl Request {
    /// The entry itself, for the queue.
    pub(super) fn into_entry(self) -> Entry {
        self.0
    }

    fn new(entry: Entry, token: Token) -> Self {
        Self(entry.user_data(token.pack()))
    }

    /// A request of which only failure is reported, and then ignored.
    fn unheard(entry: Entry) -> Self {
        Self::new(entry.flags(Flags::SKIP_SUCCESS), Token::single(Kind::Unheard))
    }
}

/// Takes connections into free places of the table until cancelled.
pub(super) fn accept(listener: RawFd, token: Token) -> Request {
    let entry = opcode::AcceptMulti::new(Fd(listener)).allocate_file_index(true).build();
    Request::new(entry, token)
}

/// Receives into buffers of `group` until cancelled, ended by the peer, or out of buffers.
pub(super) fn receive(group: u16, token: Token) -> Request {
    Request::new(opcode::RecvMulti::new(Fixed(token.slot), group).build(), token)
}

/// Completes when the peer has sent FIN or the connection is broken, or when it is cancelled.
pub(super) fn watch_end(token: Token) -> Request {
    // Errors and a hang-up are reported whether asked for or not.
    Request::new(opcode::PollAdd::new(Fixed(token.slot), libc::POLLRDHUP as u32).build(), token)
}

/// When a send that does not wait reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Always.
    Always,
    /// Only when less than everything went out.
    Failure,
}

/// A send that is over when the enter that submits it returns. Short is a failure, which is why the
/// flags come together: without `MSG_WAITALL` a short send counts as success and is not reported.
///
/// # Safety
/// `bytes` must stay valid until the enter that submits the request has returned.
pub(super) unsafe fn send_now(slot: u32, bytes: &[u8], report: Report, token: Token) -> Request {
    debug_assert!(bytes.len() <= NOW_BYTES_MAX);
    let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32)
        .flags(libc::MSG_DONTWAIT | libc::MSG_WAITALL)
        .build();
    let entry = if report == Report::Failure { entry.flags(Flags::SKIP_SUCCESS) } else { entry };
    Request::new(entry, token)
}

/// A send that waits for room; of more than [`PENDING_BYTES_MAX`] bytes it sends the first.
///
/// # Safety
/// `bytes` must stay valid until the request's completion has arrived.
pub(super) unsafe fn send_pending(bytes: &[u8], token: Token) -> Request {
    let length = bytes.len().min(PENDING_BYTES_MAX) as u32;
    let entry = opcode::Send::new(Fixed(token.slot), bytes.as_ptr(), length).flags(libc::MSG_WAITALL).build();
    Request::new(entry, token)
}

/// Ends the request that carries `target`; that it ended is told by its own last completion.
pub(super) fn cancel(target: Token) -> Request {
    Request::unheard(opcode::AsyncCancel2::new(CancelBuilder::user_data(target.pack())).build())
}

/// Empties a place of the table. What is still under way on the socket is not ended by this.
pub(super) fn close(token: Token) -> Request {
    Request::new(opcode::Close::new(Fixed(token.slot)).build(), token)
}

/// Gives the process a descriptor of its own for the socket of `token`.
pub(super) fn lend_descriptor(token: Token) -> Request {
    Request::new(opcode::FixedFdInstall::new(Fixed(token.slot), 0).build(), token)
}

/// Puts the socket of `token` into a free place of the ring `target`, which is told by `arrival`.
pub(super) fn hand_over(target: RawFd, token: Token, arrival: Token) -> Request {
    let place = DestinationSlot::auto_target();
    let entry = opcode::MsgRingSendFd::new(Fd(target), Fixed(token.slot), place, arrival.pack()).build();
    Request::new(entry, token)
}

/// Reports each time that `fd` becomes readable, until cancelled.
pub(super) fn watch(fd: RawFd) -> Request {
    let entry = opcode::PollAdd::new(Fd(fd), libc::POLLIN as u32).multi(true).build();
    Request::new(entry, Token::single(Kind::Bell))
}

/// Opens a stream socket in a free place of the table.
pub(super) fn open_socket(domain: i32, token: Token) -> Request {
    let entry = opcode::Socket::new(domain, libc::SOCK_STREAM, libc::IPPROTO_TCP)
        .file_index(Some(DestinationSlot::auto_target()))
        .build();
    Request::new(entry, token)
}

/// Puts the descriptor in `fd` into a free place of the table and writes its number over it.
///
/// # Safety
/// `fd` must stay valid, and nobody else may touch it, until the request's completion has arrived.
pub(super) unsafe fn install(fd: *mut RawFd, token: Token) -> Request {
    // The place as well as the count of places are 32 bits wide; all ones asks for any free one.
    Request::new(opcode::FilesUpdate::new(fd.cast_const(), 1).offset(-1).build(), token)
}

/// Binds the socket in `slot` to an address.
///
/// # Safety
/// `address` must stay valid until the enter that submits the request has returned (the kernel
/// copies an address when it takes the submission).
pub(super) unsafe fn bind(slot: u32, address: &SockAddr, token: Token) -> Request {
    Request::new(opcode::Bind::new(Fixed(slot), address.as_ptr().cast(), address.len()).build(), token)
}

/// Connects the socket in `slot`.
///
/// # Safety
/// As for [`bind`].
pub(super) unsafe fn connect(slot: u32, address: &SockAddr, token: Token) -> Request {
    Request::new(opcode::Connect::new(Fixed(slot), address.as_ptr().cast(), address.len()).build(), token)
}

/// Sets the receive buffer of the socket in `slot`.
///
/// # Safety
/// `bytes` must stay valid until the request is carried out, in the enter that submits it.
pub(super) unsafe fn set_receive_buffer(slot: u32, bytes: &u32) -> Request {
    let (value, length) = (ptr::from_ref(bytes).cast(), size_of_val(bytes) as u32);
    let (level, name) = (libc::SOL_SOCKET as u32, libc::SO_RCVBUF as u32);
    Request::unheard(opcode::SetSockOpt::new(Fixed(slot), level, name, value, length).build())
}

/// A socket option that this speaker sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketOption {
    /// Small segments leave at once (`TCP_NODELAY`).
    NoDelay,
    /// A bind without a port leaves its choice to the connect (`IP_BIND_ADDRESS_NO_PORT`).
    PortAtConnect,
    /// A bind to a port takes one on which only connections of the past, or of others, are (`SO_REUSEADDR`).
    ReuseAddress,
    /// The close sends RST (`SO_LINGER` of zero seconds).
    ResetOnClose,
}

/// Sets an option of the socket in `slot`; a kernel that cannot (before 6.7) leaves it as it is.
pub(super) fn set_option(slot: u32, option: SocketOption) -> Request {
    static ON: libc::c_int = 1;
    static LINGER_NOT: libc::linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // A static outlives every request, whenever the kernel reads it.
    let on = (ptr::from_ref(&ON).cast(), size_of_val(&ON));
    let (level, name, (value, length)) = match option {
        SocketOption::NoDelay => (libc::IPPROTO_TCP, libc::TCP_NODELAY, on),
        SocketOption::PortAtConnect => (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, on),
        SocketOption::ReuseAddress => (libc::SOL_SOCKET, libc::SO_REUSEADDR, on),
        SocketOption::ResetOnClose => {
            let linger_not = (ptr::from_ref(&LINGER_NOT).cast(), size_of_val(&LINGER_NOT));
            (libc::SOL_SOCKET, libc::SO_LINGER, linger_not)
        }
    };
    let entry = opcode::SetSockOpt::new(Fixed(slot), level as u32, name as u32, value, length as u32).build();
    Request::unheard(entry)
}

/// What a completion says, with the flags read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// A count, a place or a negated errno.
    pub(super) result: i32,
    /// The buffer that was filled.
    pub(super) buffer: Option<u16>,
    /// Whether the request goes on and will complete again.
    pub(super) more: bool,
}

impl Outcome {
    /// Of a completion queue entry.
    pub(super) fn of(entry: &cqueue::Entry) -> Self {
        let flags = entry.flags();
        Self { result: entry.result(), buffer: cqueue::buffer_select(flags), more: cqueue::more(flags) }
    }

    /// The count or place, or the errno.
    pub(super) fn value(self) -> Result<u32, i32> {
        u32::try_from(self.result).map_err(|_| -self.result)
    }
}
