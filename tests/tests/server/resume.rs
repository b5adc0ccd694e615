//! A client that is killed in the middle of a stream, a thousand times, and goes on where it was.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wsring::{
    Conn, Gap, Handler, Kind, Message, Retention, Settings, Start, Topic, TopicRule, TopicSettings,
};
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Peer, Served, pattern, serve, settings};

const KILLS: u64 = 1_000;
const MESSAGE_BYTES_MAX: u64 = 3_000;
/// At every so many kills more is published than the topic keeps.
const FLOOD_EVERY: u64 = 40;

/// Is subscribed from an offset on; says what it cannot have.
struct Subscriber(Topic, u64);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let subscribed = conn.subscribe_with(&self.0, wsring::Form::PUBLISHED, Start::Offset(self.1));
        if let Some(missed) = subscribed.missed {
            let _ = conn.send_text(&format!("{} {}", missed.start, missed.end));
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        let _ = conn.send_text(&format!("{} {}", gap.from, gap.to));
    }
}

/// A message that tells its number, of a length that follows from it.
fn message(number: u64) -> Vec<u8> {
    let length = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    [&number.to_be_bytes()[..], &pattern((length % MESSAGE_BYTES_MAX) as usize, number)].concat()
}

fn serve_topic(retention: Retention) -> (Served, Topic) {
    let mut made = None;
    let server = serve(Settings { shards: Some(2), ..settings() }, |server| {
        let settings = TopicSettings { retention, ..TopicSettings::default() };
        let server = server.topic_rules(vec![TopicRule { pattern: "news".into(), settings }]);
        let topic = made.insert(server.topic("news").unwrap()).clone();
        server.websocket("/{from}", move |upgrade| {
            let from = upgrade.param("from").and_then(|from| from.parse().ok()).unwrap_or(0);
            upgrade.accept(Subscriber(topic.clone(), from))
        })
    });
    (server, made.unwrap())
}

/// What one client has heard over all of its lives.
struct Client<'a> {
    topic: &'a Topic,
    next: u64,
    gaps: Vec<Range<u64>>,
}

impl Client<'_> {
    /// One frame: the message that is next, or word of those that are not kept.
    fn hear(&mut self, peer: &mut Peer) {
        let frame = peer.frame();
        assert!(frame.fin, "{frame:?}");
        if frame.opcode == TEXT {
            let text = String::from_utf8(frame.payload).unwrap();
            let (from, to) = text.split_once(' ').unwrap();
            let gap = from.parse().unwrap()..to.parse().unwrap();
            assert!(gap.start == self.next && !gap.is_empty(), "{gap:?} at {}", self.next);
            // What was let go is not kept by now, and what was kept comes next.
            assert!(gap.end <= self.topic.info().oldest, "{gap:?} of {:?}", self.topic.info());
            self.next = gap.end;
            return self.gaps.push(gap);
        }
        assert_eq!((frame.opcode, frame.payload.first_chunk()), (BINARY, Some(&self.next.to_be_bytes())));
        assert!(frame.payload == message(self.next), "message {} came changed", self.next);
        self.next += 1;
    }
}

fn publish(topic: &Topic, number: &mut u64) {
    assert_eq!(topic.publish(Kind::Binary, &message(*number)).offset, *number);
    *number += 1;
}

/// Publishes all the time while a client is killed and comes back; gives what it has missed.
fn kill_and_resume(retention: Retention) -> Vec<Range<u64>> {
    let (server, topic) = serve_topic(retention);
    let (over, flood) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut client = Client { topic: &topic, next: 0, gaps: Vec::new() };
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::SeqCst) {
                publish(&topic, &mut number);
                if flood.load(Ordering::SeqCst) {
                    (0..300).for_each(|_| publish(&topic, &mut number));
                    flood.store(false, Ordering::SeqCst);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            number
        });
        for life in 0..KILLS {
            if life % FLOOD_EVERY == FLOOD_EVERY - 1 {
                flood.store(true, Ordering::SeqCst);
                wsring_tests::wait_until("the flood to be over", || !flood.load(Ordering::SeqCst));
            }
            let mut peer = Peer::open(server.address(), &format!("/{}", client.next));
            for _ in 0..life * 7 % 13 {
                client.hear(&mut peer);
            }
            // With whatever is on its way to it.
            drop(peer);
        }
        over.store(true, Ordering::SeqCst);
        let published = publisher.join().unwrap();
        let mut peer = Peer::open(server.address(), &format!("/{}", client.next));
        while client.next < published {
            client.hear(&mut peer);
        }
    });
    client.gaps
}

#[test]
fn a_thousand_kills_lose_nothing_that_is_kept() {
    assert_eq!(kill_and_resume(Retention { bytes: 256 << 20, ..Retention::default() }), []);
}

#[test]
fn a_thousand_kills_lose_what_is_not_kept_and_are_told() {
    let gaps = kill_and_resume(Retention { bytes: 64 << 10, ..Retention::default() });
    assert!(gaps.len() as u64 >= KILLS / FLOOD_EVERY, "{gaps:?}");
}
