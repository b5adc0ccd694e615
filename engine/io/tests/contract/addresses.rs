//! Where peers come from.

use super::cases::{far_reads, far_writes, shard, turns};
use super::{Far, Watched, World};
use std::net::{IpAddr, Ipv4Addr};
use wsring_io::{CloseHow, Io, Op, Outgoing, Socket};

const NEAR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));

/// Asks until there is an answer that says something; there is an answer each time.
fn address<I: Io>(shard: &mut Watched<I>, socket: Socket) -> IpAddr {
    for _ in 0..1000 {
        let before = shard.seen(socket).addresses.len();
        shard.ask_peer_address(socket);
        shard.turn();
        assert_eq!(shard.seen(socket).addresses.len(), before + 1, "answered in the next turn");
        if let Some((Some(address), _)) = shard.seen(socket).addresses.last() {
            return *address;
        }
    }
    panic!("the address of {socket:?} was never told");
}

pub(super) fn are_told<W: World>(world: &mut W) {
    let mut shard = shard(world);
    for last in [7, 200] {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let mut far = world.far_from(0, from);
        let socket = shard.accept_and_receive();
        assert_eq!(address(&mut shard, socket), from);
        far_writes(&mut shard, &mut far, socket, b"and still here");
        assert_eq!(address(&mut shard, socket), from);
        shard.send(socket, Outgoing::Buffer { bytes: b"so am I".to_vec(), start: 0 }, false);
        far_reads(&mut shard, &mut far, b"so am I");
    }
    let to = world.address(0);
    if let Ok(socket) = shard.connect(1, to) {
        assert_eq!(address(&mut shard, socket), to.ip());
    }
}

pub(super) fn come_first<W: World>(world: &mut W) {
    let mut shard = shard(world);
    let mut far = world.far_from(0, NEAR);
    let mut written = far.write(b"hello");
    let socket = shard.accept();
    shard.ask_peer_address(socket);
    shard.receive_start(socket);
    shard.until("the bytes", |shard| {
        written += far.write(&b"hello"[written..]);
        shard.seen(socket).bytes == b"hello"
    });
    let [(address, 0)] = shard.seen(socket).addresses[..] else {
        panic!("told {:?}", shard.seen(socket).addresses);
    };
    assert!(address.is_none_or(|address| address == NEAR));
}

/// No answer comes of it, and no descriptor stays behind, which would hold the connection open.
pub(super) fn are_dropped_by_a_close<W: World>(world: &mut W) {
    let mut shard = shard(world);
    for turns_between in 0..2 {
        let mut far = world.far_from(0, NEAR);
        let socket = shard.accept_and_receive();
        shard.ask_peer_address(socket);
        turns(&mut shard, turns_between);
        shard.close(socket, CloseHow::Fin);
        shard.until("FIN at the peer", |_| far.is_eof());
    }
}

pub(super) fn are_dropped_by_a_hand_over<W: World>(world: &mut W) {
    let (mut first, mut second) = (shard(world), shard(world));
    let mut far = world.far_from(0, NEAR);
    first.io.submit(Op::AcceptStart);
    first.until("a connection", |first| {
        second.turn();
        !first.accepted.is_empty()
    });
    let socket = first.accepted.pop_front().expect("there is one");
    first.ask_peer_address(socket);
    first.hand_over(socket, 1);
    second.until("the connection", |second| {
        first.turn();
        !second.accepted.is_empty()
    });
    let socket = second.accepted.pop_front().expect("there is one");
    second.ask_peer_address(socket);
    second.receive_start(socket);
    second.until("the answer", |second| {
        first.turn();
        !second.seen(socket).addresses.is_empty()
    });
    second.close(socket, CloseHow::Fin);
    second.until("FIN at the peer", |_| {
        first.turn();
        far.is_eof()
    });
}
