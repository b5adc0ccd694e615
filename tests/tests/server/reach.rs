//! Reaching connections from elsewhere: handles, and topics over two shards.

use std::sync::mpsc::channel;
use wsring::{CloseCode, Conn, Handler, Kind, Message, Remote, Settings, Topic};
use wsring_tests::wire::{BINARY, TEXT};
use wsring_tests::{Frame, Peer, serve, settings, wait_until};

struct Announces(std::sync::mpsc::Sender<Remote>);

impl Handler for Announces {
    fn open(&mut self, conn: &mut Conn<'_>) {
        assert_eq!(conn.remote().id(), conn.id());
        self.0.send(conn.remote()).unwrap();
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = conn.send(message);
    }
}

#[test]
fn a_handle_sends_and_closes_from_another_thread() {
    let (sender, remotes) = channel();
    let server = serve(Settings { shards: Some(2), ..settings() }, |server| {
        server.websocket("/", move |upgrade| upgrade.accept(Announces(sender.clone())))
    });
    let mut peers: Vec<Peer> = (0..4).map(|_| Peer::open(server.address(), "/")).collect();
    let remotes: Vec<Remote> = (0..4).map(|_| remotes.recv().unwrap()).collect();
    std::thread::scope(|scope| {
        for remote in &remotes {
            scope.spawn(move || {
                for number in 0..100 {
                    remote.send_text(format!("{} {number}", remote.id()));
                }
                remote.send_binary(vec![7; 100_000]);
                remote.close(CloseCode::new(4000).unwrap(), "told to");
                remote.send_text("too late");
            });
        }
    });
    for peer in &mut peers {
        let first = peer.text();
        let name = first.strip_suffix(" 0").unwrap().to_owned();
        for number in 1..100 {
            assert_eq!(peer.text(), format!("{name} {number}"));
        }
        assert_eq!(peer.frame(), Frame::new(BINARY, vec![7; 100_000]));
        assert_eq!(peer.closed(), (4000, "told to".to_owned()));
        peer.send(&wsring_tests::wire::close(4000, ""));
        peer.ended();
    }
    wait_until("the connections to be gone", || server.count() == 0);
    remotes[0].send_text("to nobody");
    Peer::open(server.address(), "/").echo(b"and nobody else got it");
}

/// Subscribes; what it says goes to all, or with a leading `-` to the others; `?` leaves.
struct Member(Topic);

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
        conn.subscribe(&self.0);
        let _ = conn.send_text(&conn.shard().to_string());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message.payload().first() {
            Some(b'-') => {
                let _ = conn.publish_to_others(&self.0, message.kind(), message.payload());
            }
            Some(b'?') => {
                conn.unsubscribe(&self.0);
                let _ = conn.send_text("left");
            }
            _ => {
                let _ = conn.publish(&self.0, message.kind(), message.payload());
            }
        }
    }
}

#[test]
fn a_topic_reaches_its_subscribers_on_all_shards_once_and_in_order() {
    let mut made = None;
    let server = serve(Settings { shards: Some(2), ..settings() }, |server| {
        let topic = server.topic("news").unwrap();
        made = Some(topic.clone());
        topic.publish(Kind::Text, b"before the start: to nobody");
        server.websocket("/", move |upgrade| upgrade.accept(Member(topic.clone())))
    });
    let topic = made.unwrap();
    let mut peers: Vec<Peer> = (0..6).map(|_| Peer::open(server.address(), "/")).collect();
    let shards: Vec<String> = peers.iter_mut().map(Peer::text).collect();
    assert!(shards.contains(&"0".to_owned()) && shards.contains(&"1".to_owned()), "{shards:?}");

    topic.publish(Kind::Binary, b"from outside");
    for peer in &mut peers {
        assert_eq!(peer.frame(), Frame::new(BINARY, *b"from outside"));
    }
    peers[0].send_text("to all");
    peers.iter_mut().for_each(|peer| assert_eq!(peer.text(), "to all"));
    peers[1].send_text("-to others");
    for (number, peer) in peers.iter_mut().enumerate().filter(|(number, _)| *number != 1) {
        assert_eq!(peer.text(), "-to others", "{number}");
    }
    peers[2].send_text("?");
    assert_eq!(peers[2].text(), "left");
    for number in 0..200 {
        peers[3]
            .send_message(TEXT, format!("{number:0>width$}", width = 1 + number * 97 % 20_000).as_bytes());
    }
    for peer in [0, 1, 3, 4, 5] {
        for number in 0..200 {
            assert_eq!(peers[peer].text().parse::<usize>().unwrap(), number, "peer {peer}");
        }
    }
    assert!(peers[2].is_quiet_for(std::time::Duration::from_millis(50)), "it has left");
}

#[test]
fn a_subscriber_that_is_gone_leaves_no_trace_for_who_comes_in_its_place() {
    let server = serve(settings(), |server| {
        let topic = server.topic("news").unwrap();
        server
            .websocket("/member", move |upgrade| upgrade.accept(Member(topic.clone())))
            .websocket("/alone", |upgrade| upgrade.accept(wsring_tests::served::echo))
    });
    let mut stays = Peer::open(server.address(), "/member");
    stays.text();
    for _ in 0..20 {
        Peer::open(server.address(), "/member").text();
    }
    wait_until("the others to be gone", || server.count() == 1);
    let mut strangers: Vec<Peer> = (0..20).map(|_| Peer::open(server.address(), "/alone")).collect();
    stays.send_text("members only");
    assert_eq!(stays.text(), "members only");
    for stranger in &mut strangers {
        stranger.echo(b"first thing it hears");
    }
}
