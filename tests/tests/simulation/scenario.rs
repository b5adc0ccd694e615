//! A whole run from one seed: a server, its clients, what goes wrong, and the drain at the end.

use crate::app;
use crate::client::{Client, Rules, State};
use crate::plan::{Bounds, Compression, End, Planner};
use crate::random::Random;
use crate::world::{Setup, TICK, World};
use std::collections::BTreeMap;
use std::time::Duration;
use wsring::{DeflateOptions, Drain, Limits, Placement, Settings, SlowPeer};
use wsring_io::sim::{Config, Faults};

/// What a run may do to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Bytes come late and in pieces, and all of them come: every answer has to be there.
    Strict,
    /// As strict, but a slow peer loses messages, or its connection.
    Policy,
    /// Connections break.
    Broken,
    /// Deadlines pass, and connections break.
    Hasty,
}

/// Rounds after which a run that has not ended never will.
const ROUNDS_MAX: usize = 400_000;

/// Time without any news from a client after which its plan is given up, when deadlines may pass.
const PATIENCE: Duration = Duration::from_secs(100);

/// Time after which nothing more is on its way, not even from other clients.
const QUIET: Duration = Duration::from_secs(5);

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(1 << 24);

struct Scenario {
    mood: Mood,
    world: World,
    clients: Vec<Client>,
    random: Random,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Of everything that happened on the network.
    pub(crate) hash: u64,
    /// WebSockets that opened.
    pub(crate) opened: usize,
    pub(crate) messages: usize,
    /// Messages that had to wait, and that were refused.
    pub(crate) queued: usize,
    pub(crate) dropped: usize,
    pub(crate) drained: usize,
    /// Connections cut off at the deadline of the drain.
    pub(crate) cut_off: usize,
    /// How often handlers were told of each close code.
    pub(crate) codes: BTreeMap<u16, usize>,
}

impl Outcome {
    /// Adds another run's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.messages += other.messages;
        self.queued += other.queued;
        self.dropped += other.dropped;
        self.drained += other.drained;
        self.cut_off += other.cut_off;
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
    }
}

/// Runs a seed and checks everything that has to hold.
pub(crate) fn run(seed: u64, mood: Mood) -> Outcome {
    let mut scenario = Scenario::new(seed, mood);
    scenario.play();
    scenario.drain();
    scenario.finish()
}

impl Scenario {
    fn new(seed: u64, mood: Mood) -> Self {
        let mut random = Random::new(seed);
        let setup = setup(seed, mood, &mut random);
        let count = random.pick(&[1, 2, 3, 5, 9]);
        let (bounds, rules) = (bounds(&setup, mood, count), rules(&setup, mood));
        let world = World::new(setup);
        let spread = world.setup.settings.placement == Placement::ReusePort;
        let clients = (0..count).map(|number| {
            let plan = Planner::new(&mut random, bounds, number).plan();
            let shard = if spread { random.below(world.setup.shards) } else { 0 };
            let own = Random::new(random.word());
            Client::new(&world.network, shard, number, plan, rules, world.shared.clone(), own)
        });
        let clients = clients.collect();
        Self { mood, world, clients, random }
    }

    /// Until every client has done what it planned, or cannot.
    fn play(&mut self) {
        let mut news = self.world.now();
        for round in 0.. {
            if round == ROUNDS_MAX {
                let states: Vec<String> = self.clients.iter().map(Client::describe).collect();
                panic!("the run never ends: {states:#?}, {}", self.world.describe());
            }
            let busy = self.round(None);
            // Where clients are pinged something happens for ever.
            let pinged = self.world.setup.settings.ping_interval.is_some();
            let last = self.clients.iter().map(|client| client.news).max();
            news = if busy && !pinged { self.world.now() } else { last.map_or(news, |last| news.max(last)) };
            let silence = self.world.now().since(news);
            let settled = self.clients.iter().all(Client::is_settled);
            if settled && silence > QUIET || self.mood != Mood::Strict && silence > PATIENCE {
                return;
            }
        }
    }

