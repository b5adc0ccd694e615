//! The cases, in the order of the vocabulary.

use super::{Far, Size, Watched, World, addresses, pattern, pauses, segments};
use bytes::Bytes;
use std::time::Duration;
use wsring_io::{CloseHow, Io, Op, Outgoing, ReceiveEnd, Socket};

type Case<W> = (&'static str, fn(&mut W));

pub(crate) fn all<W: World>() -> Vec<Case<W>> {
    vec![
        ("accept_stops_and_starts", accept_stops_and_starts),
        ("accept_ends_when_the_table_is_full", accept_ends_when_the_table_is_full),
        ("listener_close_refuses", listener_close_refuses),
        ("connect_reaches_a_listener", connect_reaches_a_listener),
        ("connect_is_refused", connect_is_refused),
        ("peers_have_addresses", addresses::are_told),
        ("an_address_comes_before_the_bytes", addresses::come_first),
        ("close_while_an_address_is_asked_for", addresses::are_dropped_by_a_close),
        ("hand_over_while_an_address_is_asked_for", addresses::are_dropped_by_a_hand_over),
        ("receive_takes_everything_in_order", receive_takes_everything_in_order),
        ("receive_stops_and_starts", receive_stops_and_starts),
        ("a_pause_ends_with_a_start", pauses::end_with_a_start),
        ("a_pause_ends_with_fin", pauses::end_with_fin),
        ("a_pause_ends_with_a_reset", pauses::end_with_a_reset),
        ("a_pause_and_what_else_is_asked_for", pauses::follow_other_wishes),
        ("receive_waits_for_buffers", receive_waits_for_buffers),
        ("receive_goes_on_after_the_peers_fin", receive_goes_on_after_the_peers_fin),
        ("a_reset_ends_both_directions", a_reset_ends_both_directions),
        ("send_takes_every_kind_of_bytes", send_takes_every_kind_of_bytes),
        ("send_from_the_receive_buffer", send_from_the_receive_buffer),
        ("send_waits_for_a_slow_reader", send_waits_for_a_slow_reader),
        ("send_from_a_segment", segments::goes_out),
        ("a_short_send_is_the_shards", segments::falls_short),
        ("close_after_a_short_send_is_quiet", segments::closes_quietly),
        ("send_and_close_keep_their_order", send_and_close_keep_their_order),
        ("hand_over_keeps_what_arrived", hand_over_keeps_what_arrived),
        ("hand_over_to_itself", hand_over_to_itself),
        ("close_frees_the_place", close_frees_the_place),
        ("close_resets", close_resets),
        ("close_cancels_a_pending_send", close_cancels_a_pending_send),
        ("wakes_are_gathered", wakes_are_gathered),
        ("a_deadline_passes", a_deadline_passes),
    ]
}

pub(super) fn shard<W: World>(world: &mut W) -> Watched<W::Io> {
    Watched::new(world.shard(Size::default()))
}

/// A shard, a peer of it, and the shard's socket, which receives.
pub(super) fn pair<W: World>(world: &mut W) -> (Watched<W::Io>, W::Far, Socket) {
    let mut shard = shard(world);
    let far = world.far(0);
    let socket = shard.accept_and_receive();
    (shard, far, socket)
}

pub(super) fn buffer(bytes: &[u8]) -> Outgoing {
    Outgoing::Buffer { bytes: bytes.to_vec(), start: 0 }
}

/// Turns until the peer has read exactly these bytes.
pub(super) fn far_reads<I: Io>(shard: &mut Watched<I>, far: &mut impl Far, expected: &[u8]) {
    let mut read = Vec::new();
    shard.until("the bytes at the peer", |_| {
        read.extend(far.read());
        read.len() >= expected.len()
    });
    assert!(read == expected, "{} bytes came that differ", read.len());
}

/// Lets the peer write all of this and the shard receive it.
pub(super) fn far_writes<I: Io>(shard: &mut Watched<I>, far: &mut impl Far, socket: Socket, bytes: &[u8]) {
    let mut written = 0;
    shard.until("the bytes at the shard", |shard| {
        written += far.write(&bytes[written..]);
        shard.seen(socket).bytes.len() >= bytes.len()
    });
    assert!(std::mem::take(&mut shard.seen(socket).bytes) == bytes, "bytes came that differ");
}

pub(super) fn turns<I: Io>(shard: &mut Watched<I>, count: usize) {
    (0..count).for_each(|_| shard.turn());
}

fn accept_stops_and_starts<W: World>(world: &mut W) {
    let mut shard = shard(world);
    let _first = world.far(0);
    shard.accept();
    shard.io.submit(Op::AcceptStop);
    turns(&mut shard, 10);
    let mut late = world.far(0);
    turns(&mut shard, 20);
    assert!(shard.accepted.is_empty(), "a stopped listener accepts nothing");
    let socket = shard.accept_and_receive();
    far_writes(&mut shard, &mut late, socket, b"I waited");
}

fn accept_ends_when_the_table_is_full<W: World>(world: &mut W) {
    let mut shard = Watched::new(world.shard(Size { sockets_max: 2, ..Size::default() }));
    let _fars = [world.far(0), world.far(0), world.far(0)];
    let first = shard.accept();
    shard.until("the end of accepting", |shard| shard.accept_ended.contains(&libc::ENFILE));
    assert_eq!(shard.accepted.len(), 1);
    shard.accepted.clear();
    shard.close(first, CloseHow::Fin);
    let mut next = world.far(0);
    let socket = shard.accept_and_receive();
    assert_eq!(socket.slot(), first.slot());
    far_writes(&mut shard, &mut next, socket, b"there is a place again");
}

fn listener_close_refuses<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    shard.io.submit(Op::ListenerClose);
    turns(&mut shard, 10);
    let mut late = world.far(0);
    shard.until("the refusal", |_| late.is_reset());
    far_writes(&mut shard, &mut far, socket, b"open ones stay open");
}

