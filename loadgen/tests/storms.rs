//! Reconnect storms, as their users run them: against servers that are there, come back, or do not.

mod support;

use serde_json::Value;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use support::raw::{answer, faulty};
use support::{count, report, samples, section, wsload};
use wsring::{Conn, Message, Running, Server, Settings};

fn server() -> (Running, SocketAddr) {
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/echo", |upgrade| upgrade.accept(|_: &mut Conn<'_>, _: Message<'_>| {}))
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

#[test]
fn a_storm_recovers() {
    let (_running, at) = server();
    for (how, more, dropped) in [
        ("rst", "--drop 0.5 --rounds 2", 40),
        ("fin", "--drop 1 --jitter 200ms", 40),
        ("ws", "--drop 0.25", 10),
    ] {
        let line = format!("storm ws://{at}/echo -c 40 --shards 2 --close {how} --settle 50ms {more}");
        let (report, text) = report(&line, 0);
        assert_eq!((count(&report, "dropped"), count(&report, "not_recovered")), (dropped, 0), "{text}");
        assert_eq!((samples(&report, "open"), count(&report, "connections_lost")), (dropped, 0), "{text}");
        let rows = section(&report, "storm")["rows"].to_string();
        assert!(!rows.contains("null"), "each round has recovered: {rows}");
    }
}

/// Each round by itself: what was dropped and came again, and when.
#[test]
fn rounds_and_their_curves() {
    let (_running, at) = server();
    let line =
        format!("storm ws://{at}/echo -c 40 --drop 0.5 --shards 1 --rounds 2 --jitter 1s --settle 50ms");
    let (report, text) = report(&line, 0);
    assert_eq!((samples(&report, "open"), samples(&report, "recovery")), (40, 40), "{text}");
    // Of twenty that come at any time of a second, one comes in its second half.
    let recovery =
        report["latencies"].as_array().and_then(|all| all.iter().find(|each| each["name"] == "recovery"));
    let longest = recovery.and_then(|recovery| recovery["max"].as_f64());
    assert!(longest > Some(0.5e9), "{text}");
    let storm = section(&report, "storm");
    let points = |curve: usize, line: usize| -> Vec<(f64, f64)> {
        let points = storm["curves"][curve]["lines"][line]["points"].as_array().expect("a line");
        points.iter().filter_map(|point| Some((point[0].as_f64()?, point[1].as_f64()?))).collect()
    };
    for round in 0..2 {
        let row = storm["rows"][round].as_array().expect("a row");
        let [number, counts @ .., after] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(
            (number.as_u64(), counts),
            (Some(round as u64 + 1), &[20, 20, 20, 0].map(Value::from)[..])
        );
        assert!(after.as_f64() > Some(500.0), "{row:?}");
        let (alive, tried, came) = (points(0, round), points(1, 2 * round), points(1, 2 * round + 1));
        let counts = |points: &[(f64, f64)]| points.iter().map(|point| point.1).collect::<Vec<_>>();
        // Some are missing after the drop, others never; in the end all are there.
        let least = counts(&alive).into_iter().fold(f64::INFINITY, f64::min);
        assert!(
            (20.0..40.0).contains(&least) && counts(&alive).iter().all(|count| *count <= 40.0),
            "{alive:?}"
        );
        assert_eq!(counts(&alive).last(), Some(&40.0), "{alive:?}");
        for line in [&alive, &tried, &came] {
            assert!(line.iter().is_sorted_by(|a, b| a.0 <= b.0), "{line:?}");
        }
        for line in [&tried, &came] {
            assert!(counts(line).is_sorted() && counts(line).last() == Some(&20.0), "{line:?}");
        }
    }
}

/// Drops connections and takes no new ones.
#[test]
fn a_storm_that_does_not_recover() {
    let number = Mutex::new(0);
    let at = faulty(move |mut stream| {
        let turn = {
            let mut number = number.lock().expect("nobody panics");
            *number += 1;
            *number
        };
        let mut request = [0; 2048];
        let read = stream.read(&mut request).unwrap_or(0);
        if turn <= 4 {
            answer(&mut stream, &request[..read]);
            let _ = stream.read(&mut request);
        }
    });
    let (report, text) = report(&format!("storm ws://{at}/ -c 4 --drop 0.5 --settle 0 --retry none"), 3);
    assert_eq!((count(&report, "dropped"), count(&report, "not_recovered")), (2, 2), "{text}");
    assert!(text.contains("2 connections did not come again"), "{text}");
}

/// Opens a WebSocket, reads what comes, and says nothing.
fn hold(mut stream: TcpStream) {
    let mut request = [0; 2048];
    let read = stream.read(&mut request).unwrap_or(0);
    if read > 0 {
        answer(&mut stream, &request[..read]);
    }
    // A Close, or nothing more.
    let _ = stream.read(&mut request);
}

/// A server that takes so many connections, is gone for a while, and is there again.
fn restarting(connections: usize, gone: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten().take(connections) {
            thread::spawn(|| hold(stream));
        }
        drop(listener);
        thread::sleep(gone);
        let listener = TcpListener::bind(address).expect("the port is free");
        for stream in listener.incoming().flatten() {
            thread::spawn(|| hold(stream));
        }
    });
    address
}