    /// One round of everybody; says whether a client did something.
    fn round(&mut self, until: Option<wsring_io::Time>) -> bool {
        let now = self.world.now();
        let busy_clients = self.clients.iter().any(|client| client.wakes(now).is_some());
        let wake = self.clients.iter().filter_map(|client| client.wakes(now)).min();
        // Without a wish of its own the test lets time pass in steps, so that a silent run ends.
        let step = now.after(if busy_clients { FOREVER } else { Duration::from_secs(1) });
        let until = [wake, until, Some(step)].into_iter().flatten().min();
        let until = if self.clients.iter().any(Client::has_more_to_write) { Some(now) } else { until };
        let first = self.random.below(self.world.setup.shards);
        self.world.round(first, until);
        self.decide();
        let now = self.world.now();
        let mut busy = false;
        for client in &mut self.clients {
            busy |= client.act(now);
        }
        self.world.check_stillness(busy);
        busy
    }

    /// Another thread decides about an upgrade, some time.
    fn decide(&mut self) {
        let waiting = self.world.shared.book().deferred.len();
        if waiting > 0 && self.random.percent(20) {
            let at = self.random.below(waiting);
            let deferred = self.world.shared.book().deferred.swap_remove(at);
            app::decide(deferred, self.world.setup.settings.slow_peer, &self.world.shared);
        }
    }

    /// SIGTERM: all clients read on, some answer no more.
    fn drain(&mut self) {
        if self.mood == Mood::Strict {
            self.check_room();
            assert_eq!(self.world.held_bytes(), 0, "unfinished messages are held and nobody sends them");
        }
        let began = self.world.now();
        for client in &mut self.clients {
            client.stop_planning(began);
        }
        let window = Duration::from_millis(self.random.pick(&[0, 1, 300, 2_000]));
        let deadline = match self.mood {
            Mood::Strict | Mood::Policy => FOREVER,
            _ => Duration::from_millis(self.random.pick(&[0, 100, 3_000, 20_000])),
        };
        self.world.begin_drain(Drain { window, deadline });
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "the drain never ends");
            let busy = self.round(Some(began.after(deadline)));
            let taken = self.world.now().since(began);
            assert!(taken <= deadline + TICK, "the drain takes {taken:?}, its deadline is {deadline:?}");
            if self.world.is_over() && !busy {
                return;
            }
        }
    }

    /// Clients that stay have heard everything, or of how much they have missed.
    fn check_room(&self) {
        let head = self.world.shared.book().news.len() as u64;
        let stay = |client: &&Client| client.plan.is_in_room && client.plan.end == End::Stay;
        for listener in self.clients.iter().filter(stay) {
            let entry = self.world.shared.entry(listener.number);
            let next = listener.news_next();
            assert!(
                next == entry.joined.and(Some(head)),
                "client {} waits for {next:?} of {head}",
                listener.number
            );
            assert_eq!(listener.missed(), entry.missed, "client {}", listener.number);
        }
    }

    fn finish(mut self) -> Outcome {
        // What is still on its way.
        for _ in 0..200 {
            self.round(None);
        }
        for client in &self.clients {
            if self.mood == Mood::Strict {
                client.check_done();
                self.check_entry(client);
            } else {
                assert!(client.is_over(), "client {} was not ended: {:?}", client.number, client.state);
            }
        }
        let outcome = self.outcome();
        self.world.check_end();
        outcome
    }

    fn outcome(&self) -> Outcome {
        let cut_off = self.world.reports.iter().map(|report| report.cut_off).sum();
        let mut outcome = Outcome { hash: self.world.network.trace_hash(), cut_off, ..Outcome::default() };
        for entry in self.world.shared.book().entries.values() {
            outcome.opened += entry.opened;
            outcome.messages += entry.messages;
            outcome.queued += entry.queued;
            outcome.dropped += entry.dropped;
            outcome.drained += entry.drained;
            for (code, _) in &entry.closed {
                *outcome.codes.entry(*code).or_default() += 1;
            }
        }
        outcome
    }

    /// What the handler was told of the end.
    fn check_entry(&self, client: &Client) {
        let entry = self.world.shared.entry(client.number);
        if client.switched_at.is_none() {
            return assert_eq!(entry.opened, 0, "client {}: {entry:?}", client.number);
        }
        let expected = match (client.plan.end, client.state) {
            (End::Stay, State::Ended) => (1001, true),
            (End::Wish, State::Ended) => (4000, true),
            (End::HalfClose, State::Ended) => (1006, false),
            _ => return,
        };
        assert_eq!(entry.closed, [expected], "client {}", client.number);
    }
}

