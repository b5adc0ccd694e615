//! How connections end on the simulation: what Linux makes of a close, a reset and a full table, and
//! what each side sees of it.

use std::time::Duration;
use wsring_io::sim::{Config, Faults, Network, Peer, SimIo};
use wsring_io::{CloseHow, Completion, Connect, Io, Op, Outgoing, ReceiveEnd, Socket};

const DELAY: Duration = Duration::from_millis(1);

/// A shard and a peer of it, a millisecond apart.
struct Scene {
    network: Network,
    io: SimIo,
    peer: Peer,
    socket: Socket,
}

impl Scene {
    fn new() -> Self {
        let network = Network::new(2, Faults { delay: DELAY..=DELAY, window_bytes: 8, ..Faults::default() });
        let mut io = network.shard(Config::default());
        let peer = network.peer(0);
        io.submit(Op::AcceptStart);
        let socket = match turns(&mut io, 2).pop() {
            Some(Completion::Accepted { socket }) => socket,
            other => panic!("{other:?}"),
        };
        Self { network, io, peer, socket }
    }

    fn send(&mut self, bytes: &[u8]) {
        let bytes = Outgoing::Buffer { bytes: bytes.to_vec(), start: 0 };
        self.io.submit(Op::Send { socket: self.socket, bytes, notify: false });
    }

    fn close(&mut self, how: CloseHow) {
        self.io.submit(Op::Close { socket: self.socket, how });
    }

    fn turns(&mut self) -> Vec<Completion> {
        turns(&mut self.io, 5)
    }
}

fn turns(io: &mut SimIo, count: usize) -> Vec<Completion> {
    let mut completions = Vec::new();
    (0..count).for_each(|_| io.turn(None, &mut completions).expect("a simulation does not break"));
    completions
}

#[test]
fn a_close_in_order_delivers_what_was_sent() {
    let mut scene = Scene::new();
    scene.send(b"last");
    scene.close(CloseHow::Fin);
    assert!(matches!(scene.turns()[..], [Completion::Closed { .. }]));
    assert_eq!(scene.peer.read(), b"last");
    assert!(scene.peer.is_eof() && !scene.peer.is_reset());
}

#[test]
fn a_reset_throws_away_what_was_sent() {
    let mut scene = Scene::new();
    scene.send(b"last");
    scene.close(CloseHow::Reset);
    scene.turns();
    assert_eq!(scene.peer.read(), b"");
    assert!(scene.peer.is_reset());
}

#[test]
fn a_close_with_unread_input_resets() {
    let mut scene = Scene::new();
    scene.peer.write(b"unread");
    scene.network.advance(DELAY);
    scene.send(b"last");
    scene.close(CloseHow::Fin);
    scene.turns();
    assert_eq!(scene.peer.read(), b"", "the reset overtakes what was sent");
    assert!(scene.peer.is_reset());
}

#[test]
fn input_that_meets_a_closed_socket_is_answered_with_a_reset() {
    let mut scene = Scene::new();
    scene.peer.write(b"too late");
    scene.close(CloseHow::Fin);
    scene.turns();
    assert!(scene.peer.is_eof());
    assert_eq!(scene.peer.write(b"more"), 0, "the reset has come");
}

#[test]
fn a_write_to_a_closed_socket_is_answered_with_a_reset() {
    let mut scene = Scene::new();
    scene.close(CloseHow::Fin);
    scene.turns();
    assert_eq!(scene.peer.write(b"into the void"), 13);
    scene.network.advance(DELAY);
    assert_eq!(scene.peer.write(b"again"), 0);
}

#[test]
fn a_pending_send_learns_that_its_reader_is_gone() {
    let mut scene = Scene::new();
    scene.send(&[1; 100]);
    assert!(matches!(scene.turns()[..], [Completion::SendPending { .. }]));
    // It read nothing, so it leaves with a reset.
    scene.peer.close();
    let completions = scene.turns();
    assert!(matches!(completions[..], [Completion::SendFailed { .. }]), "{completions:?}");

    let mut scene = Scene::new();
    scene.send(&[1; 100]);
    scene.turns();
    scene.peer.read();
    // It read all there was: what follows goes into the void.
    scene.peer.close();
    let completions = scene.turns();
    assert!(matches!(completions[..], [Completion::SendDone { .. }]), "{completions:?}");
    scene.send(b"more");
    let completions = scene.turns();
    assert!(matches!(completions[..], [Completion::SendFailed { .. }]), "{completions:?}");
}

