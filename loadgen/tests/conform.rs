//! `wsload conform`: it passes on the engine's own echo, and finds each fault of a server that has one.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "support/broken/mod.rs"]
mod broken;
#[path = "support/serve.rs"]
mod serve;

use broken::Fault;
use serde_json::Value;
use serve::serve;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use wsring::{Conn, DeflateOptions, Message, Server, Settings};

/// Calls `wsload conform` with these words.
fn conform(line: &str) -> Output {
    let words = line.split_whitespace();
    Command::new(env!("CARGO_BIN_EXE_wsload")).arg("conform").args(words).output().expect("wsload runs")
}

/// Runs the probes and answers the exit code and, by verdict, the names of the probes.
fn verdicts(address: SocketAddr, more: &str) -> (Option<i32>, BTreeMap<String, Vec<String>>) {
    let output = conform(&format!("ws://{address}/ --json - {more}"));
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for probe in report["probes"].as_array().unwrap() {
        let text = |key: &str| probe[key].as_str().unwrap().to_owned();
        assert_eq!(text("verdict") == "tolerated", probe["words"].is_string(), "{probe}");
        verdicts.entry(text("verdict")).or_default().push(text("name"));
    }
    (output.status.code(), verdicts)
}

/// What is not passed, by verdict.
fn not_passed(mut verdicts: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    verdicts.remove("pass");
    verdicts
}

#[test]
fn the_engine_passes_every_probe() {
    let echo = |conn: &mut Conn<'_>, message: Message<'_>| {
        let _ = conn.send(message);
    };
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .deflate(DeflateOptions::default())
        .websocket("/", move |upgrade| upgrade.accept(echo))
        .start()
        .expect("the server starts");
    let address = running.addresses()[0];
    let (code, verdicts) = verdicts(address, "--timeout 10s");
    assert!(verdicts["pass"].iter().any(|name| name.starts_with("deflate-")), "{verdicts:?}");
    assert_eq!((code, not_passed(verdicts)), (Some(0), BTreeMap::new()));
}

#[test]
fn a_server_without_faults_passes_every_probe() {
    let table = [
        (Fault::None, "", ""),
        (Fault::LargeMessagesRefused, "--only large-message", ""),
        (Fault::Talkative, "", ""),
        (Fault::SubprotocolNeeded, "--header Sec-WebSocket-Protocol:chess", "subprotocol-unasked"),
        (Fault::None, "--header Sec-WebSocket-Extensions:x --only extension-unasked", "extension-unasked"),
    ];
    for (server, more, not_applicable) in table {
        let (_, verdicts) = verdicts(broken::start(server), &format!("--timeout 10s {more}"));
        let names: Vec<String> = not_applicable.split_whitespace().map(String::from).collect();
        let expected =
            [("not_applicable".to_owned(), names)].into_iter().filter(|(_, names)| !names.is_empty());
        assert_eq!(not_passed(verdicts), expected.collect(), "{server:?}");
    }
}

#[test]
fn without_an_echo_the_other_probes_pass() {
    let (code, verdicts) = verdicts(broken::start(Fault::None), "--timeout 10s --no-echo");
    let rest = not_passed(verdicts);
    assert_eq!(
        (code, rest.keys().map(String::as_str).collect::<Vec<_>>()),
        (Some(0), vec!["not_applicable"])
    );
    assert!(rest["not_applicable"].contains(&"echo".to_owned()));
    assert!(!rest["not_applicable"].contains(&"deflate-broken".to_owned()));
}

const UTF8: &str = "utf8-invalid utf8-cut utf8-invalid-fragment deflate-utf8";

