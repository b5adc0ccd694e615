//! A simulated machine: a network, the shards of a server on it, and the clock.

use crate::app::{self, Shared};
use std::cell::Cell;
use std::sync::Once;
use std::time::Duration;
use wsring::simulate::Shard;
use wsring::{DeflateOptions, Drain, DrainReport, Running, Server, Settings};
use wsring_io::sim::{Config, Faults, Network, SimIo};
use wsring_io::{Io, Time};

/// A wheel's tick: deadlines act this much early or late at most.
pub(crate) const TICK: Duration = Duration::from_nanos(1 << 26);

/// Rounds in a row in which nothing moves, not even the clock, although somebody is awake.
const STILL_ROUNDS_MAX: usize = 2_000;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Panics on this thread so far, those included that the engine has caught.
fn panics() -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            usual(info);
        }));
    });
    PANICS.get()
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) shards: usize,
    pub(crate) settings: Settings,
    pub(crate) deflate: Option<DeflateOptions>,
    pub(crate) config: Config,
    pub(crate) faults: Faults,
}

impl Default for Setup {
    fn default() -> Self {
        let (settings, config) = (Settings::default(), Config::default());
        Self { seed: 0, shards: 1, settings, deflate: None, config, faults: Faults::default() }
    }
}

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) shared: Shared,
    pub(crate) running: Running,
    pub(crate) setup: Setup,
    /// `None`: ended.
    shards: Vec<Option<Shard<SimIo>>>,
    pub(crate) reports: Vec<DrainReport>,
    /// A speaker without sockets whose deadline stops the clock for the test.
    metronome: SimIo,
    still_rounds: usize,
    panics: usize,
    /// Shards from this one on are not turned: they want a core and get none.
    starved_from: usize,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let shared = Shared::default();
        let server = app::server(setup.settings.clone(), &shared);
        let server = setup.deflate.into_iter().fold(server, Server::deflate);
        Self::of(server, shared, setup)
    }

    /// A world with another application in it.
    pub(crate) fn of(server: Server, shared: Shared, setup: Setup) -> Self {
        let network = Network::new(setup.seed, setup.faults.clone());
        let speakers = (0..setup.shards).map(|_| network.shard(setup.config)).collect();
        let metronome = network.shard(Config { sockets_max: 1, buffers: 1, buffer_bytes: 1 });
        let (running, shards) = server.simulate(speakers).expect("the routes and settings are sound");
        let shards = shards.into_iter().map(Some).collect();
        let (reports, panics) = (Vec::new(), panics());
        let (still_rounds, starved_from) = (0, usize::MAX);
        Self {
            network,
            shared,
            running,
            setup,
            shards,
            reports,
            metronome,
            still_rounds,
            panics,
            starved_from,
        }
    }

    /// Since the beginning of the run.
    pub(crate) fn now(&self) -> Time {
        self.network.now()
    }

    /// Turns every shard once, beginning with any, then lets time pass if all are asleep: to the next
    /// event, or to `until`. Says whether anything was reported to a shard or time has passed.
    pub(crate) fn round(&mut self, first: usize, until: Option<Time>) -> bool {
        let before = (self.now(), self.completions());
        for at in 0..self.shards.len() {
            self.turn((first + at) % self.shards.len());
        }
        self.metronome.turn(until, &mut Vec::new()).expect("a simulation does not break");
        assert_eq!(self.panics, panics(), "the engine has caught a panic");
        let has_moved = before != (self.now(), self.completions());
        self.still_rounds = if has_moved { 0 } else { self.still_rounds + 1 };
        has_moved
    }

    /// Fails when shards turn and turn and nothing comes of it; `busy`: the test itself has done
    /// something in this round.
    pub(crate) fn check_stillness(&mut self, busy: bool) {
        if busy {
            self.still_rounds = 0;
        }
        assert!(self.still_rounds < STILL_ROUNDS_MAX, "the shards spin");
    }

    /// From now on no shard from `first` on is turned; time stands still when one of them has something to do.
    pub(crate) fn starve_from(&mut self, first: usize) {
        self.starved_from = first;
    }

    fn turn(&mut self, shard: usize) {
        if shard >= self.starved_from {
            return;
        }
        let Some(turning) = &mut self.shards[shard] else { return };
        if let Some(report) = turning.turn().expect("a simulation does not break") {
            self.reports.push(report);
            self.end(shard);
        }
    }

    /// A shard is done: nothing may be left with it.
    fn end(&mut self, shard: usize) {
        let Some(ended) = self.shards[shard].take() else { return };
        assert_eq!(
            (ended.sessions(), ended.held_bytes(), ended.topics(), ended.contexts()),
            (0, 0, 0, (0, 0)),
            "shard {shard} has ended"
        );
        ended.io().assert_quiet();
    }

    /// Connections that the first shard has taken from its listener.
    pub(crate) fn taken(&self) -> usize {
        self.shards[0].as_ref().map_or(0, |shard| shard.counters().accepted as usize)
    }

    /// Connections that the shards have.
    pub(crate) fn sessions(&self) -> usize {
        self.shards.iter().flatten().map(Shard::sessions).sum()
    }

    fn completions(&self) -> u64 {
        self.shards.iter().flatten().map(|shard| shard.counters().completions).sum()
    }

    /// Where every shard stands, for a failure's text.
    pub(crate) fn describe(&self) -> String {
        let shards = self.shards.iter().map(|shard| {
            shard.as_ref().map(|shard| {
                let io = shard.io();
                (shard.sessions(), io.sockets_open(), io.leases_out(), *io.counters())
            })
        });
        format!("{:?}, shards {:?}", self.setup, shards.collect::<Vec<_>>())
    }

    pub(crate) fn begin_drain(&self, drain: Drain) {
        self.running.begin_stop(drain);
    }

    /// Whether all shards have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.shards.iter().all(Option::is_none)
    }

    /// Unfinished messages, over all shards.
    pub(crate) fn held_bytes(&self) -> usize {
        self.shards.iter().flatten().map(Shard::held_bytes).sum()
    }

    /// Lets everything happen that happens by `duration` from now.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let until = self.now().after(duration);
        while self.now() < until {
            self.round(0, Some(until));
            self.check_stillness(false);
        }
        self.settle();
    }

    /// Lets everything happen that happens at the present time.
    pub(crate) fn settle(&mut self) {
        let now = self.now();
        while self.round(0, Some(now)) {}
    }

    /// What has to hold once all shards have ended.
    pub(crate) fn check_end(self) {
        assert!(self.is_over(), "shards are left");
        let connections = self.running.connections();
        assert!(connections.iter().all(|count| *count == 0), "counted as open: {connections:?}");
        for report in &self.reports {
            assert_eq!(report.connections, report.closed + report.cut_off, "{report:?}");
        }
        let Self { shared, running, .. } = self;
        let deferred = std::mem::take(&mut shared.book().deferred);
        drop((running, deferred));
        shared.check_balance();
    }
}
