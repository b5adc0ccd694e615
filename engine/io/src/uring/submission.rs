//! What each operation of the shard becomes.

use super::Uring;
use crate::Op;

impl Uring {
    /// Notes an operation for the next enter. One for a socket that is closed or closing does nothing.
    pub(super) fn carry_out(&mut self, op: Op) {
        match op {
            Op::AcceptStart => self.start_accepting(),
            Op::AcceptStop => self.stop_accepting(),
            Op::ListenerClose => self.close_listener(),
            Op::Connect(connect) => self.start_connecting(&connect),
            Op::ReceiveStart(socket) => self.start_receiving(socket),
            Op::ReceiveStop(socket) => self.stop_receiving(socket),
            Op::ReceivePause(socket) => self.pause_receiving(socket),
            Op::PeerAddress(socket) => self.ask_peer_address(socket),
            Op::Send { socket, bytes, notify } => self.send(socket, bytes, notify),
            Op::HandOver { socket, shard } => self.hand_over(socket, shard),
            Op::HalfClose(socket) => self.half_close(socket),
            Op::Close { socket, how } => self.close(socket, how),
        }
    }
}
