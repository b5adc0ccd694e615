//! What topics and subscriptions cost in user-space memory, byte by byte, with 100,000 topics and 1,000,000
//! subscriptions; and what a subscriber costs that has stopped reading. `docs/memory.md` adds it up.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wsring::simulate::Shard;
use wsring::{
    Conn, Handler, Kind, Message, Publisher, Retention, Server, Settings, Topic, TopicRule, TopicSettings,
};
use wsring_io::sim::{Config, Faults, Network, Peer as SimPeer, SimIo};
use wsring_tests::heap::{Counting, bytes_in_use};
use wsring_tests::wire::{self, BINARY, TEXT};
use wsring_tests::{Peer, Served, serve, settings, wait_until};

#[global_allocator]
static HEAP: Counting = Counting;

const TOPICS: usize = 100_000;
const TOPICS_EACH: usize = 250;
const CONNECTIONS: usize = 4_000;
/// Connections that together are subscribed to every topic once.
const ONCE: usize = TOPICS / TOPICS_EACH;

/// Bytes of an idle topic beside its name.
const TOPIC_BYTES_MAX: f64 = 200.0;
/// Bytes of a topic with one subscriber on one shard, more than an idle one.
const LISTENED_BYTES_MAX: f64 = 400.0;
const SUBSCRIPTION_BYTES_MAX: f64 = 32.0;

const STALLED: usize = 200;
const STALLED_BYTES_MAX: f64 = 64.0;
const STALLED_MESSAGE: [u8; 1_000] = [b's'; 1_000];

/// The counts are of the whole process, so the tests of this file take turns.
static TURN: Mutex<()> = Mutex::new(());

fn name(number: usize) -> String {
    format!("topics/{number:06}")
}

/// Subscribes to a stretch of all topics when told the first of them.
struct Subscriber(Publisher);

impl Handler for Subscriber {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Ok(first) = message.text().unwrap().parse::<usize>() else { return };
        for number in first..first + TOPICS_EACH {
            let subscribed = conn.subscribe(&self.0.topic(&name(number % TOPICS)).unwrap());
            assert!(!subscribed.already);
        }
    }
}

/// A simulated server with connections that have all said something before.
struct World {
    network: Network,
    shard: Shard<SimIo>,
    peers: Vec<SimPeer>,
}

impl World {
    fn new(server: Server) -> Self {
        let network = Network::new(0, Faults::default());
        let config = Config { sockets_max: 65_536, ..Config::default() };
        let (_, mut shards) = server.simulate(vec![network.shard(config)]).unwrap();
        let peers = Vec::with_capacity(CONNECTIONS);
        let mut world = Self { network, shard: shards.remove(0), peers };
        for _ in 0..CONNECTIONS {
            let mut peer = world.network.peer(0);
            assert!(peer.write(wsring_tests::peer::handshake("/", "").as_bytes()) > 0);
            world.peers.push(peer);
            world.turn();
        }
        world.settle();
        (0..CONNECTIONS).for_each(|number| world.say(number, "-"));
        world
    }

    fn turn(&mut self) {
        self.shard.turn().unwrap();
        self.network.advance(Duration::from_micros(1));
    }

    fn settle(&mut self) {
        (0..8).for_each(|_| self.turn());
        self.peers.iter_mut().for_each(|peer| drop(peer.read()));
        self.turn();
    }

    fn say(&mut self, number: usize, text: &str) {
        let bytes = wire::message(TEXT, text.as_bytes());
        assert_eq!(self.peers[number].write(&bytes), bytes.len());
        self.turn();
        self.turn();
    }

    /// Until every topic was looked at twice.
    fn look_after_all(&mut self) {
        for _ in 0..3 * 64 {
            self.network.advance(Duration::from_millis(300));
            self.turn();
        }
    }

    /// Each of these connections subscribes to its stretch of topics; gives the bytes in use then.
    fn subscribe(&mut self, connections: std::ops::Range<usize>) -> usize {
        for number in connections {
            self.say(number, &(number * TOPICS_EACH % TOPICS).to_string());
        }
        self.settle();
        bytes_in_use()
    }
}

#[track_caller]
fn check(what: &str, before: usize, after: usize, count: usize, most: f64) {
    let each = (after as f64 - before as f64) / count as f64;
    println!("{what}: {each:.1} bytes each, of {most} at most");
    assert!(each <= most, "{what}: {each:.1} bytes each, of {most} at most");
}

