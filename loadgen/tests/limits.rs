//! Limits of this machine, of the generator and of servers, as users ask for them.

#[path = "support/limited.rs"]
mod limited;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use wsring::{CloseHow, Conn, Handler, Message, Server, Settings};

/// Calls `wsload` with the words of a line; what it keeps of its own goes to a folder of the tests.
fn wsload(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsload"));
    command.args(line.split_whitespace()).env("XDG_CACHE_HOME", folder().join("cache"));
    command.output().expect("wsload runs")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("limits")
}

/// Checks the exit code and that some texts are in the output; gives back what is on standard output.
fn check(line: &str, codes: &[i32], texts: &[&str]) -> String {
    let output = wsload(line);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().expect("it ended by itself");
    assert!(codes.contains(&code), "wsload {line}\nended with {code}\n{out}{err}");
    for text in texts {
        assert!(out.contains(text) || err.contains(text), "wsload {line}\nno {text:?} in\n{out}{err}");
    }
    out
}

/// The same with a report on standard output.
fn report(line: &str, codes: &[i32]) -> Value {
    let out = check(&format!("{line} --json -"), codes, &[]);
    serde_json::from_str(&out).unwrap_or_else(|cause| panic!("{cause} in\n{out}"))
}

#[test]
fn the_doctor_looks_at_this_machine() {
    let out = check("doctor --connections 1000", &[0, 3], &["open files (ulimit -n)", "a ring", "needs"]);
    assert!(out.lines().count() > 20, "{out}");
    // More than any machine has memory for.
    let texts = ["FAIL  memory (MemAvailable)", "NOT ENOUGH"];
    check("doctor --connections 1000000000", &[3], &texts);
    check(
        "doctor --connections 100000 --to 192.0.2.1",
        &[3],
        &["net.ipv4.ip_local_port_range=\"1024 65535\""],
    );
    let json = check("doctor --connections 1000 --json", &[0, 3], &[]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["checks"].as_array().is_some_and(|checks| checks.len() > 15), "{json}");
    check("doctor --to nowhere", &[2], &["--to"]);
}

#[test]
fn a_calibration_is_what_reports_compare_themselves_with() {
    let file = folder().join("ceiling.json");
    let load = "--shards 1 --connections 5 --size 20 --warm-up 50ms --duration 300ms";
    check(
        &format!("calibrate --out {} {load}", file.display()),
        &[0],
        &["ceiling", "null server", "kept in"],
    );
    let (_server, address) = limited::serve("127.0.0.1:0", 1000.0);
    let ceiling = format!("--ceiling {}", file.display());
    let found = report(&format!("echo ws://{address}/ {load} {ceiling}"), &[0, 4]);
    let calibration = &found["calibration"];
    let (most, share) = (calibration["ceiling_per_second"].as_f64(), calibration["share_used"].as_f64());
    assert!(most > Some(0.0) && share > Some(0.0), "{found}");
    assert!(!found["warnings"].to_string().contains("ceiling was measured"), "{found}");
    // Another load has no ceiling of its own, and no file has none at all.
    let other = format!("echo ws://{address}/ {load} --depth 3 {ceiling}");
    check(&other, &[0, 4], &["the generator's ceiling was measured with depth 1"]);
    check(&format!("echo ws://{address}/ {load}"), &[0, 4], &["wsload calibrate"]);
    check(&format!("echo ws://{address}/ --ceiling nowhere.json"), &[2], &["no such file"]);
    check("calibrate --hold 3s", &[2], &["--hold"]);
    // What compression costs is in none.
    let found = report(&format!("echo ws://{address}/ {load} {ceiling} --deflate"), &[0, 4]);
    assert!(found["calibration"].is_null(), "{found}");
}

