//! Peers that do not read: what their handlers are told, and that not a byte is lost or doubled.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use wsring::{Conn, Handler, Message, Sent, Settings, SlowPeer};
use wsring_tests::wire::{self, BINARY, TEXT};
use wsring_tests::{PATIENCE, Peer, Served, pattern, serve, settings};

const MARK: usize = 256 << 10;
const PAYLOAD: usize = 10_000;

/// What a handler saw.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// What became of the message with this number.
    Sent(u64, Sent),
    Drained,
}

/// Answers every message with one that has its number.
struct Numbers {
    next: u64,
    seen: Sender<Seen>,
}

impl Handler for Numbers {
    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        let sent = conn.send_binary(&numbered(self.next));
        let _ = self.seen.send(Seen::Sent(self.next, sent));
        self.next += 1;
    }

    fn drain(&mut self, conn: &mut Conn<'_>) {
        assert_eq!(conn.unsent_bytes(), 0);
        let _ = self.seen.send(Seen::Drained);
    }
}

fn numbered(number: u64) -> Vec<u8> {
    pattern(PAYLOAD, number)
}

fn server(slow_peer: SlowPeer) -> (Served, Receiver<Seen>) {
    let (seen, what) = channel();
    let settings = Settings { slow_peer, high_water_bytes: MARK, ..settings() };
    let server = serve(settings, |server| {
        server.websocket("/", move |upgrade| upgrade.accept(Numbers { next: 0, seen: seen.clone() }))
    });
    (server, what)
}

/// Sends requests, one at a time, until one has an outcome that is wanted.
fn push_until(peer: &mut Peer, seen: &Receiver<Seen>, wanted: impl Fn(Sent) -> bool) -> Vec<Sent> {
    let mut outcomes = Vec::new();
    while outcomes.len() < 10_000 {
        peer.send_text("more");
        let (number, sent) = next_sent(seen);
        assert_eq!(number, outcomes.len() as u64);
        outcomes.push(sent);
        if wanted(sent) {
            return outcomes;
        }
    }
    panic!("100 MB were taken and none had to wait")
}

/// The next outcome. The kernel may take what waited in between, which the handler is told as well.
fn next_sent(seen: &Receiver<Seen>) -> (u64, Sent) {
    loop {
        if let Seen::Sent(number, sent) = seen.recv_timeout(PATIENCE).expect("every request is answered") {
            return (number, sent);
        }
    }
}

fn taken(outcomes: &[Sent]) -> impl Iterator<Item = u64> + '_ {
    let kept = outcomes.iter().enumerate().filter(|(_, sent)| **sent != Sent::Dropped);
    kept.map(|(number, _)| number as u64)
}

fn expect_numbers(peer: &mut Peer, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        peer.echoed(&numbered(number));
    }
}

#[test]
fn sending_tells_sent_or_queued_and_how_much_waits() {
    let (server, seen) = server(SlowPeer::Drop);
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let outcomes = push_until(&mut peer, &seen, |sent| sent == Sent::Dropped);
    assert_eq!(outcomes[0], Sent::Sent);
    let queued: Vec<usize> = outcomes
        .iter()
        .filter_map(|sent| match sent {
            Sent::Queued { unsent_bytes } => Some(*unsent_bytes),
            _ => None,
        })
        .collect();
    assert!(queued.iter().all(|unsent_bytes| *unsent_bytes >= PAYLOAD), "{queued:?}");
    let before = queued.last().copied().unwrap();
    assert!((MARK..MARK + 2 * PAYLOAD).contains(&before), "{before} bytes waited when the first was dropped");
}

#[test]
fn drop_loses_whole_messages_and_takes_new_ones_when_the_queue_is_shorter() {
    let (server, seen) = server(SlowPeer::Drop);
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let outcomes = push_until(&mut peer, &seen, |sent| sent == Sent::Dropped);
    expect_numbers(&mut peer, taken(&outcomes));
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Seen::Drained));
    peer.send_text("more");
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(Seen::Sent(outcomes.len() as u64, Sent::Sent)));
    peer.echoed(&numbered(outcomes.len() as u64));
    peer.close();
}

