//! What each policy does with a peer that does not read, exactly.

use crate::probe::{Probe, STEP, finish, world};
use crate::wire::{self, FIN, PING, TEXT};
use crate::world::World;
use std::time::Duration;
use wsring::{Settings, SlowPeer};

const HIGH_WATER: usize = 64 * 1024;
/// What the network holds on its own, either way.
const WINDOW: usize = 4 * 1024;

fn begin(slow_peer: SlowPeer, target: &str) -> (World, Probe) {
    let settings =
        Settings { slow_peer, high_water_bytes: HIGH_WATER, ping_interval: None, ..Settings::default() };
    let mut world = world(settings);
    let mut probe = Probe::open(&mut world, target);
    probe.peer.set_window(WINDOW);
    probe.is_reading = false;
    (world, probe)
}

/// Writes as long as the server reads, up to `bytes_max`; says how many bytes were taken.
fn flood(world: &mut World, probe: &mut Probe, frame: &[u8], bytes_max: usize) -> usize {
    let (mut taken, mut stalls) = (0, 0);
    while taken < bytes_max && stalls < 3 {
        let count = probe.peer.write(&frame[taken % frame.len()..]);
        taken += count;
        stalls = if count == 0 { stalls + 1 } else { 0 };
        world.settle();
    }
    taken
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::append(&mut bytes, FIN | opcode, payload, [1, 2, 3, 4]);
    bytes
}

/// Reads on until nothing more comes.
fn read_on(world: &mut World, probe: &mut Probe) {
    probe.is_reading = true;
    probe.peer.set_window(1 << 20);
    probe.pass(world, Duration::from_millis(200), |_, _| {});
}

#[test]
fn pause_loses_nothing_and_holds_the_sender_back() {
    let (mut world, mut probe) = begin(SlowPeer::Pause, "/echo/0");
    let frame = frame(TEXT, &[b'a'; 1_000]);
    let taken = flood(&mut world, &mut probe, &frame, 64 << 20);
    // What is echoed and waits, what a turn had received before, and what the network holds.
    let most = HIGH_WATER + 256 * 4_096 + 2 * 256 * 1024;
    assert!((HIGH_WATER..most).contains(&taken), "{taken} bytes were taken in");
    let entry = world.shared.entry(0);
    assert!(entry.queued > 0 && entry.dropped == 0 && entry.drained == 0, "{entry:?}");
    read_on(&mut world, &mut probe);
    assert_eq!(probe.seen.len(), taken / frame.len());
    assert!(probe.names().iter().all(|name| *name == "1000 bytes"));
    assert!(world.shared.entry(0).drained > 0, "a sender that waits is told");
    finish(world, vec![probe]);
}

/// One long answer is counted as it shrinks: its reader is read from again before the last byte is out.
#[test]
fn pause_ends_when_half_the_mark_is_left() {
    let (mut world, mut probe) = begin(SlowPeer::Pause, "/echo/0");
    let message = vec![b'a'; 4 * HIGH_WATER];
    probe.say_long(&mut world, TEXT, &message);
    probe.say(TEXT, b"next");
    world.settle();
    assert_eq!(world.shared.entry(0).messages, 1, "it is not read from");
    probe.is_reading = true;
    // It takes a window in every step.
    let steps = (message.len() - HIGH_WATER / 2) / WINDOW;
    probe.pass(&mut world, STEP * (steps as u32 - 4), |_, _| {});
    assert_eq!(world.shared.entry(0).messages, 1, "more than half of the mark waits");
    probe.pass(&mut world, STEP * 8, |_, _| {});
    assert_eq!((world.shared.entry(0).messages, probe.seen.len()), (2, 0));
    read_on(&mut world, &mut probe);
    assert_eq!(probe.names(), ["262144 bytes", "4 bytes"]);
    finish(world, vec![probe]);
}

#[test]
fn drop_refuses_what_is_above_the_mark() {
    let (mut world, mut probe) = begin(SlowPeer::Drop, "/echo/0");
    let frame = frame(TEXT, &[b'a'; 1_000]);
    let bytes = 1_000 * frame.len();
    assert_eq!(flood(&mut world, &mut probe, &frame, bytes), bytes, "the server reads on");
    let entry = world.shared.entry(0);
    assert_eq!(entry.messages, 1_000);
    read_on(&mut world, &mut probe);
    assert_eq!(probe.seen.len() + entry.dropped, 1_000);
    let kept = probe.seen.len() * 1_004;
    assert!((HIGH_WATER..HIGH_WATER + 2 * WINDOW + 2_000).contains(&kept), "{kept} bytes were kept");
    probe.say(TEXT, b"again");
    probe.pass(&mut world, Duration::from_millis(50), |_, _| {});
    assert_eq!(probe.names().last(), Some(&"5 bytes"), "it is taken again");
    assert!(world.shared.entry(0).drained > 0);
    finish(world, vec![probe]);
}

