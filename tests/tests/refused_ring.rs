//! A host that does not allow io_uring: the server does not start, and says why and what to do.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use wsring_tests::binary::wsring;

const LINES_MAX: usize = 25;

/// What the server says where io_uring_setup is answered with `errno`.
fn serve_where_refused(errno: i32) -> Output {
    let server = wsring();
    // The filter holds for this thread, and for the process that it starts.
    let thread = std::thread::spawn(move || {
        let filter = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_io_uring_setup, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(errno.unsigned_abs()),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
        Command::new(server).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap()
    });
    thread.join().unwrap()
}

fn check(errno: i32, words: &[&str]) {
    let output = serve_where_refused(errno);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    let lines = text.lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines do not fit on a screen:\n{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 160), "lines too long to read:\n{text}");
}

#[test]
fn forbidden_by_a_seccomp_filter() {
    check(
        libc::EPERM,
        &["wsring: ", "io_uring", "EPERM", "seccomp", "--security-opt seccomp=", "io_uring_disabled"],
    );
}

#[test]
fn hidden_by_a_seccomp_filter_or_absent() {
    check(libc::ENOSYS, &["wsring: ", "io_uring", "ENOSYS", "seccomp", "CONFIG_IO_URING"]);
}

#[test]
fn too_little_memory_may_be_locked() {
    check(libc::ENOMEM, &["wsring: ", "ENOMEM", "ulimit -l"]);
}
