//! Several processes that load one server together. A fan-out whose publisher and subscribers are processes of their own, on one clock and on clocks that differ: a
//! go-between makes another machine of the publishing process, whose clock is off by a known amount, drifts, and is far
//! away.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::raw::faulty;
use support::{count, report, report_path, samples, wsload};
use wsring::{Conn, Handler, Message, Running, Server, Settings, Topic};

/// Subscribes, and publishes what it is sent.
struct Everybody(Topic);

impl Handler for Everybody {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish(&self.0, message.kind(), message.payload());
    }
}

fn broadcaster() -> (Running, SocketAddr) {
    let server = Server::new().listen("127.0.0.1:0");
    let server = server.settings(Settings { shards: Some(1), ..Settings::default() });
    let all = server.topic("all").expect("a name");
    let server = server.websocket("/all", move |upgrade| upgrade.accept(Everybody(all.clone())));
    let running = server.start().expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

/// A process that publishes, and where it is asked about that.
struct Publisher {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    address: SocketAddr,
    report: std::path::PathBuf,
}

impl Publisher {
    fn start(line: &str) -> Self {
        let report = report_path();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wsload"))
            .args(line.split_whitespace())
            .args(["--clock-listen", "127.0.0.1:0", "--no-progress", "--json"])
            .arg(&report)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wsload runs");
        let mut said = BufReader::new(child.stderr.take().expect("its standard error"));
        let mut first = String::new();
        said.read_line(&mut first).expect("it says where it listens");
        let address = first.split("ask at ").nth(1).and_then(|rest| rest.split(';').next());
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {first:?}"));
        Self { child, said, address, report }
    }

    /// Asks it, until it has published so many messages.
    fn wait_for(&self, count: usize) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let mut answers = BufReader::new(stream.try_clone().expect("a clone")).lines();
        let mut published = 0;
        while published < count {
            stream.write_all(b"published\n").expect("it listens");
            let answer = answers.next().and_then(Result::ok).expect("it answers");
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            published += answer["messages"].as_array().map_or(0, Vec::len);
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its exit code, what else it said, and its report.
    fn end(mut self) -> (Option<i32>, String, Value) {
        let mut text = String::new();
        self.said.read_to_string(&mut text).expect("text");
        let code = self.child.wait().expect("it ends").code();
        let report = std::fs::read_to_string(&self.report).unwrap_or_default();
        let _ = std::fs::remove_file(&self.report);
        (code, text, serde_json::from_str(&report).unwrap_or_default())
    }
}

/// A machine whose clock shows `offset_ns` more than this one's and gains on it, and the way there and back.
#[derive(Clone, Copy)]
struct Elsewhere {
    offset_ns: i64,
    drift_ppm: f64,
    out: Duration,
    back: Duration,
}

impl Elsewhere {
    fn time(&self, value: &mut Value, since: &mut Option<u64>) {
        let time = value.as_u64().expect("a time");
        let since = *since.get_or_insert(time);
        let gained = (time as f64 - since as f64) * self.drift_ppm / 1e6;
        *value = time.saturating_add_signed(self.offset_ns + gained as i64).into();
    }

    /// An answer as that machine would give it.
    fn translated(&self, line: &str, since: &mut Option<u64>) -> String {
        let mut answer: Value = serde_json::from_str(line).expect("JSON");
        if let Some(begin) = answer["begin"].as_u64() {
            self.time(&mut answer["begin"], since);
            // By its clock, phases are as long as they were asked for.
            let later = answer["begin"].as_u64().expect("a time").wrapping_sub(begin);
            for edge in ["start", "end"] {
                answer[edge] = answer[edge].as_u64().expect("a time").wrapping_add(later).into();
            }
        }
        for (name, value) in answer.as_object_mut().expect("an object") {
            match name.as_str() {
                "machine" => *value = "another boot".into(),
                "host" => *value = "elsewhere".into(),
                // Its schedule goes by its clock.
                "message_rate" => {
                    *value = (value.as_f64().expect("a rate") / (1.0 + self.drift_ppm / 1e6)).into();
                }
                "received" | "answered" => self.time(value, since),
                "messages" => {
                    let messages = value.as_array_mut().expect("messages");
                    messages.iter_mut().for_each(|message| self.time(&mut message[1], since));
                }
                _ => {}
            }
        }
        answer.to_string()
    }

    /// Stands between a publishing process and those that ask.
    fn between(self, publisher: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        thread::spawn(move || {
            let mut since = None;
            let (asking, _) = listener.accept().expect("somebody asks");
            let telling = TcpStream::connect(publisher).expect("the publisher listens");
            for stream in [&asking, &telling] {
                stream.set_nodelay(true).expect("an option of TCP");
            }
            let mut questions = BufReader::new(asking.try_clone().expect("a clone")).lines();
            let mut answers = BufReader::new(telling.try_clone().expect("a clone")).lines();
            let (mut asking, mut telling) = (asking, telling);
            while let Some(Ok(question)) = questions.next() {
                thread::sleep(self.out);
                let _ = telling.write_all(format!("{question}\n").as_bytes());
                let Some(Ok(answer)) = answers.next() else { return };
                let answer = self.translated(&answer, &mut since) + "\n";
                thread::sleep(self.back);
                let _ = asking.write_all(answer.as_bytes());
            }
        });
        address
    }
}

// No message is due where the measured time begins or ends: clocks would not agree whether it is in it.
const SHORT: &str = "--warm-up 190ms --duration 1s --message-rate 40 --shards 1 --allow-limited";

#[test]
fn processes_on_one_machine_read_one_clock() {
    let (_running, at) = broadcaster();
    let publisher =
        Publisher::start(&format!("fanout ws://{at}/all {SHORT} --publishers 2 --kind binary --processes 2"));
    let clock = publisher.address;
    let subscribe = move |subscribers: u32| {
        let subscribers = format!("--subscribers {subscribers} --shards 1 --allow-limited --no-progress");
        report(&format!("fanout ws://{at}/all --clock {clock} {subscribers}"), 0)
    };
    let other = thread::spawn(move || subscribe(20));
    let mut parts = [subscribe(10), other.join().expect("the other ends")];
    let (code, text, published) = publisher.end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!((count(&published, "sent"), samples(&published, "schedule_lag")), (40, 40), "{text}");
    parts.sort_by_key(|(report, _)| count(report, "answered"));
    for ((report, text), subscribers) in parts.iter().zip([10, 20]) {
        assert_eq!((count(report, "sent"), count(report, "missed")), (40, 0), "{text}");
        assert_eq!((samples(report, "delivery"), samples(report, "last")), (40 * subscribers, 40), "{text}");
        assert_eq!(
            (&report["load"]["kind"], &report["campaign"]),
            (&"binary".into(), &published["campaign"])
        );
        let clock = &report["clocks"][0];
        assert_eq!((&clock["is_same"], &clock["uncertainty_ns"]), (&true.into(), &0.into()), "{text}");
        assert!(report["latencies"][0]["uncertainty"].is_null(), "{text}");
        assert!(text.contains("read the same CLOCK_MONOTONIC"), "{text}");
    }
}

#[test]
fn the_offset_of_another_clock_is_found_to_within_what_is_said() {
    let micros = Duration::from_micros;
    let day = 86_400_000_000_000;
    let near = Elsewhere { offset_ns: 3 * day, drift_ppm: 50.0, out: micros(100), back: micros(100) };
    // Deliveries seem later than they are, and sooner.
    let table = [
        (near, false),
        (Elsewhere { offset_ns: -1_234_567, drift_ppm: -150.0, out: micros(10_000), back: micros(0) }, false),
        (Elsewhere { offset_ns: 1_234_567, out: micros(0), back: micros(30_000), ..near }, true),
    ];
    for (elsewhere, is_sooner) in table {
        let (began, (_running, at)) = (Instant::now(), broadcaster());
        let publisher = Publisher::start(&format!("fanout ws://{at}/all {SHORT} --processes 2"));
        let (direct, far) = (publisher.address, elsewhere.between(publisher.address));
        let line = format!("fanout ws://{at}/all --subscribers 10 --shards 1 --allow-limited --no-progress");
        let truth = thread::spawn({
            let line = format!("{line} --clock {direct}");
            move || report(&line, 0).0
        });
        let (found, text) = report(&format!("{line} --clock {far}"), 0);
        let truth = truth.join().expect("the other ends");
        assert_eq!(publisher.end().0, Some(0), "{text}");
        assert_eq!(found["series"].as_array().map(Vec::len), Some(1), "a second is a second by any clock");
        let clock = &found["clocks"][0];
        let uncertainty = clock["uncertainty_ns"].as_u64().expect("it is told");
        let half = clock["round_trip_ns"].as_u64().expect("it is told") / 2;
        assert!(uncertainty >= half && clock["probes"].as_u64() > Some(16), "{clock}");
        // The clock there gains from its first answer on, and the offset is that of some answer after it.
        let gained = began.elapsed().as_nanos() as f64 * elsewhere.drift_ppm.abs() / 1e6;
        let error = clock["offset_ns"].as_i64().expect("it is told").abs_diff(elsewhere.offset_ns);
        assert!(error <= uncertainty + gained as u64, "{error} ns off: {clock}");
        let drift = clock["drift_ppm"].as_f64().expect("it is told");
        let within = clock["drift_within_ppm"].as_f64().expect("it is told");
        assert!((drift - elsewhere.drift_ppm).abs() <= within, "{clock}");
        assert_eq!((count(&found, "sent"), count(&found, "missed")), (40, 0), "{text}");
        let median = |report: &Value| {
            let latency = &report["latencies"].as_array().expect("latencies")[0];
            latency["percentiles"]["p50"].as_u64().unwrap_or_default()
        };
        let negative = count(&found, "negative_samples");
        if is_sooner {
            // None of them is a zero, and none is beyond what the clocks may differ by.
            let kept = samples(&found, "delivery");
            assert!(negative > 0 && kept < 400, "{text}");
            assert!(text.contains("less than the clocks are uncertain by"), "{text}");
        } else {
            assert_eq!(negative, 0, "{text}");
            // They are other subscribers of the same messages, on a machine that may be busy.
            let apart = median(&found).abs_diff(median(&truth));
            assert!(apart <= uncertainty + 5_000_000, "{apart} ns apart, {text}");
        }
        let millis = elsewhere.out + elsewhere.back >= Duration::from_millis(10);
        assert!(!millis || text.contains("< "), "what is less than the uncertainty is no figure: {text}");
        assert!(text.contains("Deliveries are known to within"), "{text}");
    }
}

#[test]
fn who_does_not_come_together_says_so() {
    let (_running, at) = broadcaster();
    let stranger = faulty(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let _ = stream.read(&mut [0; 64]);
    });
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let (soon, all) = (now + 3, format!("fanout ws://{at}/all"));
    let table = [
        // First, while that time is still to come.
        (
            format!("{all} --clock-listen 127.0.0.1:0 --start-at {soon}"),
            1,
            "0 of 1 subscribing processes were ready",
        ),
        (format!("{all} --clock {stranger}"), 1, "not that of a wsload of this version"),
        (format!("{all} --clock {nobody} --connect-timeout 300ms"), 1, "no publishing process answers there"),
        (format!("{all} --clock nowhere.invalid:1"), 1, "no publishing process answers there"),
        (format!("{all} --clock-listen 192.0.2.1:1"), 1, "cannot listen there"),
        (format!("{all} --clock {nobody} --message-rate 5"), 2, "cannot be used with"),
        (format!("{all} --clock-listen {nobody} --subscribers 5"), 2, "cannot be used with"),
        (format!("{all} --processes 2"), 2, "--clock-listen"),
        (
            format!("capacity --slo p50<1s --of subscribers ws://{at}/all --clock {nobody}"),
            2,
            "cannot be used with",
        ),
    ];
    for (line, code, text) in table {
        let output = wsload(&line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "wsload {line}\n{said}");
        assert!(said.contains(text), "wsload {line}\nno {text:?} in\n{said}");
    }
}

#[test]
fn who_comes_late_or_is_left_alone_says_so() {
    let (_running, at) = broadcaster();
    let mut publisher = Publisher::start(&format!(
        "fanout ws://{at}/all --warm-up 0 --duration 60s --message-rate 40 --shards 1 --allow-limited"
    ));
    let line = format!("fanout ws://{at}/all --clock {} --subscribers 5 --shards 1", publisher.address);
    let first = thread::spawn({
        let line = format!("{line} --allow-limited --no-progress");
        move || report(&line, 3)
    });
    // Until the first is there, and has been told some of what was published.
    publisher.wait_for(120);
    let late = wsload(&line);
    let said = String::from_utf8_lossy(&late.stderr);
    assert_eq!(late.status.code(), Some(1), "{said}");
    assert!(said.contains("publishing has begun without this process"), "{said}");
    publisher.child.kill().expect("it can be killed");
    let (found, text) = first.join().expect("it ends");
    publisher.end();
    assert!(
        text.contains("not all is known of what was published") && text.contains("it has gone away"),
        "{text}"
    );
    assert!(samples(&found, "delivery") > 0, "partial results are kept: {text}");
}

#[test]
fn processes_begin_together_and_are_one_in_the_sum() {
    let server = Server::new().listen("127.0.0.1:0");
    let echo = |conn: &mut Conn<'_>, message: Message<'_>| {
        let _ = conn.send(message);
    };
    let running = server.websocket("/echo", move |upgrade| upgrade.accept(echo)).start().expect("it starts");
    let url = format!("ws://{}/echo", running.addresses()[0]);
    let now =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs_f64();
    let (start, files) = (now() + 2.0, [1, 2, 3].map(|_| report_path()));
    let processes = files.each_ref().map(|file| {
        let load = "--connections 5 --message-rate 100 --shards 1 --duration 1s --warm-up 200ms";
        let line = format!(
            "echo {url} {load} --start-at {start} --allow-limited --no-progress --json {}",
            file.display()
        );
        thread::spawn(move || wsload(&line))
    });
    for process in processes {
        let output = process.join().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let names = files.each_ref().map(|file| file.display().to_string());
    let (sum, text) = report(&format!("merge {}", names.join(" ")), 0);
    assert_eq!((count(&sum, "window_sent"), samples(&sum, "response")), (300, 300), "{text}");
    assert_eq!((&sum["load"]["connections"], &sum["opening"]["opened"]), (&15.into(), &15.into()), "{text}");
    assert!(!text.contains("measured by all at once"), "{text}");
    let measured = &sum["phases"][0];
    let began =
        sum["started_unix_ms"].as_f64().expect("a time") / 1e3 + measured["from_s"].as_f64().expect("a time");
    assert!((began - start - 0.2).abs() < 0.1, "measured from {began} on, not from {start}");
    assert!((measured["seconds"].as_f64().expect("a time") - 1.0).abs() < 0.1, "{measured}");
    let soon = now() + 1.5;
    let table = [
        (
            format!("echo {url} --connections 1000 --rate 250 --start-at {soon}"),
            "before all connections are open",
        ),
        (format!("merge {0} {0}", names[0]), "are the same report"),
        (format!("echo {url} --start-at {}", now() - 100.0), "--start-at was 10"),
        (format!("fanout {url} --start-at 1"), "s ago: name a later time"),
    ];
    for (line, text) in table {
        let output = wsload(&line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(text), "wsload {line}\n{said}");
        assert_eq!(said.lines().count(), 1, "one line: {said}");
    }
    files.iter().for_each(|file| std::fs::remove_file(file).expect("it can be removed"));
}
