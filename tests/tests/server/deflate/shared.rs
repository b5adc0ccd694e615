//! What is published, compressed once for all, beside what is sent to one.

use super::ALL;
use wsring::{Conn, DeflateOptions, Handler, Kind, Message, SharedDeflate, Topic};
use wsring_tests::deflated::prose;
use wsring_tests::wire::TEXT;
use wsring_tests::{Deflated, Peer, Served, serve, settings};

struct Subscribes(Topic);

impl Handler for Subscribes {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let _ = conn.send(message);
    }
}

fn server(options: DeflateOptions) -> (Served, Topic) {
    let mut made = None;
    let server = serve(settings(), |server| {
        let topic = server.topic("news").unwrap();
        made = Some(topic.clone());
        server
            .deflate(options)
            .shared_deflate(SharedDeflate { window_bits: 12, level: 6, bytes_min: 64 })
            .websocket("/", move |upgrade| upgrade.accept(Subscribes(topic.clone())))
    });
    (server, made.unwrap())
}

/// The inflater has the window of the server's messages as the RFC has it: what the server's compressor refers
/// to has to be what this end was sent last, whoever compressed it.
#[test]
fn what_is_published_and_what_is_sent_share_one_window() {
    let (server, topic) = server(ALL);
    let offers = ["permessage-deflate", "permessage-deflate; server_max_window_bits=12"];
    let mut peers: Vec<Deflated> =
        offers.iter().map(|offers| Deflated::open(server.address(), "/", offers)).collect();
    let mut plain = Peer::open(server.address(), "/");
    let text = |seed: usize| String::from_utf8(prose(600, seed)).unwrap();
    // Each number is a message that is sent, with 0 for one that is published.
    for order in [[1, 1, 0, 1, 0, 0], [0, 2, 2, 0, 2, 2], [0, 0, 0, 3, 3, 3], [4, 0, 4, 0, 4, 0]] {
        for (step, seed) in order.into_iter().enumerate() {
            if seed == 0 {
                topic.publish(Kind::Text, text(step).as_bytes());
                assert_eq!(plain.text(), text(step));
            }
            for peer in &mut peers {
                let arrived = match seed {
                    0 => peer.echoed(TEXT, text(step).as_bytes()),
                    seed => peer.echo(TEXT, text(seed).as_bytes()),
                };
                assert!(arrived.compressed, "{order:?} at {step}");
            }
        }
    }
    assert!(server.observer().topics().deflated.saved_bytes > 0);
}

#[test]
fn a_window_that_is_too_small_for_what_is_shared_gets_it_plain() {
    let (server, topic) = server(ALL);
    let mut peer = Deflated::open(server.address(), "/", "permessage-deflate; server_max_window_bits=11");
    for round in 0..3 {
        assert!(peer.echo(TEXT, &prose(700, round)).compressed);
        topic.publish(Kind::Text, &prose(700, round));
        assert!(!peer.echoed(TEXT, &prose(700, round)).compressed);
    }
}
