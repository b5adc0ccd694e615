//! Fan-out under every fault: topics with much and little room, patterns, forms, publishers everywhere,
//! and subscribers that stall, break off, come back and resume. Every message that reaches a subscriber is
//! the one that is due, and what never comes is announced to the message.

mod app;
mod book;
mod checking;
mod client;
mod fairness;
mod shards;

use crate::app::Shared;
use crate::random::Random;
use crate::seeds::{Replay, is_many, seeds};
use crate::world::{Setup, World};
use app::Stock;
use book::TOPICS;
use client::{Client, Sums};
use std::time::Duration;
use wsring::{Behind, Drain, Kind, Settings};
use wsring_io::sim::{Config, Faults};

/// How long nothing may happen before everything has come.
const QUIET: Duration = Duration::from_secs(3);

const ROUNDS_MAX: usize = 200_000;

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(1 << 24);

struct Scenario {
    world: World,
    book: book::Shared,
    stock: Stock,
    clients: Vec<Client>,
    random: Random,
    bytes_max: usize,
}

impl Scenario {
    fn new(seed: u64, may_break: bool) -> Self {
        let mut random = Random::new(seed);
        let settings = Settings {
            ping_interval: None,
            handshake_timeout: FOREVER,
            close_timeout: Duration::from_secs(20),
            ..Settings::default()
        };
        let faults = Faults { no_buffers: 0.0, ..Faults::from_seed(seed) };
        // Short sends above all.
        let short_send = if random.percent(70) { 0.5 } else { faults.short_send };
        let faults = Faults { short_send, ..faults };
        let faults = if may_break { faults } else { faults.lossless() };
        let bytes_max = if faults.window_bytes < 2_000 { 400 } else { random.pick(&[400, 3_000, 20_000]) };
        let config = Config { sockets_max: 4_096, buffers: 64, buffer_bytes: 1_024 };
        let setup = Setup { seed, shards: random.within(1..=4), settings, deflate: None, config, faults };
        let book = book::Shared::default();
        let (server, stock) = app::server(setup.settings.clone(), &mut random, &book);
        let world = World::of(server, Shared::default(), setup);
        let count = random.pick(&[1, 2, 3, 3, 6, 6, 6, 40]);
        let client = |number| {
            let own = Random::new(seed ^ (number as u64 + 1) << 40);
            Client::new(number, book.clone(), own, may_break, bytes_max)
        };
        let clients = (0..count).map(client).collect();
        Self { world, book, stock, clients, random, bytes_max }
    }

    /// One round of everybody; whether anything came of it.
    fn round(&mut self, is_calm: bool) -> bool {
        let step = self.random.pick(&[0, 1, 1, 20]);
        let until = self.world.now().after(Duration::from_millis(if is_calm { 50 } else { step }));
        let first = self.random.below(self.world.setup.shards);
        self.world.round(first, Some(until));
        let mut busy = false;
        for client in &mut self.clients {
            busy |= client.act(&self.world.network, 0, is_calm);
        }
        self.world.check_stillness(busy || !is_calm);
        let book = self.book.book();
        assert!(book.faults.is_empty(), "the application noted {:?}", book.faults);
        busy
    }

    /// Publishes from outside of all shards.
    fn publish(&mut self) {
        let topic = self.random.below(TOPICS.len());
        let length = self.random.below(self.bytes_max);
        let kind = self.random.pick(&[Kind::Text, Kind::Binary]);
        let mut book = self.book.book();
        let payload = book.payload(length);
        let published = self.stock.topics[topic].publish(kind, &payload);
        book.published(topic, published.offset, kind, payload, self.world.now());
    }

    fn play(&mut self) {
        let most = if self.clients.len() > 10 { 60 } else { 600 };
        for _ in 0..self.random.pick(&[40, 150, 600]).min(most) {
            self.round(false);
            if self.random.percent(10) {
                for _ in 0..self.random.pick(&[1, 1, 3, 40]) {
                    self.publish();
                }
            }
            self.check_memory();
        }
    }

