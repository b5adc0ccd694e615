//! From input to what it asks for, without waiting for anything.

use super::{Error, Outbox, OwnedMessage};
use bytes::Bytes;
use std::collections::VecDeque;
use wsring_proto::{
    CloseCode, CloseReason, Connection, Event, Kind, Limits, Masking, Resources, Role, Violation,
};

/// The most arrivals whose room is kept for the next ones.
const SPARE_ARRIVALS_MAX: usize = 32;

/// One WebSocket between the transport and the application: the protocol's state, what has arrived and
/// was not asked for yet, and what is to be sent.
pub(super) struct Session<R: Role> {
    connection: Connection<R>,
    resources: Resources,
    arrivals: VecDeque<Arrival>,
    pub(super) outbox: Outbox<R>,
}

/// Something that arrived, to be acted upon when the application has seen all that came before it: its
/// answers then leave in the order of what they answer, and good messages before a bad frame are
/// answered before the connection is failed.
pub(super) enum Arrival {
    Message(OwnedMessage),
    /// To be answered with a Pong.
    Ping(Bytes),
    End(End),
}

/// Nothing follows it.
pub(super) enum End {
    /// The peer's Close.
    Closed { code: Option<CloseCode>, reason: String },
    /// The peer broke a rule.
    Failed(Violation),
}

impl<R: Role> Session<R> {
    pub(super) fn new(limits: Limits, outbox: Outbox<R>) -> Self {
        Self {
            connection: Connection::new(),
            resources: Resources::new(limits),
            arrivals: VecDeque::new(),
            outbox,
        }
    }

    /// Notes everything that is in the input.
    pub(super) fn take(&mut self, input: &mut [u8]) {
        self.note_close();
        let mut receiving = self.connection.receive(input, &mut self.resources);
        while let Some(event) = receiving.next() {
            self.arrivals.extend(Arrival::of(event, self.outbox.masking()));
        }
    }

    /// Hands every message in the input to `handler` where it lies, with the outbox for its answers.
    ///
    /// # Errors
    /// The handler's; the rest of the input is noted as [`take`](Self::take) does.
    pub(super) fn take_each(
        &mut self,
        input: &mut [u8],
        mut handler: impl FnMut(Kind, &[u8], &mut Outbox<R>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.note_close();
        let mut result = Ok(());
        let mut receiving = self.connection.receive(input, &mut self.resources);
        while let Some(event) = receiving.next() {
            match event {
                Event::Message(message) if result.is_ok() => {
                    result = handler(message.kind(), message.payload(), &mut self.outbox);
                }
                Event::Ping(payload) if result.is_ok() => self.outbox.pong(payload),
                event => self.arrivals.extend(Arrival::of(event, self.outbox.masking())),
            }
        }
        result
    }

    /// The next thing that arrived.
    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        let arrival = self.arrivals.pop_front();
        if arrival.is_none() && self.arrivals.capacity() > SPARE_ARRIVALS_MAX {
            self.arrivals = VecDeque::new();
        }
        arrival
    }

    /// The transport is gone: gives back what an unfinished message holds, and what was to be sent.
    pub(super) fn lost(&mut self) {
        self.connection.abandon(&mut self.resources);
        self.outbox.lost();
    }

    /// Tells the protocol of a Close that was put into the outbox.
    fn note_close(&mut self) {
        if !self.outbox.is_open() {
            self.connection.sent_close();
        }
    }
}

impl Arrival {
    /// What is to be done about an event, if anything; nothing of it borrows the input any more.
    fn of(event: Event<'_>, masking: &mut Masking) -> Option<Self> {
        match event {
            Event::Message(message) => Some(Self::Message(OwnedMessage::take(message, masking))),
            Event::Ping(payload) => Some(Self::Ping(Bytes::copy_from_slice(payload))),
            Event::Close(CloseReason { code, reason }) => {
                Some(Self::End(End::Closed { code, reason: reason.to_owned() }))
            }
            Event::Failed(violation) => Some(Self::End(End::Failed(violation))),
            Event::Pong(_) | Event::Finished => None,
        }
    }
}
