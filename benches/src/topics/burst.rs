//! A burst: messages published by a thread that belongs to no shard, each when all shards have sent the one
//! before to all their subscribers. So every send carries one message.

use crate::proc;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};
use wsring::{Kind, Running, ShardFigures, Topic};

/// A look at how far the shards are comes after most of the time that the message before has taken, and then
/// after this share of it again and again: seldom, since looking takes time from a shard on the same core.
const LOOK_AFTER: f64 = 0.85;
const LOOK_EVERY: f64 = 0.02;
const LOOK_EVERY_MIN: Duration = Duration::from_micros(50);
/// A shard that has done nothing for so long will do nothing more.
const STALL: Duration = Duration::from_secs(5);
/// After this the shards sleep, and their accounts are complete.
const REST: Duration = Duration::from_millis(5);

/// What came of one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Burst {
    /// From before the first publish until the last message was sent.
    pub seconds: f64,
    /// CPU time of all shards.
    pub cpu_nanoseconds: u64,
    /// Messages handed to subscribers.
    pub deliveries: u64,
    /// Sends for them.
    pub sends: u64,
    /// Sends that had to wait: more than none means that the sockets were too full for this to count.
    pub sends_blocked: u64,
}

pub(super) fn burst(running: &Running, topic: &Topic, messages: u64, bytes: usize) -> io::Result<Burst> {
    let (observer, payload) = (running.observer(), vec![b'x'; bytes]);
    let total = |figure: fn(&ShardFigures) -> u64| observer.shards().iter().map(figure).sum::<u64>();
    let pid = std::process::id();
    let cpu = || proc::cpu_nanoseconds_of_others(pid, pid);
    let before: Vec<ShardFigures> = observer.shards();
    let (cpu_before, began) = (cpu()?, Instant::now());
    let mut each = Duration::ZERO;
    for message in 1..=messages {
        let published = Instant::now();
        topic.publish(Kind::Binary, &payload);
        let is_done = || {
            let mut shards = observer.shards().into_iter().zip(&before);
            shards.all(|(now, before)| now.deliveries == before.deliveries + message * before.subscriptions)
        };
        std::thread::sleep(each.mul_f64(LOOK_AFTER));
        while !is_done() {
            if published.elapsed() > STALL {
                return Err(io::Error::other(format!("message {message} did not reach everybody")));
            }
            std::thread::sleep(each.mul_f64(LOOK_EVERY).max(LOOK_EVERY_MIN));
        }
        each = published.elapsed();
    }
    let seconds = began.elapsed().as_secs_f64();
    std::thread::sleep(REST);
    let since = |figure: fn(&ShardFigures) -> u64| total(figure) - before.iter().map(figure).sum::<u64>();
    Ok(Burst {
        seconds,
        cpu_nanoseconds: cpu()? - cpu_before,
        deliveries: since(|shard| shard.deliveries),
        sends: since(|shard| shard.sends),
        sends_blocked: since(|shard| shard.sends_blocked),
    })
}
