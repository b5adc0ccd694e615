//! Where one connection's output stands.

use crate::settings::{Settings, SlowPeer};
use std::collections::VecDeque;
use wsring_io::Outgoing;

/// Output that waits for earlier output, and what that means for the connection. While the peer
/// keeps up it is empty and holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    waiting: Option<Box<Waiting>>,
    /// Of the send under way, as far as it is known to wait. In here rather than with what waits behind it:
    /// a connection that only waits for room in the middle of a log costs nothing more.
    sending_bytes: usize,
    /// A send is under way of which the end has yet to be reported.
    pub(crate) sending: bool,
    /// Receiving is stopped because the peer does not take what it is sent.
    pub(crate) paused: bool,
    /// Receiving is stopped because the handler wants it.
    pub(crate) held: bool,
    /// Some message was told `Queued`, so that its sender waits for `drain`.
    pub(crate) drain_wanted: bool,
    /// A Close frame of ours is among the output; no message may follow it.
    pub(crate) close_sent: bool,
    /// A message in fragments has begun and its last fragment has yet to come.
    pub(crate) fragmenting: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Outgoing>,
    /// Of the pieces.
    bytes: usize,
}

impl Flow {
    /// Bytes that are not with the kernel yet, as far as a shard can know.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.sending_bytes + self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Whether output added now would have to wait.
    pub(crate) fn is_blocked(&self) -> bool {
        self.sending || self.waiting.is_some()
    }

    pub(crate) fn push(&mut self, piece: Outgoing) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.bytes += piece.len();
        waiting.pieces.push_back(piece);
    }

    /// Of the send under way, `bytes` have yet to go.
    pub(crate) fn pending(&mut self, bytes: usize) {
        self.sending = true;
        self.sending_bytes = bytes;
    }

    /// The send under way is done.
    pub(crate) fn done(&mut self) {
        self.sending = false;
        self.sending_bytes = 0;
        if self.waiting.as_ref().is_some_and(|waiting| waiting.pieces.is_empty()) {
            self.waiting = None;
        }
    }

    /// The next piece to send; counts as being sent from now on.
    pub(crate) fn next(&mut self) -> Option<Outgoing> {
        let waiting = self.waiting.as_mut()?;
        let piece = waiting.pieces.pop_front()?;
        waiting.bytes -= piece.len();
        self.sending_bytes = piece.len();
        self.sending = true;
        Some(piece)
    }

    /// The size of the piece that [`next`](Self::next) would give.
    pub(crate) fn next_bytes(&self) -> Option<usize> {
        Some(self.waiting.as_ref()?.pieces.front()?.len())
    }

    /// Another piece that goes out with the one last taken.
    pub(crate) fn next_too(&mut self) -> Option<Outgoing> {
        let before = self.sending_bytes;
        let piece = self.next()?;
        self.sending_bytes += before;
        Some(piece)
    }

    /// Whether the high-water mark is reached, counting `more` bytes of this turn.
    pub(crate) fn is_high(&self, more: usize, settings: &Settings) -> bool {
        self.is_blocked() && self.unsent_bytes() + more >= settings.high_water_bytes
    }

    /// Whether reading should stop now. Under every policy something answers input that nobody could
    /// refuse, Pongs and responses, so that past twice the mark no peer is read from.
    pub(crate) fn should_pause(&self, settings: &Settings) -> bool {
        let mark = match settings.slow_peer {
            SlowPeer::Pause => settings.high_water_bytes,
            SlowPeer::Drop | SlowPeer::Close => settings.high_water_bytes.saturating_mul(2),
        };
        !self.paused && self.is_blocked() && self.unsent_bytes() >= mark
    }

    /// Whether reading may go on.
    pub(crate) fn should_resume(&self, settings: &Settings) -> bool {
        self.paused && self.unsent_bytes() <= settings.high_water_bytes / 2
    }
}