    /// Lets everything come that is to come.
    fn calm(&mut self) {
        let faults = Faults { reset: 0.0, short_receive: 0.0, ..self.world.setup.faults.clone() };
        self.world.network.set_faults(faults);
        let mut last = self.world.now();
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "it never becomes quiet: {}", self.world.describe());
            let busy = self.round(true);
            last = if busy { self.world.now() } else { last };
            if self.world.now().since(last) > QUIET {
                break;
            }
        }
        self.clients.iter().for_each(Client::check_all);
    }

    /// No log takes up more than it may.
    fn check_memory(&self) {
        let book = self.book.book();
        for (topic, log) in self.stock.topics.iter().zip(&book.logs) {
            let longest = log.messages.iter().map(|number| book.publications[*number].payload.len()).max();
            // The newest is always kept; a header, the longest name and numbers, and the index come with it.
            let newest = longest.map_or(0, |longest| (longest + 64).next_multiple_of(64));
            let most = log.settings.retention.bytes.max(newest);
            let bytes = topic.info().bytes;
            assert!(
                bytes <= 4 * most,
                "{}: {bytes} bytes in two forms, both deflated too, of {most}",
                topic.name()
            );
        }
    }

    /// What was counted is what was told.
    fn check_counts(&self) {
        let book = self.book.book();
        let mut sums = [0; 2];
        for (topic, log) in self.stock.topics.iter().zip(&book.logs) {
            let info = topic.info();
            assert_eq!([info.missed.skipped, info.missed.latest], log.missed, "{}", topic.name());
            assert!(info.missed.closed == 0 || log.settings.behind == Behind::Close, "{info:?}");
            assert_eq!(info.head, log.messages.len() as u64);
        }
        for log in &book.logs {
            sums = [sums[0] + log.missed[0], sums[1] + log.missed[1]];
        }
        let figures = self.stock.observer.topics();
        assert_eq!([figures.missed.skipped, figures.missed.latest], sums);
        assert_eq!(figures.published, book.publications.len() as u64);
    }

    /// Each topic knows how many are subscribed to it.
    fn check_subscribers(&self) {
        let mut counts = [0; TOPICS.len()];
        self.clients.iter().flat_map(Client::topics).for_each(|topic| counts[topic] += 1);
        let known: Vec<usize> = self.stock.topics.iter().map(|topic| topic.info().subscribers).collect();
        assert_eq!(known, counts);
    }

    fn run(mut self) -> Sums {
        self.play();
        self.calm();
        // Whoever has everything gets what is new at once.
        (0..3).for_each(|_| self.publish());
        self.calm();
        self.check_subscribers();
        self.check_counts();
        let shared = self.stock.observer.topics().deflated.messages;
        let mut sums = Sums { hash: self.world.network.trace_hash(), shared, ..Sums::default() };
        self.clients.iter().for_each(|client| sums.add(&client.sums));
        drop(std::mem::take(&mut self.clients));
        self.world.begin_drain(Drain { window: Duration::ZERO, deadline: Duration::from_secs(1) });
        self.world.pass(Duration::from_secs(2));
        assert!(self.stock.topics.iter().all(|topic| topic.info().subscribers == 0));
        self.world.check_end();
        sums
    }
}

fn run_all(usual: u64, may_break: bool, test: &'static str) -> Sums {
    let mut sums = Sums::default();
    for seed in seeds(usual) {
        let _replay = Replay { seed, test };
        sums.add(&Scenario::new(seed, may_break).run());
    }
    println!("{sums:?}");
    sums
}

#[test]
fn every_subscriber_gets_what_it_is_due() {
    let sums = run_all(50, false, "every_subscriber_gets_what_it_is_due");
    let all = [sums.delivered, sums.left_out, sums.skipped, sums.conflated, sums.closed];
    assert!(!is_many() || all.iter().all(|count| *count > 0), "{sums:?}");
    assert!(!is_many() || sums.compressed > 0 && sums.shared > 0, "{sums:?}");
    assert_eq!(sums.broken, 0);
}

#[test]
fn subscribers_resume_after_their_connections_broke() {
    let sums = run_all(50, true, "subscribers_resume_after_their_connections_broke");
    assert!(!is_many() || sums.broken > 0 && sums.resumed > 0, "{sums:?}");
}

#[test]
fn a_seed_of_fan_out_replays() {
    for seed in seeds(4) {
        assert_eq!(Scenario::new(seed, true).run(), Scenario::new(seed, true).run(), "seed {seed}");
    }
}