#[test]
fn a_pending_send_learns_it_even_after_fin() {
    let mut scene = Scene::new();
    scene.peer.shutdown_write();
    scene.send(&[1; 100]);
    scene.turns();
    scene.peer.set_window(0);
    scene.peer.read();
    assert!(scene.turns().is_empty(), "there is no room");
    scene.peer.close();
    let completions = scene.turns();
    assert!(matches!(completions[..], [Completion::SendDone { .. }]), "{completions:?}");
}

#[test]
fn nothing_is_written_after_fin() {
    let mut scene = Scene::new();
    scene.peer.shutdown_write();
    assert_eq!(scene.peer.write(b"x"), 0);
    scene.io.submit(Op::ReceiveStart(scene.socket));
    let completions = scene.turns();
    assert!(
        matches!(completions[..], [Completion::ReceiveEnded { end: ReceiveEnd::Eof, .. }]),
        "{completions:?}"
    );
}

#[test]
fn a_close_that_takes_long_reports_bytes_but_no_end() {
    let late = Faults { late_cancel: 1.0, ..Faults::default() };
    for seed in 0..50 {
        let network = Network::new(seed, late.clone());
        let mut io = network.shard(Config::default());
        let mut peer = network.peer(0);
        io.submit(Op::AcceptStart);
        let [Completion::Accepted { socket }] = turns(&mut io, 1)[..] else { panic!("nobody came") };
        io.submit(Op::ReceiveStart(socket));
        turns(&mut io, 1);
        io.submit(Op::Close { socket, how: CloseHow::Fin });
        peer.write(b"late");
        peer.shutdown_write();
        let names: Vec<bool> = turns(&mut io, 5)
            .into_iter()
            .map(|completion| match completion {
                Completion::Received { buffer, .. } => {
                    io.release(buffer);
                    false
                }
                Completion::Closed { .. } => true,
                other => panic!("seed {seed}: {other:?}"),
            })
            .collect();
        assert_eq!(names, [false, true], "seed {seed}");
    }
}

