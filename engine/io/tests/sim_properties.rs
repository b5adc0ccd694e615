//! Whole runs of an echo server on the simulation, over many seeds: no byte lost, doubled or out of
//! place, nothing leaked, and the same seed the same run.
//!
//! `SIM_SEEDS=1000 cargo test -p wsring-io --test sim_properties` runs more of them;
//! `SIM_SEED=7` runs the one that a failure named.

mod sim_echo;
mod sim_seeds;

use sim_echo::{Echo, Ending};
use sim_seeds::seeds;
use wsring_io::sim::{Config, Faults, Network, Peer};
use wsring_io::{CloseHow, Io, Op};

/// Turns after which a run that has not ended never will.
const TURNS_MAX: usize = 300_000;

/// One client of the echo server: what it wants to send, and what has come back.
struct Client {
    peer: Peer,
    bytes: Vec<u8>,
    written: usize,
    read: Vec<u8>,
}

impl Client {
    fn new(network: &Network, shard: usize) -> Self {
        let length = network.draw(20_000);
        let key = network.draw(256);
        let bytes = (0..length).map(|at| (at * 31 + (at >> 8) * 17 + key) as u8).collect();
        Self { peer: network.peer(shard), bytes, written: 0, read: Vec::new() }
    }

    /// Writes a little, reads a little, as chance has it; says FIN when all is written.
    fn act(&mut self, network: &Network) {
        let most = self.written + network.draw(3000);
        let count = self.peer.write(&self.bytes[self.written..most.min(self.bytes.len())]);
        self.written += count;
        if self.written == self.bytes.len() {
            self.peer.shutdown_write();
        }
        self.read.extend(self.peer.read_at_most(network.draw(3000)));
    }

    fn check(&self, seed: u64) {
        assert!(self.bytes.starts_with(&self.read), "seed {seed}: bytes came back that differ");
        if !self.peer.is_reset() {
            assert_eq!(self.read.len(), self.bytes.len(), "seed {seed}: the end came before the last byte");
        }
    }
}

/// Runs clients against an echo server of several shards and says the hash of what happened.
fn echo_run(seed: u64, faults: Faults) -> u64 {
    let may_break = faults.reset > 0.0;
    let network = Network::new(seed, faults);
    let config = Config { sockets_max: 8, buffers: 4, buffer_bytes: 700 };
    let mut shards: Vec<Echo> = (0..1 + network.draw(3)).map(|_| Echo::new(network.shard(config))).collect();
    let mut clients: Vec<Client> = (0..1 + network.draw(6)).map(|_| Client::new(&network, 0)).collect();
    let spread = shards.len();
    for turn in 0.. {
        assert!(turn < TURNS_MAX, "seed {seed}: the run never ends");
        let at = network.draw(shards.len());
        shards[at].turn(spread);
        for client in &mut clients {
            client.act(&network);
        }
        if clients.iter().all(|client| client.peer.is_ended()) {
            break;
        }
    }
    for client in clients {
        client.check(seed);
        assert!(may_break || client.peer.is_eof(), "seed {seed}: a connection broke");
    }
    finish(&network, &mut shards);
    network.trace_hash()
}

/// Lets every shard come to rest and checks that nothing is left.
fn finish(network: &Network, shards: &mut [Echo]) {
    network.set_faults(Faults::default());
    for _ in 0..100 {
        shards.iter_mut().for_each(|shard| {
            shard.ending = Ending::Stop;
            shard.turn(1);
        });
    }
    for shard in shards {
        shard.io.assert_quiet();
        assert_eq!(shard.io.sockets_open(), 0, "seed {}: sockets stay open", network.seed());
    }
}

#[test]
fn an_echo_is_exact_under_any_faults() {
    for seed in seeds(150) {
        echo_run(seed, Faults::from_seed(seed));
    }
}

#[test]
fn an_echo_is_whole_when_no_connection_breaks() {
    for seed in seeds(150) {
        echo_run(seed, Faults::from_seed(seed).lossless());
    }
}

#[test]
fn a_seed_replays() {
    for seed in seeds(40) {
        let first = echo_run(seed, Faults::from_seed(seed));
        assert_eq!(first, echo_run(seed, Faults::from_seed(seed)), "seed {seed}");
        assert_ne!(first, echo_run(seed + 1000, Faults::from_seed(seed)), "seed {seed}");
    }
}

#[test]
fn closing_at_any_moment_leaks_nothing() {
    for seed in seeds(150) {
        let network = Network::new(seed, Faults::from_seed(seed));
        let mut shards = [Echo::new(network.shard(Config { buffers: 3, ..Config::default() }))];
        let mut clients: Vec<Client> = (0..5).map(|_| Client::new(&network, 0)).collect();
        for _ in 0..network.draw(60) {
            shards[0].turn(1);
            clients.iter_mut().for_each(|client| client.act(&network));
        }
        for socket in shards[0].sockets() {
            let how = if network.draw(2) == 0 { CloseHow::Fin } else { CloseHow::Reset };
            shards[0].close(socket, how);
        }
        finish(&network, &mut shards);
    }
}

#[test]
fn a_peer_that_goes_at_any_moment_leaks_nothing() {
    for seed in seeds(150) {
        let network = Network::new(seed, Faults::from_seed(seed));
        let mut shards = [Echo::new(network.shard(Config { buffers: 3, ..Config::default() }))];
        let mut clients: Vec<Client> = (0..5).map(|_| Client::new(&network, 0)).collect();
        while !clients.is_empty() {
            shards[0].turn(1);
            clients.iter_mut().for_each(|client| client.act(&network));
            if network.draw(10) == 0 {
                let at = network.draw(clients.len());
                let mut gone = clients.swap_remove(at);
                if network.draw(2) == 0 {
                    gone.peer.reset();
                }
            }
        }
        finish(&network, &mut shards);
    }
}

#[test]
fn a_shard_that_is_dropped_takes_its_connections_along() {
    let network = Network::new(5, Faults::default());
    let mut shard = Echo::new(network.shard(Config::default()));
    let mut clients = [Client::new(&network, 0), Client::new(&network, 0)];
    shard.turn(1);
    clients.iter_mut().for_each(|client| client.act(&network));
    drop(shard);
    let mut late = network.peer(0);
    clients.iter_mut().for_each(|client| drop(client.peer.read()));
    assert!(clients.iter().all(|client| client.peer.is_reset()));
    assert!(late.is_reset() && late.write(b"anybody?") == 0);
}

#[test]
fn many_connections_stay_cheap() {
    let network = Network::new(11, Faults::default());
    let config = Config { sockets_max: 20_000, ..Config::default() };
    let mut shard = Echo::new(network.shard(config));
    let mut peers = Vec::new();
    while peers.len() < 10_000 {
        peers.extend((0..1000).map(|_| network.peer(0)));
        shard.turn(1);
    }
    for round in 0_u32..3 {
        peers.iter_mut().for_each(|peer| assert_eq!(peer.write(&round.to_be_bytes()), 4));
        let mut answered = 0;
        while answered < peers.len() {
            shard.turn(1);
            answered +=
                peers.iter_mut().map(|peer| usize::from(peer.read() == round.to_be_bytes())).sum::<usize>();
        }
    }
    let turns = shard.io.counters().turns;
    assert!(turns < 1000, "{turns} turns");
    drop(peers);
    shard.io.submit(Op::ListenerClose);
    finish(&network, &mut [shard]);
}