#[test]
fn what_a_run_costs_the_server() {
    // The server is this process.
    let (_server, address) = limited::serve("127.0.0.1:0", 1e9);
    let load = "--shards 1 --connections 5 --warm-up 50ms --duration 1s";
    let process = std::process::id();
    let found = report(&format!("echo ws://{address}/ {load} --pid {process}"), &[0, 4]);
    let server = &found["server"];
    assert!(
        server["who"].as_str().is_some_and(|who| who.starts_with(&format!("process {process} ("))),
        "{server}"
    );
    assert!(server["cores"].as_f64() > Some(0.0), "{server}");
    assert!(server["cpu_ns_per_message"].as_f64() > Some(100.0), "{server}");
    assert!(server["points"][1]["user_bytes"].as_u64() > Some(100_000), "{server}");
    check(&format!("echo ws://{address}/ --pid 4194305"), &[2], &["no such process"]);
    check(&format!("echo ws://{address}/ --cgroup nowhere"), &[2], &["no such control group"]);
}

#[test]
fn the_limit_of_a_server() {
    const LIMIT: f64 = 2000.0;
    let (_server, address) = limited::serve("127.0.0.1:0", LIMIT);
    let line = format!(
        "capacity --slo p50<30ms --of rate --from 250 --within 25% --trial 500ms --warm-up 100ms --settle 50ms \
         --max-time 30s --no-progress --json - ws://{address}/ --connections 4 --shards 1 --allow-limited --settle 0"
    );
    // On a machine with other work to do it may hold less than it says, but never more.
    let out = check(&line, &[0, 3], &[]);
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|cause| panic!("{cause} in\n{out}"));
    let section = &found["sections"][0];
    assert_eq!((&found["workload"], &section["name"]), (&"capacity".into(), &"capacity".into()), "{section}");
    let facts = section["facts"].as_array().expect("a list");
    let fact = |name: &str| facts.iter().find(|fact| fact["name"] == name).map(|fact| &fact["value"]);
    // What 500 ms at once are beyond the limit waits for more than 30 ms from 12 % on, and the bucket has 4 %.
    let held = fact("held").and_then(Value::as_f64).unwrap_or(0.0);
    assert!((250.0..=LIMIT * 1.3).contains(&held), "{section}");
    assert!(section["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{section}");
    assert!(fact("limit").is_some_and(Value::is_string), "{section}");
}

/// A server that hangs up on everybody after a few messages: no trial of 20 s is waited for.
#[test]
fn a_trial_without_hope_ends_at_once() {
    struct Rude(u32);
    impl Handler for Rude {
        fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
            let _ = conn.send(message);
            self.0 += 1;
            if self.0 == 30 {
                conn.hang_up(CloseHow::Reset);
            }
        }
    }
    let running = Server::new()
        .listen("127.0.0.1:0")
        .settings(Settings { shards: Some(1), ..Settings::default() })
        .websocket("/", |upgrade| upgrade.accept(Rude(0)))
        .start()
        .expect("the server starts");
    let at = running.addresses()[0];
    let began = Instant::now();
    let common = "--trial 20s --settle 0 --no-progress";
    let line = format!("capacity --slo p99<1s --of rate --from 200 --warm-up 0 {common} ws://{at}/");
    let line = format!("{line} --connections 4 --settle 0 --allow-limited");
    check(&line, &[3], &["connections were lost", "ended early: ", "less than 200 messages per second"]);
    let line =
        format!("capacity --slo error_rate<1% --of churn --from 100 {common} ws://{at}/none --lifetime 0");
    check(&line, &[1], &["404 Not Found"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_search_that_cannot_begin_says_why() {
    let of = |rest: &str| format!("capacity --slo p99<10ms --of rate {rest}");
    let table = [
        (of("ws://127.0.0.1:1/"), 1, "nothing listens there"),
        (of("wss://127.0.0.1:1/"), 2, "TLS"),
        (of("ws://127.0.0.1:1/ --hold 3s"), 2, "--hold"),
        (of("--from 9 --most 3 ws://127.0.0.1:1/"), 2, "--most 3"),
        (of("--within 200% ws://127.0.0.1:1/"), 2, "no share"),
        ("capacity --slo p99 --of rate ws://127.0.0.1:1/".into(), 2, "no threshold"),
        ("capacity --of rate ws://127.0.0.1:1/".into(), 2, "--slo"),
    ];
    for (line, code, text) in table {
        check(&line, &[code], &[text]);
    }
}