fn setup(seed: u64, mood: Mood, random: &mut Random) -> Setup {
    let hasty = mood == Mood::Hasty;
    let millis = |random: &mut Random| Duration::from_millis(random.within(100..=9_000) as u64);
    let maybe = |random: &mut Random| (hasty && random.percent(60)).then(|| millis(random));
    let time = |random: &mut Random| if hasty { millis(random) } else { FOREVER };
    let slow_peer = match mood {
        Mood::Strict => SlowPeer::Pause,
        Mood::Policy => random.pick(&[SlowPeer::Drop, SlowPeer::Close]),
        _ => random.pick(&[SlowPeer::Pause, SlowPeer::Drop, SlowPeer::Close]),
    };
    let settings = Settings {
        limits: Limits {
            message_bytes_max: 1 << 20,
            context_bytes_max: random.pick(&[0, 40 << 10, 64 << 20]),
            ..Limits::default()
        },
        handshake_timeout: time(random),
        ping_interval: maybe(random),
        pong_timeout: time(random),
        idle_timeout: maybe(random),
        lifetime_max: maybe(random),
        close_timeout: time(random),
        linger_timeout: time(random),
        high_water_bytes: random.pick(&[1, 1_000, 20_000, 1 << 20]),
        slow_peer,
        compressor_bytes_max: random.pick(&[0, 400_000, 32 << 20]),
        placement: random.pick(&[Placement::HandOver, Placement::HandOver, Placement::ReusePort]),
        ..Settings::default()
    };
    let config = Config {
        sockets_max: random.pick(&[90, 100, 4_096]),
        buffers: random.pick(&[1, 4, 64]),
        buffer_bytes: random.pick(&[512, 1_024, 4_096]) as u32,
    };
    let faults = Faults::from_seed(seed);
    let faults = if matches!(mood, Mood::Broken | Mood::Hasty) { faults } else { faults.lossless() };
    let deflate = random.percent(70).then(|| deflate(random));
    Setup { seed, shards: random.within(1..=3), settings, deflate, config, faults }
}

fn deflate(random: &mut Random) -> DeflateOptions {
    DeflateOptions {
        server_takeover: random.percent(60),
        client_takeover: random.percent(60),
        level: random.within(1..=9) as u8,
        bytes_min: random.pick(&[0, 1, 200]),
        ..DeflateOptions::default()
    }
}

/// What clients can rely on, whatever they are answered.
fn compression(setup: &Setup) -> Compression {
    let always_has_room = setup.settings.limits.context_bytes_max > 1 << 20;
    match setup.deflate {
        Some(options) if options.client_takeover && always_has_room => Compression::Takeover,
        Some(_) => Compression::Alone,
        None => Compression::None,
    }
}

fn bounds(setup: &Setup, mood: Mood, clients: usize) -> Bounds {
    let crumbs = setup.faults.short_receive > 0.1 && setup.faults.short_receive_bytes_max < 100;
    let bytes_max = match setup.faults.window_bytes {
        _ if crumbs => 1_500,
        0..500 => 1_000,
        500..8_000 => 20_000,
        _ => 300_000,
    };
    // Where connections are accepted, a quarter of the table is kept free.
    let table = setup.config.sockets_max as usize;
    let accepting = if setup.settings.placement == Placement::HandOver { 1 } else { setup.shards };
    let room = (table - 64) * (setup.shards - accepting) + (table - 64 - table / 4) * accepting;
    Bounds {
        bytes_max,
        total_max: 2 * bytes_max,
        // Somebody has to make room for those who wait.
        may_stay: room >= clients + 3 || mood != Mood::Strict,
        may_break: mood != Mood::Strict,
        think_max: Duration::from_millis(if mood == Mood::Hasty { 20_000 } else { 50 }),
        compression: compression(setup),
    }
}

fn rules(setup: &Setup, mood: Mood) -> Rules {
    Rules {
        policy: setup.settings.slow_peer,
        may_end_early: matches!(mood, Mood::Broken | Mood::Hasty),
        room_may_gap: setup.settings.high_water_bytes < 1 << 20,
    }
}
