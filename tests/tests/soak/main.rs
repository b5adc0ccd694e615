//! A server under everything that its clients do, for a while and again and again: it loses nothing, and when
//! they are gone it is where it was.
//!
//! In every cycle topics begin, each with a source that numbers its messages and publishes them by every route;
//! followers subscribe, unsubscribe, stall, are killed and resume, over `/ws`, `/topics/{name}`, event streams
//! and patterns; others come and go. Each follower is an oracle of its own: every message once and in order, or
//! a gap that says precisely what is missing. Between cycles connections, subscriptions, topics and retained
//! bytes have to be none, and memory where it was.
//!
//! `SOAK_SECONDS=600` runs that long; `./ci.sh soak` does so with the release build.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod calm;
mod follow;
mod followers;
mod message;
mod random;
mod source;

use calm::Calm;
use followers::Ended;
use random::Random;
use source::{POLICIES, Source, Topic};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wsring_tests::Peer;
use wsring_tests::process::Process;

/// So long others may grow before anybody wonders: the heap's own bookkeeping and fragments.
const GROWTH_BYTES_MAX: u64 = 8 << 20;
/// In how many of its cycles a server comes to know its largest turn.
const WARM_CYCLES: usize = 2;
const TOPICS_PER_POLICY: usize = 2;

fn seconds() -> u64 {
    std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

fn seed() -> u64 {
    std::env::var("SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64
    })
}

#[test]
fn a_server_under_churn_loses_nothing_and_comes_back_to_where_it_was() {
    let (seconds, mut random) = (seconds(), Random::new(seed()));
    println!("SOAK_SEED={} SOAK_SECONDS={seconds}", random.seed());
    let rules = source::Rules::new();
    let server = Process::serve(2048, &["--shards", "2", "--ping-interval", "1s", "--config", rules.name()]);
    let address = server.address();
    let empty = Calm::reached(&server);
    let (begin, mut calms, mut total) = (Instant::now(), Vec::new(), Ended::default());
    let cycle_time = Duration::from_secs(seconds.div_ceil(6).clamp(2, 10));
    while begin.elapsed() < Duration::from_secs(seconds) || calms.len() <= WARM_CYCLES {
        let ended = cycle(address, calms.len(), cycle_time, &mut random);
        let calm = Calm::reached(&server);
        println!("cycle {}: {ended}; {calm}", calms.len());
        total.add(&ended);
        // Who was killed was not told of everything that the server has counted.
        assert!(total.skipped <= calm.skipped && total.latest <= calm.latest, "{total}, but {calm:?}");
        assert!(ended.received > 0, "{ended}");
        calms.push(calm);
    }
    println!("{} cycles in {:?}: {total}; empty at first: {empty}", calms.len(), begin.elapsed());
    let warm = calms[..WARM_CYCLES].iter().map(|calm| calm.private_bytes).max().unwrap();
    let last = calms.last().unwrap().private_bytes;
    assert!(
        last <= warm + GROWTH_BYTES_MAX,
        "memory went from {warm} B to {last} B in {} cycles",
        calms.len()
    );
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Everybody once, with topics of their own.
fn cycle(address: SocketAddr, number: usize, time: Duration, random: &mut Random) -> Ended {
    let names = POLICIES
        .iter()
        .flat_map(|policy| (0..TOPICS_PER_POLICY).map(move |at| format!("soak/{policy}/{number}-{at}")));
    let sources: Vec<Source> = names.map(|name| Source::start(address, name, random.split())).collect();
    let topics: Arc<[Topic]> = sources.iter().map(|source| source.topic().clone()).collect();
    let over = Arc::new(AtomicBool::new(false));
    let followers = followers::start(address, &topics, &over, random);
    std::thread::sleep(time);
    over.store(true, Ordering::Release);
    let ended: Vec<Ended> = followers.into_iter().map(join).collect();
    // Topics live on, although all of their messages may expire.
    let _held: Vec<Peer> =
        topics.iter().map(|topic| Peer::open(address, &format!("/topics/{}", topic.name))).collect();
    let heads: Vec<u64> = sources.into_iter().map(Source::stop).collect();
    let mut sum = Ended::begin(heads.iter().sum());
    for mut ended in ended {
        ended.finish(address, &topics, &heads);
        sum.add(&ended);
    }
    sum
}
