//! The floors of fan-out against their definition, and the load client against servers that do what
//! they should and servers that do not.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use wsring_benches::wire::request_bytes;

const FANOUT_FLOOR: &str = env!("CARGO_BIN_EXE_fanout-floor");
const BROADCAST_FLOOR: &str = env!("CARGO_BIN_EXE_broadcast-floor");
const WSRING_FANOUT: &str = env!("CARGO_BIN_EXE_wsring-fanout");
const FANOUT_LOAD: &str = env!("CARGO_BIN_EXE_fanout-load");
const BROADCAST_LOAD: &str = env!("CARGO_BIN_EXE_broadcast-load");

/// Bytes of one message of the default size, as delivered.
const DELIVERY_BYTES: usize = 22;
const REQUEST_BYTES: usize = DELIVERY_BYTES + 4;

/// A server on a port of its own, ended when dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        Self::run(Command::new(program).args(["--port", "0"]).args(arguments))
    }

    /// The last word of its first line is where it listens.
    fn run(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { process, address }
    }

    fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    /// Some connections, with time for the server to accept them.
    fn crowd<const COUNT: usize>(&self) -> [TcpStream; COUNT] {
        let crowd = std::array::from_fn(|_| self.connect());
        std::thread::sleep(Duration::from_millis(50));
        crowd
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn check(socket: &mut TcpStream, expected: &[u8], case: &str) {
    let mut got = vec![0; expected.len()];
    socket.read_exact(&mut got).unwrap();
    assert!(got == expected, "{case}");
}

fn requests(count: usize, bytes: usize) -> Vec<u8> {
    (0..count * bytes).map(|place| (place / 251 + place * 7) as u8).collect()
}

/// The definition.
fn deliveries(requests: &[u8], bytes: usize) -> Vec<u8> {
    requests.chunks_exact(bytes).flat_map(|request| &request[4..]).copied().collect()
}

#[test]
fn fanout_floor_passes_on_to_the_silent_in_every_split() {
    let bytes = 9;
    let floor = Server::start(FANOUT_FLOOR, &["--request", "9"]);
    let mut crowd = floor.crowd::<4>();
    let [publisher, subscribers @ ..] = &mut crowd;
    let sent = requests(3, bytes);
    for split in 0..=sent.len() {
        for part in [&sent[..split], &sent[split..]] {
            publisher.write_all(part).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        for subscriber in &mut *subscribers {
            check(subscriber, &deliveries(&sent, bytes), &format!("split at {split}"));
        }
    }
    publisher.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert!(publisher.read(&mut [0]).is_err(), "the publisher gets nothing");
}

#[test]
fn fanout_floor_keeps_what_a_late_reader_has_not_read() {
    let bytes = 60_004;
    let floor = Server::start(FANOUT_FLOOR, &["--request", "60004"]);
    let [mut publisher, mut late, mut prompt, leaver] = floor.crowd();
    let sent = requests(300, bytes);
    drop(leaver);
    std::thread::scope(|scope| {
        scope.spawn(|| publisher.write_all(&sent).unwrap());
        check(&mut prompt, &deliveries(&sent, bytes), "18 MB read at once");
    });
    check(&mut late, &deliveries(&sent, bytes), "18 MB read late");
}

#[test]
fn broadcast_floor_sends_whole_rounds_to_all() {
    let floor = Server::start(BROADCAST_FLOOR, &["--request", "9", "--clients", "3"]);
    let mut crowd = floor.crowd::<3>();
    for round in 0..50 {
        let sent = requests(3, 9);
        for (client, request) in crowd.iter_mut().zip(sent.chunks_exact(9)) {
            client.write_all(request).unwrap();
            // One by one, so that the order is known.
            std::thread::sleep(Duration::from_millis(1));
        }
        for client in &mut crowd {
            check(client, &deliveries(&sent, 9), &format!("round {round}"));
        }
    }
}

fn load(program: &str, port: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(["--port", port, "--warmup", "0.05", "--seconds", "0.1", "--json"])
        .args(arguments)
        .output()
        .unwrap()
}

/// The client is content, and has counted whole rounds.
fn content(output: &Output, deliveries_of_round: u64) {
    assert!(output.status.success(), "{output:?}");
    let window: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let messages = window["messages"].as_u64().unwrap();
    assert!(messages > 0 && messages.is_multiple_of(deliveries_of_round), "{window}");
    assert_eq!(window["errors"], 0);
    assert!(window["server_cpu_ns"].as_u64().unwrap() > 0, "{window}");
}

/// However the client receives.
const WAYS: [&[&str]; 5] = [
    &["--verify"],
    &["--verify", "--awake", "--opcode", "text"],
    &["--awake"],
    &["--copy", "--batch", "1"],
    &["--verify", "--buffers", "2", "--buffer-kib", "1", "--payload", "300"],
];

#[test]
fn load_and_floors_agree() {
    for way in WAYS {
        let request = if way.contains(&"300") { "308" } else { "26" };
        let floor = Server::start(BROADCAST_FLOOR, &["--request", request, "--clients", "30"]);
        let pid = floor.process.id().to_string();
        let arguments = [&["--raw", "--clients", "30", "--pid", &pid], way].concat();
        content(&load(BROADCAST_LOAD, floor.port(), &arguments), 900);

        let request = if way.contains(&"300") { "308" } else { "106" };
        let floor = Server::start(FANOUT_FLOOR, &["--request", request]);
        let pid = floor.process.id().to_string();
        let arguments = [&["--raw", "--subscribers", "30", "--pid", &pid], way].concat();
        content(&load(FANOUT_LOAD, floor.port(), &arguments), 30);
    }
}

#[test]
fn load_and_engine_agree() {
    let server = Server::start(WSRING_FANOUT, &[]);
    let pid = server.process.id().to_string();
    for way in WAYS {
        let arguments = [&["--path", "/subscribe", "--subscribers", "30", "--pid", &pid], way].concat();
        content(&load(FANOUT_LOAD, server.port(), &arguments), 30);
    }
}

/// A message that differs from round to round, deflated for each.
#[test]
fn load_and_deflating_floor_agree() {
    for payload in [80, 300, 1024, 70_000] {
        let bytes = request_bytes(payload).to_string();
        let floor = Server::start(FANOUT_FLOOR, &["--request", &bytes, "--deflate-each"]);
        let (pid, payload) = (floor.process.id().to_string(), payload.to_string());
        let deflate =
            ["--deflate", "--content", "json", "--opcode", "text", "--verify", "--payload", &payload];
        for burst in [&[][..], &["--burst", "3"]] {
            let arguments = [&["--raw", "--subscribers", "30", "--pid", &pid], &deflate[..], burst].concat();
            content(&load(FANOUT_LOAD, floor.port(), &arguments), 30);
        }
    }
    let floor = Server::start(FANOUT_FLOOR, &["--request", "106"]);
    let output = load(FANOUT_LOAD, floor.port(), &["--raw", "--subscribers", "3", "--deflate"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("were wrong"), "what is not deflated is wrong: {said}");
}

/// What is deflated once for all, and what is deflated for each.
#[test]
fn load_and_deflating_engine_agree() {
    for mode in [&["--deflate"][..], &["--deflate", "--each"]] {
        let server = Server::start(WSRING_FANOUT, mode);
        let pid = server.process.id().to_string();
        for (opcode, payload) in [("text", "300"), ("binary", "1024"), ("text", "70000")] {
            let subscribers = ["--path", "/subscribe", "--subscribers", "30", "--pid", &pid];
            let messages = ["--content", "json", "--opcode", opcode, "--verify", "--payload", payload];
            // Of the longest, of which each has a segment of its own, a burst is still less than a topic keeps.
            for deflate in [&["--deflate"][..], &[], &["--deflate", "--burst", "5"], &["--burst", "5"]] {
                let arguments = [&subscribers, &messages[..], deflate].concat();
                content(&load(FANOUT_LOAD, server.port(), &arguments), 30);
            }
        }
    }
    let server = Server::start(WSRING_FANOUT, &[]);
    let arguments = ["--path", "/subscribe", "--subscribers", "3", "--deflate"];
    let said = String::from_utf8_lossy(&load(FANOUT_LOAD, server.port(), &arguments).stderr).into_owned();
    assert!(said.contains("does not compress"), "{said}");
}

/// A server for two clients without handshake; `answer` makes of a round's two messages what each gets.
fn wrong(answer: impl Fn(&[u8], &[u8]) -> [Vec<u8>; 2] + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || -> std::io::Result<()> {
        let mut clients = [listener.accept()?.0, listener.accept()?.0];
        loop {
            let mut requests = [[0; REQUEST_BYTES]; 2];
            for (client, request) in clients.iter_mut().zip(&mut requests) {
                client.read_exact(request)?;
            }
            let answers = answer(&requests[0][4..], &requests[1][4..]);
            for (client, answer) in clients.iter_mut().zip(answers) {
                client.write_all(&answer)?;
            }
        }
    });
    port
}

#[test]
fn wrong_servers_are_found_out() {
    type Answer = fn(&[u8], &[u8]) -> [Vec<u8>; 2];
    let cases: [(&str, Answer, &str); 5] = [
        ("right", |a, b| [[a, b].concat(), [a, b].concat()], ""),
        ("one twice", |a, _| [[a, a].concat(), [a, a].concat()], "were wrong"),
        ("two orders", |a, b| [[a, b].concat(), [b, a].concat()], "were wrong"),
        (
            "one bit",
            |a, b| {
                let mut last = [a, b].concat();
                last[2 * DELIVERY_BYTES - 1] ^= 1;
                [[a, b].concat(), last]
            },
            "were wrong",
        ),
        ("too much", |a, b| [[a, b, b].concat(), [a, b].concat()], "more than round 1 has"),
    ];
    for (case, answer, complaint) in cases {
        let output = load(BROADCAST_LOAD, &wrong(answer), &["--raw", "--clients", "2", "--verify"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), complaint.is_empty(), "{case}: {said}");
        assert!(said.contains(complaint), "{case}: {said}");
    }
}

#[test]
fn publish_latency_measures() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_publish-latency"));
    let output = command.args(["--publishes", "5", "--rest", "1", "--shards", "2"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.matches("publish to bytes read").count(), 2, "{said}");
}

#[test]
#[ignore = "needs npm ci --prefix benches/rivals"]
fn bun_delivers_all() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/bun-broadcast.js");
    let bun = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/node_modules/.bin/bun");
    let server = Server::run(Command::new(bun).args([script, "--port", "0"]));
    let pid = server.process.id().to_string();
    for way in WAYS {
        let arguments = [&["--clients", "30", "--pid", &pid], way].concat();
        content(&load(BROADCAST_LOAD, server.port(), &arguments), 900);
    }
}