/// Refused for a second and a half, of which some is over when connections are dropped.
#[test]
fn who_is_refused_tries_again_until_the_server_is_back() {
    let at = restarting(10, Duration::from_millis(1500));
    let (report, text) = report(&format!("storm ws://{at}/ -c 10 --drop 1 --settle 0 --retry 50ms-400ms"), 0);
    let (attempts, failed) = (count(&report, "attempts"), count(&report, "attempts_failed"));
    assert_eq!((count(&report, "dropped"), count(&report, "not_recovered")), (10, 0), "{text}");
    // At least two waits of at most 400 ms each, and at most as many as half-length waits fit.
    assert!((20..=150).contains(&failed) && attempts == failed + 10, "{attempts}, {failed}: {text}");
    assert_eq!((samples(&report, "failed"), samples(&report, "recovery")), (failed, 10), "{text}");
    let storm = section(&report, "storm");
    let recovered = storm["rows"][0][5].as_f64().expect("it has recovered");
    assert!((500.0..10_000.0).contains(&recovered), "{text}");
    let last =
        |line: usize| storm["curves"][1]["lines"][line]["points"].as_array().and_then(|all| all.last());
    let so_far = |line| last(line).and_then(|point| point[1].as_f64()).expect("a point");
    assert_eq!((so_far(0), so_far(1)), (attempts as f64, 10.0), "{storm}");
    assert!(text.contains("Attempts that failed") && text.contains("refused"), "{text}");
    assert!(text.contains("after 50ms, doubled each time up to 400ms"), "{text}");
    assert_eq!(report["errors"].as_object().map(|errors| errors.len()), Some(0), "{text}");
}

/// Who comes again is let in, and not answered, five times.
#[test]
fn who_is_not_answered_tries_again_too() {
    let number = Mutex::new(0);
    let at = faulty(move |stream| {
        let turn = {
            let mut number = number.lock().expect("nobody panics");
            *number += 1;
            *number
        };
        if (3..8).contains(&turn) { thread::sleep(Duration::from_secs(3)) } else { hold(stream) }
    });
    let line = format!("storm ws://{at}/ -c 2 --drop 1 --settle 0 --retry 10ms-20ms --connect-timeout 150ms");
    let (report, text) = report(&line, 0);
    assert_eq!((count(&report, "attempts"), count(&report, "attempts_failed")), (7, 5), "{text}");
    assert!(text.contains("in time"), "{text}");
}

/// Who comes again is let in, and thrown out, three times.
#[test]
fn who_is_lost_again_comes_again() {
    let number = Mutex::new(0);
    let at = faulty(move |mut stream| {
        let turn = {
            let mut number = number.lock().expect("nobody panics");
            *number += 1;
            *number
        };
        if (3..6).contains(&turn) {
            let mut request = [0; 2048];
            let read = stream.read(&mut request).unwrap_or(0);
            answer(&mut stream, &request[..read]);
        } else {
            hold(stream);
        }
    });
    let (report, text) = report(&format!("storm ws://{at}/ -c 2 --drop 1 --settle 0 --retry 100ms-200ms"), 3);
    assert_eq!((count(&report, "not_recovered"), count(&report, "connections_lost")), (0, 3), "{text}");
    assert_eq!((count(&report, "attempts"), count(&report, "attempts_failed")), (5, 3), "{text}");
    // Of each the opening that lasted.
    assert_eq!((samples(&report, "recovery"), samples(&report, "open")), (2, 5), "{text}");
    assert!(text.contains("open, and then the connection was lost without a Close"), "{text}");
}

#[test]
fn who_has_tried_long_enough_is_given_up() {
    let at = restarting(4, Duration::from_secs(60));
    let line = format!("storm ws://{at}/ -c 4 --drop 0.5 --settle 0 --retry 50ms-100ms --retry-for 400ms");
    let (report, text) = report(&line, 3);
    assert_eq!((count(&report, "dropped"), count(&report, "not_recovered")), (2, 2), "{text}");
    assert!((4..=16).contains(&count(&report, "attempts")), "{text}");
    assert!(report["errors"].to_string().contains("nothing listens there"), "{text}");
    for retry in ["1s", "2s-1s", "0-1s", "sometimes"] {
        let output = wsload(&format!("storm ws://{at}/ --retry {retry}"));
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), err.contains("is none")), (Some(2), true), "{err}");
    }
}
