//! The floor against its definition: every request of N bytes comes back without its first four,
//! however the requests are cut or run together, and however slowly the answers are read.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use wsring_benches::ring;

/// A floor on a port of its own, ended when dropped.
struct Floor {
    process: Child,
    address: String,
}

impl Floor {
    fn start(request: usize, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_floor"))
            .args(["--port", "0", "--request", &request.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn requests(count: usize, bytes: usize) -> Vec<u8> {
    (0..count * bytes).map(|place| (place / 251 + place * 7) as u8).collect()
}

/// The definition.
fn answers(requests: &[u8], bytes: usize) -> Vec<u8> {
    requests.chunks_exact(bytes).flat_map(|request| &request[4..]).copied().collect()
}

fn check(socket: &mut TcpStream, expected: &[u8], case: &str) {
    let mut got = vec![0; expected.len()];
    socket.read_exact(&mut got).unwrap();
    assert!(got == expected, "{case}");
}

/// Otherwise the difference between the two would not be the protocol's cost alone.
#[test]
fn the_ring_has_the_engines_settings() {
    let engine = wsring::Settings::default();
    let queues = wsring_io::uring::Config::default();
    let floor = (ring::SQ_ENTRIES, ring::CQ_ENTRIES, ring::BUFFERS, ring::BUFFER_BYTES);
    let expected =
        (queues.submission_entries, queues.completion_entries, engine.buffers, engine.buffer_bytes as usize);
    assert_eq!(floor, expected);
}

#[test]
fn three_requests_in_every_split() {
    let bytes = 9;
    let floor = Floor::start(bytes, &[]);
    let sent = requests(3, bytes);
    let mut socket = floor.connect();
    for split in 0..=sent.len() {
        for part in [&sent[..split], &sent[split..]] {
            socket.write_all(part).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        check(&mut socket, &answers(&sent, bytes), &format!("split at {split}"));
    }
    for byte in &sent {
        socket.write_all(&[*byte]).unwrap();
    }
    check(&mut socket, &answers(&sent, bytes), "byte by byte");
}

#[test]
fn a_reader_that_is_late_gets_everything_in_order() {
    let bytes = 1032;
    // Few buffers, so that they run out as well.
    let floor = Floor::start(bytes, &["--buffers", "16"]);
    let sent = requests(40_000, bytes);
    let mut socket = floor.connect();
    let mut writer = socket.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent).unwrap());
        std::thread::sleep(Duration::from_millis(500));
        check(&mut socket, &answers(&sent, bytes), "40 MB read late");
    });
}

#[test]
fn slots_are_used_again_and_a_full_table_recovers() {
    let bytes = 26;
    let floor = Floor::start(bytes, &["--connections", "8"]);
    let sent = requests(1, bytes);
    for round in 0..200 {
        let mut socket = floor.connect();
        socket.write_all(&sent).unwrap();
        check(&mut socket, &answers(&sent, bytes), &format!("connection {round}"));
        if round % 2 == 0 {
            socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(socket.read(&mut [0]).unwrap(), 0, "closed after the peer closed");
        }
    }
    // More than the table holds: some are dropped by the kernel, and those that fit are served.
    let crowd: Vec<_> = (0..20).map(|_| floor.connect()).collect();
    std::thread::sleep(Duration::from_millis(100));
    drop(crowd);
    std::thread::sleep(Duration::from_millis(100));
    let mut socket = floor.connect();
    socket.write_all(&sent).unwrap();
    check(&mut socket, &answers(&sent, bytes), "after the crowd");
}