fn connect_reaches_a_listener<W: World>(world: &mut W) {
    let (mut near, mut far) = (shard(world), shard(world));
    far.io.submit(Op::AcceptStart);
    far.turn();
    near.io.submit(Op::Connect(wsring_io::Connect {
        request: 7,
        to: world.address(1),
        from: None,
        receive_buffer_bytes: None,
    }));
    near.until("the connection", |near| {
        far.turn();
        !near.connected.is_empty() && !far.accepted.is_empty()
    });
    let (request, connected) = near.connected.remove(0);
    let (connected, accepted) = (connected.expect("it listens"), far.accepted.remove(0).expect("accepted"));
    assert_eq!(request, 7);
    far.receive_start(accepted);
    let bytes = pattern(3000, 1);
    near.send(connected, buffer(&bytes), false);
    near.until("the bytes", |_| {
        far.turn();
        far.seen(accepted).bytes.len() >= bytes.len()
    });
    assert_eq!(far.seen(accepted).bytes, bytes);
}

fn connect_is_refused<W: World>(world: &mut W) {
    let mut shard = shard(world);
    let nobody = world.address_of_nobody();
    for request in 0..3 {
        assert_eq!(shard.connect(request, nobody), Err(libc::ECONNREFUSED));
    }
}

fn receive_takes_everything_in_order<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    for (key, length) in [1, 2, 511, 512, 513, 1024, 20_000].into_iter().enumerate() {
        far_writes(&mut shard, &mut far, socket, &pattern(length, key as u8));
    }
    assert!(shard.io.counters().bytes_received >= 22_563);
}

fn receive_stops_and_starts<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    far_writes(&mut shard, &mut far, socket, b"before");
    shard.receive_stop(socket);
    assert_eq!(shard.seen(socket).end.take(), Some(ReceiveEnd::Stopped));
    let mut written = far.write(b"meanwhile");
    turns(&mut shard, 20);
    assert!(shard.seen(socket).bytes.is_empty(), "a stopped socket receives nothing");
    shard.receive_start(socket);
    shard.until("what was held back", |shard| {
        written += far.write(&b"meanwhile"[written..]);
        shard.seen(socket).bytes == b"meanwhile"
    });
}