#[test]
fn places_are_used_lowest_first() {
    let network = Network::new(4, Faults::default());
    let mut io = network.shard(Config::default());
    let _peers: Vec<Peer> = (0..4).map(|_| network.peer(0)).collect();
    io.submit(Op::AcceptStart);
    let accepted = turns(&mut io, 1);
    for at in [2, 0, 1] {
        let Completion::Accepted { socket } = accepted[at] else { panic!("{accepted:?}") };
        io.submit(Op::Close { socket, how: CloseHow::Fin });
    }
    turns(&mut io, 1);
    let _more: Vec<Peer> = (0..4).map(|_| network.peer(0)).collect();
    let slots: Vec<u32> = turns(&mut io, 1)
        .iter()
        .map(|completion| match completion {
            Completion::Accepted { socket } => socket.slot(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(slots, [0, 1, 2, 4]);
}

#[test]
fn who_finds_the_table_full_is_closed() {
    let network = Network::new(6, Faults::default());
    let small = Config { sockets_max: 1, ..Config::default() };
    let (mut first, mut second) = (network.shard(Config::default()), network.shard(small));
    let peers = [network.peer(1), network.peer(1)];
    second.submit(Op::AcceptStart);
    let completions = turns(&mut second, 2);
    let ended = matches!(
        completions[..],
        [Completion::Accepted { .. }, Completion::AcceptEnded { errno: libc::ENFILE }]
    );
    assert!(ended, "{completions:?}");
    assert!(!peers[0].is_ended() && peers[1].is_eof());

    let peer = network.peer(0);
    first.submit(Op::AcceptStart);
    let [Completion::Accepted { socket }] = turns(&mut first, 1)[..] else { panic!("nobody came") };
    first.submit(Op::HandOver { socket, shard: 1 });
    assert!(turns(&mut first, 1).is_empty());
    assert!(turns(&mut second, 1).is_empty());
    assert!(peer.is_reset());
    check_refused(&turns(&mut first, 1));
}

#[test]
fn a_hand_over_to_a_shard_that_has_ended_is_refused() {
    for ends_first in [true, false] {
        let network = Network::new(6, Faults::default());
        let (mut first, second) = (network.shard(Config::default()), network.shard(Config::default()));
        let mut second = Some(second);
        let peer = network.peer(0);
        first.submit(Op::AcceptStart);
        let [Completion::Accepted { socket }] = turns(&mut first, 1)[..] else { panic!("nobody came") };
        first.submit(Op::HandOver { socket, shard: 1 });
        if ends_first {
            second = None;
        }
        let mut completions = turns(&mut first, 1);
        if second.take().is_some() {
            assert!(completions.is_empty(), "it is on its way");
            completions = turns(&mut first, 1);
        }
        check_refused(&completions);
        assert!(peer.is_reset());
    }
}

fn check_refused(completions: &[Completion]) {
    assert!(matches!(completions, [Completion::HandOverRefused { shard: 1 }]), "{completions:?}");
}

#[test]
fn a_full_backlog_refuses() {
    let network = Network::new(6, Faults::default());
    let mut io = network.shard(Config { sockets_max: 5000, ..Config::default() });
    let peers: Vec<Peer> = (0..5000).map(|_| network.peer(0)).collect();
    assert_eq!(peers.iter().filter(|peer| !peer.is_reset()).count(), 4096);
    io.submit(Op::AcceptStart);
    assert_eq!(turns(&mut io, 1).len(), 4096);
}

#[test]
fn a_shard_that_talks_to_itself_is_not_passed_over() {
    let network = Network::new(6, Faults { window_bytes: 10, short_send: 0.5, ..Faults::default() });
    let mut io = network.shard(Config::default());
    io.submit(Op::AcceptStart);
    io.submit(Op::Connect(Connect {
        request: 1,
        to: network.address(0),
        from: None,
        receive_buffer_bytes: None,
    }));
    let start = network.now();
    let (mut near, mut received) = (None, 0);
    while received < 1000 {
        let mut completions = Vec::new();
        io.turn(Some(start.after(DELAY)), &mut completions).expect("a simulation does not break");
        for completion in completions {
            match completion {
                Completion::Connected { socket, .. } => {
                    near = Some(socket);
                    let bytes = Outgoing::Buffer { bytes: vec![7; 1000], start: 0 };
                    io.submit(Op::Send { socket, bytes, notify: false });
                }
                Completion::Accepted { socket } => io.submit(Op::ReceiveStart(socket)),
                Completion::Received { buffer, .. } => {
                    received += buffer.len();
                    io.release(buffer);
                }
                Completion::SendPending { socket, .. }
                | Completion::SendProgress { socket, .. }
                | Completion::SendDone { socket } => {
                    assert_eq!(Some(socket), near);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(network.now(), start, "time passed while there was work");
    }
}

#[test]
fn scarce_buffers_go_round() {
    const PEERS: usize = 6;
    let network = Network::new(6, Faults::default());
    let mut io = network.shard(Config { buffers: 2, buffer_bytes: 1, ..Config::default() });
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| network.peer(0)).collect();
    peers.iter_mut().for_each(|peer| assert_eq!(peer.write(&[0; 100]), 100));
    io.submit(Op::AcceptStart);
    for completion in turns(&mut io, 1) {
        let Completion::Accepted { socket } = completion else { panic!("{completion:?}") };
        io.submit(Op::ReceiveStart(socket));
    }
    let mut served = [0; PEERS];
    for _ in 0..30 {
        for completion in turns(&mut io, 1) {
            let Completion::Received { socket, buffer } = completion else { panic!("{completion:?}") };
            served[socket.slot() as usize] += 1;
            io.release(buffer);
        }
    }
    assert_eq!(served, [10; PEERS]);
}
