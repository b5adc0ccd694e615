//! The program as its users run it, against servers that behave and servers that do not.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;
use support::{report, wsload};
use wsring::{CloseCode, Conn, DeflateOptions, Handler, Message, Running, Server, Settings};

/// Checks the exit code and that some texts are in the output, however wide its columns are.
fn check(line: &str, code: i32, texts: &[&str]) {
    let output = wsload(line);
    let [out, err] = [&output.stdout, &output.stderr].map(|said| {
        let said = String::from_utf8_lossy(said);
        said.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
            .collect::<String>()
    });
    assert_eq!(output.status.code(), Some(code), "wsload {line}\n{out}{err}");
    for text in texts {
        assert!(out.contains(text) || err.contains(text), "wsload {line}\nno {text:?} in\n{out}{err}");
    }
}

/// An echo, and servers that answer wrongly in one way each.
fn server() -> (Running, SocketAddr) {
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/echo", |upgrade| upgrade.accept(echo))
        .websocket("/deflate", |upgrade| upgrade.deflate(DeflateOptions::default()).accept(echo))
        .websocket("/takeover", |upgrade| {
            let both = DeflateOptions { server_takeover: true, client_takeover: true, ..Default::default() };
            upgrade.deflate(both).accept(echo)
        })
        .websocket("/twice", |upgrade| {
            upgrade.accept(|conn: &mut Conn<'_>, message: Message<'_>| {
                let (kind, payload) = (message.kind(), message.payload().to_vec());
                let _ = (conn.send_payload(kind, &payload), conn.send_payload(kind, &payload));
            })
        })
        .websocket("/text", |upgrade| {
            upgrade.accept(|conn: &mut Conn<'_>, _: Message<'_>| {
                let _ = conn.send_text("something else");
            })
        })
        .websocket("/silent", |upgrade| upgrade.accept(|_: &mut Conn<'_>, _: Message<'_>| {}))
        .websocket("/close", |upgrade| upgrade.accept(CloseAtOnce))
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

struct CloseAtOnce;

impl Handler for CloseAtOnce {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.close(CloseCode::GOING_AWAY, "not today");
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}

#[test]
fn an_echo_server_meets_it() {
    let (_running, at) = server();
    let common = format!("ws://{at}/echo --connections 20 --shards 1");
    // This machine may be busy with other tests, of which server and generator would complain.
    let short = "--settle 0 --warm-up 50ms --duration 500ms --allow-limited";
    let table = [
        ("", "closed loop, depth 1"),
        ("--size 0", "closed loop"),
        ("--depth 16 --size 3 --kind text", "closed loop, depth 16"),
        ("--depth 4 --size 20KiB", "20480 B"),
        ("--size uniform:40-4000 --kind json --fragments 3", "in 3 frames"),
        ("--file Cargo.toml --depth 2", "lines of Cargo.toml"),
        ("--file Cargo.toml --file-whole --kind binary", "whole"),
        ("--preset sockudo-100x512", "512 B binary"),
        ("--sources 3", "closed loop"),
        ("--message-rate 2k", "open loop, 2,000 messages per second"),
        ("--message-rate 500 --arrivals poisson --size lognormal:50,1", "Poisson"),
        ("--message-rate 500 --arrivals burst --in-flight-max 100 --interval 50ms", "open loop"),
    ];
    for (options, text) in table {
        let line = format!("echo {common} {short} {options}");
        check(&line, 0, &["opened 20 of 20", "verdict met", text]);
    }
    check(&format!("idle {common} --hold 100ms"), 0, &["alive 20 after 0.1 s", "verdict met"]);
    check(&format!("idle {common} --hold 0 --echo-at-end"), 0, &["echoed 20 of 20 connections"]);
}

#[test]
fn compression_is_offered_and_its_bytes_are_told() {
    let (_running, at) = server();
    let common = "--connections 3 --shards 1 --deflate --size 2KiB --settle 0 --warm-up 0 --duration 300ms \
                  --allow-limited --no-progress";
    let strict = "--deflate-server-no-takeover --deflate-client-no-takeover --deflate-server-bits 9 \
                  --deflate-client-bits 8 --deflate-level 9";
    let by_default = "server: 15 bits, no takeover; client: 15 bits, no takeover, by 3 of 3 connections";
    let by_strict = "server: 9 bits, no takeover; client: 8 bits, no takeover, by 3 of 3 connections";
    let by_both = "server: 15 bits, takeover; client: 15 bits, takeover, by 3 of 3 connections";
    // Where, with which flags, what is agreed on, and whether messages are long enough to be compressed.
    let table = [
        ("deflate", "--kind text", by_default, true),
        ("deflate", "--kind json --fragments 3", by_default, true),
        ("deflate", &format!("--kind text {strict}"), by_strict, true),
        ("deflate", "--kind text --deflate-min 4KiB", by_default, false),
        ("takeover", "--kind json --depth 4", by_both, true),
    ];
    for (path, options, agreed, sends_compressed) in table {
        let (report, text) = report(&format!("echo ws://{at}/{path} {common} {options}"), 0);
        let fact = |name: &str| {
            let facts = report["sections"][0]["facts"].as_array().expect("facts");
            let found = facts.iter().find(|fact| fact["name"] == name);
            found.unwrap_or_else(|| panic!("no {name:?} in {facts:?}"))["value"].clone()
        };
        let bytes = |name: &str| fact(name).as_u64().expect("a count");
        assert_eq!((&report["verdict"], fact("agreed")), (&"met".into(), agreed.into()), "{options}: {text}");
        assert!(text.contains("Compression") && text.contains(agreed), "{options}: {text}");
        let answered = report["counts"]["answered"].as_u64().expect("a count");
        let sent = (bytes("sent, on the wire"), bytes("sent, before deflation"));
        let received = (bytes("received, on the wire"), bytes("received, after inflation"));
        if sends_compressed {
            assert!(0 < sent.0 && sent.0 < sent.1, "{options}: {sent:?}");
            assert_eq!(sent.1, answered * 2048, "{options}: {text}");
        } else {
            assert_eq!(sent, (0, 0), "{options}: {text}");
        }
        assert!(0 < received.0 && received.0 < received.1, "{options}: {received:?}");
        assert_eq!(received.1, answered * 2048, "{options}: {text}");
        assert_eq!(bytes("compressed messages received"), answered, "{options}: {text}");
        let warnings = report["warnings"].to_string();
        assert!(!warnings.contains("did not agree"), "{options}: {text}");
        assert_eq!(warnings.contains("--deflate-min"), !sends_compressed, "{options}: {text}");
    }
    let warning = "the server did not agree to compress on 3 of 3 connections";
    check(&format!("echo ws://{at}/echo {common}"), 0, &[warning, "verdict met", "not agreed"]);
    let plain = ["no message was sent compressed", "shorter than --deflate-min, 128 B,", "verdict met"];
    check(&format!("echo ws://{at}/deflate {common} --kind binary"), 0, &plain);
    check(&format!("echo ws://{at}/deflate {}", common.replace("--size 2KiB", "")), 0, &plain);
    check(&format!("idle ws://{at}/deflate --connections 3 --hold 0 --deflate --echo-at-end"), 0, &plain);
    let longer = ["compressed messages were not shorter than plain ones", "verdict met"];
    // What goes out in frames is compressed, whatever comes of it.
    check(&format!("echo ws://{at}/deflate {common} --kind binary --fragments 3"), 0, &longer);
    let (_, text) = report(&format!("idle ws://{at}/deflate --connections 3 --hold 0 --deflate"), 0);
    assert!(!text.contains("--deflate-min"), "nothing was to be sent: {text}");
    check(&format!("echo ws://{at}/deflate {common} --deflate-level 10"), 2, &["10 is not in 1..=9"]);
}

#[test]
fn what_comes_back_wrong_is_told() {
    let (_running, at) = server();
    let echo =
        "--connections 3 --settle 0 --warm-up 0 --duration 300ms --drain-timeout 100ms --allow-limited";
    let idle = "--connections 3 --hold 200ms --echo-timeout 100ms";
    let table: [(String, &[&str]); 8] = [
        (format!("echo ws://{at}/twice {echo}"), &["NOT MET", "answers came twice"]),
        (
            format!("echo ws://{at}/text {echo}"),
            &["NOT MET", "messages came that nobody had asked for", "not answered"],
        ),
        (
            format!("echo ws://{at}/silent {echo} --message-rate 100 --in-flight-max 2"),
            &["messages were held back by --in-flight-max", "6 messages were not answered"],
        ),
        (format!("echo ws://{at}/silent {echo}"), &["3 messages were not answered", "not a single answer"]),
        (format!("echo ws://{at}/close {echo}"), &["connections were lost", "closed with 1001: not today"]),
        (format!("idle ws://{at}/close {idle}"), &["alive 0", "3 connections were lost"]),
        (format!("idle ws://{at}/silent {idle} --echo-at-end"), &["3 connections did not echo"]),
        (format!("idle ws://{at}/text {idle} --echo-at-end"), &["3 messages were not the echo that was due"]),
    ];
    for (line, texts) in table {
        check(&line, 3, texts);
    }
}

#[test]
fn what_cannot_start_says_why() {
    let (_running, at) = server();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at_silent = silent.local_addr().expect("its address");
    let other = other_protocol();
    let table: [(String, i32, &str); 14] = [
        ("idle ws://127.0.0.1:1/".into(), 1, "nothing listens there"),
        (format!("idle ws://{at}/nowhere"), 1, "404 Not Found"),
        (format!("idle ws://{other}/"), 1, "no HTTP/1.1 response"),
        (
            format!("idle ws://{at_silent}/ --connect-timeout 200ms"),
            1,
            "no answer to the opening handshake in time",
        ),
        (format!("idle wss://{at}/"), 2, "TLS"),
        (format!("idle http://{at}/"), 2, "ws://"),
        (format!("idle ws://{at}/echo --connections 1000000 --sources 2"), 2, "source addresses"),
        ("idle ws://192.0.2.1/ --sources 2".into(), 2, "name them with --source"),
        (format!("echo ws://{at}/echo --shards 0"), 2, "shards is 0"),
        (format!("echo ws://{at}/echo --kind json --size 10"), 2, "at least 35 bytes"),
        (format!("echo ws://{at}/echo --file /nonexistent"), 2, "--file /nonexistent"),
        (format!("echo ws://{at}/echo --start-at 1000"), 2, "name a later time"),
        (format!("echo ws://{at}/echo --preset none"), 2, "uws-echo"),
        (format!("echo ws://{at}/echo --message-rate 5 --depth 3"), 2, "cannot be used with"),
    ];
    for (line, code, text) in table {
        check(&line, code, &[text]);
    }
}

/// Something that answers, but with no HTTP.
fn other_protocol() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, b"220 mail.example ESMTP\r\n\r\n");
            thread::sleep(Duration::from_millis(200));
        }
    });
    address
}

#[test]
fn the_json_report_holds_what_the_text_says() {
    let (_running, at) = server();
    let line = format!("echo ws://{at}/echo --connections 5 --warm-up 0 --duration 200ms --allow-limited");
    let (report, text) = report(&line, 0);
    assert_eq!(report["workload"], "echo");
    assert_eq!(report["verdict"], "met");
    assert_eq!(report["opening"]["opened"], 5);
    assert_eq!(report["closing"]["in_order"], 5);
    let (answered, response) = (&report["counts"]["answered"], &report["latencies"][0]);
    assert!(answered.as_u64() > Some(0) && response["percentiles"]["p50"].as_u64() > Some(0), "{text}");

    let nowhere = Path::new("/nonexistent/report.json");
    let line = format!("idle ws://{at}/echo --connections 1 --hold 0 --json {}", nowhere.display());
    check(&line, 1, &["cannot write the report to /nonexistent/report.json"]);
}