/// Each fault, the probes that fail because of it, and those that tolerate it; all others pass.
#[rustfmt::skip]
const FAULTS: &[(Fault, &str, &str)] = &[
    (Fault::WrongAccept, "accept", ""),
    (Fault::NoConnectionHeader, "answer-headers", ""),
    (Fault::VersionIgnored, "version", ""),
    (Fault::VersionsUnsaid, "version", ""),
    (Fault::VersionOptional, "version-missing", ""),
    (Fault::KeyOptional, "key-missing", ""),
    (Fault::KeyUnchecked, "", "key-length"),
    (Fault::UpgradeOptional, "upgrade-missing", ""),
    (Fault::ConnectionOptional, "connection-missing", ""),
    (Fault::MethodIgnored, "method", ""),
    (Fault::NamesInOneCase, "header-case", ""),
    (Fault::ConnectionIsNoList, "connection-list", ""),
    (Fault::SubprotocolInvented, "subprotocol", ""),
    (Fault::SubprotocolUnasked, "subprotocol-unasked", ""),
    (Fault::ExtensionInvented, "extension", ""),
    (Fault::ExtensionUnasked, "extension-unasked", ""),
    (Fault::OpeningInOneRead, "opening-in-pieces", ""),
    (Fault::EarlyBytesLost, "", "opening-and-frame"),
    (Fault::UnmaskedAccepted, "unmasked", ""),
    (Fault::MasksFrames, "server-mask", ""),
    (Fault::ReservedBitsIgnored, "reserved-bits", ""),
    (Fault::OpcodesIgnored, "reserved-opcodes", ""),
    (Fault::LengthsWrittenLong, "lengths", ""),
    (Fault::LengthFormsUnchecked, "", "length-not-minimal"),
    (Fault::TopBitIgnored, "", "length-top-bit"),
    (Fault::LongPongCut, "ping", ""),
    (Fault::PingWaitsForMessage, "ping-in-message", ""),
    (Fault::PingsInARowLost, "many-pings", ""),
    (Fault::LatestPongOnly, "", "many-pings"),
    (Fault::PongAnswered, "pong-unsolicited", ""),
    (Fault::ControlFragmentsAccepted, "control-fragmented", ""),
    (Fault::ControlLengthUnchecked, "control-too-long", ""),
    (Fault::EmptyFragmentEnds, "fragments", ""),
    (Fault::ContinuationBegins, "continuation-of-nothing", ""),
    (Fault::Interleaves, "interleaved", ""),
    (Fault::Utf8PerFrame, "utf8-split", ""),
    (Fault::Utf8Surrogates, "utf8-invalid", ""),
    (Fault::Utf8MayBeCut, "utf8-cut", ""),
    (Fault::Utf8Unchecked, UTF8, ""),
    (Fault::Utf8Is1002, "", UTF8),
    (Fault::LoneByteLost, "byte-by-byte", ""),
    (Fault::FramesPerReadBounded, "many-frames", ""),
    (Fault::LargeMessagesCut, "large-message", ""),
    (Fault::HugeFramesAwaited, "", "huge-announced"),
    (Fault::ClosesAlike, "", "close"),
    (Fault::CloseUnanswered, "close close-empty close-ends-tcp after-close", ""),
    (Fault::EmptyCloseIs1005, "close-empty", ""),
    (Fault::TcpLeftOpen, "close-ends-tcp", ""),
    (Fault::AnswersAfterClose, "after-close", ""),
    (Fault::CloseCodesUnchecked, "close-code-invalid", ""),
    (Fault::CloseByteAccepted, "", "close-one-byte"),
    (Fault::CloseReasonUnchecked, "close-reason-invalid", ""),
    (Fault::WindowUnasked, "deflate-answer deflate-no-takeover deflate-window", ""),
    (Fault::OffersUnchecked, "deflate-offer-invalid", ""),
    (Fault::OwnTakeoverKept, "deflate-no-takeover", ""),
    (Fault::OwnWindowIgnored, "deflate-window", ""),
    (Fault::ContextLost, "deflate-echo deflate-window", ""),
    (Fault::PlainRefused, "deflate-plain", ""),
    (Fault::FragmentsInflatedAlone, "deflate-fragments", ""),
    (Fault::FinalBlockRefused, "deflate-final-block", ""),
    (Fault::ContinuationBitIgnored, "deflate-continuation-bit", ""),
    (Fault::ControlBitIgnored, "deflate-control-bit", ""),
    (Fault::BrokenStreamIgnored, "deflate-broken", ""),
    (Fault::InflatedUtf8Unchecked, "deflate-utf8", ""),
];

