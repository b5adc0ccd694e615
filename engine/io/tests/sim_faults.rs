//! Each fault, alone and frequent, really happens, and shows as its documentation says.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wsring_io::sim::{Config, Faults, Network, Peer, SimIo};
use wsring_io::{Appender, CloseHow, Completion, Io, Op, Outgoing, ReceiveEnd, Socket};

/// Some connections, what was reported of them turn by turn, and the bytes received.
struct Scene {
    network: Network,
    io: SimIo,
    peers: Vec<Peer>,
    sockets: Vec<Socket>,
    turns: Vec<Vec<String>>,
    received: BTreeMap<Socket, Vec<usize>>,
    may_break: bool,
}

const CONNECTIONS: usize = 8;

impl Scene {
    fn new(faults: Faults) -> Self {
        let may_break = faults.reset > 0.0;
        let network = Network::new(3, faults);
        let mut scene = Self {
            io: network.shard(Config { sockets_max: 64, buffers: 64, buffer_bytes: 256 }),
            peers: (0..CONNECTIONS).map(|_| network.peer(0)).collect(),
            network,
            sockets: Vec::new(),
            turns: Vec::new(),
            received: BTreeMap::new(),
            may_break,
        };
        scene.io.submit(Op::AcceptStart);
        while scene.sockets.len() < CONNECTIONS {
            scene.turn();
        }
        scene
    }

    fn turn(&mut self) {
        let mut completions = Vec::new();
        let deadline = self.io.now().after(Duration::from_millis(1));
        self.io.turn(Some(deadline), &mut completions).expect("a simulation does not break");
        self.turns.push(completions.iter().map(|completion| format!("{completion:?}")).collect());
        for completion in completions {
            match completion {
                Completion::Accepted { socket } => self.sockets.push(socket),
                Completion::AcceptEnded { .. } => self.io.submit(Op::AcceptStart),
                Completion::Received { socket, buffer } => {
                    self.received.entry(socket).or_default().push(buffer.len());
                    self.io.release(buffer);
                }
                _ => {}
            }
        }
    }

    /// Everybody's peer writes, everybody receives, some turns go by.
    fn receive(mut self, length: usize) -> Self {
        self.each(Op::ReceiveStart);
        for peer in &mut self.peers {
            let written = peer.write(&vec![7; length]);
            assert!(written == length || written == 0 && self.may_break);
        }
        (0..400).for_each(|_| self.turn());
        self
    }

    fn each(&mut self, op: impl Fn(Socket) -> Op) {
        self.sockets.iter().for_each(|&socket| self.io.submit(op(socket)));
    }

    /// How often something with this name was reported, and in how many turns.
    fn reported(&self, name: &str) -> (usize, usize) {
        let counts = self.turns.iter().map(|turn| turn.iter().filter(|text| text.contains(name)).count());
        counts.fold((0, 0), |(times, turns), count| (times + count, turns + usize::from(count > 0)))
    }
}

#[test]
fn none() {
    let mut scene = Scene::new(Faults::default()).receive(1000);
    assert!(scene.received.values().all(|pieces| pieces[..] == [256, 256, 256, 232]), "{:?}", scene.received);
    assert_eq!(scene.reported("Received"), (4 * CONNECTIONS, 1));
    assert_eq!(scene.reported("Ended"), (0, 0));
    scene.each(Op::ReceiveStop);
    scene.turn();
    assert_eq!(scene.reported("Stopped"), (CONNECTIONS, 1));
    scene.each(|socket| Op::Close { socket, how: CloseHow::Fin });
    scene.turn();
    assert_eq!(scene.reported("Closed"), (CONNECTIONS, 1));
}

#[test]
fn short_receive() {
    let faults = Faults { short_receive: 1.0, short_receive_bytes_max: 3, ..Faults::default() };
    let scene = Scene::new(faults).receive(100);
    for pieces in scene.received.values() {
        assert_eq!(pieces.iter().sum::<usize>(), 100);
        assert!(pieces.iter().all(|length| (1..=3).contains(length)) && pieces.contains(&1), "{pieces:?}");
    }
}

