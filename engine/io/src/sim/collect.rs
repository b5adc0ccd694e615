//! What a turn finds ready.

use super::carry_out::Attempt;
use super::link::{End, Owner};
use super::pipe::Taken;
use super::shard::{Accepting, SimIo};
use super::table::{Phase, Receive, Rest};
use crate::{CloseHow, Completion, ReceiveEnd, Socket};

/// What a look at a socket leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// Nothing until something happens there.
    Idle,
    /// Look again in the next turn.
    Later,
    /// Look again in this turn.
    Now,
}

impl SimIo {
    /// Appends everything that is ready at the present time.
    pub(super) fn collect(&mut self, completions: &mut Vec<Completion>) {
        let flag = self.state().doors[self.index].flag.clone();
        if flag.lower() {
            completions.push(Completion::Woken);
        }
        self.collect_vacated();
        self.collect_handed(completions);
        self.collect_refused(completions);
        self.collect_accepted(completions);
        self.collect_ready(completions);
    }

    fn collect_handed(&mut self, completions: &mut Vec<Completion>) {
        loop {
            let Some(handed) = self.state().take_over(self.index) else { return };
            match self.admit(handed.end) {
                Some(socket) => {
                    self.state().vacate(handed.from);
                    completions.push(Completion::Accepted { socket });
                }
                None => self.state().refuse(handed.end, handed.from, self.index),
            }
        }
    }

    fn collect_vacated(&mut self) {
        let vacated = std::mem::take(&mut self.state().doors[self.index].vacated);
        for slot in vacated {
            self.table.release(slot);
        }
    }

    fn collect_refused(&mut self, completions: &mut Vec<Completion>) {
        let refused = std::mem::take(&mut self.state().doors[self.index].refused);
        self.counters.accepts_failed += refused.len() as u64;
        completions.extend(refused.into_iter().map(|shard| Completion::HandOverRefused { shard }));
    }

    fn collect_accepted(&mut self, completions: &mut Vec<Completion>) {
        match self.accepting {
            Accepting::Off => return,
            Accepting::Stopping { until } if until <= self.counters.turns => {
                self.accepting = Accepting::Off;
                return;
            }
            Accepting::On | Accepting::Stopping { .. } => {}
        }
        while self.state().has_waiting(self.listener) {
            if let Some(errno) = self.accept_fault() {
                return self.accept_ended(errno, completions);
            }
            let Some(end) = self.state().accept(self.listener) else { return };
            let Some(socket) = self.admit(end) else {
                // io_uring has taken the connection before it looks for a place, and drops it.
                self.state().close(end, CloseHow::Fin);
                return self.accept_ended(libc::ENFILE, completions);
            };
            completions.push(Completion::Accepted { socket });
        }
    }

    fn accept_fault(&self) -> Option<i32> {
        const ERRNOS: [i32; 3] = [libc::EMFILE, libc::ENOMEM, libc::ENOBUFS];
        let mut state = self.state();
        let chance = state.faults.accept_ended;
        state.random.chance(chance).then(|| ERRNOS[state.random.index(ERRNOS.len())])
    }

    fn accept_ended(&mut self, errno: i32, completions: &mut Vec<Completion>) {
        self.counters.accepts_failed += 1;
        // One that is being stopped ends as it was asked to.
        if self.accepting == Accepting::On {
            completions.push(Completion::AcceptEnded { errno });
        }
        self.accepting = Accepting::Off;
    }

    /// Gives a connection a place.
    fn admit(&mut self, end: End) -> Option<Socket> {
        let socket = self.table.reserve()?;
        self.table.fill(socket, end, Phase::Open);
        self.state().set_owner(end, Owner::Slot { shard: self.index, slot: socket.slot() });
        self.counters.accepted += 1;
        Some(socket)
    }

    /// Looks at every socket where something may have happened, in turn, a piece from each, until
    /// there is no more. Whoever comes after the last that got something comes first next time.
    fn collect_ready(&mut self, completions: &mut Vec<Completion>) {
        let mut ready = std::mem::take(&mut self.state().doors[self.index].ready);
        ready.extend(self.again.drain(..));
        let mut slots: Vec<u32> = ready.into_iter().collect();
        let first = slots.partition_point(|&slot| slot < self.next_slot);
        slots.rotate_left(first);
        while !slots.is_empty() {
            let mut at = 0;
            while at < slots.len() {
                let slot = slots[at];
                let before = completions.len();
                let next = self.look(slot, completions);
                if completions.len() > before {
                    self.next_slot = slot + 1;
                }
                match next {
                    Next::Now => at += 1,
                    Next::Later => self.again.push(slots.remove(at)),
                    Next::Idle => drop(slots.remove(at)),
                }
            }
        }
    }

    fn look(&mut self, slot: u32, completions: &mut Vec<Completion>) -> Next {
        let Some((socket, entry)) = self.table.at(slot) else { return Next::Idle };
        match entry.phase {
            Phase::Connecting { request, due, answer } => {
                if due > self.state().now {
                    return Next::Idle;
                }
                self.connected(socket, request, answer, completions);
                Next::Idle
            }
            Phase::Open => {
                let send = self.send_on(socket, completions);
                let receive = self.receive(socket, completions);
                send.max(receive)
            }
            Phase::Closing { how, until } => self.close_on(socket, how, until, completions),
        }
    }