#[test]
fn each_fault_is_found_by_its_probes_and_by_no_other() {
    /// Takes longer than all others together, and has faults of its own.
    const LONGEST: &str = "--skip large-message";
    /// Several at once, since most of the time is waited for answers that do not come.
    const WORKERS: usize = 16;
    let queue = Mutex::new(FAULTS.iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((fault, fail, tolerated)) = queue.lock().unwrap().next() else { return };
                    let address = broken::start(*fault);
                    // On a busy machine pieces may arrive together: then the fault does not show.
                    let more = if fail.contains("large") { "" } else { LONGEST };
                    let Err(_) = check_fault(address, more, fail, tolerated) else { continue };
                    if let Err(found) = check_fault(address, more, fail, tolerated) {
                        wrong.lock().unwrap().push(format!("{fault:?}: {found}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What else was found than these probes, which fail and tolerate.
fn check_fault(address: SocketAddr, more: &str, fail: &str, tolerated: &str) -> Result<(), String> {
    let (code, verdicts) = verdicts(address, &format!("--timeout 2s {more}"));
    let found = not_passed(verdicts);
    let names = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let expected = [("fail", names(fail)), ("tolerated", names(tolerated))];
    let expected = expected.into_iter().filter(|(_, names)| !names.is_empty());
    let expected = expected.map(|(verdict, names)| (verdict.to_owned(), names)).collect();
    let expected_code = if fail.is_empty() { 0 } else { 3 };
    if found == expected && code == Some(expected_code) {
        return Ok(());
    }
    Err(format!("{code:?} {found:?}, expected {expected:?}"))
}

#[test]
fn a_server_that_does_not_echo_fails_that_probe_and_the_others_say_so() {
    let output = conform(&format!("ws://{}/ --timeout 1s --only echo,lengths", broken::start(Fault::NoEcho)));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for expected in [
        "--no-echo",
        "needs the echo, which failed",
        "2 probes: 0 pass, 0 tolerated, 1 fail, 1 not applicable",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn a_server_that_ends_without_a_close_is_within_its_rights() {
    let (code, verdicts) =
        verdicts(broken::start(Fault::EndsWithoutClose), "--only unmasked,utf8-cut --timeout 10s");
    assert_eq!((code, not_passed(verdicts)["tolerated"].len()), (Some(0), 2));
}

/// Checks the exit code and that some texts are in the output.
fn check(line: &str, code: i32, texts: &[&str]) {
    let output = conform(line);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "conform {line}\n{out}{err}");
    for text in texts {
        assert!(out.contains(text) || err.contains(text), "conform {line}\nno {text:?} in\n{out}{err}");
    }
}

#[test]
fn mistakes_and_servers_that_are_none_get_one_clear_line() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    let other = serve(|mut stream| {
        let _ = stream.write_all(b"220 mail.example.com\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    check(&format!("ws://{free}/"), 1, &["cannot open ws://", "refused"]);
    check(&format!("ws://{http}/x"), 1, &["answered 404 Not Found, expected 101"]);
    check(&format!("ws://{other}/"), 1, &["no HTTP", "220 mail"]);
    check("wss://127.0.0.1/", 2, &["needs TLS"]);
    check("http://127.0.0.1/", 2, &["ws://"]);
    check("ws://127.0.0.1:1/ --only nonsense", 2, &["nonsense", "--list"]);
    check("ws://127.0.0.1:1/ --header nonsense", 2, &["is no header"]);
    check("", 2, &["URL"]);
    check("--list --only 7692 --skip deflate-utf8", 0, &["deflate-echo", "permessage-deflate and an echo"]);
}

/// The beginning of every right answer, without the proof, which only one probe looks at.
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn servers_that_never_answer_never_stop_or_vanish_do_not_hang_it() {
    let silent = serve(|stream| {
        thread::sleep(Duration::from_secs(600));
        drop(stream);
    });
    check(&format!("ws://{silent}/ --timeout 300ms"), 1, &["no answer within 300ms"]);
    let endless = serve(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    check(&format!("ws://{endless}/ --timeout 300ms"), 1, &["an answer without an end"]);
    let only = "--timeout 1s --only ping,lengths,utf8-invalid,many-frames,close,after-close";
    let mute = serve(|mut stream| {
        let _ = stream.write_all(SWITCHING);
        while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    });
    check(&format!("ws://{mute}/ {only}"), 3, &["no answer within 1s"]);
    let flood = serve(|mut stream| {
        let _ = stream.write_all(SWITCHING);
        while stream.write_all(&[0x89, 0x00].repeat(1000)).is_ok() {}
    });
    check(&format!("ws://{flood}/ {only}"), 3, &["FAIL"]);
    let vanishing = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(SWITCHING);
    });
    check(&format!("ws://{vanishing}/ {only}"), 3, &["without a Close"]);
    let giant = serve(|mut stream| {
        let _ = stream.write_all(SWITCHING);
        let _ = stream.write_all(&[0x82, 0x7F, 0x7F, 0, 0, 0, 0, 0, 0, 0]);
        while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    });
    check(&format!("ws://{giant}/ {only}"), 3, &["announced a frame of"]);
    let endless = serve(|mut stream| {
        let _ = stream.write_all(SWITCHING);
        let part = [&[0, 0x7F, 0, 0, 0, 0, 0, 0x10, 0, 0][..], &[0; 1 << 20]].concat();
        let _ = stream.write_all(&[0x02, 0]);
        while stream.write_all(&part).is_ok() {}
    });
    check(
        &format!("ws://{endless}/ --timeout 60s --only echo"),
        3,
        &["a message of 68157440 bytes and more"],
    );
}
