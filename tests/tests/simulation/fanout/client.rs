//! A subscriber: it does what comes into its head, and checks every message against the book.

use super::book::{Filter, PATTERNS, Shared, TOPICS};
use crate::plan::handshake_with;
use crate::random::Random;
use crate::wire::{self, FIN, Incoming, PING, Reader, TEXT};
use std::collections::HashMap;
use std::time::Duration;
use wsring::Behind;
use wsring_io::Time;
use wsring_io::sim::{Network, Peer};
use wsring_tests::deflated::Inflater;

/// The header of offer and answer.
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// What clients offer: nothing, or permessage-deflate in some way (RFC 7692, section 7.1).
const OFFERS: [&str; 7] = [
    "",
    "",
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=12; server_no_context_takeover",
];

/// A subscription as the client knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    pub(super) form: usize,
    pub(super) id: u64,
    /// The offset of the next message.
    pub(super) next: u64,
    /// What its log lacks of everything that it stands for.
    pub(super) shift: u64,
}

/// What clients have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) hash: u64,
    pub(crate) delivered: u64,
    pub(crate) left_out: u64,
    pub(crate) skipped: u64,
    pub(crate) conflated: u64,
    pub(crate) closed: u64,
    pub(crate) broken: u64,
    pub(crate) resumed: u64,
    /// Messages that came compressed.
    pub(crate) compressed: u64,
    /// Messages that were compressed for all.
    pub(crate) shared: u64,
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        self.hash = self.hash.rotate_left(1) ^ other.hash;
        self.delivered += other.delivered;
        self.left_out += other.left_out;
        self.skipped += other.skipped;
        self.conflated += other.conflated;
        self.closed += other.closed;
        self.broken += other.broken;
        self.resumed += other.resumed;
        self.compressed += other.compressed;
        self.shared += other.shared;
    }
}

/// One connection and what the client does not forget from one to the next.
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) sums: Sums,
    pub(super) shared: Shared,
    random: Random,
    pub(super) connection: Option<Connection>,
    /// Where it was in each topic.
    pub(super) marks: HashMap<Filter, u64>,
    /// Connects again then.
    wake: Time,
    may_break: bool,
    message_bytes_max: usize,
}

