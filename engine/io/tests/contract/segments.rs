//! Sends from segments, of which nothing is kept.

use super::cases::{buffer, far_reads, pair, shard, turns};
use super::{Watched, World, pattern};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use wsring_io::{Appender, CloseHow, Io, Outgoing, Segment, Socket};

type Shared = Rc<Arc<Segment>>;

fn segment(appender: &Appender) -> Shared {
    Rc::new(appender.segment().clone())
}

fn filled(bytes: &[u8]) -> Shared {
    let mut appender = Appender::new(Appender::needed(bytes.len()));
    assert!(appender.append(&[bytes]));
    segment(&appender)
}

fn outgoing(segment: &Shared, range: Range<usize>, tag: u32) -> Outgoing {
    Outgoing::Segment { segment: segment.clone(), range: range.start as u32..range.end as u32, tag }
}

/// Sends a range, and what it leaves over from a vector; how much that was.
fn send_all<I: Io>(shard: &mut Watched<I>, socket: Socket, segment: &Shared, range: Range<usize>) -> usize {
    shard.send(socket, outgoing(segment, range.clone(), range.start as u32), false);
    shard.turn();
    assert_eq!(Rc::strong_count(segment), 1, "it is let go of at once");
    let left = shard.seen(socket).short.take().unwrap_or(0);
    if left > 0 {
        let done = shard.seen(socket).sends_done;
        shard.send(socket, buffer(segment.bytes(range.end - left..range.end)), true);
        shard.until("the rest", |shard| shard.seen(socket).sends_done > done);
    }
    left
}

pub(super) fn goes_out<W: World>(world: &mut W) {
    let (mut shard, mut far, socket) = pair(world);
    let mut appender = Appender::new(64);
    let shared = segment(&appender);
    let mut sent = 0;
    let mut shorts = 0;
    for message in [&b"first"[..], b"second", b"and a third"] {
        assert!(appender.append(&[&message[..2], &message[2..]]));
        let end = sent + message.len();
        shorts += u64::from(send_all(&mut shard, socket, &shared, sent..end) > 0);
        turns(&mut shard, 3);
        far_reads(&mut shard, &mut far, message);
        sent = end;
    }
    assert_eq!(shard.seen(socket).sends_done as u64, shorts, "without notify nothing is reported");
    let counters = *shard.io.counters();
    assert_eq!((counters.sends_short, counters.bytes_sent), (shorts, sent as u64));
    shard.send(socket, outgoing(&shared, 0..0, 0), false);
    notifies(&mut shard, socket, &shared);
}

/// With `notify` a send that is out is reported; one that is short is not reported twice.
fn notifies<I: Io>(shard: &mut Watched<I>, socket: Socket, shared: &Shared) {
    turns(shard, 2);
    for attempt in 0.. {
        let done = shard.seen(socket).sends_done;
        shard.send(socket, outgoing(shared, 0..3, attempt), true);
        turns(shard, 3);
        let (is_done, short) = (shard.seen(socket).sends_done - done, shard.seen(socket).short.take());
        assert_eq!(is_done, usize::from(short.is_none()));
        if short.is_none() {
            return;
        }
    }
}

/// Until not a byte goes out any more: each send goes on where the last one stopped. Then a vector
/// waits for room with what follows, and all comes in order.
pub(super) fn falls_short<W: World>(world: &mut W) {
    const LENGTH: usize = 1 << 20;
    let (mut shard, mut far, socket) = pair(world);
    let bytes = pattern(LENGTH, 11);
    let shared = filled(&bytes);
    let mut sent = 0;
    let mut tag = 0;
    loop {
        shard.send(socket, outgoing(&shared, sent..LENGTH, tag), tag % 2 == 1);
        shard.turn();
        let unsent = shard.seen(socket).short.take().expect("the peer reads nothing");
        let is_full = unsent == LENGTH - sent;
        (sent, tag) = (LENGTH - unsent, tag + 1);
        if is_full && sent > 0 {
            break;
        }
    }
    let counters = *shard.io.counters();
    assert_eq!((counters.sends_short, counters.sends_pending), (tag.into(), 0));
    assert_eq!(counters.bytes_sent, sent as u64);
    turns(&mut shard, 10);
    assert!(!shard.seen(socket).is_pending && shard.seen(socket).sends_done == 0);
    far_reads(&mut shard, &mut far, &bytes[..sent]);
    let rest = &bytes[sent..LENGTH.min(sent + 20_000)];
    shard.send(socket, buffer(rest), true);
    far_reads(&mut shard, &mut far, rest);
    shard.until("the notice", |shard| shard.seen(socket).sends_done == 1);
}

pub(super) fn closes_quietly<W: World>(world: &mut W) {
    let shared = filled(&pattern(1 << 20, 12));
    let mut shard = shard(world);
    for turns_between in 0..3 {
        let _far = world.far(0);
        let socket = shard.accept_and_receive();
        shard.send(socket, outgoing(&shared, 0..1 << 20, 1), turns_between == 0);
        turns(&mut shard, turns_between);
        shard.close(socket, CloseHow::Reset);
        turns(&mut shard, 3);
        assert_eq!(Rc::strong_count(&shared), 1);
    }
}
