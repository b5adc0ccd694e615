//! Outgoing bytes, and who owns them while the kernel reads them.
//!
//! A send is first tried without waiting: when the enter that submits it returns, it is over, and no
//! completion says so unless something is left. Until the completions of that enter were looked at,
//! [`Sends`] keeps the bytes. What is left becomes a pending send, of which each socket has at most
//! one; it keeps its bytes until its own completion. Only of a segment nothing is kept: the shard has
//! it anyway, and is told what is left.

#![expect(unsafe_code, reason = "vouching that the bytes of a send outlive it")]

use super::Uring;
use super::buffer_ring::Buffers;
use super::pending::{Pending, Pendings, Rest};
use super::request::{self, NOW_BYTES_MAX, Outcome, Report};
use super::slots::{Life, PendingIndex};
use super::token::{Kind, Token};
use crate::{Completion, Outgoing, Segment, Socket};
use bytes::{Buf, Bytes};

/// Vectors kept for [`Io::spare`](crate::Io::spare): how many, how large one may be, and all together.
const SPARES_MAX: usize = 1024;
const SPARE_BYTES_MAX: usize = 64 * 1024;
const SPARES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Of the longer ones, for [`Io::spare_long`](crate::Io::spare_long), which a shard asks for in
/// every turn: how many, and how large one may be.
const LONG_SPARES_MAX: usize = 4;
const LONG_SPARE_BYTES_MAX: usize = 1088 * 1024;

/// Every send whose bytes the kernel may still read.
pub(super) struct Sends {
    /// Submitted since the last enter, or about to be.
    now: Vec<SendNow>,
    /// Number of the present batch of `now`; never 0, which no batch has.
    flush: u32,
    pending: Pendings,
    spares: Vec<Vec<u8>>,
    spares_bytes: usize,
    long_spares: Vec<Vec<u8>>,
}

struct SendNow {
    socket: Socket,
    bytes: Outgoing,
}

impl Sends {
    pub(super) fn new() -> Self {
        Self {
            now: Vec::new(),
            flush: 1,
            pending: Pendings::new(),
            spares: Vec::new(),
            spares_bytes: 0,
            long_spares: Vec::new(),
        }
    }

    /// How many sends the next enter will carry out.
    pub(super) fn submitted(&self) -> usize {
        self.now.len()
    }

    /// How many sends are with the kernel beyond the enter that submitted them.
    pub(super) fn in_flight(&self) -> usize {
        self.pending.used()
    }

    pub(super) fn spare(&mut self) -> Vec<u8> {
        let spare = self.spares.pop().unwrap_or_default();
        self.spares_bytes -= spare.capacity();
        spare
    }

    pub(super) fn spare_long(&mut self) -> Option<Vec<u8>> {
        self.long_spares.pop()
    }

    pub(super) fn restore(&mut self, mut spare: Vec<u8>) {
        let bytes = spare.capacity();
        if bytes > SPARE_BYTES_MAX {
            if bytes <= LONG_SPARE_BYTES_MAX && self.long_spares.len() < LONG_SPARES_MAX {
                spare.clear();
                self.long_spares.push(spare);
            }
            return;
        }
        let fits = (1..=SPARE_BYTES_MAX).contains(&bytes)
            && self.spares.len() < SPARES_MAX
            && self.spares_bytes + bytes <= SPARES_BYTES_MAX;
        if fits {
            spare.clear();
            self.spares_bytes += bytes;
            self.spares.push(spare);
        }
    }
}

impl Uring {
    pub(super) fn send(&mut self, socket: Socket, bytes: Outgoing, notify: bool) {
        if self.slots.get_open(socket).is_none() {
            return self.recycle(bytes);
        }
        if bytes.is_empty() {
            if notify {
                self.ready.push(Completion::SendDone { socket });
            }
            return self.recycle(bytes);
        }
        self.counters.sends += 1;
        self.counters.bytes_sent += bytes.len() as u64;
        self.make_room(socket);
        // Making room may have shown that the socket's last send is not out yet, or that it is lost.
        match self.slots.get_open(socket).map(|slot| slot.pending) {
            None => self.recycle(bytes),
            Some(Some(index)) => self.append(index, bytes),
            Some(None) if bytes.len() > NOW_BYTES_MAX || !self.ring.has_room() => {
                self.send_fell_short(socket, bytes, 0);
            }
            Some(None) => self.send_now(socket, bytes, notify),
        }
    }

