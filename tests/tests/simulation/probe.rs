//! One connection without faults, for the tables: what it sees, and exactly when.

use crate::plan::handshake;
use crate::wire::{self, FIN, Incoming, Reader};
use crate::world::{Setup, TICK, World};
use std::time::Duration;
use wsring::Settings;
use wsring_io::Time;
use wsring_io::sim::Peer;

/// How finely the clock is looked at.
pub(crate) const STEP: Duration = Duration::from_millis(10);

pub(crate) struct Probe {
    pub(crate) peer: Peer,
    /// What came, and how long after the beginning.
    pub(crate) seen: Vec<(Duration, String)>,
    pub(crate) is_reading: bool,
    pub(crate) answers_pings: bool,
    began: Time,
    head: Vec<u8>,
    reader: Option<Reader>,
    is_ended: bool,
}

/// A world of one shard and no faults.
pub(crate) fn world(settings: Settings) -> World {
    World::new(Setup { settings, ..Setup::default() })
}

impl Probe {
    /// Connects and says nothing.
    pub(crate) fn connect(world: &mut World) -> Self {
        Self::connect_to(world, 0)
    }

    fn connect_to(world: &mut World, shard: usize) -> Self {
        let (peer, began) = (world.network.peer(shard), world.now());
        let probe = Self {
            peer,
            seen: Vec::new(),
            is_reading: true,
            answers_pings: false,
            began,
            head: Vec::new(),
            reader: None,
            is_ended: false,
        };
        world.settle();
        probe
    }

    /// Connects and opens a WebSocket.
    pub(crate) fn open(world: &mut World, target: &str) -> Self {
        Self::open_at(world, 0, target)
    }

    /// At the listener of one of the shards.
    pub(crate) fn open_at(world: &mut World, shard: usize, target: &str) -> Self {
        let mut probe = Self::connect_to(world, shard);
        probe.write(handshake(target).as_bytes());
        world.settle();
        probe.read(world.now());
        assert_eq!(probe.names(), ["101"], "{target}");
        probe.seen.clear();
        probe
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert_eq!(self.peer.write(bytes), bytes.len(), "the server reads");
    }

    pub(crate) fn say(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        wire::append(&mut bytes, FIN | opcode, payload, [5, 6, 7, 8]);
        self.write(&bytes);
    }

    /// Says what does not fit into the network at once.
    pub(crate) fn say_long(&mut self, world: &mut World, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        wire::append(&mut bytes, FIN | opcode, payload, [5, 6, 7, 8]);
        let mut written = 0;
        while written < bytes.len() {
            let count = self.peer.write(&bytes[written..]);
            assert!(count > 0, "the server reads");
            written += count;
            world.settle();
        }
    }

    /// What came so far, without the times.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.seen.iter().map(|(_, name)| name.as_str()).collect()
    }

    /// Takes note of everything that has arrived.
    pub(crate) fn read(&mut self, now: Time) {
        if !self.is_reading {
            return;
        }
        let bytes = self.peer.read();
        match &mut self.reader {
            Some(reader) => reader.push(&bytes),
            None => self.head.extend_from_slice(&bytes),
        }
        while self.reader.is_none() {
            let Some(answer) = wire::answer(&self.head, false).expect("a sound answer") else { break };
            let rest = self.head.split_off(answer.taken);
            self.note(now, answer.status.to_string());
            self.head = rest;
            if answer.status == 101 {
                let mut reader = Reader::default();
                reader.push(&self.head);
                self.reader = Some(reader);
            }
        }
        while let Some(incoming) =
            self.reader.as_mut().and_then(|reader| reader.next().expect("sound frames"))
        {
            self.take(incoming, now);
        }
        if !self.is_ended && (self.peer.is_eof() || self.peer.is_reset()) {
            self.is_ended = true;
            self.note(now, if self.peer.is_eof() { "end" } else { "reset" }.into());
        }
    }

    fn take(&mut self, incoming: Incoming, now: Time) {
        let name = match incoming {
            Incoming::Message { payload, .. } => format!("{} bytes", payload.len()),
            Incoming::Pong(_) => "pong".into(),
            Incoming::Close { code, .. } => format!("close {}", code.unwrap_or(1005)),
            Incoming::Ping(payload) => {
                if self.answers_pings {
                    self.say(wire::PONG, &payload);
                }
                "ping".into()
            }
        };
        self.note(now, name);
    }

    fn note(&mut self, now: Time, name: String) {
        self.seen.push((now.since(self.began), name));
    }

    /// Lets `duration` pass; `each` is called every step with the time since the beginning.
    pub(crate) fn pass(
        &mut self,
        world: &mut World,
        duration: Duration,
        mut each: impl FnMut(&mut Self, Duration),
    ) {
        let until = world.now().after(duration);
        while world.now() < until {
            world.pass(STEP);
            self.read(world.now());
            let since = world.now().since(self.began);
            each(self, since);
        }
    }

    /// Compares what came, and when, with a list of milliseconds and names. Each deadline may be a
    /// tick off, counted from what came before it.
    pub(crate) fn check(&self, case: &str, expected: &[(u64, &str)]) {
        let names: Vec<&str> = expected.iter().map(|(_, name)| *name).collect();
        assert_eq!(self.names(), names, "{case}: {:?}", self.seen);
        let mut before = (Duration::ZERO, Duration::ZERO);
        for ((at, name), (due, _)) in self.seen.iter().zip(expected) {
            let due = Duration::from_millis(*due);
            let (took, takes) = (*at - before.0, due - before.1);
            assert!(took.abs_diff(takes) <= TICK + STEP, "{case}: {name} at {at:?}, due at {due:?}");
            before = (*at, due);
        }
    }
}

/// Ends the run and checks that nothing is left.
pub(crate) fn finish(mut world: World, probes: Vec<Probe>) {
    drop(probes);
    let at_once = wsring::Drain { window: Duration::ZERO, deadline: Duration::from_secs(1) };
    world.begin_drain(at_once);
    world.pass(Duration::from_secs(2));
    world.check_end();
}