#[test]
fn close_says_1013_after_what_was_taken() {
    let (server, seen) = server(SlowPeer::Close);
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let outcomes = push_until(&mut peer, &seen, |sent| sent == Sent::Dropped);
    expect_numbers(&mut peer, taken(&outcomes));
    let (code, reason) = peer.closed();
    assert!(code == 1013 && reason.contains("slow"), "{code} {reason}");
    peer.send(&wire::close(1013, ""));
    peer.ended();
}

#[test]
fn pause_stops_reading_and_loses_nothing() {
    let (server, seen) = server(SlowPeer::Pause);
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    // As large as a receive buffer: no more than one is acted on after the mark is reached for each.
    let request = wire::message(TEXT, &[b'm'; 4096]);
    let requests = 3000;
    let mut writer = peer.stream().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for _ in 0..requests {
            std::io::Write::write_all(&mut writer, &request).unwrap();
        }
    });
    // The server stops reading long before all requests are answered.
    let mut acted = 0;
    while seen.recv_timeout(Duration::from_millis(500)).is_ok() {
        acted += 1;
    }
    assert!(acted < requests, "it went on reading");
    expect_numbers(&mut peer, 0..requests);
    writing.join().unwrap();
    let rest: Vec<Seen> = seen.try_iter().collect();
    assert!(rest.iter().all(|seen| !matches!(seen, Seen::Sent(_, Sent::Dropped))), "nothing was dropped");
    peer.send_text("more");
    peer.echoed(&numbered(requests));
    peer.close();
}

/// Sends as much as is taken when it opens, and what it had to keep back when it may go on.
struct Source {
    next: u64,
    end: u64,
}

impl Source {
    fn go_on(&mut self, conn: &mut Conn<'_>) {
        while self.next < self.end {
            let sent = conn.send_binary(&numbered(self.next));
            assert_ne!(sent, Sent::Dropped, "there was no mark to reach: {}", self.next);
            self.next += 1;
            if matches!(sent, Sent::Queued { .. }) || self.next.is_multiple_of(10) {
                break;
            }
        }
    }
}

impl Handler for Source {
    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        self.go_on(conn);
    }

    fn drain(&mut self, conn: &mut Conn<'_>) {
        self.go_on(conn);
    }
}

#[test]
fn a_source_that_waits_for_drain_sends_everything_to_a_reader_with_pauses() {
    let server = serve(settings(), |server| {
        server.websocket("/", |upgrade| upgrade.accept(Source { next: 0, end: 1000 }))
    });
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let mut next = 0_u64;
    while next < 1000 {
        peer.send_text("go on");
        if next.is_multiple_of(50) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // At least one for each request, until all are there.
        peer.echoed(&numbered(next));
        next += 1;
    }
}

#[test]
fn an_echo_to_a_peer_that_reads_late_is_exact_whatever_the_sizes() {
    let server = wsring_tests::served::serve_echo(Settings { high_water_bytes: MARK, ..settings() });
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    let sizes: Vec<usize> =
        (0..300).map(|number| [1, 100, 3000, 5000, 20_000, 100_000][number % 6] + number).collect();
    let mut writer = peer.stream().try_clone().unwrap();
    let written = sizes.clone();
    let writing = std::thread::spawn(move || {
        for (seed, length) in written.iter().enumerate() {
            let message = wire::message(BINARY, &pattern(*length, seed as u64));
            std::io::Write::write_all(&mut writer, &message).unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    for (seed, length) in sizes.iter().enumerate() {
        peer.echoed(&pattern(*length, seed as u64));
    }
    writing.join().unwrap();
    peer.close();
}

#[test]
fn a_peer_that_never_reads_is_let_go_when_it_closes() {
    let (server, seen) = server(SlowPeer::Drop);
    let mut peer = Peer::connect_narrow(server.address()).upgrade("/");
    push_until(&mut peer, &seen, |sent| sent == Sent::Dropped);
    drop(peer);
    wsring_tests::wait_until("the connection to be gone", || server.count() == 0);
}
