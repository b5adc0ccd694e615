//! Connections over shards.

use wsring::{Placement, Settings};
use wsring_tests::served::serve_echo;
use wsring_tests::{Peer, settings, wait_until};

#[test]
fn handing_over_is_even_to_the_last_connection() {
    let server = serve_echo(Settings { shards: Some(2), placement: Placement::HandOver, ..settings() });
    let mut peers: Vec<Peer> = Vec::new();
    for count in 1..=41 {
        peers.push(Peer::open(server.address(), "/"));
        let shards = server.connections();
        assert_eq!(shards.iter().sum::<u32>(), count);
        assert!(shards[0].abs_diff(shards[1]) <= 1, "{shards:?}");
    }
    peers.iter_mut().for_each(|peer| peer.echo(b"wherever it is"));
    // What one shard loses is made up for by those that come next.
    let leaving = peers.len() / 2;
    peers.drain(..leaving).for_each(Peer::close);
    wait_until("half of them to be gone", || server.count() == 21);
    let gap = server.connections()[0].abs_diff(server.connections()[1]);
    for _ in 0..gap {
        peers.push(Peer::open(server.address(), "/"));
    }
    let shards = server.connections();
    assert!(shards[0].abs_diff(shards[1]) <= 1, "{shards:?} after a gap of {gap}");
    peers.iter_mut().for_each(|peer| peer.echo(b"wherever it is"));
}

#[test]
fn a_burst_of_connections_is_even_too() {
    let server = serve_echo(Settings { shards: Some(2), ..settings() });
    let address = server.address();
    let peers: Vec<Peer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(move || (0..25).map(|_| Peer::open(address, "/")).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(server.connections(), [100, 100]);
    peers.into_iter().for_each(Peer::close);
    wait_until("all to be gone", || server.count() == 0);
    assert_eq!(server.connections(), [0, 0]);
}

#[test]
fn with_a_listener_per_shard_every_connection_is_served() {
    let server = serve_echo(Settings { shards: Some(2), placement: Placement::ReusePort, ..settings() });
    let mut peers: Vec<Peer> = (0..64).map(|_| Peer::open(server.address(), "/")).collect();
    peers.iter_mut().for_each(|peer| peer.echo(b"wherever it is"));
    let shards = server.connections();
    assert_eq!(shards.iter().sum::<u32>(), 64);
    assert!(shards.iter().all(|count| *count > 0), "the kernel spreads them: {shards:?}");
}

#[test]
fn several_addresses_are_all_served() {
    let server = wsring_tests::serve(Settings { shards: Some(2), ..settings() }, |server| {
        server.listen("127.0.0.1:0").websocket("/", |upgrade| upgrade.accept(wsring_tests::served::echo))
    });
    assert_eq!(server.addresses().len(), 2);
    for address in server.addresses() {
        Peer::open(*address, "/").echo(b"here too");
    }
}