#[test]
fn short_send() {
    let mut scene = Scene::new(Faults { short_send: 0.8, ..Faults::default() });
    scene.each(|socket| {
        let bytes = Outgoing::Buffer { bytes: vec![1; 1000], start: 0 };
        Op::Send { socket, bytes, notify: true }
    });
    (0..400).for_each(|_| scene.turn());
    assert!(scene.reported("SendPending").0 > 0);
    assert!(scene.reported("SendProgress").1 > 1);
    assert_eq!(scene.reported("SendDone").0, CONNECTIONS);
    assert!(scene.reported("SendDone").1 > 1);
    assert!(scene.peers.iter_mut().all(|peer| peer.read() == [1; 1000]));
}

/// Of a segment nothing is kept: it is short once, and that is all.
#[test]
fn short_send_of_a_segment() {
    let mut scene = Scene::new(Faults { short_send: 0.8, ..Faults::default() });
    let mut appender = Appender::new(Appender::needed(1000));
    assert!(appender.append(&[&[1; 1000]]));
    let segment = Rc::new(appender.segment().clone());
    scene.each(|socket| {
        let bytes = Outgoing::Segment { segment: segment.clone(), range: 0..1000, tag: 77 };
        Op::Send { socket, bytes, notify: true }
    });
    (0..40).for_each(|_| scene.turn());
    let (short, done) = (scene.reported("SendShort").0, scene.reported("SendDone").0);
    assert!(short > 0 && short + done == CONNECTIONS, "{short} and {done}");
    assert_eq!((scene.reported("SendShort").1, scene.reported("SendPending").0), (1, 0));
    assert!(scene.turns.iter().flatten().all(|text| !text.contains("SendShort") || text.contains("tag: 77")));
    let read: usize = scene.peers.iter_mut().map(|peer| peer.read().len()).sum();
    assert_eq!(read as u64, scene.io.counters().bytes_sent);
    assert_eq!((scene.io.counters().sends_short, Rc::strong_count(&segment)), (short as u64, 1));
}

#[test]
fn no_address() {
    let told = |no_address: f64, text: &str| {
        let mut scene = Scene::new(Faults { no_address, ..Faults::default() });
        scene.each(Op::PeerAddress);
        scene.turn();
        assert_eq!(scene.reported("PeerAddress"), (CONNECTIONS, 1));
        scene.reported(text).0
    };
    assert_eq!(told(1.0, "address: None"), CONNECTIONS);
    assert_eq!(told(0.0, "127.0.0."), CONNECTIONS);
    assert_eq!(told(0.0, "127.0.0.8"), 1, "peers are numbered from 1");
}

#[test]
fn window_bytes() {
    let mut scene = Scene::new(Faults { window_bytes: 10, ..Faults::default() });
    assert_eq!(scene.peers[0].write(&[0; 100]), 10);
    scene.each(|socket| {
        let bytes = Outgoing::Buffer { bytes: vec![1; 25], start: 0 };
        Op::Send { socket, bytes, notify: false }
    });
    let mut read = Vec::new();
    for _ in 0..3 {
        scene.turn();
        read.push(scene.peers[0].read().len());
    }
    assert_eq!(read, [10, 10, 5]);
    scene.peers[1].set_window(0);
    scene.peers[1].read();
    scene.turn();
    assert_eq!(scene.peers[1].read(), [], "a closed window lets nothing through");
    scene.peers[1].set_window(100);
    scene.turn();
    assert_eq!(scene.peers[1].read(), [1; 15]);
}

#[test]
fn no_buffers() {
    let scene = Scene::new(Faults { no_buffers: 0.7, ..Faults::default() }).receive(1000);
    assert!(scene.io.counters().buffers_exhausted > 0);
    assert!(scene.received.values().all(|pieces| pieces.iter().sum::<usize>() == 1000));
    assert!(scene.reported("Received").1 > 1);
}

