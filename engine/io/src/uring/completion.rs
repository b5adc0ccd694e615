//! What each answer of the kernel means.

use super::Uring;
use super::lent::half_close_completed;
use super::request::Outcome;
use super::token::{Kind, Token};
use io_uring::cqueue;

impl Uring {
    /// Acts on one completion: reports it, or takes the next step of what it belongs to.
    pub(super) fn complete(&mut self, entry: &cqueue::Entry) {
        let outcome = Outcome::of(entry);
        let Some(token) = Token::unpack(entry.user_data()) else {
            self.counters.stale += 1;
            return;
        };
        match token.kind {
            Kind::Receive => self.receive_completed(token.socket(), outcome),
            Kind::SendNow => self.send_now_completed(token, outcome),
            Kind::SendPending => self.send_pending_completed(token.socket(), outcome),
            Kind::Accept => self.accept_completed(token.slot, outcome),
            Kind::Close => self.close_completed(token.socket()),
            Kind::HalfClose => half_close_completed(outcome),
            Kind::PeerAddress => self.peer_address_completed(token.socket(), outcome),
            Kind::HandOver => self.hand_over_completed(token.socket(), outcome),
            Kind::HandedOver => self.hand_over_arrived(outcome),
            Kind::ConnectOpen => self.connect_opened(token.slot, outcome),
            Kind::ConnectBind => self.connect_bound(token.slot, outcome),
            Kind::Connect => self.connect_completed(token.slot, outcome),
            // That somebody rang is told by the bell's state; this only ended the sleep.
            Kind::Bell if outcome.more => {}
            Kind::Bell => self.watch_bell(),
            Kind::Unheard => {}
        }
    }
}
