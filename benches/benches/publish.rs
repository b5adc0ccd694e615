//! [`Topic::publish`] from a thread that is no shard's: lock, offset, append, and finding out whom to tell.
//!
//! `patterns`: what somebody is subscribed to and what does not stand for the topic must cost nothing.
//! `topics`: nor must other topics. `told`: a topic with a subscriber, whose shard is told; most of that is
//! the wake-up. Figures are of one thread's own time; the shards take the other cores.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use wsring::{
    Client, Conn, ConnectOptions, Form, Handler, Kind, Message, Publisher, Running, Server, Settings, Topic,
};

const PAYLOAD: &[u8] = &[7; 100];
const PATTERNS: [usize; 3] = [0, 1_000, 20_000];
const PATTERNS_PER_CONNECTION: usize = 1_000;
const TOPICS: [usize; 2] = [10, 100_000];

/// Subscribes to patterns that stand for other topics.
struct Elsewhere {
    publisher: Publisher,
    patterns: std::ops::Range<usize>,
}

impl Handler for Elsewhere {
    fn open(&mut self, conn: &mut Conn<'_>) {
        for number in self.patterns.clone() {
            let pattern = self.publisher.pattern(&format!("other/{number}/+/#")).expect("a pattern");
            conn.subscribe_pattern(&pattern, Form::PUBLISHED);
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// Subscribes to one topic.
struct Subscriber(Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// A server of one shard and a client with connections to it, both in this process.
fn start(
    connections: usize,
    handler: impl Fn(usize, &Publisher) -> Box<dyn Handler> + Send + Sync + 'static,
) -> Running {
    let settings = Settings { shards: Some(1), ping_interval: None, ..Settings::default() };
    let server = Server::new().listen("127.0.0.1:0").settings(settings.clone());
    let publisher = server.publisher();
    let running = server
        .websocket("/{number}", move |upgrade| {
            let number = upgrade.param("number").and_then(|number| number.parse().ok()).unwrap_or(0);
            let handler = handler(number, &publisher);
            upgrade.accept_boxed(handler)
        })
        .start()
        .expect("a server");
    let client = Client::start(settings).expect("a client");
    for number in 0..connections {
        let url = format!("ws://{}/{number}", running.addresses()[0]);
        let options = ConnectOptions::new(&url).expect("a URL");
        client.connect(&options, |_: &mut Conn<'_>, _: Message<'_>| {}).expect("a connection");
    }
    while running.observer().shards()[0].messages_received < 1
        && running.observer().shards()[0].connections < connections as u64
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    running
}

fn with_patterns(count: usize) -> Running {
    let running = start(count.div_ceil(PATTERNS_PER_CONNECTION), move |number, publisher| {
        let first = number * PATTERNS_PER_CONNECTION;
        let patterns = first..(first + PATTERNS_PER_CONNECTION).min(count);
        Box::new(Elsewhere { publisher: publisher.clone(), patterns })
    });
    while running.observer().topics().patterns < count {
        std::thread::sleep(Duration::from_millis(1));
    }
    running
}

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    group.throughput(Throughput::Elements(1));
    for count in PATTERNS {
        let running = with_patterns(count);
        let topic = running.topic("prices/eu/ACME").expect("a topic");
        let before = topic.info().head;
        group.bench_function(BenchmarkId::new("patterns", count), |bencher| {
            bencher.iter(|| topic.publish(Kind::Binary, PAYLOAD));
        });
        assert!(topic.info().head > before, "something was published");
    }
    for count in TOPICS {
        let running = start(0, |_, _| unreachable!("nobody connects"));
        let publisher = running.publisher();
        let kept: Vec<Topic> =
            (0..count).map(|number| publisher.topic(&format!("other/{number}")).expect("a topic")).collect();
        group.bench_function(BenchmarkId::new("topics", count), |bencher| {
            bencher.iter(|| publisher.publish("prices/eu/ACME", Kind::Binary, PAYLOAD));
        });
        assert_eq!(publisher.topics(), kept.len() + 1);
    }
    let running = start(1, |_, publisher| Box::new(Subscriber(publisher.topic("news").expect("a topic"))));
    let topic = running.topic("news").expect("a topic");
    while topic.info().subscribers == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    group.bench_function("told", |bencher| bencher.iter(|| topic.publish(Kind::Binary, PAYLOAD)));
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
