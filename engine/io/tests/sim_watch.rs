//! What the simulation does not let pass: each breach of the contract ends the run with the seed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use wsring_io::sim::{Config, Faults, Network, Peer, SimIo};
use wsring_io::{Appender, CloseHow, Completion, Io, Op, Outgoing, Received, Socket};

/// A shard with one connection, which has sent it a byte.
struct Scene {
    io: SimIo,
    peer: Peer,
    socket: Socket,
}

impl Scene {
    fn new() -> Self {
        let network = Network::new(4711, Faults { window_bytes: 4, ..Faults::default() });
        let mut io = network.shard(Config::default());
        network.shard(Config::default());
        let peer = network.peer(0);
        io.submit(Op::AcceptStart);
        let mut completions = Vec::new();
        io.turn(None, &mut completions).expect("a simulation does not break");
        let [Completion::Accepted { socket }] = completions[..] else { panic!("{completions:?}") };
        Self { io, peer, socket }
    }

    fn turn(&mut self) -> Vec<Completion> {
        let mut completions = Vec::new();
        self.io.turn(None, &mut completions).expect("a simulation does not break");
        completions
    }

    fn send(&mut self, length: usize) {
        let bytes = Outgoing::Buffer { bytes: vec![b'x'; length], start: 0 };
        self.io.submit(Op::Send { socket: self.socket, bytes, notify: false });
    }

    /// Sends a part of a segment of four bytes.
    fn send_segment(&mut self, range: Range<u32>) {
        let mut appender = Appender::new(100);
        assert!(appender.append(&[b"four"]));
        let bytes = Outgoing::Segment { segment: Rc::new(appender.segment().clone()), range, tag: 0 };
        self.io.submit(Op::Send { socket: self.socket, bytes, notify: false });
    }

    fn lease(&mut self) -> Received {
        self.peer.write(b"x");
        self.io.submit(Op::ReceiveStart(self.socket));
        match self.turn().pop() {
            Some(Completion::Received { buffer, .. }) => buffer,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a breach and checks what it was told.
fn check(told: &str, breach: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| breach(&mut scene)));
    let panic = outcome.expect_err("the breach went through");
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("seed 4711"), "{message}");
    assert!(message.contains(told), "{message}");
}

#[test]
fn a_second_send_in_one_turn() {
    check("a second send", |scene| {
        scene.send(1);
        scene.send(1);
        scene.turn();
    });
}

#[test]
fn a_second_send_while_one_is_pending() {
    check("a second send", |scene| {
        scene.send(100);
        assert!(matches!(scene.turn()[..], [Completion::SendPending { .. }]));
        scene.send(1);
        scene.turn();
    });
}

#[test]
fn a_second_send_of_a_segment_in_one_turn() {
    check("a second send", |scene| {
        scene.send_segment(0..4);
        scene.send_segment(0..4);
        scene.turn();
    });
}

#[test]
fn a_send_of_what_was_not_appended() {
    check("not there", |scene| {
        scene.send_segment(2..5);
        scene.turn();
    });
}

#[test]
fn a_segment_while_a_send_is_pending() {
    check("a second send", |scene| {
        scene.send(100);
        assert!(matches!(scene.turn()[..], [Completion::SendPending { .. }]));
        scene.send_segment(0..4);
        scene.turn();
    });
}

#[test]
fn an_operation_on_a_closed_socket() {
    check("closed", |scene| {
        let socket = scene.socket;
        scene.io.submit(Op::Close { socket, how: CloseHow::Fin });
        // In time: it is not closed yet, so this does nothing.
        scene.send(1);
        assert!(matches!(scene.turn()[..], [Completion::Closed { .. }]));
        scene.send(1);
        scene.turn();
    });
}

#[test]
fn an_operation_on_a_socket_handed_over() {
    check("handed over", |scene| {
        scene.io.submit(Op::HandOver { socket: scene.socket, shard: 1 });
        scene.io.submit(Op::ReceiveStart(scene.socket));
        scene.turn();
    });
}

#[test]
fn a_hand_over_of_a_socket_in_use() {
    check("handed over after", |scene| {
        scene.io.submit(Op::ReceiveStart(scene.socket));
        scene.io.submit(Op::HandOver { socket: scene.socket, shard: 1 });
        scene.turn();
    });
}

#[test]
fn a_hand_over_to_nobody() {
    check("does not exist", |scene| {
        scene.io.submit(Op::HandOver { socket: scene.socket, shard: 9 });
        scene.turn();
    });
}

#[test]
fn a_lease_that_was_dropped() {
    check("has not given 1 receive buffers back", |scene| {
        drop(scene.lease());
        scene.io.assert_quiet();
    });
}

#[test]
fn a_lease_of_another_shard() {
    check("not leased out here", |scene| {
        let foreign = Scene::new().lease();
        scene.io.release(foreign);
    });
}

#[test]
fn a_range_beyond_what_was_received() {
    check("not there", |scene| {
        let bytes = Outgoing::Received { buffer: scene.lease(), range: 0..2 };
        scene.io.submit(Op::Send { socket: scene.socket, bytes, notify: false });
        scene.turn();
    });
}

#[test]
fn a_scene_without_a_breach() {
    let mut scene = Scene::new();
    let buffer = scene.lease();
    assert_eq!(scene.io.leases_out(), 1);
    let bytes = Outgoing::Received { buffer, range: 0..1 };
    scene.io.submit(Op::Send { socket: scene.socket, bytes, notify: true });
    assert!(matches!(scene.turn()[..], [Completion::SendDone { .. }]));
    assert_eq!(scene.peer.read(), b"x");
    scene.io.submit(Op::Close { socket: scene.socket, how: CloseHow::Fin });
    assert!(matches!(scene.turn()[..], [Completion::Closed { .. }]));
    assert!(scene.peer.is_eof());
    scene.io.assert_quiet();
}
