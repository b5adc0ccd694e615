//! Publishing asks the heap for nothing once it is warm: neither the thread that publishes nor the shard
//! that delivers.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use wsring::{Conn, DeflateOptions, Handler, Kind, Message, SharedDeflate, Topic};
use wsring_tests::deflated;
use wsring_tests::heap::{Counting, asked_by_this_thread};
use wsring_tests::wire::{self, BINARY, Frame};
use wsring_tests::{Peer, Served, serve, settings};

#[global_allocator]
static HEAP: Counting = Counting;

const MESSAGES: usize = 100_000;
const PAYLOAD: [u8; 100] = [b'x'; 100];
const FRAME_BYTES: usize = PAYLOAD.len() + 2;
const FOREIGN_ROUNDS: usize = 40;
/// More than a topic keeps, twice over.
const WARM_UP_MESSAGES: usize = 25_000;

/// What the shard's thread had asked for when it saw the latest message.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Is subscribed to every topic.
struct Subscriber(Vec<Topic>);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        for topic in &self.0 {
            conn.subscribe(topic);
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// Publishes what arrives to every topic, unless it is a question, which is answered.
struct Publisher(Vec<Topic>);

impl Handler for Publisher {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        ASKED.store(asked_by_this_thread(), Ordering::SeqCst);
        if message.payload() == b"?" {
            let _ = conn.send(message);
            return;
        }
        for topic in &self.0 {
            conn.publish(topic, message.kind(), message.payload());
        }
    }
}

/// A way to publish.
#[derive(Clone, Copy)]
struct Traffic {
    subscribers: usize,
    /// All of which every subscriber is subscribed to, and every message is published to.
    topics: usize,
    /// Messages that are published before any is waited for.
    burst: usize,
    /// Published by the test's own thread, not by a connection of the shard.
    is_foreign: bool,
    /// All but the first subscriber have agreed on compression.
    is_deflated: bool,
}

struct Stage {
    traffic: Traffic,
    server: Served,
    topics: Vec<Topic>,
    publisher: Peer,
    subscribers: Vec<Peer>,
    /// The frame that each of them gets for a message.
    frames: Vec<Vec<u8>>,
    /// What publishing has cost this thread.
    asked_here: u64,
}

impl Stage {
    fn new(traffic: Traffic) -> Self {
        let mut topics: Vec<Topic> = Vec::new();
        let server = serve(settings(), |server| {
            topics =
                (0..traffic.topics).map(|number| server.topic(&format!("t/{number}")).unwrap()).collect();
            let (heard, said) = (topics.clone(), topics.clone());
            // All compress the same, and cheaply: what it costs is not the question.
            server
                .deflate(DeflateOptions { level: 1, ..DeflateOptions::default() })
                .shared_deflate(SharedDeflate { level: 1, bytes_min: 64, ..SharedDeflate::default() })
                .websocket("/hear", move |upgrade| upgrade.accept(Subscriber(heard.clone())))
                .websocket("/say", move |upgrade| upgrade.accept(Publisher(said.clone())))
        });
        let publisher = Peer::open(server.address(), "/say");
        let subscribers: Vec<Peer> =
            (0..traffic.subscribers).map(|at| subscriber(&server, traffic.is_deflated && at > 0)).collect();
        let frames = Vec::new();
        let mut stage = Self { traffic, server, topics, publisher, subscribers, frames, asked_here: 0 };
        // The shard has opened all of them once it answers.
        stage.asked();
        stage.see_frames();
        stage
    }

    /// How a message comes to each subscriber.
    fn see_frames(&mut self) {
        self.topics[0].publish(Kind::Binary, &PAYLOAD);
        for (at, subscriber) in self.subscribers.iter_mut().enumerate() {
            let mut frame = subscriber.bytes(2);
            frame.extend(subscriber.bytes(frame[1].into()));
            if self.traffic.is_deflated && at > 0 {
                assert!(frame[0] == 0xc2 && frame.len() < FRAME_BYTES / 2, "it is compressed: {frame:?}");
            } else {
                assert_eq!(wire::parse(&frame), Some((Frame::new(BINARY, PAYLOAD), FRAME_BYTES)));
            }
            self.frames.push(frame);
        }
    }

