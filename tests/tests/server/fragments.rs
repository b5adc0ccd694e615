//! Messages that the application sends in fragments: nothing but control frames comes between them
//! (RFC 6455 section 5.4).

use std::sync::mpsc::{Receiver, Sender, channel};
use wsring::{Conn, Handler, Kind, Message, Remote, Sent, Topic};
use wsring_tests::wire::{BINARY, CONTINUATION, PING, TEXT};
use wsring_tests::{Frame, PATIENCE, Peer, Served, serve, settings};

/// Subscribes, and does as it is told; says what became of it.
struct Obeys {
    topic: Topic,
    outcomes: Sender<Sent>,
}

impl Handler for Obeys {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.topic);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let sent = match message.payload() {
            b"begin" => conn.send_fragment(Some(Kind::Binary), false, b"begun"),
            b"go on" => conn.send_fragment(None, false, b"gone on"),
            b"end" => conn.send_fragment(None, true, b"ended"),
            b"whole" => conn.send_fragment(Some(Kind::Binary), true, b"whole"),
            b"text" => conn.send_text("text"),
            b"ping" => {
                conn.ping(b"ping");
                Sent::Sent
            }
            _ => conn.send(message),
        };
        self.outcomes.send(sent).unwrap();
    }
}

struct Stage {
    _server: Served,
    topic: Topic,
    outcomes: Receiver<Sent>,
    peer: Peer,
    /// Subscribes to the same topic and sends no fragments.
    witness: Peer,
}

impl Stage {
    fn new() -> Self {
        let (to, outcomes) = channel();
        let mut made = None;
        let server = serve(settings(), |server| {
            let topic = server.topic("news").unwrap();
            made = Some(topic.clone());
            server.websocket("/", move |upgrade| {
                upgrade.accept(Obeys { topic: topic.clone(), outcomes: to.clone() })
            })
        });
        let (peer, witness) = (Peer::open(server.address(), "/"), Peer::open(server.address(), "/"));
        Self { _server: server, topic: made.unwrap(), outcomes, peer, witness }
    }

    /// What becomes of what the peer's handler is told to do.
    #[track_caller]
    fn tell(&mut self, what: &str, sent: Sent) {
        self.peer.send_text(what);
        assert_eq!(self.outcomes.recv_timeout(PATIENCE), Ok(sent), "{what}");
    }

    /// Publishes, and waits until the shard, which has them all, has handed it out.
    fn publish(&mut self, text: &str) {
        self.topic.publish(Kind::Text, text.as_bytes());
        assert_eq!(self.witness.text(), text);
    }
}

fn fragment(opcode: u8, fin: bool, payload: &[u8]) -> Frame {
    Frame { fin, ..Frame::new(opcode, payload) }
}

#[test]
fn what_is_published_between_fragments_comes_after_them() {
    let mut stage = Stage::new();
    stage.publish("before");
    assert_eq!(stage.peer.text(), "before");
    for _ in 0..3 {
        stage.tell("begin", Sent::Sent);
        stage.publish("after the first");
        stage.tell("go on", Sent::Sent);
        stage.publish("after the second");
        stage.tell("ping", Sent::Sent);
        stage.tell("end", Sent::Sent);
        stage.publish("after the last");
        let expected = [
            fragment(BINARY, false, b"begun"),
            fragment(CONTINUATION, false, b"gone on"),
            fragment(PING, true, b"ping"),
            fragment(CONTINUATION, true, b"ended"),
            // It has waited in the log of its topic.
            fragment(TEXT, true, b"after the first"),
            fragment(TEXT, true, b"after the second"),
            fragment(TEXT, true, b"after the last"),
        ];
        for frame in expected {
            assert_eq!(stage.peer.frame(), frame);
        }
    }
}

#[test]
fn a_fragment_that_continues_nothing_is_dropped() {
    let mut stage = Stage::new();
    stage.tell("go on", Sent::Dropped);
    stage.tell("end", Sent::Dropped);
    stage.tell("whole", Sent::Sent);
    stage.tell("end", Sent::Dropped);
    stage.tell("begin", Sent::Sent);
    stage.tell("end", Sent::Sent);
    stage.tell("end", Sent::Dropped);
    stage.tell("text", Sent::Sent);
    let expected = [
        fragment(BINARY, true, b"whole"),
        fragment(BINARY, false, b"begun"),
        fragment(CONTINUATION, true, b"ended"),
        fragment(TEXT, true, b"text"),
    ];
    for frame in expected {
        assert_eq!(stage.peer.frame(), frame);
    }
}

#[test]
fn other_messages_are_dropped_while_one_is_sent_in_fragments() {
    let mut stage = Stage::new();
    stage.tell("begin", Sent::Sent);
    for other in ["begin", "whole", "text", "an echo"] {
        stage.tell(other, Sent::Dropped);
    }
    stage.tell("end", Sent::Sent);
    stage.tell("an echo", Sent::Sent);
    let expected = [
        fragment(BINARY, false, b"begun"),
        fragment(CONTINUATION, true, b"ended"),
        fragment(TEXT, true, b"an echo"),
    ];
    for frame in expected {
        assert_eq!(stage.peer.frame(), frame);
    }
}

/// Begins a message in fragments when it opens, and ends it when it is told anything.
struct Begins(Sender<Remote>);

impl Handler for Begins {
    fn open(&mut self, conn: &mut Conn<'_>) {
        assert_eq!(conn.send_fragment(Some(Kind::Text), false, b"be"), Sent::Sent);
        self.0.send(conn.remote()).unwrap();
    }

    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        assert_eq!(conn.send_fragment(None, true, b"gun"), Sent::Sent);
    }
}

#[test]
fn what_comes_from_a_handle_does_not_come_between_them_either_but_its_close_does() {
    let (to, remotes) = channel();
    let server =
        serve(settings(), |server| server.websocket("/", move |upgrade| upgrade.accept(Begins(to.clone()))));
    let open = || {
        let mut peer = Peer::open(server.address(), "/");
        assert_eq!(peer.frame(), fragment(TEXT, false, b"be"));
        (peer, remotes.recv_timeout(PATIENCE).unwrap())
    };
    let (mut ended, remote) = open();
    remote.send_text("too early");
    // The shard takes what a handle sends in the order in which it comes from all of them.
    let (mut closed, closer) = open();
    closer.close(wsring::CloseCode::NORMAL, "half of it is enough");
    assert_eq!(closed.closed().0, 1000);
    ended.send_text("end it");
    assert_eq!(ended.frame(), fragment(CONTINUATION, true, b"gun"));
    remote.send_text("in time");
    assert_eq!(ended.text(), "in time");
}