fn receive_waits_for_buffers<W: World>(world: &mut W) {
    const FARS: usize = 8;
    let mut shard = Watched::new(world.shard(Size { buffers: 2, ..Size::default() }));
    let mut fars: Vec<W::Far> = (0..FARS).map(|_| world.far(0)).collect();
    let sockets: Vec<Socket> = (0..FARS).map(|_| shard.accept_and_receive()).collect();
    shard.hold = true;
    fars.iter_mut().for_each(|far| assert_eq!(far.write(b"x"), 1));
    shard.until("both buffers", |shard| shard.held.len() == 2);
    turns(&mut shard, 20);
    assert_eq!(shard.held.len(), 2, "there are no more buffers");
    shard.release_all();
    shard.until("everybody's byte", |shard| sockets.iter().all(|&socket| shard.seen(socket).bytes == b"x"));
    assert!(shard.io.counters().buffers_exhausted > 0);
}

fn receive_goes_on_after_the_peers_fin<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    far_writes(&mut shard, &mut far, socket, b"my last words");
    far.finish();
    shard.until("the end", |shard| shard.seen(socket).end.is_some());
    assert_eq!(shard.seen(socket).end, Some(ReceiveEnd::Eof));
    shard.send(socket, buffer(b"but I go on"), false);
    far_reads(&mut shard, &mut far, b"but I go on");
    shard.close(socket, CloseHow::Fin);
    shard.until("FIN at the peer", |_| far.is_eof());
}

fn a_reset_ends_both_directions<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    far.reset();
    shard.until("the end", |shard| shard.seen(socket).end.is_some());
    assert_eq!(shard.seen(socket).end, Some(ReceiveEnd::Failed(libc::ECONNRESET)));
    shard.until("the failure", |shard| {
        let seen = shard.seen(socket);
        if !seen.is_pending && seen.send_failed.is_none() {
            shard.send(socket, buffer(b"anybody there?"), false);
            shard.turn();
        }
        shard.seen(socket).send_failed.is_some()
    });
    let errno = shard.seen(socket).send_failed;
    assert!(matches!(errno, Some(libc::EPIPE | libc::ECONNRESET)), "{errno:?}");
    shard.close(socket, CloseHow::Fin);
}

fn send_takes_every_kind_of_bytes<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    let sends = [
        Outgoing::Buffer { bytes: b"xxone".to_vec(), start: 2 },
        Outgoing::Shared(Bytes::from_static(b"two")),
        Outgoing::Buffer { bytes: Vec::new(), start: 0 },
        Outgoing::Shared(Bytes::new()),
    ];
    for (at, bytes) in sends.into_iter().enumerate() {
        shard.send(socket, bytes, true);
        shard.until("the notice", |shard| shard.seen(socket).sends_done == at + 1);
    }
    far_reads(&mut shard, &mut far, b"onetwo");
    assert_eq!(shard.io.counters().bytes_sent, 6);
    let spare = shard.io.spare();
    assert!(spare.is_empty());
    shard.io.restore(spare);
}

fn send_from_the_receive_buffer<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    shard.hold = true;
    let mut sent = 0;
    let mut echoed = Vec::new();
    let bytes = pattern(5000, 3);
    shard.until("the echo", |shard| {
        sent += far.write(&bytes[sent..]);
        echoed.extend(far.read());
        let seen = shard.seen(socket);
        if !seen.is_pending
            && let Some((socket, buffer)) = shard.held.pop_front()
        {
            shard.io.bytes(&buffer).iter_mut().for_each(|byte| *byte ^= 0xFF);
            let range = 0..buffer.len();
            shard.send(socket, Outgoing::Received { buffer, range }, false);
        }
        echoed.len() == bytes.len()
    });
    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 0xFF).collect();
    assert!(echoed == flipped, "bytes came that differ");
}

fn send_waits_for_a_slow_reader<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    let bytes = pattern(100_000, 5);
    for kind in [buffer(&bytes), Outgoing::Shared(Bytes::from(bytes.clone()))] {
        let done = shard.seen(socket).sends_done;
        shard.send(socket, kind, true);
        turns(&mut shard, 20);
        far_reads(&mut shard, &mut far, &bytes);
        shard.until("the notice", |shard| shard.seen(socket).sends_done == done + 1);
    }
    assert!(!shard.seen(socket).is_pending);
}

