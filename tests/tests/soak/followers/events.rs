//! Event streams, resumed as a browser does.

use super::super::follow::Follow;
use super::super::message::{Gap, number};
use super::{Ended, Life};
use wsring_tests::events::{Event, Stream};

pub(super) fn live(mut life: Life) -> Ended {
    let mut follows: Vec<Follow> = life.topics.iter().cloned().map(Follow::new).collect();
    let (mut lives, mut closed) = (0, 0);
    while life.goes_on() {
        let at = life.random.below(follows.len());
        let follow = &mut follows[at];
        let path = format!("/topics/{}", follow.topic.name);
        let more = follow.next.map(|next| {
            let last = next.checked_sub(1).expect("the first message came before");
            format!("Last-Event-ID: {}-{last}\r\n", follow.topic.epoch)
        });
        let mut stream = Stream::open(life.address, &path, &more.unwrap_or_default());
        lives += 1;
        for _ in 0..life.random.below(200) {
            if life.random.once_in(100) {
                life.stall();
            }
            if !life.goes_on() {
                break;
            }
            let Some(event) = stream.event() else {
                assert!(follow.topic.closes(), "{}: the stream has ended", follow.topic.name);
                closed += 1;
                break;
            };
            hear(follow, &event);
        }
    }
    Ended::of(follows, lives, closed)
}

fn hear(follow: &mut Follow, event: &Event) {
    let (epoch, offset) = event.id.split_once('-').unwrap_or_else(|| panic!("{event:?}"));
    let offset: u64 = offset.parse().unwrap_or_else(|_| panic!("{event:?}"));
    assert_eq!(epoch, follow.topic.epoch.to_string());
    match event.name.as_str() {
        "" => {
            follow.begins_at(offset);
            follow.message(offset, number(&event.data));
        }
        "gap" => {
            let gap = Gap::of(&serde_json::from_str(&event.data).unwrap());
            // One that has just begun may be told of a gap before it has any message.
            follow.begins_at(gap.from);
            follow.gap(&gap);
            assert_eq!(gap.to, offset + 1, "the id is that of the last one missing");
        }
        name => panic!("an event {name}"),
    }
}
