//! One topic over `/topics/{name}`, from where it was.

use super::super::follow::Follow;
use super::super::message::{Said, next};
use super::{Ended, Life};
use std::net::SocketAddr;
use wsring_tests::Peer;

pub(super) fn live(mut life: Life) -> Ended {
    let mut follows: Vec<Follow> = life.topics.iter().cloned().map(Follow::new).collect();
    let (mut lives, mut closed) = (0, 0);
    while life.goes_on() {
        let at = life.random.below(follows.len());
        let follow = &mut follows[at];
        let mut peer = life.open(&path(follow));
        lives += 1;
        begin(&mut peer, follow);
        for _ in 0..life.random.below(200) {
            if life.random.once_in(100) {
                life.stall();
            }
            if !life.goes_on() {
                break;
            }
            if !hear(&mut peer, follow) {
                closed += 1;
                break;
            }
        }
        if life.random.once_in(2) && peer.try_send(&wsring_tests::wire::close(1000, "")) {
            // Whatever was on its way is not waited for.
            continue;
        }
    }
    Ended::of(follows, lives, closed)
}

/// Reads on until it is at the head.
pub(super) fn follow_to(address: SocketAddr, follow: &mut Follow, head: u64) {
    if follow.next.is_none() {
        return;
    }
    while follow.next != Some(head) {
        let mut peer = Peer::open(address, &path(follow));
        begin(&mut peer, follow);
        while follow.next != Some(head) && hear(&mut peer, follow) {}
    }
}

fn path(follow: &Follow) -> String {
    let name = &follow.topic.name;
    follow.next.map_or_else(
        || format!("/topics/{name}?form=json"),
        |next| format!("/topics/{name}?form=json&from={next}&epoch={}", follow.topic.epoch),
    )
}

/// The first message says where it begins.
fn begin(peer: &mut Peer, follow: &mut Follow) {
    match next(peer) {
        Said::Other(said) if said["topic"] == *follow.topic.name => follow.begins(&said["subscribed"]),
        said => panic!("{}: {said:?}", follow.topic.name),
    }
}

/// Takes one message in; false when it was closed for being slow.
fn hear(peer: &mut Peer, follow: &mut Follow) -> bool {
    match next(peer) {
        Said::Message { topic, offset, number } => {
            assert_eq!(topic, follow.topic.name);
            follow.message(offset, number);
        }
        Said::Gap { topic, gap } => {
            assert_eq!(topic, follow.topic.name);
            follow.gap(&gap);
        }
        Said::Closed(1013) if follow.topic.closes() => return false,
        said => panic!("{}: {said:?}", follow.topic.name),
    }
    true
}
