//! Topics at the edges: while their server starts, and in the hands of another server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use wsring::{
    Client, Closed, Conn, ConnectOptions, ConnectionId, Drain, Handler, Kind, Message, Running, Server,
    Settings, Topic,
};
use wsring_tests::served::echo;
use wsring_tests::{PATIENCE, Peer, Served, serve, settings, wait_until};

#[test]
fn publishing_all_the_time_does_not_keep_a_server_from_starting() {
    for round in 0..20 {
        let server = Server::new()
            .listen("127.0.0.1:0")
            .settings(Settings { shards: Some(2), ..settings() })
            .websocket("/", |upgrade| upgrade.accept(echo));
        let topic = server.topic("news").unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    topic.publish(Kind::Text, b"is anybody there?");
                    std::thread::yield_now();
                }
            });
            let running = server.start();
            // Had a shard slept through its first command, what follows would find it asleep still.
            over.store(true, Ordering::Relaxed);
            let running = running.unwrap();
            for _ in 0..2 {
                Peer::open(running.addresses()[0], "/").echo(format!("round {round}").as_bytes());
            }
            stop_at_once(running);
        });
    }
}

fn stop_at_once(running: Running) {
    running.stop(Drain { window: Duration::ZERO, ..Default::default() }).unwrap();
}

/// Says which shard it is on.
struct Member(Topic);

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
        let _ = conn.send_text(&conn.shard().to_string());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        echo(conn, message);
    }
}

/// Member of a topic of its own server, publishes to a topic of another.
struct Between {
    own: Topic,
    other: Topic,
}

impl Handler for Between {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.own);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message.payload().first() {
            Some(b'-') => {
                let _ = conn.publish_to_others(&self.other, message.kind(), message.payload());
            }
            _ => {
                let _ = conn.publish(&self.other, message.kind(), message.payload());
            }
        }
    }
}

/// A server whose subscribers are on two shards, and its topic.
fn with_members() -> (Served, Topic) {
    let mut made = None;
    let server = serve(Settings { shards: Some(2), ..settings() }, |server| {
        let topic = server.topic("news").unwrap();
        made = Some(topic.clone());
        server
            .websocket("/member", move |upgrade| upgrade.accept(Member(topic.clone())))
            .websocket("/alone", |upgrade| upgrade.accept(echo))
    });
    (server, made.unwrap())
}

#[test]
fn a_handler_publishes_to_the_subscribers_of_another_server_and_to_nobody_else() {
    let (other_server, other) = with_members();
    // The first topic of each server, so that their names within the servers are the same.
    let server = serve(settings(), |server| {
        let own = server.topic("news").unwrap();
        server
            .websocket("/", move |upgrade| upgrade.accept(Between { own: own.clone(), other: other.clone() }))
    });
    let mut members: Vec<Peer> = (0..6).map(|_| Peer::open(other_server.address(), "/member")).collect();
    let shards: Vec<String> = members.iter_mut().map(Peer::text).collect();
    assert!(shards.contains(&"0".to_owned()) && shards.contains(&"1".to_owned()), "{shards:?}");
    let mut stranger = Peer::open(other_server.address(), "/alone");
    let mut publishers: Vec<Peer> = (0..6).map(|_| Peer::open(server.address(), "/")).collect();

    for (number, publisher) in publishers.iter_mut().enumerate() {
        // The others of another server's topic are all of its subscribers: none of them has the place of
        // the publisher, though its socket may have the same number.
        for text in [format!("to all {number}"), format!("-to others {number}")] {
            publisher.send_text(&text);
            members.iter_mut().for_each(|member| assert_eq!(member.text(), text));
        }
    }
    stranger.echo(b"first thing it hears");
    for quiet in members.iter_mut().chain(&mut publishers) {
        quiet.send_message(wsring_tests::wire::PING, b"nothing before this");
        assert_eq!(quiet.frame().payload, b"nothing before this");
    }
}

#[test]
fn subscribing_to_a_topic_of_another_server_costs_the_connection_and_nothing_else() {
    let (other_server, other) = with_members();
    let server = serve(settings(), |server| {
        server
            .websocket("/wrong", move |upgrade| upgrade.accept(Member(other.clone())))
            .websocket("/fine", |upgrade| upgrade.accept(echo))
    });
    let mut innocent = Peer::open(server.address(), "/fine");
    let mut member = Peer::open(other_server.address(), "/member");
    member.text();
    for _ in 0..3 {
        let mut wrong = Peer::open(server.address(), "/wrong");
        assert_eq!(wrong.closed().0, 1011);
        drop(wrong);
        wait_until("the connection to be gone", || server.count() == 1);
        innocent.echo(b"still there");
        member.echo(b"there too");
    }
}

/// Tells how its connection ended.
struct Tells(Sender<u16>);

impl Handler for Tells {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        echo(conn, message);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        self.0.send(closed.number()).unwrap();
    }
}

#[test]
fn a_connection_of_a_client_subscribes_to_nothing() {
    let (to, ends) = channel();
    let mut made = None;
    let server = serve(settings(), |server| {
        made = Some(server.topic("news").unwrap());
        server.websocket("/", move |upgrade| upgrade.accept(Tells(to.clone())))
    });
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap();
    client.connect(&options, echo).unwrap();
    wait_until("the good connection to be there", || server.count() == 1);
    client.connect(&options, Member(made.unwrap())).unwrap();
    assert_eq!(ends.recv_timeout(PATIENCE), Ok(1011));
    wait_until("the good connection to be alone", || server.count() == 1 && client.connections() == [1]);
    client.stop(Drain { window: Duration::ZERO, ..Default::default() }).unwrap();
    assert_eq!(ends.recv_timeout(PATIENCE), Ok(1001));
}
