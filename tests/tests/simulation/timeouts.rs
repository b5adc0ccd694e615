//! Every deadline, exactly, in virtual time: each acts within a tick of the wheel.

use crate::plan::handshake;
use crate::probe::{Probe, STEP, finish, world};
use crate::wire::{BINARY, PONG, TEXT};
use crate::world::World;
use std::time::Duration;
use wsring::{Drain, Settings};

/// One connection's life under some settings.
struct Case {
    name: &'static str,
    settings: Settings,
    /// How it begins.
    begin: fn(&mut World) -> Probe,
    /// What it does at every step, given the milliseconds since its beginning.
    each: fn(&mut Probe, u64),
    /// How long it is watched.
    seconds: u64,
    /// What it sees, and after how many milliseconds.
    expected: &'static [(u64, &'static str)],
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn open(world: &mut World) -> Probe {
    Probe::open(world, "/echo/0")
}

fn say_http(world: &mut World, bytes: &str) -> Probe {
    let mut probe = Probe::connect(world);
    probe.write(bytes.as_bytes());
    world.settle();
    probe
}

/// Whether a step of the clock is the one at so many milliseconds.
fn is_at(now: u64, millis: u64) -> bool {
    let step = STEP.as_millis() as u64;
    now / step == millis / step
}

fn check(case: &Case) {
    let mut world = world(case.settings.clone());
    let mut probe = (case.begin)(&mut world);
    probe.pass(&mut world, secs(case.seconds), |probe, now| (case.each)(probe, now.as_millis() as u64));
    probe.check(case.name, case.expected);
    finish(world, vec![probe]);
}

/// Nothing but what a case asks for.
fn quiet() -> Settings {
    Settings { ping_interval: None, ..Settings::default() }
}

