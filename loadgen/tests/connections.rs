//! The workloads about connections, and what each connection says of itself, as their users run them.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::raw::{answer, faulty, listener};
use support::{count, report, samples, section, wsload};
use wsring::{CloseCode, Conn, Handler, Message, Response, Running, Server, Settings, SlowPeer};

/// An echo, a flood, and faulty ones.
fn server() -> (Running, SocketAddr) {
    let settings = Settings {
        shards: Some(1),
        slow_peer: SlowPeer::Close,
        high_water_bytes: 64 << 10,
        close_timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(settings)
        .websocket("/echo", |upgrade| upgrade.accept(echo))
        .websocket("/flood", |upgrade| upgrade.accept(Flood))
        .websocket("/drip", |upgrade| upgrade.accept(Drip))
        .websocket("/bye", |upgrade| upgrade.accept(Bye))
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

/// Sends a megabyte each tenth of a second.
struct Flood;

impl Handler for Flood {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.set_timer(Some(Duration::ZERO));
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn timer(&mut self, conn: &mut Conn<'_>) {
        let _ = conn.send_binary(&vec![0; 1 << 20]);
        conn.set_timer(Some(Duration::ZERO));
    }
}

/// Sends 10,000 bytes and a notice of a gap, once.
struct Drip;

impl Handler for Drip {
    fn open(&mut self, conn: &mut Conn<'_>) {
        for _ in 0..10 {
            let _ = conn.send_binary(&[0; 1000]);
        }
        let _ = conn.send_text(r#"{"topic":"t","gap":{"from":1,"to":9}}"#);
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

/// Closes at once.
struct Bye;

impl Handler for Bye {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.close(CloseCode::TRY_AGAIN_LATER, "full");
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

#[test]
fn connect_takes_openings_apart() {
    let (_running, at) = server();
    for (how, more) in [("ws", ""), ("fin", "--storm"), ("rst", "--hold 50ms"), ("ws", "--rate 400")] {
        let line = format!("connect ws://{at}/echo -c 40 --shards 2 --close {how} --allow-limited {more}");
        let (report, text) = report(&line, 0);
        for name in ["open", "tcp", "upgrade", "schedule_lag"] {
            assert_eq!(samples(&report, name), 40, "{name}: {text}");
        }
        assert_eq!(
            (report["opening"]["opened"].as_u64(), samples(&report, "failed")),
            (Some(40), 0),
            "{text}"
        );
        assert_eq!(
            (count(&report, "connections_lost"), count(&report, &format!("ended_by_{how}"))),
            (0, 40),
            "{text}"
        );
        let in_order = if how == "ws" { 40 } else { 0 };
        assert_eq!(report["closing"]["in_order"].as_u64(), Some(in_order), "{text}");
    }
}

/// A connection that fails after the first one says how; the others are still measured.
#[test]
fn connect_counts_what_fails() {
    let number = Mutex::new(0);
    let at = faulty(move |mut stream| {
        let mut request = [0; 2048];
        let read = stream.read(&mut request).unwrap_or(0);
        let turn = {
            let mut number = number.lock().expect("nobody panics");
            *number += 1;
            *number
        };
        match turn {
            1 => answer(&mut stream, &request[..read]),
            2 => drop(stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")),
            3 => drop(stream.write_all(b"220 mail.example ESMTP\r\n\r\n")),
            4 => thread::sleep(Duration::from_secs(2)),
            _ => {}
        }
        thread::sleep(Duration::from_millis(200));
    });
    let line = format!("connect ws://{at}/ -c 5 --rate 100 --connect-timeout 500ms --allow-limited");
    let (report, text) = report(&line, 3);
    assert_eq!(
        (samples(&report, "open"), samples(&report, "failed"), samples(&report, "tcp")),
        (1, 4, 5),
        "{text}"
    );
    for part in ["503 Service Unavailable", "no HTTP/1.1 response", "in time", "before it answered"] {
        assert!(report["errors"].to_string().contains(part), "no {part} in {text}");
    }
    assert_eq!(report["verdict"], "not_met");
}

/// Of few openings too, the one that left last says how late the generator was.
#[test]
fn openings_that_left_late_make_a_run_invalid() {
    let (_running, at) = server();
    for (workload, flags) in [("connect", "-c 5"), ("churn", "--duration 5ms --lifetime 0")] {
        let line = format!("{workload} ws://{at}/echo {flags} --lag-max 0");
        let (late, text) = report(&line, 4);
        assert_eq!(late["verdict"], "invalid", "{text}");
        assert!(text.contains("schedule lag, p99 is") && text.contains("allowed are 0 ns"), "{text}");
        let (_, text) = report(&format!("{line} --allow-limited"), 0);
        assert!(text.contains("the generator was the limit: schedule lag"), "{text}");
    }
}

/// The server is there, and its accept queue full.
#[test]
fn connect_tells_of_lost_syns() {
    let queue = listener(0);
    let at = queue.local_addr().expect("its address");
    // One is answered, and the queue takes two more; the SYNs of all others are dropped until somebody accepts.
    thread::spawn(move || {
        for (mut stream, number) in queue.incoming().flatten().zip(0..) {
            thread::spawn(move || {
                let mut request = [0; 2048];
                let read = stream.read(&mut request).unwrap_or(0);
                answer(&mut stream, &request[..read]);
                thread::sleep(Duration::from_secs(120));
            });
            if number == 0 {
                thread::sleep(Duration::from_millis(500));
                // Whose SYN was dropped sends it again a second later, and finds room.
                socket2::SockRef::from(&queue).listen(128).expect("it listens on");
            }
        }
    });
    let (report, text) =
        report(&format!("connect ws://{at}/ -c 12 --storm --close rst --connect-timeout 40s"), 0);
    assert!(count(&report, "syn_retries") > 0, "{text}");
    assert!(text.contains("ListenOverflows has risen"), "{text}");
}

#[test]
fn idle_pings_and_is_pinged() {
    let (_running, at) = server();
    let line = format!(
        "idle ws://{at}/echo -c 30 --shards 2 --hold 600ms --ping-interval 200ms --ping-at-end --echo-at-end"
    );
    let (report, text) = report(&line, 0);
    assert!(samples(&report, "ping") >= 30, "{text}");
    assert_eq!(samples(&report, "ping_at_end"), 30, "{text}");
    assert!(text.contains("30 of 30 connections"), "{text}");
    let facts = section(&report, "held")["facts"].to_string();
    assert!(facts.contains("memory of this process"), "{facts}");
}

/// A server that opens WebSockets, and then says nothing whatever it is sent.
#[test]
fn idle_finds_those_that_do_not_answer() {
    let at = faulty(|mut stream| {
        let mut request = [0; 2048];
        let read = stream.read(&mut request).unwrap_or(0);
        answer(&mut stream, &request[..read]);
        thread::sleep(Duration::from_secs(5));
    });
    let line = format!("idle ws://{at}/ -c 3 --hold 0 --ping-at-end --echo-at-end --echo-timeout 100ms");
    let (_, text) = report(&line, 3);
    assert!(text.contains("3 connections did not answer their Ping"), "{text}");
    assert!(text.contains("3 connections did not echo their message"), "{text}");
    let line = format!("idle ws://{at}/ -c 3 --hold 3s --ping-interval 100ms --pong-timeout 100ms");
    let (report, text) = report(&line, 3);
    assert_eq!(count(&report, "connections_lost"), 3, "{text}");
}

#[test]
fn slow_readers_are_told_apart() {
    let (_running, at) = server();
    let line = format!(
        "idle ws://{at}/flood -c 8 --shards 1 --slow 0.5 --slow-receive-buffer 4KiB --hold 6s --ping-at-end"
    );
    let (report, text) = report(&line, 0);
    // Cut off: a Close that nobody reads, and then a reset.
    assert_eq!((count(&report, "slow_ended"), count(&report, "connections_lost")), (4, 0), "{text}");
    assert_eq!((samples(&report, "eviction"), samples(&report, "ping_at_end")), (4, 4), "{text}");
    assert!(text.contains("Slow readers"), "{text}");
}

/// Two of ten connections read nothing, so that none of their answers is known; the others are as if they were alone.
#[test]
fn an_echo_has_slow_readers_among_healthy_ones() {
    let (_running, at) = server();
    let common = "-c 10 --shards 1 --settle 0 --warm-up 0 --duration 1s --allow-limited --slow 0.2";
    let response = |report: &serde_json::Value, tag: &str, part: &str| {
        let latencies = report["latencies"].as_array().expect("latencies");
        let found = latencies.iter().find(|each| each["name"] == "response" && each["tag"] == tag);
        found.map(|found| found[part].as_f64().expect("a number"))
    };
    let line =
        format!("echo ws://{at}/echo {common} --message-rate 500 --threshold response:healthy.p50<400ms");
    let (found, text) = report(&line, 0);
    assert_eq!(
        (response(&found, "healthy", "count"), response(&found, "slow", "count")),
        (Some(400.0), Some(100.0))
    );
    assert!(response(&found, "healthy", "mean") < response(&found, "slow", "mean"), "{text}");
    assert_eq!((count(&found, "slow_sent"), count(&found, "slow_unanswered")), (100, 100), "{text}");
    assert_eq!((count(&found, "sent"), count(&found, "unanswered")), (500, 0), "{text}");
    // In a closed loop each of them has its first messages on their way for ever.
    let (found, text) = report(&format!("echo ws://{at}/echo {common} --depth 3"), 0);
    assert_eq!((count(&found, "slow_sent"), count(&found, "slow_answered")), (6, 0), "{text}");
    // At a rate: the answers come, one after the other, and later than to the others.
    let rate = "--slow-rate 10000 --slow-receive-buffer 2304 --size 1000 --message-rate 200";
    let (found, text) = report(&format!("echo ws://{at}/echo {common} {rate}"), 0);
    let (answered, slow) = (count(&found, "slow_answered"), count(&found, "slow_unanswered"));
    assert!(answered > 5 && answered + slow == 40, "{answered} and {slow}: {text}");
}

/// 10,000 bytes at 20,000 a second, then the notice.
#[test]
fn slow_readers_keep_to_their_rate() {
    let (_running, at) = server();
    let slow = |hold: &str| {
        let line = format!(
            "idle ws://{at}/drip -c 2 --slow 1 --slow-rate 20000 --slow-receive-buffer 2304 --hold {hold}"
        );
        report(&line, 0)
    };
    let (report, text) = slow("2s");
    assert_eq!((count(&report, "gap_notices"), count(&report, "slow_ended")), (2, 0), "{text}");
    assert!(text.contains("20000 bytes per second"), "{text}");
}

#[test]
fn churn_ends_each_as_it_is_told_to() {
    let (_running, at) = server();
    let line = format!(
        "churn ws://{at}/echo --rate 200 --duration 600ms --lifetime 100ms --close ws,fin,rst --allow-limited"
    );
    let (report, text) = report(&line, 0);
    for how in ["ws", "fin", "rst"] {
        assert_eq!(count(&report, &format!("ended_by_{how}")), 40, "{how}: {text}");
    }
    assert_eq!((samples(&report, "open"), count(&report, "close_unanswered")), (120, 0), "{text}");
    let line =
        format!("churn ws://{at}/echo --rate 200 --duration 200ms --lifetime 0 --close rst --allow-limited");
    let (report, text) = support::report(&line, 0);
    assert_eq!(count(&report, "ended_by_rst"), 40, "{text}");
}

/// A server that closes each connection at once leaves none to be ended from this side.
#[test]
fn what_the_server_has_ended_is_told_apart() {
    let (_running, at) = server();
    let table = [
        ("churn --rate 50 --duration 100ms --lifetime 1s", "by the server: closed with 1013: full"),
        ("connect -c 5 --hold 1s --close ws", "closed with 1013: full"),
        ("connect -c 5 --hold 1s --close fin", "closed with 1013: full"),
    ];
    for (line, how) in table {
        let (report, text) = report(&format!("{line} ws://{at}/bye --allow-limited"), 3);
        let ended = count(&report, "ended_by_ws") + count(&report, "ended_by_fin");
        assert_eq!((ended, count(&report, "connections_lost"), text.contains(how)), (0, 5, true), "{text}");
    }
}

/// What was asked of a server: request target and some headers, one line for each connection.
type Asked = Arc<Mutex<BTreeSet<String>>>;

/// A server that notes how it is asked.
fn noting() -> (Running, SocketAddr, Asked) {
    let asked = Asked::default();
    let notes = Arc::clone(&asked);
    let note = move |upgrade: wsring::Upgrade<'_>| {
        let request = upgrade.request();
        let names = ["X-User", "Cookie", "Authorization", "Origin", "Sec-WebSocket-Protocol"];
        let headers = names.map(|name| request.header_str(name).unwrap_or("-").to_owned());
        let text = format!("{} {}", request.target(), headers.join(" "));
        notes.lock().expect("nobody panics").insert(text);
        if request.header_str("X-User") == Some("mallory") {
            return upgrade.reject(Response::text(403, "no\n"));
        }
        upgrade.subprotocol(&["chat.v1"]).accept(|_: &mut Conn<'_>, _: Message<'_>| {})
    };
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/rooms/{room}", note)
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address, asked)
}

#[test]
fn each_connection_says_who_it_is() {
    let (_running, at, asked) = noting();
    let data = support::report_path().with_extension("csv");
    std::fs::write(&data, "user,token\nada,\"t,1\"\ngrace hopper,t2\n").expect("the data can be written");
    let words = format!(
        "idle ws://{at}/rooms/{{n}}?u={{user}} -c 2 --hold 0 --origin http://example.com --subprotocol chat.v1 \
         --subprotocol chat.v0 --bearer {{token}} --cookie id={{n}} --cookie a=b --data {}",
        data.display()
    );
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.extend(["--header", "X-User: {user}"]);
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_wsload")).args(words).output().expect("it runs");
    std::fs::remove_file(&data).expect("the data can be removed");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = [
        "/rooms/0?u=ada ada id=0; a=b Bearer t,1 http://example.com chat.v1, chat.v0",
        "/rooms/1?u=grace%20hopper grace hopper id=1; a=b Bearer t2 http://example.com chat.v1, chat.v0",
    ];
    let asked = asked.lock().expect("nobody panics");
    assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// From sources and ports of one's own, some of which are in use.
#[test]
fn connections_come_from_where_they_are_told_to() {
    let (_running, at) = server();
    let taken: Vec<TcpListener> =
        (20_000..20_004).filter_map(|port| TcpListener::bind(("127.7.7.7", port)).ok()).collect();
    let line = format!(
        "idle ws://{at}/echo -c 12 --source 127.7.7.7-127.7.7.8 --source-ports 20000-20009 --hold 0 --echo-at-end"
    );
    let (report, text) = report(&line, 0);
    assert_eq!((taken.len(), report["sources"].as_u64()), (4, Some(2)), "{text}");
}

#[test]
fn what_cannot_be_is_refused() {
    let (_running, at) = server();
    let table: [(String, i32, &str); 14] = [
        (format!("connect ws://{at}/echo --source 10.0.0.300"), 2, "no address"),
        (format!("connect ws://{at}/echo --source ::1"), 2, "another family"),
        (
            format!("connect ws://{at}/echo -c 100 --source 127.0.0.9 --source-ports 9000-9009"),
            2,
            "need 10 source addresses",
        ),
        (format!("churn ws://{at}/echo --rate 1000 --duration 2m --source 127.0.0.9"), 2, "in TIME_WAIT"),
        (format!("connect ws://{at}/{{user}}"), 2, "placeholder {user}"),
        (format!("connect ws://{at}/echo --data /nonexistent.csv"), 2, "cannot read"),
        (format!("connect ws://{at}/echo --header nothing"), 2, "is no header"),
        (format!("connect ws://{at}/echo --cookie nothing"), 2, "name=value"),
        (format!("connect ws://{at}/echo --header Host:example.com"), 2, "the request cannot be sent"),
        (format!("storm ws://{at}/echo --drop 2"), 2, "no share"),
        (format!("connect ws://{at}/nowhere"), 1, "404 Not Found"),
        ("connect ws://127.0.0.1:1/".into(), 1, "nothing listens there"),
        ("churn ws://127.0.0.1:1/".into(), 1, "nothing listens there"),
        (format!("connect wss://{at}/"), 2, "TLS"),
    ];
    for (line, code, text) in table {
        let output = wsload(&line);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), err.contains(text)), (Some(code), true), "wsload {line}: {err}");
        // One line, but for what clap says of arguments that are none.
        assert!(err.lines().count() == 1 || code == 2, "wsload {line}: {err}");
    }
}