fn send_and_close_keep_their_order<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    // The core closes once nothing is pending; a byte may have to wait for room all the same.
    shard.send(socket, buffer(b"!"), true);
    shard.until("the notice", |shard| shard.seen(socket).sends_done == 1);
    shard.close(socket, CloseHow::Fin);
    far_reads(&mut shard, &mut far, b"!");
    shard.until("FIN at the peer", |_| far.is_eof());
}

fn hand_over_keeps_what_arrived<W: World>(world: &mut W) {
    let (mut first, mut second) = (shard(world), shard(world));
    let mut far = world.far(0);
    let mut written = far.write(b"for whom");
    first.io.submit(Op::AcceptStart);
    first.until("a connection", |first| {
        second.turn();
        !first.accepted.is_empty()
    });
    let socket = first.accepted.pop_front().expect("there is one");
    first.hand_over(socket, 1);
    second.until("the connection", |second| {
        first.turn();
        !second.accepted.is_empty()
    });
    let socket = second.accepted.pop_front().expect("there is one");
    second.receive_start(socket);
    second.until("the bytes", |second| {
        first.turn();
        written += far.write(&b"for whom"[written..]);
        second.seen(socket).bytes == b"for whom"
    });
    second.send(socket, buffer(b"for me"), false);
    let mut read = Vec::new();
    second.until("the answer", |_| {
        first.turn();
        read.extend(far.read());
        read == b"for me"
    });
}

fn hand_over_to_itself<W: World>(world: &mut W) {
    let mut shard = shard(world);
    let mut far = world.far(0);
    let socket = shard.accept();
    shard.hand_over(socket, 0);
    let again = shard.accept_and_receive();
    far_writes(&mut shard, &mut far, again, b"round and round");
}

fn close_frees_the_place<W: World>(world: &mut W) {
    let mut shard = shard(world);
    let mut before: Option<Socket> = None;
    for _ in 0..5 {
        let mut far = world.far(0);
        let socket = shard.accept_and_receive();
        if let Some(before) = before {
            assert_eq!(socket.slot(), before.slot(), "lowest first");
            assert_ne!(socket.generation(), before.generation());
        }
        far_writes(&mut shard, &mut far, socket, b"mine alone");
        shard.close(socket, CloseHow::Fin);
        shard.until("FIN at the peer", |_| far.is_eof());
        before = Some(socket);
    }
}

fn close_resets<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    shard.close(socket, CloseHow::Reset);
    shard.until("RST at the peer", |_| {
        far.read();
        far.is_reset()
    });
}

fn close_cancels_a_pending_send<W: World>(world: &mut W) {
    let (mut shard, _far, socket) = pair(world);
    let bytes = Bytes::from(pattern(1 << 20, 9));
    shard.until("a send that waits", |shard| {
        if !shard.seen(socket).is_pending {
            shard.send(socket, Outgoing::Shared(bytes.clone()), false);
            shard.turn();
        }
        shard.seen(socket).is_pending
    });
    shard.close(socket, CloseHow::Reset);
    turns(&mut shard, 5);
}

fn wakes_are_gathered<W: World>(world: &mut W) {
    let mut shard = shard(world);
    turns(&mut shard, 3);
    let waker = shard.io.waker();
    let other = std::thread::spawn(move || (0..100).for_each(|_| waker.wake()));
    other.join().expect("it only wakes");
    shard.until("the wake-up", |shard| shard.woken > 0);
    turns(&mut shard, 5);
    assert_eq!(shard.woken, 1);
    shard.io.waker().wake();
    shard.until("the next wake-up", |shard| shard.woken == 2);
}

fn a_deadline_passes<W: World>(world: &mut W) {
    let mut shard = shard(world);
    shard.turn();
    let deadline = shard.io.now().after(Duration::from_millis(20));
    let mut completions = Vec::new();
    for _ in 0..1000 {
        shard.io.turn(Some(deadline), &mut completions).expect("the speaker is sound");
        if shard.io.now() >= deadline {
            break;
        }
    }
    assert!(completions.is_empty() && shard.io.now() >= deadline);
    assert!(shard.io.now().since(deadline) < Duration::from_secs(1));
}
