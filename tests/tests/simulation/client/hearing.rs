//! Everything that comes is compared with what was to come.

use super::{Client, Speech, State, shown};
use crate::plan::{End, Expect};
use crate::wire::{self, FIN, Incoming, Reader};
use wsring::SlowPeer;
use wsring_io::Time;
use wsring_tests::deflated::Inflater;

/// The proof for the key of every handshake here (RFC 6455 section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Client {
    /// Takes what has arrived; says whether there was anything.
    pub(super) fn read(&mut self, now: Time) -> bool {
        if now < self.reads_from {
            return false;
        }
        let most = self.random.pick(&[1, 100, 3_000, 1 << 20, 1 << 20]);
        let bytes = self.peer.read_at_most(most);
        if !bytes.is_empty() {
            self.take(&bytes, now);
            return true;
        }
        if self.peer.is_eof() {
            self.ended();
            return true;
        }
        if self.peer.is_reset() {
            // Its last words may cross the server's end.
            let has_all = self.plan.end == End::Violate && self.expected == [Expect::Eof];
            let is_cut_off = has_all || self.is_draining && self.switched_at.is_none();
            if !self.rules.may_end_early && !is_cut_off && !matches!(self.state, State::Dismissed(_)) {
                self.fail("the connection broke");
            }
            self.state = State::Broken;
            return true;
        }
        false
    }

    fn ended(&mut self) {
        self.skip_refused(None);
        let is_whole = match &self.speech {
            Speech::Http(bytes) => bytes.is_empty(),
            Speech::WebSocket(reader) => reader.is_between_messages(),
        };
        let dismissed = matches!(self.state, State::Dismissed(_));
        let is_cut_off = self.is_draining && self.switched_at.is_none();
        let is_planned = is_cut_off || self.expected.front().is_none_or(|expect| *expect == Expect::Eof);
        if !is_whole && !self.rules.may_end_early {
            self.fail("the stream ends within a message");
        }
        if !is_planned && !dismissed && !self.rules.may_end_early {
            self.fail("the stream ends early");
        }
        self.state = State::Ended;
    }

    fn take(&mut self, bytes: &[u8], now: Time) {
        match &mut self.speech {
            Speech::Http(pending) => pending.extend_from_slice(bytes),
            Speech::WebSocket(reader) => reader.push(bytes),
        }
        while let Speech::Http(_) = self.speech {
            if !self.answer(now) {
                return;
            }
        }
        loop {
            let Speech::WebSocket(reader) = &mut self.speech else { return };
            match reader.next() {
                Ok(None) => return,
                Ok(Some(incoming)) => self.incoming(incoming),
                Err(fault) => self.fail(&fault),
            }
        }
    }

    /// Takes one HTTP answer; says whether there was a whole one.
    fn answer(&mut self, now: Time) -> bool {
        let head_only = matches!(self.expected.front(), Some(Expect::Answer { head_only: true, .. }));
        let Speech::Http(pending) = &mut self.speech else { return false };
        let answer = match wire::answer(pending, head_only) {
            Ok(Some(answer)) => answer,
            Ok(None) => return false,
            Err(fault) => self.fail(&fault),
        };
        pending.drain(..answer.taken);
        let rest = std::mem::take(pending);
        match self.expected.pop_front() {
            Some(Expect::Answer { status, body, .. })
                if status == answer.status && body.as_ref().is_none_or(|body| *body == answer.body) =>
            {
                self.speech = Speech::Http(rest);
            }
            Some(Expect::Switch) if answer.status == 101 => {
                let accept = wire::field(&answer.head, "Sec-WebSocket-Accept");
                if accept != Some(ACCEPT) || wire::field(&answer.head, "Upgrade") != Some("websocket") {
                    self.fail(&format!("the handshake was answered with {:?}", answer.head));
                }
                self.switched_at = Some(now);
                let agreed = wire::field(&answer.head, "Sec-WebSocket-Extensions");
                let mut reader = Reader::inflating(agreed.map(Inflater::of));
                reader.push(&rest);
                self.speech = Speech::WebSocket(reader);
            }
            // What was not there in time is refused; nothing else is.
            Some(_) if self.rules.may_end_early && matches!(answer.status, 408 | 503) => {
                self.dismissed(None);
                self.speech = Speech::Http(rest);
            }
            other => {
                let other = other.as_ref().map(shown);
                self.fail(&format!("answered {:?}, not {other:?}", answer.head))
            }
        }
        true
    }

    fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Ping(payload) => {
                if payload.len() != 8 {
                    self.fail("a Ping that is not the server's");
                }
                self.say(FIN | wire::PONG, &payload);
            }
            Incoming::Message { opcode, payload } if self.plan.is_in_room => self.hear(opcode, &payload),
            Incoming::Message { opcode, payload } => self.expect(&Expect::Message { opcode, payload }),
            Incoming::Pong(payload) => self.expect(&Expect::Pong(payload)),
            Incoming::Close { code, reason } => self.closed(code, reason),
        }
    }

    /// What came has to come next; a policy may have refused messages before it.
    fn expect(&mut self, came: &Expect) {
        self.skip_refused(Some(came));
        if self.expected.front() != Some(came) {
            self.fail(&format!("{} came", shown(came)));
        }
        self.expected.pop_front();
    }

    /// Passes over messages that a policy may have refused, up to the one that came.
    fn skip_refused(&mut self, came: Option<&Expect>) {
        let may_skip = |expect: &Expect| matches!(expect, Expect::Message { .. }) && Some(expect) != came;
        while self.rules.policy != SlowPeer::Pause && self.expected.front().is_some_and(may_skip) {
            self.expected.pop_front();
        }
    }

    /// A message of the room, which has to be the next one, or word of how many it has missed.
    fn hear(&mut self, opcode: u8, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or("");
        let Some(next) = self.news_next().filter(|_| opcode == wire::TEXT) else {
            self.fail(&format!("{text:?} came unasked for"));
        };
        let missed = text.strip_prefix("missed ").and_then(|rest| rest.strip_suffix(" of news"));
        if let Some(missed) = missed.and_then(|missed| missed.parse::<u64>().ok()) {
            if !self.rules.room_may_gap || missed == 0 {
                self.fail(&format!("{text:?} though all is kept"));
            }
            self.missed += missed;
            self.news_next = Some(next + missed);
            return;
        }
        let offset = self.shared.book().news.get(payload).copied();
        if offset != Some(next) {
            self.fail(&format!("{text:?} came, at {offset:?}, not the message at {next}"));
        }
        self.news_next = Some(next + 1);
    }

    fn closed(&mut self, code: Option<u16>, reason: String) {
        self.skip_refused(None);
        match self.expected.front() {
            Some(Expect::Close { code: planned, reason: why })
                if *planned == code && why.as_ref().is_none_or(|why| *why == reason) =>
            {
                self.expected.pop_front();
            }
            _ => self.dismissed(code),
        }
        if !self.has_sent_close {
            // Section 5.5.1: answered with the same code.
            let payload = code.map_or(Vec::new(), |code| wire::close_payload(code, ""));
            self.say(FIN | wire::CLOSE, &payload);
            self.half_close_wanted |= self.plan.end == End::Violate;
        }
        self.plan.steps.clear();
    }

    /// The server ends it before the plan does.
    fn dismissed(&mut self, code: Option<u16>) {
        let is_allowed = match code {
            // A drain, once everything is settled; idle or too old.
            Some(1001) => self.expected.is_empty() || self.rules.may_end_early,
            Some(1008) | None => self.rules.may_end_early,
            Some(1013) => self.rules.policy == SlowPeer::Close,
            _ => false,
        };
        if !is_allowed {
            self.fail(&format!("a Close with {code:?} came"));
        }
        self.state = State::Dismissed(code);
        self.expected.clear();
        self.plan.steps.clear();
    }
}