#[test]
fn receive_ended_silently() {
    let scene = Scene::new(Faults { receive_ended_silently: 1.0, ..Faults::default() }).receive(1000);
    assert_eq!(scene.reported("Received"), (4 * CONNECTIONS, 4), "a piece a turn");
    assert_eq!(scene.reported("ReceiveEnded"), (0, 0));
}

#[test]
fn late_cancel() {
    let mut scene = Scene::new(Faults { late_cancel: 1.0, ..Faults::default() });
    scene.each(Op::ReceiveStart);
    scene.turn();
    scene.each(Op::ReceiveStop);
    scene.turn();
    assert_eq!(scene.reported("Stopped"), (0, 0));
    scene.peers.iter_mut().for_each(|peer| assert_eq!(peer.write(b"late"), 4));
    (0..4).for_each(|_| scene.turn());
    assert_eq!(scene.reported("Stopped").0, CONNECTIONS);
    assert!(scene.reported("Received").0 > 0, "what was on its way came");
    scene.each(Op::ReceiveStart);
    scene.turn();
    scene.each(|socket| Op::Close { socket, how: CloseHow::Reset });
    scene.turn();
    assert_eq!(scene.reported("Closed"), (0, 0));
    (0..4).for_each(|_| scene.turn());
    assert_eq!(scene.reported("Closed").0, CONNECTIONS);
}

#[test]
fn reset() {
    let scene = Scene::new(Faults { reset: 0.5, ..Faults::default() }).receive(100);
    let broken = format!("{:?}", ReceiveEnd::Failed(libc::ECONNRESET));
    let (times, _) = scene.reported(&broken);
    assert!((1..CONNECTIONS).contains(&times), "{times}");
    assert_eq!(scene.peers.iter().filter(|peer| peer.is_reset()).count(), times);
}

#[test]
fn accept_ended() {
    let scene = Scene::new(Faults { accept_ended: 0.5, ..Faults::default() });
    assert!(scene.reported("AcceptEnded").0 > 0);
    assert_eq!(scene.reported("Accepted").0, CONNECTIONS, "nobody is lost");
}

#[test]
fn delay() {
    let (least, most) = (Duration::from_millis(2), Duration::from_millis(30));
    let network = Network::new(8, Faults { delay: least..=most, ..Faults::default() });
    let mut io = network.shard(Config::default());
    let start = network.now();
    let _peers: Vec<Peer> = (0..50).map(|_| network.peer(0)).collect();
    io.submit(Op::AcceptStart);
    let mut times = Vec::new();
    let mut completions = Vec::new();
    while times.len() < 50 {
        io.turn(None, &mut completions).expect("a simulation does not break");
        times.extend(completions.drain(..).map(|_| io.now().since(start)));
    }
    assert!(times.is_sorted() && times.iter().all(|time| (least..=most).contains(time)), "{times:?}");
    times.dedup();
    assert!(times.len() > 1);
}

#[test]
fn reorder() {
    let slots = |faults: Faults| {
        let scene = Scene::new(faults).receive(10);
        let turn = scene.turns.iter().find(|turn| turn.iter().any(|text| text.contains("Received")));
        turn.expect("something was received").clone()
    };
    let (orderly, shuffled) = (slots(Faults::default()), slots(Faults { reorder: 1.0, ..Faults::default() }));
    assert_eq!(orderly.len(), shuffled.len());
    assert!(orderly.is_sorted(), "{orderly:?}");
    assert_ne!(orderly, shuffled);
}

#[test]
fn faults_can_end() {
    let scene = Scene::new(Faults { no_buffers: 1.0, ..Faults::default() }).receive(10);
    assert!(scene.received.is_empty());
    scene.network.set_faults(Faults::default());
    let scene = scene.receive(10);
    assert!(scene.received.values().all(|pieces| pieces.iter().sum::<usize>() == 20));
}
