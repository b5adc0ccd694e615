//! Mistakes and misfortunes as users meet them: a command, the line that it ends with, and its exit code.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};
use support::raw::{answer, faulty};
use support::{report, report_path, wsload};
use wsring::{Conn, Message, Running, Server, Settings};

fn server() -> (Running, SocketAddr) {
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/echo", |upgrade| {
            upgrade.accept(|conn: &mut Conn<'_>, message: Message<'_>| {
                let _ = conn.send(message);
            })
        })
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

/// Answers each request with these bytes, and closes.
fn saying(bytes: &'static [u8]) -> SocketAddr {
    faulty(move |mut stream| {
        let _ = stream.read(&mut [0; 2048]);
        let _ = stream.write_all(bytes);
    })
}

/// Commands with the placeholders of [`filled`], what their one line contains, and the exit code.
const TABLE: &[(&str, &str, i32)] = &[
    // The command line, for every subcommand.
    (
        "ecko ws://ECHO/echo",
        "unrecognized subcommand 'ecko'; a similar subcommand exists: 'echo'; see wsload --help",
        2,
    ),
    ("--nope", "unexpected argument '--nope' found; see wsload --help", 2),
    ("echo", "arguments were not provided: <URL>; see wsload echo --help", 2),
    ("echo ws://ECHO/echo --conections 3", "a similar argument exists: '--connections'", 2),
    ("echo ws://ECHO/echo --size big", "write it as 4096, 64KiB or 16MiB", 2),
    ("echo ws://ECHO/echo --message-rate 1 --depth 1", "cannot be used with", 2),
    (
        "echo ws://ECHO/echo --in-flight-max 3",
        "--in-flight-max is about an open loop: give --message-rate",
        2,
    ),
    ("echo ws://ECHO/echo --arrivals fixed", "--arrivals is about an open loop: give --message-rate", 2),
    ("echo ws://ECHO/echo --preset uws-echo --in-flight-max 3", "--in-flight-max is about an open loop", 2),
    (
        "echo ws://ECHO/echo --preset uws-scale --depth 1 --arrivals burst",
        "--arrivals is about an open loop",
        2,
    ),
    ("echo ws://ECHO/echo --shards 999999", "999999 is not in 0..=4096", 2),
    ("echo ws://ECHO/echo --threshold p99<", "write it as p99<10ms", 2),
    ("echo ws://ECHO/echo --file /nonexistent", "--file /nonexistent: No such file", 2),
    ("echo ws://ECHO/echo --file /dev/null", "no line to send", 2),
    ("echo ws://ECHO/echo --bearer {nobody}", "placeholder {nobody}; there are {n}", 2),
    // Before anybody looks whether a server is there.
    ("echo ws://127.0.0.1:1/ -H nothing", "\"nothing\" is no header; write it as", 2),
    ("echo ws://127.0.0.1:1/ -H X{n}Y:1", "\"X{n}Y:1\" is no header", 2),
    ("echo ws://127.0.0.1:1/ -H Host:example.com", "header \"Host\" is written by the library", 2),
    ("idle ws://127.0.0.1:1/ --subprotocol a,b", "subprotocol \"a,b\" is not a token", 2),
    (
        "connect ws://127.0.0.1:1/ --subprotocol a{n} --subprotocol a0",
        "\"a0\" is not a token, or is named",
        2,
    ),
    ("fanout ws://127.0.0.1:1/ --publish-header X", "\"X\" is no header", 2),
    ("echo ws://ECHO/echo --pid 4194305", "no such process", 2),
    ("echo ws://ECHO/echo --slow 2", "\"2\" is no share", 2),
    ("fanout ws://ECHO/echo --size 1", "--size 1 is too short: a message needs", 2),
    ("fanout ws://ECHO/echo --duration 0", "it has to be more than 0", 2),
    ("fanout ws://ECHO/echo --publish http", "--publish http needs --publish-url", 2),
    ("fanout ws://ECHO/echo --publish http --publish-url https://x/", "needs http://HOST:PORT/PATH", 2),
    ("fanout ws://ECHO/echo --publish-text x", "has no {payload} in it", 2),
    ("connect ws://ECHO/echo --connections 0", "0 is not in 1..", 2),
    ("idle ws://ECHO/echo --hold 1", "write it as 30s, 500ms", 2),
    ("idle ws://ECHO/echo -c 10 --steps 5,1 --pid 1", "--steps have to rise", 2),
    ("churn ws://ECHO/echo --close maybe", "possible values: ws, fin, rst", 2),
    ("storm ws://ECHO/echo --drop 200%", "write it as 0.1", 2),
    ("storm ws://ECHO/echo --retry often", "write it as 500ms-10s, or none", 2),
    ("capacity ws://ECHO/echo --slo p99<10ms", "not provided: --of <LOAD>", 2),
    ("capacity --slo p99 --of rate ws://ECHO/echo", "it compares nothing", 2),
    ("capacity --slo p99<1s --of rate --threshold p50<1s ws://127.0.0.1:1/", "has --slo for that", 2),
    ("capacity --slo p99<1s --of rate ws://ECHO/echo --duration 3s", "set by --trial of the search", 2),
    (
        "capacity --slo p99<1s --of rate ws://ECHO/echo --message-rate=3",
        "set by --from and --most of the search",
        2,
    ),
    ("calibrate --size big", "write it as 4096", 2),
    ("calibrate --threshold p99<1us", "a calibration has no report", 2),
    ("calibrate --size 20 --json /nonexistent/x", "a calibration has no report", 2),
    ("calibrate --pid 1", "a calibration has a server of its own", 2),
    ("calibrate --ceiling x.json", "kept in --out FILE", 2),
    ("calibrate --kind text --deflate", "messages that are not compressed", 2),
    ("doctor --connections many", "invalid value 'many'", 2),
    ("doctor --to nowhere", "invalid IP address", 2),
    ("conform", "not provided: <URL>", 2),
    ("conform http://ECHO/", "does not begin with ws://", 2),
    ("inspect", "not provided: <URL>", 2),
    ("compare one.json", "not provided: <AFTER>", 2),
    ("merge", "not provided: <FILE>", 2),
    ("report", "not provided", 2),
    // Reports that are none.
    ("report /nonexistent", "cannot read the report /nonexistent: No such file", 1),
    ("compare /etc/hostname /etc/hostname", "no report that `wsload ... --json FILE` wrote", 1),
    ("merge /nonexistent /nonexistent", "cannot read the report /nonexistent", 1),
    // Where a report is to go is looked at before the run.
    (
        "echo ws://ECHO/echo --duration 1h --json /nonexistent/x",
        "cannot write the report to /nonexistent/x: No such",
        1,
    ),
    ("idle ws://ECHO/echo --hold 1h --html /proc/x.html", "cannot write the report to /proc/x.html", 1),
    (
        "churn ws://ECHO/echo --duration 1h --csv /nonexistent/x",
        "cannot write the report to /nonexistent/x-series.csv",
        1,
    ),
    ("storm ws://ECHO/echo --settle 1h --markdown /", "cannot write the report to /: Is a directory", 1),
    (
        "capacity --slo p99<1s --of rate --hlog /nonexistent/x ws://ECHO/echo",
        "cannot write the report to /nonexistent/x",
        1,
    ),
    // URLs.
    ("echo ECHO/echo", "does not begin with ws:// or wss://", 2),
    ("echo http://ECHO/echo", "does not begin with ws:// or wss://", 2),
    ("echo ws://", "is no host", 2),
    ("echo ws://127.0.0.1:99999/", "\"99999\" is no port", 2),
    ("echo wss://ECHO/echo", "TLS (wss://) is not supported", 2),
    // Servers.
    ("echo ws://host.invalid/", "failed to lookup address information", 1),
    ("echo ws://127.0.0.1:1/", "nothing listens there: is the server running?", 1),
    ("capacity --slo p99<1s --of churn ws://127.0.0.1:1/", "nothing listens there", 1),
    ("conform ws://127.0.0.1:1/", "Connection refused", 1),
    ("inspect ws://127.0.0.1:1/", "Connection refused", 1),
    ("echo ws://SILENT/ --connect-timeout 200ms", "in time (can the host be reached?", 1),
    (
        "echo ws://ECHO/nowhere",
        "404 Not Found, expected 101 Switching Protocols (is there a WebSocket at this path?)",
        1,
    ),
    (
        "fanout ws://HTTP/",
        "200 OK, expected 101 Switching Protocols (it serves HTTP there, and no WebSocket)",
        1,
    ),
    (
        "connect ws://FORBIDDEN/",
        "403 Forbidden, expected 101 Switching Protocols (credentials are given with --bearer",
        1,
    ),
    ("idle ws://MOVED/", "(redirects are not followed: give the URL that it leads to)", 1),
    ("churn ws://TLS/", "is it a WebSocket server, and one without TLS?", 1),
    (
        "storm ws://GONE/",
        "closed the connection before it answered the opening handshake (is it a WebSocket",
        1,
    ),
    ("idle ws://MAIL/", "no HTTP/1.1 response", 1),
];