#[test]
fn topics_and_subscriptions() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::new().settings(Settings { ping_interval: None, ..Settings::default() });
    let (publisher, observer) = (server.publisher(), server.observer());
    let of_all = publisher.clone();
    let mut world =
        World::new(server.websocket("/", move |upgrade| upgrade.accept(Subscriber(of_all.clone()))));

    let bare = bytes_in_use();
    // Held, as by whoever publishes now and then: a topic that nobody needs goes by itself.
    let topics: Vec<Topic> = (0..TOPICS).map(|number| publisher.topic(&name(number)).unwrap()).collect();
    let handles = TOPICS * (size_of::<Topic>() + name(0).len());
    let idle = bytes_in_use() - handles;
    check("an idle topic", bare, idle, TOPICS, TOPIC_BYTES_MAX);

    let listened = world.subscribe(0..ONCE) - handles;
    check("a topic's first subscriber on a shard", idle, listened, TOPICS, LISTENED_BYTES_MAX);

    let all = world.subscribe(ONCE..CONNECTIONS) - handles;
    let more = (CONNECTIONS - ONCE) * TOPICS_EACH;
    check("a subscription", listened, all, more, SUBSCRIPTION_BYTES_MAX);
    assert_eq!(topics[7].info().subscribers, CONNECTIONS * TOPICS_EACH / TOPICS);
    assert_eq!(observer.topics().topics, TOPICS);

    world.peers.clear();
    world.look_after_all();
    assert_eq!((world.shard.sessions(), observer.topics().topics), (0, TOPICS));
    let before = bytes_in_use();
    drop(topics);
    world.look_after_all();
    assert_eq!(observer.topics().topics, 0);
    check("an idle topic that was listened to", bytes_in_use(), before - handles, TOPICS, TOPIC_BYTES_MAX);
}

/// A server with a topic that keeps 64 KiB, its subscribers, and one more who reads.
struct Audience {
    server: Served,
    topic: Topic,
    subscribers: Vec<Peer>,
    reader: Peer,
}

struct Listener(Topic);

impl Handler for Listener {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

impl Audience {
    fn new() -> Self {
        let mut made = None;
        let server = serve(settings(), |server| {
            let retention = Retention { bytes: 64 << 10, ..Retention::default() };
            let settings = TopicSettings { retention, ..TopicSettings::default() };
            let server = server.topic_rules(vec![TopicRule { pattern: "news".into(), settings }]);
            let topic = made.insert(server.topic("news").unwrap()).clone();
            server.websocket("/", move |upgrade| upgrade.accept(Listener(topic.clone())))
        });
        let open = || Peer::connect_narrow(server.address()).upgrade("/");
        let subscribers = (0..STALLED).map(|_| open()).collect();
        let reader = Peer::open(server.address(), "/");
        let topic = made.unwrap();
        wait_until("all to be subscribed", || topic.info().subscribers == STALLED + 1);
        Self { server, topic, subscribers, reader }
    }

    fn publish(&mut self) {
        self.topic.publish(Kind::Binary, &STALLED_MESSAGE);
        let frame = self.reader.frame();
        assert_eq!((frame.opcode, frame.payload.len()), (BINARY, STALLED_MESSAGE.len()));
    }
}

/// What its message stopped in is copied for it, unless others stopped there too, and nothing else is kept.
#[test]
fn a_subscriber_that_has_stopped_reading() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut audience = Audience::new();
    for _ in 0..500 {
        audience.publish();
        audience.subscribers.iter_mut().for_each(|peer| drop(peer.frame()));
    }
    audience.subscribers.iter_mut().for_each(Peer::forget);
    let observer = audience.server.observer();
    let before = bytes_in_use();
    // Until nobody's socket takes any more.
    while observer.topics().behind < STALLED {
        (0..200).for_each(|_| audience.publish());
    }
    (0..1_000).for_each(|_| audience.publish());
    audience.reader.forget();
    let message = STALLED_MESSAGE.len() as f64 + 4.0;
    let most = STALLED_BYTES_MAX + message;
    check("a stalled subscriber, with the message it stopped in", before, bytes_in_use(), STALLED, most);
    assert!(audience.topic.info().bytes <= 64 << 10);
}