    fn round(&mut self, pipelined: &[u8]) {
        if self.traffic.is_foreign {
            let before = asked_by_this_thread();
            for _ in 0..self.traffic.burst {
                for topic in &self.topics {
                    topic.publish(Kind::Binary, &PAYLOAD);
                }
            }
            self.asked_here += asked_by_this_thread() - before;
        } else {
            self.publisher.send(pipelined);
        }
        let messages = self.traffic.burst * self.traffic.topics;
        for (subscriber, frame) in self.subscribers.iter_mut().zip(&self.frames) {
            let heard = subscriber.bytes(frame.len() * messages);
            assert!(heard.ends_with(frame), "the message as the first time");
        }
    }

    /// So many messages to each topic.
    fn publish(&mut self, messages: usize) {
        let pipelined = wire::message(BINARY, &PAYLOAD).repeat(self.traffic.burst);
        for _ in 0..messages.div_ceil(self.traffic.burst) {
            self.round(&pipelined);
        }
    }

    /// What the shard and this thread ask for while all messages are published.
    fn measure(&mut self) -> (u64, u64) {
        let before = self.asked();
        self.asked_here = 0;
        self.publish(MESSAGES / self.traffic.topics);
        (self.asked() - before, self.asked_here)
    }

    /// What the shard has asked for so far.
    fn asked(&mut self) -> u64 {
        self.publisher.send_message(BINARY, b"?");
        self.publisher.echoed(b"?");
        ASKED.load(Ordering::SeqCst)
    }
}

fn subscriber(server: &Served, is_deflated: bool) -> Peer {
    if !is_deflated {
        return Peer::open(server.address(), "/hear");
    }
    let mut peer = Peer::connect(server.address());
    assert!(deflated::answer(&mut peer, "/hear", "permessage-deflate").is_some(), "it is agreed on");
    peer
}

/// What the shard, and this thread, ask the heap for while 100,000 messages are published.
#[track_caller]
fn check(traffic: Traffic) {
    // There is one place for the count, so the tests of this file take turns.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut stage = Stage::new(traffic);
    // Deflated, a topic keeps more of them.
    stage.publish(if traffic.is_deflated { 4 * WARM_UP_MESSAGES } else { WARM_UP_MESSAGES });
    // How much lies together in a turn is for the scheduler to say when another thread publishes, and each of the
    // vectors that the shard keeps to join it in grows with the most that it ever held: some growth may be left for
    // many rounds, one of which has to ask for nothing. What asks for something each time never passes.
    let rounds = if traffic.is_foreign { FOREIGN_ROUNDS } else { 1 };
    let mut asked = Vec::new();
    while asked.len() < rounds && asked.last() != Some(&(0, 0)) {
        asked.push(stage.measure());
    }
    assert_eq!(asked.last(), Some(&(0, 0)), "by the shard, and by the publishing thread: {asked:?}");
    assert_eq!(stage.server.count() as usize, traffic.subscribers + 1);
}

#[test]
fn one_message_a_turn() {
    check(Traffic { subscribers: 2, topics: 1, burst: 1, is_foreign: false, is_deflated: false });
}

#[test]
fn many_messages_a_turn() {
    check(Traffic { subscribers: 8, topics: 1, burst: 50, is_foreign: false, is_deflated: false });
}

#[test]
fn many_topics_a_turn() {
    check(Traffic { subscribers: 8, topics: 5, burst: 4, is_foreign: false, is_deflated: false });
}

#[test]
fn one_message_from_another_thread() {
    check(Traffic { subscribers: 2, topics: 1, burst: 1, is_foreign: true, is_deflated: false });
}

#[test]
fn many_messages_from_another_thread() {
    check(Traffic { subscribers: 8, topics: 2, burst: 50, is_foreign: true, is_deflated: false });
}

#[test]
fn many_deflated_messages_a_turn() {
    check(Traffic { subscribers: 8, topics: 2, burst: 50, is_foreign: false, is_deflated: true });
}

#[test]
fn many_deflated_messages_from_another_thread() {
    check(Traffic { subscribers: 8, topics: 2, burst: 50, is_foreign: true, is_deflated: true });
}