#[test]
fn one_line_says_what_is_wrong() {
    let (_running, echo) = server();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = [
        ("ECHO", echo),
        ("SILENT", silent.local_addr().expect("its address")),
        ("HTTP", saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
        ("FORBIDDEN", saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
        ("MOVED", saying(b"HTTP/1.1 301 Moved Permanently\r\nLocation: /there\r\n\r\n")),
        // An alert of TLS (RFC 8446 section 6): what a TLS server says to a request in clear.
        ("TLS", saying(&[0x15, 3, 3, 0, 2, 2, 10])),
        ("GONE", saying(b"")),
        ("MAIL", saying(b"220 mail.example ESMTP\r\n\r\n")),
    ];
    for (line, text, code) in TABLE.iter().copied() {
        let line = at.iter().fold(line.to_owned(), |line, (name, at)| line.replace(name, &at.to_string()));
        let output = wsload(&line);
        let [out, err] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
        assert_eq!(
            (output.status.code(), err.contains(text)),
            (Some(code), true),
            "wsload {line}: {err}{out}"
        );
        // `inspect` shows what it has sent.
        let is_alone = err.lines().count() == 1 && (out.is_empty() || line.starts_with("inspect"));
        assert!(is_alone && err.starts_with("wsload: "), "wsload {line}: {err}{out}");
    }
}

#[test]
fn a_look_at_where_a_report_goes_leaves_nothing_behind() {
    let path = report_path();
    let output = wsload(&format!("idle ws://127.0.0.1:1/ --json {}", path.display()));
    assert_eq!((output.status.code(), path.exists()), (Some(1), false));
    std::fs::write(&path, "an older report").expect("it is written");
    wsload(&format!("idle ws://127.0.0.1:1/ --json {}", path.display()));
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "an older report");
    std::fs::remove_file(&path).expect("it is removed");
}

/// A server that is gone in the middle of a run: what was measured until then is reported.
#[test]
fn a_server_that_goes_leaves_partial_results() {
    let (running, at) = server();
    let stopper = running.stopper();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        stopper.begin_stop(wsring::Drain { window: Duration::ZERO, deadline: Duration::from_millis(100) });
    });
    let (report, text) = report(
        &format!(
            "echo ws://{at}/echo -c 5 --settle 0 --warm-up 0 --duration 1500ms --message-rate 500 --allow-limited"
        ),
        3,
    );
    assert!(report["counts"]["answered"].as_u64() > Some(10), "{text}");
    assert!(text.contains("connections were lost") && text.contains("closed with 1001"), "{text}");
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
    assert!(killed.success());
}