    /// Enters the kernel when the submission queue is full, or holds a send of the same socket: that
    /// one must be known to be out whole before the next may follow it.
    fn make_room(&mut self, socket: Socket) {
        let flush = self.sends.flush;
        let follows = self.slots.get_open(socket).is_some_and(|slot| slot.last_flush == flush);
        if (follows || !self.ring.has_room())
            && let Err(error) = self.flush()
        {
            self.broken = Some(error);
        }
    }

    fn send_now(&mut self, socket: Socket, bytes: Outgoing, notify: bool) {
        if let Some(slot) = self.slots.get_open(socket) {
            slot.last_flush = self.sends.flush;
        }
        let token = Token::indexed(self.sends.now.len() as u32, self.sends.flush, Kind::SendNow);
        let report = if notify { Report::Always } else { Report::Failure };
        let content = content(&bytes, &self.buffers);
        // SAFETY: the bytes lie in a lent receive buffer, in a segment, or on the heap, where they stay
        // when their owner moves; the owner goes to `now` in the next line, and `settle_sends` and
        // `send_now_completed` are the only ones to take it out, after the enter has returned.
        let request = unsafe { request::send_now(socket.slot(), content, report, token) };
        self.sends.now.push(SendNow { socket, bytes });
        self.ring.push(request);
    }

    /// Lets go of the sends of an enter that has returned: those that did not report are out.
    pub(super) fn settle_sends(&mut self) {
        if self.sends.now.is_empty() {
            return;
        }
        let mut now = std::mem::take(&mut self.sends.now);
        for send in now.drain(..) {
            self.recycle(send.bytes);
        }
        self.sends.now = now;
        self.sends.flush = self.sends.flush.checked_add(1).unwrap_or(1);
    }

    /// A send that did not wait has something to tell: that it is out, or how much is not.
    pub(super) fn send_now_completed(&mut self, token: Token, outcome: Outcome) {
        let batch = Token::indexed(token.slot, self.sends.flush, Kind::SendNow);
        let Some(send) = self.sends.now.get_mut(token.slot as usize).filter(|_| batch == token) else {
            self.counters.stale += 1;
            return;
        };
        let bytes = std::mem::replace(&mut send.bytes, Outgoing::Shared(Bytes::new()));
        let socket = send.socket;
        if self.slots.get_open(socket).is_none() {
            return self.recycle(bytes);
        }
        match outcome.value() {
            Ok(sent) if sent as usize == bytes.len() => {
                self.ready.push(Completion::SendDone { socket });
                self.recycle(bytes);
            }
            Ok(sent) => self.send_fell_short(socket, bytes, sent as usize),
            Err(libc::EAGAIN | libc::EINTR) => self.send_fell_short(socket, bytes, 0),
            Err(errno) => {
                self.ready.push(Completion::SendFailed { socket, errno });
                self.recycle(bytes);
            }
        }
    }

