//! The command line, files and variables of the built server.

use super::support::File;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use wsring_tests::binary::wsring;
use wsring_tests::wait_until;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(wsring());
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_configuration_in_effect_is_printed_and_can_be_given_back() {
    let file =
        File::new("shards = 3\n[limits]\ntopics = 5\n[auth]\napi_keys = [\"0123456789abcdef-secret\"]\n");
    let variables = [
        ("WSRING_LIMITS_TOPICS", "6"),
        ("WSRING_AUTH_JWT_HS256_SECRET", "another-secret-of-32-bytes-or-more"),
    ];
    let output = run(&["serve", "--config", file.name(), "--pin", "1", "--print-config"], &variables);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        !text.contains("secret\"") && !text.contains("another-secret") && text.contains("<set>"),
        "{text}"
    );
    let line = |name: &str| {
        let line = text.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("shards"), format!("shards = 3 # file {}", file.name()));
    assert_eq!(line("topics"), "topics = 6 # environment WSRING_LIMITS_TOPICS");
    assert_eq!(line("pin"), "pin = 1 # flag --pin");
    assert_eq!(line("io"), "io = \"auto\" # default");
    let printed = File::new(&text);
    let again = run(&["serve", "--print-config"], &[("WSRING_CONFIG", printed.name())]);
    assert!(again.status.success(), "{}", said(&again));
    let values = |text: &str| -> Vec<String> {
        let set = text.lines().filter(|line| !line.starts_with('#'));
        set.map(|line| line.split(" # ").next().unwrap().trim_end().to_owned()).collect()
    };
    assert_eq!(values(&String::from_utf8(again.stdout).unwrap()), values(&text));
}

/// Arguments, variables, and a part of what is said.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn what_is_wrong_ends_the_start_with_2() {
    let file = File::new("[limits]\nconnection = 3\n");
    let table: [Case<'_>; 9] = [
        (
            &["serve", "--shards", "0"],
            &[],
            "shards (flag --shards) is \"0\"; allowed is a whole number from 1",
        ),
        (
            &["serve"],
            &[("WSRING_TOPICS_BEHIND", "x")],
            "(environment WSRING_TOPICS_BEHIND) is \"x\"; allowed is one of",
        ),
        (
            &["serve"],
            &[("WSRING_LIMIT", "1")],
            "WSRING_LIMIT (environment WSRING_LIMIT) is no setting; the nearest",
        ),
        (&["serve", "--config", file.name()], &[], "is no setting; the nearest is limits.connections"),
        (&["serve", "--config", "no/such/file"], &[], "config (flag --config): cannot read \"no/such/file\""),
        (&["serve", "--listen", "nowhere"], &[], "cannot listen on \"nowhere\""),
        (&["serve", "--jwt-eddsa-public-key-file", "no/file"], &[], "auth.jwt_eddsa_public_key_file (flag"),
        (
            &["serve"],
            &[("WSRING_AUTH_JWT_HS256_SECRET", "short")],
            "is <set>; allowed is a secret of at least 32",
        ),
        (&["serve", "--listn", "x"], &[], "--listn"),
    ];
    for (arguments, variables, expected) in table {
        let output = run(arguments, variables);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {variables:?}: {}", said(&output));
        assert!(said(&output).contains(expected), "{expected} is not in {}", said(&output));
    }
}

#[test]
fn nothing_is_open_beyond_loopback_by_accident() {
    let output = run(&["serve", "--listen", "0.0.0.0:0"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output);
    assert!(text.contains("0.0.0.0:0 can be reached") && text.contains("--insecure-open"), "{text}");
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address, "--shards", "1"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("Another program listens there"), "{}", said(&output));
}

/// What is left out of the log still happens, waiting for a signal above all.
#[test]
fn a_server_that_logs_only_errors_serves() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(wsring());
    command.args(["serve", "--shards", "1", "--listen", &address.to_string()]).env("RUST_LOG", "error");
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    wait_until("the server to listen or end", || {
        TcpStream::connect(address).is_ok() || child.try_wait().unwrap().is_some()
    });
    // It would end some milliseconds after it listens.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended, None);
}
