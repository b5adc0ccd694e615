//! What falls due: pings, timeouts, the limits of each phase.

use super::Shard;
use super::hands::After;
use super::session::{Phase, Session};
use super::stream::PING_BYTES;
use super::wheel::Tick;
use crate::client::OpenFailure;
use crate::settings::Settings;
use wsring_io::{CloseHow, Io, Socket};
use wsring_proto::CloseCode;
use wsring_proto::frame::Opcode;
use wsring_proto::http::{Response, WriteAs};

/// Keeps proxies from forgetting a silent event stream; readers pass over it (HTML standard, section 9.2.6).
const EVENTS_COMMENT: &[u8] = b":\n\n";

/// What a connection's deadlines come to at some tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Nothing before this tick.
    Later(Tick),
    /// Nothing, ever, as things stand.
    Never,
    /// The phase has lasted as long as it may.
    Limit,
    /// The peer has been silent for the ping interval.
    Ping,
    /// It has stayed silent after the Ping.
    NoPong,
    /// No message came within the idle timeout.
    Idle,
    /// It has lived as long as it may.
    Lifetime,
    /// Its handler wants to be called.
    Timer,
}

impl<I: Io> Shard<I> {
    /// Acts on every deadline that has passed. A connection that was heard of since its deadline was
    /// set just gets a new one: nothing is moved while messages flow.
    pub(super) fn run_due(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(self.local.now, &mut due);
        for slot in due.drain(..) {
            if let Some(socket) = self.table.at(slot).map(|session| session.socket) {
                self.run_due_of(socket);
            }
        }
        self.due = due;
    }

    /// Sets the connection's next deadline anew.
    pub(super) fn reschedule(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        match due(session, &self.local.settings, self.local.tick) {
            Due::Later(tick) => self.wheel.set(socket.slot(), tick),
            Due::Never => self.wheel.remove(socket.slot()),
            _ => self.wheel.set(socket.slot(), self.local.tick),
        }
    }

    fn run_due_of(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        match due(session, &self.local.settings, self.local.tick) {
            Due::Later(_) | Due::Never => {}
            Due::Limit => return self.over_limit(socket),
            Due::Ping => self.ping(socket),
            // Nobody there to shake hands with: should the peer wake up, it finds the reason.
            Due::NoPong => {
                self.close(socket, CloseCode::POLICY, "no answer to a Ping");
                return self.finish(socket);
            }
            Due::Idle => self.close(socket, CloseCode::GOING_AWAY, "idle"),
            Due::Lifetime => {
                self.close(socket, CloseCode::GOING_AWAY, "connected for the longest time allowed")
            }
            Due::Timer => {
                session.timer = Tick(0);
                self.with_handler(socket, |handler, conn| handler.timer(conn));
            }
        }
        self.reschedule(socket);
    }

    /// Begins the closing handshake.
    pub(super) fn close(&mut self, socket: Socket, code: CloseCode, reason: &str) {
        self.with_handler(socket, |_, conn| conn.close(code, reason));
    }

    fn ping(&mut self, socket: Socket) {
        if let Some(session) = self.table.get(socket)
            && matches!(session.phase, Phase::Events(_))
        {
            // Nothing answers it: that it can be sent has to do. Broken connections say so in the end.
            session.clock.heard = self.local.tick;
            self.with_handler(socket, |_, conn| {
                let _ = conn.send_raw(EVENTS_COMMENT);
            });
            return;
        }
        let payload: [u8; PING_BYTES] = self.local.now.0.to_be_bytes();
        self.with_handler(socket, |_, conn| conn.append(Opcode::Ping, &payload));
        if let Some(session) = self.table.get(socket) {
            session.clock.ping = self.local.tick;
        }
    }

    fn over_limit(&mut self, socket: Socket) {
        let Some(session) = self.table.get(socket) else { return };
        match &session.phase {
            Phase::Http(http) if !http.pending.is_empty() => {
                self.answer_and_linger(socket, &Response::text(408, "the request did not arrive in time\n"));
            }
            Phase::Deferred(_) => {
                self.answer_and_linger(socket, &Response::text(503, "the upgrade was not decided in time\n"));
            }
            Phase::Opening(..) => {
                self.opening_failed(socket, OpenFailure::Timeout);
                self.end(socket, CloseHow::Reset);
            }
            _ if session.flow.is_blocked() => self.end(socket, CloseHow::Reset),
            _ => self.end(socket, CloseHow::Fin),
        }
    }

    /// The last words of a connection that is no WebSocket yet.
    pub(super) fn answer_and_linger(&mut self, socket: Socket, response: &Response) {
        if let Some(number) = self.output(socket) {
            let how = WriteAs { head_only: false, close: true };
            self.outputs.at(number).compose(|bytes| response.write(bytes, how));
            self.after(socket, After::Linger);
        }
    }
}

/// What is due at `now`, or when something will be.
fn due(session: &Session, settings: &Settings, now: Tick) -> Due {
    let limit = session.clock.limit;
    if limit.0 != 0 {
        return if limit <= now { Due::Limit } else { Due::Later(limit) };
    }
    if !session.is_open_stream() {
        return Due::Never;
    }
    let clock = &session.clock;
    // Who is not read from cannot be heard.
    let ping_interval = settings.ping_interval.filter(|_| !session.held);
    let pinged = !session.held && clock.ping.0 != 0 && clock.heard <= clock.ping;
    let candidates = [
        settings.lifetime_max.map(|max| (clock.opened.after(max), Due::Lifetime)),
        settings.idle_timeout.map(|timeout| (clock.message.after(timeout), Due::Idle)),
        (session.timer.0 != 0).then_some((session.timer, Due::Timer)),
        pinged.then(|| (clock.ping.after(settings.pong_timeout), Due::NoPong)),
        ping_interval.filter(|_| !pinged).map(|interval| (clock.heard.after(interval), Due::Ping)),
    ];
    // A Ping may be answered long before its deadline, which does not move: so that the next one is
    // not late, this is looked at when that may be due.
    let look = ping_interval.filter(|_| pinged).map(|interval| clock.ping.after(interval));
    match candidates.into_iter().flatten().min_by_key(|(tick, _)| *tick) {
        None => Due::Never,
        Some((tick, due)) if tick <= now => due,
        Some((tick, _)) => Due::Later(look.filter(|look| *look > now).map_or(tick, |look| look.min(tick))),
    }
}