#[test]
fn of_the_opening() {
    let cases = [
        Case {
            name: "a connection that says nothing",
            settings: quiet(),
            begin: Probe::connect,
            each: |_, _| {},
            seconds: 12,
            expected: &[(10_000, "end")],
        },
        Case {
            name: "half a request, told why",
            settings: quiet(),
            begin: |world| say_http(world, "GET / HTTP/1.1\r\n"),
            each: |_, _| {},
            seconds: 12,
            expected: &[(10_000, "408"), (11_000, "end")],
        },
        Case {
            name: "single bytes do not prolong it",
            settings: quiet(),
            begin: |world| say_http(world, "GET / HTTP/1.1\r\nX: "),
            each: |probe, now| {
                if now % 1_000 < 10 && now < 10_000 {
                    probe.write(b"x");
                }
            },
            seconds: 12,
            expected: &[(10_000, "408"), (11_000, "end")],
        },
        Case {
            name: "a body that does not arrive",
            settings: quiet(),
            begin: |world| {
                say_http(world, "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
            },
            each: |_, _| {},
            seconds: 12,
            expected: &[(10_000, "408"), (11_000, "end")],
        },
    ];
    cases.iter().for_each(check);
}

#[test]
fn of_an_answer() {
    let cases = [
        Case {
            name: "an upgrade that nobody decides",
            settings: quiet(),
            begin: |world| say_http(world, &handshake("/later/0?accept")),
            each: |_, _| {},
            seconds: 12,
            expected: &[(10_000, "503"), (11_000, "end")],
        },
        Case {
            name: "keep-alive begins anew with every answer",
            settings: quiet(),
            begin: Probe::connect,
            each: |probe, now| {
                if is_at(now, 4_000) || is_at(now, 8_000) {
                    probe.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
                }
            },
            seconds: 20,
            expected: &[(4_000, "200"), (8_000, "200"), (18_000, "end")],
        },
        Case {
            name: "a refusal lingers",
            settings: quiet(),
            begin: |world| say_http(world, &handshake("/refused")),
            each: |_, _| {},
            seconds: 2,
            expected: &[(0, "403"), (1_000, "end")],
        },
    ];
    cases.iter().for_each(check);
}

#[test]
fn of_a_silent_websocket() {
    let cases = [
        Case {
            name: "silence is ended",
            settings: Settings::default(),
            begin: open,
            each: |_, _| {},
            seconds: 60,
            expected: &[(30_000, "ping"), (45_000, "close 1008"), (45_000, "end")],
        },
        Case {
            name: "a Pong is enough",
            settings: Settings::default(),
            begin: |world| {
                let mut probe = open(world);
                probe.answers_pings = true;
                probe
            },
            each: |_, _| {},
            seconds: 100,
            expected: &[(30_000, "ping"), (60_000, "ping"), (90_000, "ping")],
        },
        Case {
            name: "whatever comes puts the Ping off",
            settings: Settings::default(),
            begin: open,
            each: |probe, now| {
                if is_at(now, 20_000) {
                    probe.say(PONG, b"unasked");
                }
            },
            seconds: 60,
            expected: &[(50_000, "ping")],
        },
    ];
    cases.iter().for_each(check);
}

/// Whoever takes a long message slowly is alive, although it cannot answer a Ping that stands behind
/// the message; once it has all of it, silence counts again.
#[test]
fn of_a_slow_reader() {
    const WINDOW: usize = 2048;
    let message = vec![b'm'; 16 << 20];
    let settings = Settings::default();
    let deaf = settings.ping_interval.expect("there are Pings") + settings.pong_timeout;
    let mut world = world(settings);
    let mut probe = open(&mut world);
    probe.peer.set_window(WINDOW);
    probe.say_long(&mut world, BINARY, &message);
    // It takes a window in every step.
    let takes = STEP * (message.len() / WINDOW) as u32;
    assert!(takes > deaf + secs(10), "a silence of {takes:?} would be forgiven");
    probe.pass(&mut world, takes + STEP * 10, |_, _| {});
    assert_eq!(probe.names(), ["16777216 bytes"]);
    let whole_at = probe.seen[0].0;
    assert!(whole_at > deaf + secs(10), "it came after {whole_at:?}");
    probe.seen.clear();
    probe.pass(&mut world, deaf + secs(1), |_, _| {});
    assert_eq!(probe.names(), ["ping", "close 1008", "end"]);
    assert!(probe.seen[0].0 - whole_at > secs(29), "{:?} after {whole_at:?}", probe.seen);
    finish(world, vec![probe]);
}

#[test]
fn of_a_websocket_that_is_idle_or_old() {
    let cases = [
        Case {
            name: "idle counts messages, not Pongs",
            settings: Settings { idle_timeout: Some(secs(40)), ..Settings::default() },
            begin: |world| {
                let mut probe = open(world);
                probe.answers_pings = true;
                probe
            },
            each: |probe, now| {
                if is_at(now, 15_000) {
                    probe.say(TEXT, b"here");
                }
            },
            seconds: 70,
            expected: &[(15_000, "4 bytes"), (45_000, "ping"), (55_000, "close 1001"), (60_000, "end")],
        },
        Case {
            name: "a life has an end",
            settings: Settings { lifetime_max: Some(secs(20)), ..Settings::default() },
            begin: open,
            each: |probe, now| {
                if now % 5_000 < 10 && now < 20_000 {
                    probe.say(BINARY, b"");
                }
            },
            seconds: 30,
            expected: &[
                (5_000, "0 bytes"),
                (10_000, "0 bytes"),
                (15_000, "0 bytes"),
                (20_000, "close 1001"),
                (25_000, "end"),
            ],
        },
    ];
    cases.iter().for_each(check);
}

#[test]
fn of_the_closing_handshake() {
    let cases = [
        Case {
            name: "a Close that is not answered",
            settings: quiet(),
            begin: |world| {
                let mut probe = open(world);
                probe.say(TEXT, b"close:4000:bye");
                probe
            },
            each: |_, _| {},
            seconds: 8,
            expected: &[(0, "close 4000"), (5_000, "end")],
        },
        Case {
            name: "messages after it do not put it off",
            settings: quiet(),
            begin: |world| {
                let mut probe = open(world);
                probe.say(TEXT, b"close:4000:bye");
                probe
            },
            each: |probe, now| {
                if now % 500 < 10 && now < 4_900 {
                    probe.say(TEXT, b"not yet");
                }
            },
            seconds: 8,
            expected: &[(0, "close 4000"), (5_000, "end")],
        },
        Case {
            name: "a broken rule lingers",
            settings: quiet(),
            begin: |world| {
                let mut probe = open(world);
                probe.write(&[0x83, 0x80, 1, 2, 3, 4]);
                probe
            },
            each: |_, _| {},
            seconds: 3,
            expected: &[(0, "close 1002"), (1_000, "end")],
        },
        Case {
            name: "a peer that takes nothing is cut off",
            settings: quiet(),
            begin: |world| {
                let mut probe = open(world);
                probe.peer.set_window(0);
                probe.say(TEXT, b"close:4000:bye");
                probe
            },
            each: |_, _| {},
            seconds: 8,
            expected: &[(5_000, "reset")],
        },
    ];
    cases.iter().for_each(check);
}

/// Closes spread over the window, and the deadline for those that do not answer.
#[test]
fn of_a_drain() {
    let mut world = world(quiet());
    let mut probes: Vec<Probe> =
        (0..4).map(|number| Probe::open(&mut world, &format!("/echo/{number}"))).collect();
    let began = world.now();
    world.begin_drain(Drain { window: secs(2), deadline: secs(3) });
    while world.now().since(began) < secs(4) {
        world.pass(STEP);
        let now = world.now();
        for (number, probe) in probes.iter_mut().enumerate() {
            let before = probe.seen.len();
            probe.read(now);
            if number < 3 && probe.names()[before..].contains(&"close 1001") {
                probe.say(8, &1001_u16.to_be_bytes());
            }
        }
    }
    for (number, probe) in probes.iter().enumerate() {
        let told = 500 * number as u64;
        let end = if number < 3 { (told, "end") } else { (3_000, "reset") };
        probe.check("drained", &[(told, "close 1001"), end]);
    }
    assert_eq!(world.reports.len(), 1);
    let report = world.reports[0];
    assert_eq!((report.connections, report.closed, report.cut_off), (4, 3, 1));
    world.check_end();
}

/// A WebSocket that opens while the server drains is told at once.
#[test]
fn of_a_latecomer_in_a_drain() {
    let mut world = world(quiet());
    let request = handshake("/echo/0");
    let mut probe = say_http(&mut world, &request[..40]);
    world.begin_drain(Drain { window: secs(1), deadline: secs(30) });
    probe.pass(&mut world, secs(2), |_, _| {});
    probe.write(&request.as_bytes()[40..]);
    probe.pass(&mut world, secs(10), |_, _| {});
    probe.check("latecomer", &[(2_010, "101"), (2_010, "close 1001"), (7_010, "end")]);
    assert!(world.is_over());
    world.check_end();
}
