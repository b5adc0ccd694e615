//! What each operation does at the start of a turn.

use super::link::{End, LISTENERS, Owner};
use super::shard::{Accepting, SimIo, slot};
use super::state::{Origin, State};
use super::table::{Found, Pending, Phase, Receive, Rest};
use crate::{CloseHow, Completion, Connect, Op, Outgoing, Socket};

/// How far a send came.
pub(super) enum Attempt {
    Done,
    /// So many bytes went out. `put_off`: more could have, so it is to be tried again by itself.
    Part {
        count: usize,
        put_off: bool,
    },
    Failed(i32),
}

impl SimIo {
    pub(super) fn carry_out(&mut self, op: Op, completions: &mut Vec<Completion>) {
        match op {
            Op::AcceptStart => self.accept_start(),
            Op::AcceptStop => self.accept_stop(),
            Op::ListenerClose => self.listener_close(),
            Op::Connect(connect) => self.connect(&connect, completions),
            Op::ReceiveStart(socket) => self.receive_start(socket),
            Op::ReceiveStop(socket) => self.receive_stop(socket, Rest::Off),
            Op::ReceivePause(socket) => self.receive_stop(socket, Rest::Paused),
            Op::PeerAddress(socket) => self.peer_address(socket, completions),
            Op::Send { socket, bytes, notify } => self.send(socket, bytes, notify, completions),
            Op::HandOver { socket, shard } => {
                self.hand_over(socket, shard);
                forget(socket, completions);
            }
            Op::HalfClose(socket) => self.fail(&format!("{socket:?}: no half-close was offered")),
            Op::Close { socket, how } => {
                self.close(socket, how);
                forget(socket, completions);
            }
        }
    }

    fn accept_start(&mut self) {
        if self.state().listeners[self.listener].is_open {
            self.accepting = Accepting::On;
        }
    }

    fn accept_stop(&mut self) {
        if self.accepting == Accepting::On {
            self.accepting = Accepting::Stopping { until: self.until() };
        }
    }

    fn listener_close(&mut self) {
        self.accepting = Accepting::Off;
        self.state().listener_close(self.listener);
    }

    fn connect(&mut self, connect: &Connect, completions: &mut Vec<Completion>) {
        let request = connect.request;
        let Some(socket) = self.table.reserve() else {
            completions.push(Completion::ConnectFailed { request, errno: libc::ENFILE });
            return;
        };
        let owner = Owner::Slot { shard: self.index, slot: socket.slot() };
        let (end, due, answer) = {
            let mut state = self.network.state();
            match connect_fault(&mut state) {
                Some(errno) => {
                    let (end, due) = state.connect_in_vain(owner);
                    (end, due, Err(errno))
                }
                None => {
                    let listener = state.listener_at(connect.to);
                    let from = connect.from.map_or(LISTENERS, |from| from.ip());
                    state.connect(listener, owner, from)
                }
            }
        };
        self.table.fill(socket, end, Phase::Connecting { request, due, answer });
    }

    fn receive_start(&mut self, socket: Socket) {
        if let Found::Open(entry) = self.find(socket) {
            entry.is_used = true;
            match &mut entry.receive {
                receive @ (Receive::Off | Receive::Paused) => *receive = Receive::On,
                Receive::On => {}
                Receive::Stopping { then, .. } => *then = Rest::On,
            }
            self.look_at(socket);
        }
    }

    fn receive_stop(&mut self, socket: Socket, rest: Rest) {
        let until = self.until();
        if let Found::Open(entry) = self.find(socket) {
            match &mut entry.receive {
                receive @ (Receive::Off | Receive::Paused) => *receive = rest.into(),
                receive @ Receive::On => *receive = Receive::Stopping { until, then: rest },
                Receive::Stopping { then, .. } => *then = rest,
            }
            self.look_at(socket);
        }
    }

    fn peer_address(&mut self, socket: Socket, completions: &mut Vec<Completion>) {
        let Found::Open(entry) = self.find(socket) else { return };
        let end = entry.end;
        let mut state = self.network.state();
        let (now, chance) = (state.now, state.faults.no_address);
        let is_unknown = state.random.chance(chance) || state.incoming(end).is_reset(now);
        let address = (!is_unknown).then(|| state.peer_address(end));
        completions.push(Completion::PeerAddress { socket, address });
    }

    fn send(&mut self, socket: Socket, bytes: Outgoing, notify: bool, completions: &mut Vec<Completion>) {
        self.check_range(&bytes);
        let turn = self.counters.turns;
        let Found::Open(entry) = self.find(socket) else { return self.put_away(bytes) };
        let is_first = entry.pending.is_none() && entry.sent_in != Some(turn);
        let end = entry.end;
        entry.is_used = true;
        entry.sent_in = Some(turn);
        if !is_first {
            // What the first left over would follow the second.
            self.fail(&format!("a second send for {socket:?} in one turn or while one is pending"));
        }
        self.counters.sends += 1;
        match self.attempt(end, &bytes, 0) {
            Attempt::Done => {
                self.put_away(bytes);
                if notify {
                    completions.push(Completion::SendDone { socket });
                }
            }
            Attempt::Part { count, put_off } => {
                completions.push(self.fell_short(socket, bytes, count, put_off));
            }
            Attempt::Failed(errno) => {
                self.put_away(bytes);
                completions.push(Completion::SendFailed { socket, errno });
            }
        }
    }