    /// Of a send `sent` bytes are out: goes on with the rest, waiting for room, or gives it up.
    fn send_fell_short(&mut self, socket: Socket, bytes: Outgoing, sent: usize) {
        let rest = match bytes {
            Outgoing::Segment { segment, range, tag } => {
                let unsent = range.start + sent as u32..range.end;
                self.counters.sends_short += 1;
                // It is counted when it is sent again.
                self.counters.bytes_sent -= unsent.len() as u64;
                return self.ready.push(Completion::SendShort { socket, tag, segment, unsent });
            }
            Outgoing::Received { buffer, range } => {
                let mut copy = self.sends.spare();
                copy.extend_from_slice(&self.buffers.bytes(&buffer)[range][sent..]);
                self.buffers.release(buffer);
                Rest::Buffer { bytes: copy, start: 0 }
            }
            Outgoing::Buffer { bytes, start } => Rest::Buffer { bytes, start: start + sent },
            Outgoing::Shared(mut bytes) => {
                bytes.advance(sent);
                Rest::Shared(bytes)
            }
        };
        let pending = Pending::new(rest);
        let unsent = pending.bytes().len();
        let index = self.sends.pending.insert(pending);
        if let Some(slot) = self.slots.get(socket) {
            slot.pending = Some(index);
        }
        self.counters.sends_pending += 1;
        self.ready.push(Completion::SendPending { socket, unsent });
        self.push_pending(socket, index);
    }

    fn push_pending(&mut self, socket: Socket, index: PendingIndex) {
        if let Some(pending) = self.sends.pending.get(index) {
            // SAFETY: the bytes are on the heap and belong to the entry of `pending`, which is
            // changed or removed only by `send_pending_completed`, when the completion has arrived,
            // or never, when the ring could not be ended in order (see shutdown.rs).
            let request =
                unsafe { request::send_pending(pending.bytes(), Token::of(socket, Kind::SendPending)) };
            self.ring.push(request);
        }
    }

    pub(super) fn send_pending_completed(&mut self, socket: Socket, outcome: Outcome) {
        let Some((index, life)) = self.slots.get(socket).and_then(|slot| Some((slot.pending?, slot.life)))
        else {
            self.counters.stale += 1;
            return;
        };
        let result = match outcome.value() {
            Err(libc::EAGAIN | libc::EINTR) => Ok(0),
            result => result,
        };
        if life == Life::Open
            && let Ok(sent) = result
        {
            let pending = self.sends.pending.get(index);
            let unsent = pending.map_or(0, |pending| pending.advance(sent as usize));
            if unsent > 0 {
                if sent > 0 {
                    self.ready.push(Completion::SendProgress { socket, unsent });
                }
                return self.push_pending(socket, index);
            }
        }
        if let Some(spare) = self.sends.pending.remove(index).and_then(Pending::into_spare) {
            self.sends.restore(spare);
        }
        if let Some(slot) = self.slots.get(socket) {
            slot.pending = None;
        }
        match result {
            _ if life != Life::Open => self.close_when_quiet(socket),
            Ok(_) => self.ready.push(Completion::SendDone { socket }),
            Err(errno) => self.ready.push(Completion::SendFailed { socket, errno }),
        }
    }

    /// Puts bytes behind a pending send. The shard should have kept them; but sent beside it they
    /// would mix with it in the stream, and dropped they would be missing from it.
    fn append(&mut self, index: PendingIndex, bytes: Outgoing) {
        if let Some(pending) = self.sends.pending.get(index) {
            pending.append(content(&bytes, &self.buffers));
        }
        self.recycle(bytes);
    }

    /// Puts bytes that are done with where they came from.
    pub(super) fn recycle(&mut self, bytes: Outgoing) {
        match bytes {
            Outgoing::Received { buffer, .. } => self.buffers.release(buffer),
            Outgoing::Buffer { bytes, .. } => self.sends.restore(bytes),
            Outgoing::Shared(_) | Outgoing::Segment { .. } => {}
        }
    }
}

// A longer send could never go out at once, and would be reported as short each time.
const _: () = assert!(Segment::CAPACITY_MAX <= NOW_BYTES_MAX);

/// What is to be sent.
fn content<'a>(bytes: &'a Outgoing, buffers: &'a Buffers) -> &'a [u8] {
    match bytes {
        Outgoing::Received { buffer, range } => &buffers.bytes(buffer)[range.clone()],
        Outgoing::Buffer { bytes, start } => &bytes[*start..],
        Outgoing::Shared(bytes) => bytes,
        Outgoing::Segment { segment, range, .. } => segment.bytes(range.start as usize..range.end as usize),
    }
}