    fn connected(
        &mut self,
        socket: Socket,
        request: u64,
        answer: Result<(), i32>,
        completions: &mut Vec<Completion>,
    ) {
        match answer {
            Ok(()) => {
                if let Some((_, entry)) = self.table.at(socket.slot()) {
                    entry.phase = Phase::Open;
                }
                completions.push(Completion::Connected { request, socket });
            }
            Err(errno) => {
                if let Some(entry) = self.table.remove(socket.slot()) {
                    self.state().close(entry.end, CloseHow::Reset);
                }
                completions.push(Completion::ConnectFailed { request, errno });
            }
        }
    }

    /// Goes on with a pending send.
    fn send_on(&mut self, socket: Socket, completions: &mut Vec<Completion>) -> Next {
        let Some((_, entry)) = self.table.at(socket.slot()) else { return Next::Idle };
        let Some(mut pending) = entry.pending.take() else { return Next::Idle };
        let end = entry.end;
        match self.attempt(end, &pending.bytes, pending.sent) {
            Attempt::Part { count, put_off } => {
                pending.sent += count;
                if count > 0 {
                    let unsent = pending.bytes.len() - pending.sent;
                    completions.push(Completion::SendProgress { socket, unsent });
                }
                if let Some((_, entry)) = self.table.at(socket.slot()) {
                    entry.pending = Some(pending);
                }
                return if put_off { Next::Later } else { Next::Idle };
            }
            Attempt::Done => completions.push(Completion::SendDone { socket }),
            Attempt::Failed(errno) => completions.push(Completion::SendFailed { socket, errno }),
        }
        self.put_away(pending.bytes);
        Next::Idle
    }

    /// Receives a piece, or the end, if receiving is on.
    fn receive(&mut self, socket: Socket, completions: &mut Vec<Completion>) -> Next {
        let turn = self.counters.turns;
        let Some((_, entry)) = self.table.at(socket.slot()) else { return Next::Idle };
        let end = entry.end;
        match entry.receive {
            Receive::Off => Next::Idle,
            Receive::Stopping { until, then } if until <= turn => {
                entry.receive = then.into();
                completions.push(Completion::ReceiveEnded { socket, end: ReceiveEnd::Stopped });
                if then == Rest::Off { Next::Idle } else { Next::Now }
            }
            Receive::Paused => {
                let is_over = self.network.state().is_over(end);
                if is_over {
                    entry.receive = Receive::On;
                }
                if is_over { Next::Now } else { Next::Idle }
            }
            Receive::Stopping { .. } => self.take(socket, end, completions).max(Next::Later),
            Receive::On => self.take(socket, end, completions),
        }
    }

    fn take(&mut self, socket: Socket, end: End, completions: &mut Vec<Completion>) -> Next {
        let slot = socket.slot();
        let mut state = self.network.state();
        if !state.is_ready(end) {
            return Next::Idle;
        }
        let chances =
            (state.faults.no_buffers, state.faults.short_receive, state.faults.receive_ended_silently);
        if state.random.chance(chances.0) {
            self.counters.buffers_exhausted += 1;
            return Next::Later;
        }
        let Some((id, memory)) = self.buffers.vacant() else {
            self.counters.buffers_exhausted += 1;
            self.starved.push_back(slot);
            return Next::Idle;
        };
        let mut most = memory.len();
        if state.random.chance(chances.1) {
            let bound = state.faults.short_receive_bytes_max.clamp(1, most);
            most = 1 + state.random.index(bound);
        }
        let ended = match state.read(end, &mut memory[..most]) {
            Taken::Nothing => return Next::Idle,
            Taken::Bytes(count) => {
                self.counters.bytes_received += count as u64;
                let buffer = self.buffers.lease(id, count);
                completions.push(Completion::Received { socket, buffer });
                return if state.random.chance(chances.2) { Next::Later } else { Next::Now };
            }
            Taken::Fin => ReceiveEnd::Eof,
            Taken::Reset => ReceiveEnd::Failed(libc::ECONNRESET),
        };
        drop(state);
        if let Some((_, entry)) = self.table.at(slot) {
            entry.receive = Receive::Off;
        }
        completions.push(Completion::ReceiveEnded { socket, end: ended });
        Next::Idle
    }

    /// Closes once everything is cancelled. Until then pieces may still be reported, but no end.
    fn close_on(
        &mut self,
        socket: Socket,
        how: CloseHow,
        until: u64,
        completions: &mut Vec<Completion>,
    ) -> Next {
        let Some((_, entry)) = self.table.at(socket.slot()) else { return Next::Idle };
        let (end, is_receiving) = (entry.end, !matches!(entry.receive, Receive::Off | Receive::Paused));
        if self.counters.turns < until {
            let has_bytes = self.state().has_bytes(end);
            if is_receiving && has_bytes {
                self.take(socket, end, completions);
            }
            return Next::Later;
        }
        self.table.remove(socket.slot());
        self.state().close(end, how);
        completions.push(Completion::Closed { socket });
        Next::Idle
    }
}
