//! Many connections at once where tables are small: each is taken that there is a place for, and none is lost.

use crate::world::{Setup, World};
use std::time::Duration;
use wsring::{Placement, Settings};
use wsring_io::sim::{Config, Peer};

const BACKLOG: usize = 100;
const TABLE: usize = 800;
/// Places of each table for connections that are being closed. Where connections are accepted, as many as the backlog
/// holds are kept besides.
const KEPT: usize = 64;

fn world(shards: usize, settings: Settings) -> World {
    let handshake_timeout = Duration::from_secs(600);
    let settings = Settings { backlog: BACKLOG as i32, handshake_timeout, ..settings };
    let config = Config { sockets_max: TABLE as u32, ..Config::default() };
    World::new(Setup { shards, settings, config, ..Setup::default() })
}

/// Connects as fast as connections are taken, with a full backlog at a time, until no more are. The shards that they are
/// handed to get a core only when the one that accepts has done all that it can.
fn connect(world: &mut World) -> Vec<Peer> {
    let (mut peers, mut taken) = (Vec::new(), usize::MAX);
    while taken != world.taken() {
        taken = world.taken();
        world.starve_from(1);
        loop {
            if world.taken() == peers.len() {
                peers.extend((0..BACKLOG).map(|_| world.network.peer(0)));
            }
            if !world.round(0, Some(world.now())) {
                break;
            }
        }
        world.starve_from(usize::MAX);
        world.pass(Duration::from_millis(20));
    }
    peers
}

fn lost(peers: &[Peer]) -> usize {
    peers.iter().filter(|peer| peer.is_eof() || peer.is_reset()).count()
}

#[test]
fn whoever_finds_a_place_is_served_and_the_others_wait() {
    let accepting = TABLE - KEPT - BACKLOG;
    for (shards, settings, places) in [
        (1, Settings::default(), accepting),
        (3, Settings::default(), accepting + 2 * (TABLE - KEPT)),
        (3, Settings { connections_max: Some(1000), ..Settings::default() }, 1000),
        (1, Settings { placement: Placement::ReusePort, ..Settings::default() }, accepting),
    ] {
        let case = format!("{shards} shards, {settings:?}");
        let mut world = world(shards, settings);
        let mut peers = connect(&mut world);
        let served = world.sessions();
        assert_eq!(lost(&peers), 0, "{case}: connections were dropped");
        assert!((places..=places + BACKLOG).contains(&served), "{case}: {served} of {places}");
        // Who leaves makes room for those who wait.
        let waiting = peers.len() - world.taken();
        peers.drain(..2 * BACKLOG);
        world.pass(Duration::from_secs(5));
        let served_then = served - 2 * BACKLOG + waiting;
        assert_eq!((lost(&peers), world.sessions()), (0, served_then), "{case}: {waiting} had to wait");
    }
}