pub(super) struct Connection {
    offer: &'static str,
    peer: Peer,
    head: Vec<u8>,
    pub(super) reader: Option<Reader>,
    outbox: Vec<u8>,
    pub(super) subscriptions: HashMap<Filter, Subscription>,
    reads_from: Time,
    pub(super) pongs: usize,
    has_quit: bool,
    /// Its Close has come, or its own has gone.
    is_closing: bool,
    is_in_fragments: bool,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        shared: Shared,
        random: Random,
        may_break: bool,
        bytes_max: usize,
    ) -> Self {
        let (sums, marks) = (Sums::default(), HashMap::new());
        let wake = Time(0);
        let (connection, message_bytes_max) = (None, bytes_max);
        Self { number, sums, shared, random, connection, marks, wake, may_break, message_bytes_max }
    }

    /// Reads, does something unless it is to be calm, and writes; whether anything came of it.
    pub(crate) fn act(&mut self, network: &Network, shard: usize, is_calm: bool) -> bool {
        let now = network.now();
        if self.connection.is_none() && now >= self.wake {
            self.connect(network, shard);
        }
        let has_read = self.read(now, is_calm);
        if is_calm {
            self.calm_down(now);
        } else if self.is_open() && self.random.percent(40) {
            self.command(now);
        }
        has_read | self.write()
    }

    pub(super) fn is_open(&self) -> bool {
        let is_open = |connection: &Connection| connection.reader.is_some() && !connection.is_closing;
        self.connection.as_ref().is_some_and(is_open)
    }

    fn connect(&mut self, network: &Network, shard: usize) {
        let offer = self.random.pick(&OFFERS);
        let header = if offer.is_empty() { String::new() } else { format!("{EXTENSIONS}: {offer}\r\n") };
        let connection = Connection {
            offer,
            peer: network.peer(shard),
            head: Vec::new(),
            reader: None,
            outbox: handshake_with(&format!("/{}", self.number), &header).into_bytes(),
            subscriptions: HashMap::new(),
            reads_from: network.now(),
            pongs: 0,
            has_quit: false,
            is_closing: false,
            is_in_fragments: false,
        };
        self.connection = Some(connection);
    }

    pub(super) fn fail(&self, what: &str) -> ! {
        let subscriptions = self.connection.as_ref().map(|connection| &connection.subscriptions);
        panic!("client {}: {what}, {subscriptions:?}", self.number)
    }

    fn say(&mut self, first: u8, payload: &[u8]) {
        if let Some(connection) = &mut self.connection {
            wire::append(&mut connection.outbox, FIN | first, payload, [3, 1, 4, 1]);
        }
    }

    fn tell(&mut self, command: &str) {
        self.say(TEXT, command.as_bytes());
    }

    /// Finishes what it has begun and reads as fast as it can.
    fn calm_down(&mut self, now: Time) {
        if !self.is_open() {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        connection.reads_from = now;
        connection.peer.set_window(1 << 20);
        if std::mem::take(&mut connection.is_in_fragments) {
            self.tell("end");
        }
    }

    fn command(&mut self, now: Time) {
        let filter = self.random.below(TOPICS.len() + PATTERNS.len());
        let topic = self.random.below(TOPICS.len());
        match self.random.below(24) {
            0..4 => self.subscribe(filter),
            4 => self.tell(&format!("unsub {filter}")),
            5 => {
                // Away and back in one go.
                self.tell(&format!("unsub {filter}"));
                self.subscribe(filter);
            }
            6..14 => {
                for _ in 0..self.random.pick(&[1, 1, 2, 5, 20]) {
                    self.publish(topic);
                }
            }
            14 | 15 => self.stall(now),
            16 => {
                let window = self.random.pick(&[40, 300, 2_000, 80_000]);
                self.connected().peer.set_window(window);
            }
            17 => {
                self.connected().pongs += 1;
                self.say(PING, b"there?");
            }
            18 | 19 => {
                let connection = self.connected();
                let begins = !std::mem::replace(&mut connection.is_in_fragments, true);
                connection.is_in_fragments = begins;
                self.tell(if begins { "begin" } else { "end" });
            }
            20 if self.random.percent(30) => {
                self.tell("quit");
                self.connected().has_quit = true;
            }
            21 if self.random.percent(30) => {
                self.say(wire::CLOSE, &wire::close_payload(1000, ""));
                self.connected().is_closing = true;
            }
            22 if self.may_break && self.random.percent(30) => {
                self.connected().peer.reset();
                self.over(now);
            }
            _ => {}
        }
    }

    pub(super) fn connected(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is open")
    }

    fn stall(&mut self, now: Time) {
        let time = self.random.pick(&[20, 200, 2_000]);
        self.connected().reads_from = now.after(Duration::from_millis(time));
    }

    fn publish(&mut self, topic: usize) {
        let most = self.message_bytes_max;
        let length = self.random.pick(&[0, 20, 100, 130, most / 4, most]).min(most);
        let length = self.random.below(length + 1);
        let command = if self.random.percent(30) { "others" } else { "pub" };
        let kind = if self.random.percent(50) { "text" } else { "binary" };
        self.tell(&format!("{command} {topic} {length} {kind}"));
    }

    fn subscribe(&mut self, filter: Filter) {
        if filter >= TOPICS.len() {
            let form = 2 + filter - TOPICS.len() + self.random.pick(&[0, PATTERNS.len()]);
            return self.tell(&format!("sub {filter} {form} now 0"));
        }
        let form = self.random.pick(&[0, 0, 1]);
        let number = self.random.pick(&[0, 1, 5, 50, 1_000]);
        let command = match (self.random.below(4), self.marks.get(&filter)) {
            (0, _) => format!("sub {filter} {form} now 0"),
            (1, _) => format!("sub {filter} {form} last {number}"),
            (2, _) | (_, None) => format!("sub {filter} {form} from {number}"),
            (_, Some(mark)) => {
                self.sums.resumed += 1;
                format!("sub {filter} {form} from {mark}")
            }
        };
        self.tell(&command);
    }

    fn write(&mut self) -> bool {
        let most = self.random.pick(&[7, 1_000, 1 << 20]);
        let Some(connection) = &mut self.connection else { return false };
        let count = connection.peer.write(&connection.outbox[..most.min(connection.outbox.len())]);
        connection.outbox.drain(..count);
        count > 0
    }

    fn read(&mut self, now: Time, is_calm: bool) -> bool {
        let most = self.random.pick(&[1, 100, 3_000, 1 << 20, 1 << 20]);
        let most = if is_calm { 1 << 20 } else { most };
        let Some(connection) = &mut self.connection else { return false };
        if now < connection.reads_from {
            return false;
        }
        let bytes = connection.peer.read_at_most(most);
        if bytes.is_empty() {
            if connection.peer.is_eof() || connection.peer.is_reset() {
                self.ended(now);
                return true;
            }
            return false;
        }
        match &mut connection.reader {
            Some(reader) => reader.push(&bytes),
            None => self.answer(&bytes),
        }
        self.read_messages(now);
        true
    }

    fn read_messages(&mut self, now: Time) {
        while let Some(reader) = self.connection.as_mut().and_then(|connection| connection.reader.as_mut()) {
            let next = reader.next();
            self.sums.compressed += std::mem::take(&mut reader.compressed);
            match next {
                Ok(None) => break,
                Ok(Some(incoming)) => self.take(incoming, now),
                Err(fault) => self.fail(&fault),
            }
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        let Some(connection) = &mut self.connection else { return };
        connection.head.extend_from_slice(bytes);
        match wire::answer(&connection.head, false) {
            Ok(Some(answer)) if answer.status == 101 => {
                let agreed = wire::field(&answer.head, EXTENSIONS);
                assert!(agreed.is_none() || !connection.offer.is_empty(), "{agreed:?} was not offered");
                let mut reader = Reader::inflating(agreed.map(Inflater::of));
                reader.push(&connection.head[answer.taken..]);
                connection.reader = Some(reader);
            }
            Ok(None) => {}
            other => {
                panic!("client {}: answered {:?}", self.number, other.map(|answer| answer.map(|it| it.head)))
            }
        }
    }

    fn ended(&mut self, now: Time) {
        let Some(connection) = &self.connection else { return };
        let is_whole = connection.reader.as_ref().is_none_or(Reader::is_between_frames);
        if !connection.is_closing || !is_whole && connection.peer.is_eof() {
            if !self.may_break {
                let (is_closing, is_eof) = (connection.is_closing, connection.peer.is_eof());
                self.fail(&format!(
                    "the connection ended; closing {is_closing}, whole {is_whole}, in order {is_eof}"
                ));
            }
            self.sums.broken += 1;
        }
        self.over(now);
    }

    /// Comes back after a while.
    fn over(&mut self, now: Time) {
        self.connection = None;
        let time = self.random.pick(&[0, 10, 500]);
        self.wake = now.after(Duration::from_millis(time));
    }

    fn take(&mut self, incoming: Incoming, now: Time) {
        match incoming {
            Incoming::Ping(payload) => self.say(wire::PONG, &payload),
            Incoming::Pong(payload) => {
                let connection = self.connected();
                if connection.pongs == 0 || payload != b"there?" {
                    self.fail("a Pong that was not asked for");
                }
                connection.pongs -= 1;
            }
            Incoming::Close { code, .. } => self.closed(code),
            Incoming::Message { opcode: TEXT, payload } if payload.starts_with(b"@") => {
                let text = String::from_utf8_lossy(&payload).into_owned();
                self.answered(&text, now);
            }
            Incoming::Message { opcode, payload } => self.message(opcode, &payload),
        }
    }

    fn closed(&mut self, code: Option<u16>) {
        let is_behind = |(filter, subscription): (&Filter, &Subscription)| {
            let log = &self.shared.book().logs[*filter];
            let next = subscription.next.wrapping_add(subscription.shift);
            log.settings.behind == Behind::Close && next < log.messages.len() as u64
        };
        let is_between = |it: &Connection| it.reader.as_ref().is_some_and(Reader::is_between_messages);
        let Some(connection) = &self.connection else { return };
        let is_right = match code {
            Some(1000) => connection.is_closing,
            Some(1001) => true,
            // What it has subscribed to in the middle of fragments it has yet to hear of.
            Some(1013) => connection.subscriptions.iter().any(is_behind) || !is_between(connection),
            Some(4000) => connection.has_quit,
            _ => false,
        };
        if !is_right {
            self.fail(&format!("a Close with {code:?}"));
        }
        self.sums.closed += u64::from(code == Some(1013));
        if !std::mem::replace(&mut self.connected().is_closing, true) {
            self.say(wire::CLOSE, &wire::close_payload(code.unwrap_or(1000), ""));
        }
    }
}
