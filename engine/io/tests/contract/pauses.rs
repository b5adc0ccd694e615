//! Receiving that is paused: it goes on when the shard wants, or when the connection ends.

use super::cases::{far_writes, pair, turns};
use super::{Far, Watched, World};
use wsring_io::{CloseHow, Io, Op, ReceiveEnd, Socket};

pub(super) fn end_with_a_start<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    for round in 0..3 {
        far_writes(&mut shard, &mut far, socket, b"before");
        shard.receive_pause(socket);
        assert_eq!(shard.seen(socket).end.take(), Some(ReceiveEnd::Stopped), "round {round}");
        let mut written = far.write(b"meanwhile");
        turns(&mut shard, 20);
        assert!(shard.seen(socket).bytes.is_empty(), "a paused socket receives nothing");
        shard.receive_start(socket);
        shard.until("what was held back", |shard| {
            written += far.write(&b"meanwhile"[written..]);
            shard.seen(socket).bytes == b"meanwhile"
        });
        shard.seen(socket).bytes.clear();
    }
}

pub(super) fn end_with_fin<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = paused(world);
    far.finish();
    shard.until("the end", |shard| shard.seen(socket).end.is_some());
    assert_eq!(shard.seen(socket).end, Some(ReceiveEnd::Eof));
    assert_eq!(shard.seen(socket).bytes, b"my last words");
    shard.close(socket, CloseHow::Fin);
}

pub(super) fn end_with_a_reset<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = paused(world);
    far.reset();
    shard.until("the end", |shard| shard.seen(socket).end.is_some());
    // What was on its way may be lost.
    assert_eq!(shard.seen(socket).end, Some(ReceiveEnd::Failed(libc::ECONNRESET)));
    shard.close(socket, CloseHow::Fin);
}

/// A paused socket to which something was written.
fn paused<W: World>(world: &mut W) -> (Watched<W::Io>, W::Far, Socket) {
    let (mut shard, mut far, socket) = pair(world);
    shard.receive_pause(socket);
    shard.seen(socket).end = None;
    let mut written = 0;
    shard.until("the peer to write", |_| {
        written += far.write(&b"my last words"[written..]);
        written == 13
    });
    turns(&mut shard, 20);
    assert!(shard.seen(socket).bytes.is_empty(), "a paused socket receives nothing");
    (shard, far, socket)
}

/// Wishes that follow each other at once: the last one holds. A pause that nothing was asked before takes
/// effect too.
pub(super) fn follow_other_wishes<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    shard.receive_pause(socket);
    shard.seen(socket).end = None;
    shard.io.submit(Op::ReceiveStart(socket));
    shard.receive_pause(socket);
    turns(&mut shard, 20);
    shard.seen(socket).end = None;
    let mut written = far.write(b"for later");
    turns(&mut shard, 20);
    assert!(shard.seen(socket).bytes.is_empty(), "the pause was asked for last");
    shard.io.submit(Op::ReceivePause(socket));
    shard.receive_start(socket);
    shard.until("what was held back", |shard| {
        written += far.write(&b"for later"[written..]);
        shard.seen(socket).bytes == b"for later"
    });
    shard.receive_pause(socket);
    shard.close(socket, CloseHow::Reset);
    shard.until("the reset", |_| far.is_reset());
}