/// Begins a run, and interrupts it so much later.
fn interrupted(line: &str, after: Duration) -> (Option<i32>, String) {
    interrupted_when(line, || thread::sleep(after))
}

/// Begins a run, and interrupts it when this returns.
fn interrupted_when(line: &str, until: impl FnOnce()) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsload"));
    let command = command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("wsload runs");
    until();
    interrupt(&child);
    let began = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(8), "{line}: {:?}", began.elapsed());
    let [out, err] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    (output.status.code(), format!("{out}{err}"))
}

#[test]
fn an_interrupted_run_reports_what_there_is() {
    let (_running, at) = server();
    let echo = format!("echo ws://{at}/echo -c 20 --allow-limited --no-progress");
    let table = [
        // Each phase of a load.
        (format!("{echo} --rate 1"), "of 20 connections"),
        (format!("{echo} --settle 1m"), "opened 20 of 20"),
        (format!("{echo} --warm-up 1m"), "opened 20 of 20"),
        (format!("{echo} --warm-up 0 --settle 0 --duration 1m"), "response"),
        (format!("{echo} --warm-up 0 --settle 0 --duration 1m --message-rate 500"), "schedule lag"),
        // Each workload.
        (format!("fanout ws://{at}/echo --subscribers 1 --rate 1 --allow-limited"), "opened 1 of 1"),
        (format!("fanout ws://{at}/echo --subscribers 20 --rate 1 --allow-limited"), "of 20 connections"),
        (format!("fanout ws://{at}/echo -c 20 --settle 1m --allow-limited"), "opened 20 of 20"),
        (format!("fanout ws://{at}/echo -c 20 --publish members --settle 1m --allow-limited"), "given up 0"),
        (format!("connect ws://{at}/echo -c 20 --hold 1m --allow-limited"), "upgrade"),
        (format!("connect ws://{at}/echo -c 20 --rate 2 --allow-limited"), "of 20 connections"),
        (format!("idle ws://{at}/echo -c 20 --hold 1m"), "alive 20"),
        (format!("idle ws://{at}/echo -c 20 --rate 2"), "of 20 connections"),
        (format!("churn ws://{at}/echo --rate 20 --duration 1m --lifetime 1m --allow-limited"), "upgrade"),
        (format!("storm ws://{at}/echo -c 20 --settle 0 --jitter 1m"), "Reconnect storm"),
        (format!("storm ws://{at}/echo -c 20 --settle 1m"), "opened 20 of 20"),
    ];
    for (line, text) in table {
        let (code, said) = interrupted(&line, Duration::from_millis(800));
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((code, words.contains(text)), (Some(3), true), "wsload {line}\n{said}");
        assert!(
            words.contains("verdict NOT MET: interrupted after 0.") || words.contains("interrupted after 1."),
            "{said}"
        );
        assert!(!said.contains("not opened") && !said.contains("not answered"), "wsload {line}\n{said}");
    }
    let search = format!(
        "capacity --slo p50<1s --of rate --from 200 --trial 300ms --warm-up 0 --settle 0 ws://{at}/echo"
    );
    let (code, said) = interrupted(&format!("{search} -c 2 --allow-limited"), Duration::from_millis(2500));
    assert_eq!((code, said.contains("verdict     NOT MET: interrupted")), (Some(3), true), "{said}");
    // A machine that is busy with other tests may miss a load before that.
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("objective p50<1s") && words.contains("confirmed no"), "{said}");
}