    /// Tries to send what follows the first `sent` bytes.
    pub(super) fn attempt(&mut self, end: End, bytes: &Outgoing, sent: usize) -> Attempt {
        let rest = match bytes {
            Outgoing::Received { buffer, range } => &self.buffers.bytes(buffer)[range.clone()],
            Outgoing::Buffer { bytes, start } => &bytes[*start..],
            Outgoing::Shared(bytes) => bytes,
            Outgoing::Segment { segment, range, .. } => {
                segment.bytes(range.start as usize..range.end as usize)
            }
        };
        let rest = &rest[sent..];
        if rest.is_empty() {
            return Attempt::Done;
        }
        let mut state = self.network.state();
        let chance = state.faults.short_send;
        let is_cut = state.random.chance(chance);
        let most = if is_cut { state.random.index(rest.len()) } else { rest.len() };
        match state.write(end, &rest[..most]) {
            Err(errno) => Attempt::Failed(errno),
            Ok(count) => {
                self.counters.bytes_sent += count as u64;
                let put_off = is_cut && count == most;
                if count == rest.len() { Attempt::Done } else { Attempt::Part { count, put_off } }
            }
        }
    }

    /// Keeps a send of which `count` bytes went out, or gives it up when the shard has its bytes anyway.
    fn fell_short(&mut self, socket: Socket, bytes: Outgoing, count: usize, put_off: bool) -> Completion {
        if let Outgoing::Segment { segment, range, tag } = bytes {
            self.counters.sends_short += 1;
            let unsent = range.start + count as u32..range.end;
            return Completion::SendShort { socket, tag, segment, unsent };
        }
        let unsent = bytes.len() - count;
        self.counters.sends_pending += 1;
        let bytes = self.own(bytes);
        if let Found::Open(entry) = self.find(socket) {
            entry.pending = Some(Pending { bytes, sent: count });
        }
        if put_off {
            self.again.push(socket.slot());
        }
        Completion::SendPending { socket, unsent }
    }

    /// Frees the receive buffer of a send that has to wait, so that slow peers hold none.
    fn own(&mut self, bytes: Outgoing) -> Outgoing {
        let Outgoing::Received { buffer, range } = bytes else { return bytes };
        let bytes = self.buffers.bytes(&buffer)[range].to_vec();
        self.put_away(Outgoing::Received { buffer, range: 0..0 });
        Outgoing::Buffer { bytes, start: 0 }
    }

    fn hand_over(&mut self, socket: Socket, shard: usize) {
        let Found::Open(entry) = self.find(socket) else { return };
        if entry.is_used {
            self.fail(&format!("{socket:?} is handed over after something was started on it"));
        }
        if let Some(entry) = self.table.detach(socket.slot()) {
            self.state().hand_over(entry.end, Origin { shard: self.index, slot: socket.slot() }, shard);
        }
    }

    fn close(&mut self, socket: Socket, how: CloseHow) {
        let until = self.until();
        let Found::Open(entry) = self.find(socket) else { return };
        entry.phase = Phase::Closing { how, until };
        let pending = entry.pending.take();
        self.look_at(socket);
        if let Some(pending) = pending {
            self.put_away(pending.bytes);
        }
    }

    fn find(&mut self, socket: Socket) -> Found<'_> {
        if matches!(self.table.find(socket), Found::Unknown) {
            self.fail(&format!(
                "an operation on {socket:?}, which was closed, handed over or never reported"
            ));
        }
        self.table.find(socket)
    }

    /// The first turn that finds an operation of this one cancelled.
    fn until(&self) -> u64 {
        self.counters.turns + self.state().late_turns()
    }

    fn look_at(&self, socket: Socket) {
        self.state().doors[self.index].ready.insert(socket.slot());
    }

    fn check_range(&self, bytes: &Outgoing) {
        let is_sound = match bytes {
            Outgoing::Received { buffer, range } => {
                self.buffers.is_out(buffer) && range.start <= range.end && range.end <= buffer.len()
            }
            Outgoing::Buffer { bytes, start } => *start <= bytes.len(),
            Outgoing::Shared(_) => true,
            Outgoing::Segment { segment, range, .. } => {
                range.start <= range.end && range.end <= segment.state().bytes
            }
        };
        if !is_sound {
            self.fail(&format!("a send of bytes that are not there: {bytes:?}"));
        }
    }
}

/// Takes back what this turn was about to report of a socket that ends here, as the ring does.
fn forget(socket: Socket, completions: &mut Vec<Completion>) {
    completions.retain(|completion| slot(completion) != Some(socket.slot()));
}

/// The errno of a connect that the faults let fail.
fn connect_fault(state: &mut State) -> Option<i32> {
    const ERRNOS: [i32; 3] = [libc::ECONNREFUSED, libc::ETIMEDOUT, libc::EADDRNOTAVAIL];
    let chance = state.faults.connect_failed;
    state.random.chance(chance).then(|| ERRNOS[state.random.index(ERRNOS.len())])
}