#[test]
fn close_says_try_again_later() {
    let (mut world, mut probe) = begin(SlowPeer::Close, "/echo/0");
    let frame = frame(TEXT, &[b'a'; 1_000]);
    flood(&mut world, &mut probe, &frame, 200 * frame.len());
    read_on(&mut world, &mut probe);
    assert_eq!(probe.names().last(), Some(&"close 1013"));
    let kept = (probe.seen.len() - 1) * 1_004;
    assert!((HIGH_WATER..HIGH_WATER + 2 * WINDOW + 2_000).contains(&kept), "{kept} bytes were kept");
    probe.say(wire::CLOSE, &1013_u16.to_be_bytes());
    probe.pass(&mut world, Duration::from_millis(50), |_, _| {});
    assert_eq!(probe.names().last(), Some(&"end"));
    assert_eq!(world.shared.entry(0).closed, [(1013, true)]);
    finish(world, vec![probe]);
}

/// A subscriber that does not read costs the others nothing. What it has missed by then is what its topic
/// does not keep, to the message, and it is told so, or closed.
#[test]
fn of_a_topic() {
    const MESSAGES: usize = 200;
    for policy in [SlowPeer::Pause, SlowPeer::Drop, SlowPeer::Close] {
        let (mut world, mut slow) = begin(policy, "/room/0");
        let mut quick = Probe::open(&mut world, "/room/1");
        for _ in 0..MESSAGES {
            quick.say(TEXT, &[b'a'; 1_000]);
            world.settle();
            quick.read(world.now());
        }
        assert_eq!(quick.seen.len(), MESSAGES, "{policy:?}");
        read_on(&mut world, &mut slow);
        let names = slow.names();
        let got = names.iter().filter(|name| **name == "1000 bytes").count();
        let missed = world.shared.entry(0).missed;
        let kept = HIGH_WATER / 1_008;
        let (after, last) = match policy {
            SlowPeer::Pause => (1, "1000 bytes"),
            SlowPeer::Drop => {
                (got - names.iter().position(|name| *name != "1000 bytes").unwrap(), "1000 bytes")
            }
            SlowPeer::Close => (0, "close 1013"),
        };
        assert_eq!(names.last(), Some(&last), "{policy:?}");
        if policy == SlowPeer::Close {
            assert!(got < MESSAGES / 2 && missed == 0, "{got} came, {missed} were announced");
        } else {
            assert_eq!(got + missed, MESSAGES, "{policy:?}: what did not come is announced");
            assert_eq!(names.len(), got + 1, "{policy:?}: once");
        }
        if policy == SlowPeer::Drop {
            assert!((kept * 3 / 4..=kept).contains(&after), "{after} messages of {kept} were kept");
        }
        finish(world, vec![slow, quick]);
    }
}

/// What nobody can refuse is bounded all the same: a peer that asks and does not read the answers is
/// not read from any more.
#[test]
fn answers_without_a_sender_are_bounded() {
    for policy in [SlowPeer::Pause, SlowPeer::Drop, SlowPeer::Close] {
        let (mut world, mut probe) = begin(policy, "/echo/0");
        let ping = frame(PING, &[7; 100]);
        let taken = flood(&mut world, &mut probe, &ping, 64 << 20);
        let most = 2 * HIGH_WATER + 256 * 4_096 + 2 * 256 * 1024;
        assert!(taken < most, "{policy:?}: {taken} bytes were taken in");
        read_on(&mut world, &mut probe);
        assert_eq!(probe.seen.len(), taken / ping.len(), "{policy:?}");
        finish(world, vec![probe]);
    }
}

/// Requests that come in faster than their answers go out are answered up to a bound, then no more.
#[test]
fn pipelined_requests_are_bounded() {
    let mut world = world(Settings { ping_interval: None, ..Settings::default() });
    let mut probe = Probe::connect(&mut world);
    probe.peer.set_window(WINDOW);
    let body = "x".repeat(60_000);
    let request = format!("POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    probe.is_reading = false;
    flood(&mut world, &mut probe, request.as_bytes(), 3 << 20);
    read_on(&mut world, &mut probe);
    let answers = probe.names().iter().filter(|name| **name == "200").count();
    assert!((8..16).contains(&answers), "{answers} answers to 50 requests");
    assert_eq!(probe.names().last(), Some(&"end"));
    finish(world, vec![probe]);
}