/// Four connections are to have a Ping or a message each, one in a second, and the first has it: what follows is not
/// sent, and not missed.
#[test]
fn an_interrupted_run_sends_nothing_more() {
    for (flag, opcode, fact) in [("--ping-at-end", 9, "ponged"), ("--echo-at-end", 2, "echoed")] {
        let (seen, arrived) = channel();
        let at = faulty(move |mut stream| {
            let mut bytes = [0; 2048];
            let read = stream.read(&mut bytes).unwrap_or(0);
            answer(&mut stream, &bytes[..read]);
            // A client's frame: two bytes, the mask, and the payload, which goes back. 9 is a Ping, and 10 a Pong.
            while stream.read(&mut bytes).is_ok_and(|read| read > 6) && bytes[0] == 0x80 | opcode {
                let length = usize::from(bytes[1] & 0x7F);
                let mask = [bytes[2], bytes[3], bytes[4], bytes[5]];
                let payload =
                    bytes[6..6 + length].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
                let head = [0x80 | if opcode == 9 { 10 } else { opcode }, length as u8];
                let _ = stream.write_all(&head.into_iter().chain(payload).collect::<Vec<_>>());
                let _ = seen.send(());
            }
        });
        let line = format!("idle ws://{at}/ -c 4 --rate 1 --hold 0 --no-progress {flag}");
        let (code, said) = interrupted_when(&line, || {
            arrived.recv_timeout(Duration::from_secs(60)).expect("the first is sent");
        });
        let (sent, words) =
            (1 + arrived.try_iter().count(), said.split_whitespace().collect::<Vec<_>>().join(" "));
        let expected = format!("{fact} {sent} of {sent} connections");
        assert_eq!((code, sent < 4, words.contains(&expected)), (Some(3), true, true), "{expected}: {said}");
        assert!(!said.contains("did not"), "{said}");
    }
}

/// Whoever has nothing yet says so; whoever does not come to its end ends at the second signal.
#[test]
fn an_interrupted_run_ends() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("its address");
    let (code, said) = interrupted(&format!("idle ws://{at}/"), Duration::from_millis(500));
    assert_eq!((code, &*said), (Some(1), "wsload: interrupted before there was anything to report\n"));
    // It answers no Close.
    let at = faulty(|mut stream| {
        let mut request = [0; 2048];
        let read = stream.read(&mut request).unwrap_or(0);
        answer(&mut stream, &request[..read]);
        thread::sleep(Duration::from_secs(60));
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsload"));
    let command = command.args(["idle", &format!("ws://{at}/"), "-c", "2"]).stderr(Stdio::null());
    let mut child = command.spawn().expect("wsload runs");
    thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

/// Processes of a fan-out that wait for each other.
#[test]
fn an_interrupted_wait_ends() {
    let (_running, at) = server();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut publishing = Command::new(env!("CARGO_BIN_EXE_wsload"));
    let line = format!("fanout ws://{at}/echo --clock-listen {free} --processes 2");
    publishing.args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut publishing = publishing.spawn().expect("wsload runs");
    let line = format!("fanout ws://{at}/echo --clock {free} --subscribers 2 --no-progress");
    let (code, said) = interrupted(&line, Duration::from_millis(1500));
    assert_eq!((code, &*said), (Some(1), "wsload: interrupted before there was anything to report\n"));
    interrupt(&publishing);
    assert_eq!(publishing.wait().expect("it ends").code(), Some(1));
}
