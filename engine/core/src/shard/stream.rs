//! What a WebSocket does with input.

use super::Local;
use super::hands::{After, Hands};
use super::session::{Clock, Lent, Phase, Stream};
use super::wheel::Tick;
use crate::conn::Conn;
use crate::handler::{Closed, Handler};
use std::time::{Duration, Instant};
use wsring_io::Time;
use wsring_proto::frame::Opcode;
use wsring_proto::{CloseReason, Event, Receiving, Resources, Role, Violation};

/// A Ping of the shard's own carries the clock, so that its Pong tells the round trip.
pub(super) const PING_BYTES: usize = 8;

impl Hands<'_> {
    /// Input of an open WebSocket, either role.
    #[inline]
    pub(super) fn stream(&mut self, input: &mut [u8]) -> After {
        let Lent { mut conn, phase, clock } = self.session.lend(self.output, self.local, true);
        match phase {
            Phase::Server(stream) => take(stream, clock, input, &mut conn, self.resources),
            Phase::Client(stream) => take(stream, clock, input, &mut conn, self.resources),
            _ => After::Lost,
        }
    }
}

/// Acts on every event in the input, in order.
#[inline]
fn take<R: Role>(
    stream: &mut Stream<R>,
    clock: &mut Clock,
    input: &mut [u8],
    conn: &mut Conn<'_>,
    resources: &mut Resources,
) -> After {
    let Stream { protocol, handler } = stream;
    let mut receiving = protocol.receive(input, resources);
    let mut after = After::Open;
    while let Some(event) = next(&mut receiving, conn) {
        match event {
            Event::Message(message) => {
                clock.message = conn.local.tick;
                conn.local.messages += 1;
                if let Some(handler) = handler {
                    handler.message(conn, message);
                }
            }
            Event::Ping(payload) => pong(conn, payload),
            Event::Pong(payload) => ponged(conn, handler, clock, payload),
            Event::Close(reason) => {
                after = if R::MASKS { After::AwaitEnd } else { After::Finish };
                closed(conn, handler, reason);
            }
            Event::Failed(violation) => {
                after = After::Failed;
                failed(conn, handler, &violation);
            }
            Event::Finished => after = After::Finish,
        }
        if conn.flow.close_sent {
            receiving.parts().0.sent_close();
        }
    }
    after
}

/// The next event. Where messages may be compressed, the time that it takes to find it is that of inflating.
#[inline]
fn next<'a, R: Role>(receiving: &'a mut Receiving<'_, R>, conn: &mut Conn<'_>) -> Option<Event<'a>> {
    if conn.flow.compression.is_none() {
        return receiving.next();
    }
    let began = Instant::now();
    let event = receiving.next();
    conn.local.compressing.spent_inflating(began.elapsed());
    event
}

/// Section 5.5.2: answered until a Close was received, after which the protocol reports none; a Close
/// of our own ends data, not the answers to Pings.
fn pong(conn: &mut Conn<'_>, payload: &[u8]) {
    conn.append(Opcode::Pong, payload);
}

fn ponged(conn: &mut Conn<'_>, handler: &mut Option<Box<dyn Handler>>, clock: &mut Clock, payload: &[u8]) {
    let round_trip = round_trip(conn.local, clock, payload);
    if round_trip.is_some() {
        clock.ping = Tick(0);
    }
    if let Some(handler) = handler {
        handler.pong(conn, payload, round_trip);
    }
}

/// How long ago the shard's Ping was sent that this payload answers. A Pong that answers no such Ping
/// is allowed (section 5.5.3) and tells nothing.
fn round_trip(local: &Local, clock: &Clock, payload: &[u8]) -> Option<Duration> {
    let sent = Time(u64::from_be_bytes(*payload.first_chunk::<PING_BYTES>()?));
    let matches = clock.ping.0 != 0 && payload.len() == PING_BYTES && local.tick_of(sent) == clock.ping;
    (matches && sent <= local.now).then(|| local.now.since(sent))
}

/// Section 5.5.1: a Close is answered with a Close of the same code; of the same reason as well, as
/// browsers' tests of servers have it.
fn closed(conn: &mut Conn<'_>, handler: &mut Option<Box<dyn Handler>>, reason: CloseReason<'_>) {
    conn.append_close(reason);
    if let Some(mut handler) = handler.take() {
        handler.close(conn.id, &Closed { code: reason.code, reason: reason.reason, clean: true });
    }
}

/// Section 7.1.7: the peer is told why.
fn failed(conn: &mut Conn<'_>, handler: &mut Option<Box<dyn Handler>>, violation: &Violation) {
    let code = Some(violation.close_code());
    let reason = violation.to_string();
    tracing::debug!(connection = %conn.id, %violation, "failed");
    conn.append_close(CloseReason { code, reason: &reason });
    if let Some(mut handler) = handler.take() {
        handler.close(conn.id, &Closed { code, reason: &reason, clean: false });
    }
}
