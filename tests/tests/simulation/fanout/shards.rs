//! More shards than a word has bits: those that share one are all told of news.

use crate::app::Shared;
use crate::probe::{Probe, finish};
use crate::world::{Setup, World};
use wsring::{Conn, Handler, Kind, Message, Placement, Server, Settings, Topic};

struct Subscriber(Topic);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

#[test]
fn of_two_that_share_a_bit_one_may_leave() {
    const SHARDS: usize = 70;
    let settings = Settings { ping_interval: None, placement: Placement::ReusePort, ..Settings::default() };
    let server = Server::new().settings(settings.clone());
    let topic = server.topic("news").unwrap();
    let of = topic.clone();
    let server = server.websocket("/", move |upgrade| upgrade.accept(Subscriber(of.clone())));
    let setup = Setup { settings, shards: SHARDS, ..Setup::default() };
    let mut world = World::of(server, Shared::default(), setup);
    // Shards 3 and 67 have a bit in common, 4 and 69 have their own.
    let mut probes: Vec<Probe> = [3, 67, 4, 69].map(|shard| Probe::open_at(&mut world, shard, "/")).into();
    for length in 1..5 {
        topic.publish(Kind::Binary, &vec![0; length]);
        world.settle();
        probes.iter_mut().for_each(|probe| probe.read(world.now()));
        let name = format!("{length} bytes");
        assert!(probes.iter().all(|probe| probe.names().last() == Some(&&*name)), "{name}");
        if length == 2 {
            // The one on shard 3 goes.
            drop(probes.remove(0));
            world.settle();
            assert_eq!(topic.info().subscribers, 3);
        }
    }
    finish(world, probes);
}
