//! A connection with many topics is served fairly: a busy one does not keep the others from it.

use crate::app::Shared;
use crate::probe::{Probe, finish};
use crate::world::{Setup, World};
use wsring::{Conn, Handler, Kind, Message, Server, Settings, Topic};

struct Subscriber(Vec<Topic>);

impl Handler for Subscriber {
    fn open(&mut self, conn: &mut Conn<'_>) {
        for topic in &self.0 {
            conn.subscribe(topic);
        }
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// A world, one subscriber in it, and its topics.
fn begin(topics: usize) -> (World, Probe, Vec<Topic>) {
    let settings = Settings { ping_interval: None, ..Settings::default() };
    let server = Server::new().settings(settings.clone());
    let topics: Vec<Topic> =
        (0..topics).map(|number| server.topic(&number.to_string()).expect("a name")).collect();
    let of = topics.clone();
    let server = server.websocket("/", move |upgrade| upgrade.accept(Subscriber(of.clone())));
    let mut world = World::of(server, Shared::default(), Setup { settings, ..Setup::default() });
    let probe = Probe::open(&mut world, "/");
    (world, probe, topics)
}

/// Every turn a busy topic has news, of this length; a quiet one has had a message once.
#[test]
fn a_quiet_topic_is_heard_beside_a_busy_one() {
    for (busy_bytes, quiet_bytes) in
        [(100, 100), (15_000, 3_000), (30_000, 10), (30_000, 30_000), (10, 30_000)]
    {
        let (mut world, mut probe, topics) = begin(3);
        let mut turns = 0;
        let is_heard = |probe: &Probe| probe.names().contains(&&*format!("{} bytes", quiet_bytes + 1));
        while !is_heard(&probe) {
            topics[1].publish(Kind::Binary, &vec![1; busy_bytes]);
            if turns == 5 {
                topics[2].publish(Kind::Binary, &vec![2; quiet_bytes + 1]);
            }
            world.round(0, Some(world.now()));
            probe.read(world.now());
            turns += 1;
            assert!(turns < 12, "{quiet_bytes} bytes wait behind {busy_bytes} in every turn");
        }
        finish(world, vec![probe]);
    }
}

/// All topics have news in every turn, more than one turn takes: none lags far behind the others.
#[test]
fn busy_topics_take_turns() {
    const TOPICS: usize = 10;
    let (mut world, mut probe, topics) = begin(TOPICS);
    let mut published = [0_usize; TOPICS];
    for turn in 0..200 {
        for (number, topic) in topics.iter().enumerate() {
            topic.publish(Kind::Binary, &vec![7; 5_000 + number]);
            published[number] += 1;
        }
        world.round(0, Some(world.now()));
        probe.read(world.now());
        // Segments are short at first, and a turn takes one.
        if turn < 100 {
            continue;
        }
        for (number, published) in published.iter().enumerate() {
            let name = format!("{} bytes", 5_000 + number);
            let heard = probe.names().iter().filter(|heard| **heard == name).count();
            assert!(
                published - heard <= 2 * TOPICS + 5,
                "topic {number}: {heard} of {published} in turn {turn}"
            );
        }
    }
    finish(world, vec![probe]);
}
