//! The project's own client, against its server and against servers that do it wrong.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use wsring::{
    Agreement, Client, Closed, Conn, ConnectOptions, ConnectionId, Drain, Handler, Message, OpenFailure,
    Response,
};
use wsring_tests::peer::PROOF;
use wsring_tests::served::{echo, serve_echo};
use wsring_tests::wire::{self, BINARY};
use wsring_tests::{PATIENCE, Peer, pattern, serve, settings, wait_until};

/// What a client's handler is told, in order.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Agreed(Option<String>, Option<Vec<u8>>),
    Open,
    Message(Vec<u8>),
    Closed(u16, String, bool),
    Failed(String),
}

/// Sends what it was given when it opens, and passes on what it is told.
struct Tells {
    to: Sender<Told>,
    first: Vec<Vec<u8>>,
}

impl Handler for Tells {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.to.send(Told::Open).unwrap();
        for payload in &self.first {
            let _ = conn.send_binary(payload);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.to.send(Told::Message(message.payload().to_vec())).unwrap();
        if message.payload() == b"close me" {
            conn.close(wsring::CloseCode::NORMAL, "as asked");
        }
    }

    fn agreed(&mut self, agreement: &Agreement) {
        let header = agreement.header("X-Server").map(<[u8]>::to_vec);
        self.to.send(Told::Agreed(agreement.subprotocol().map(Into::into), header)).unwrap();
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.to.send(Told::Failed(failure.to_string())).unwrap();
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let _ = self.to.send(Told::Closed(closed.number(), closed.reason.into(), closed.clean));
    }
}

fn connect(client: &Client, options: &ConnectOptions, first: Vec<Vec<u8>>) -> Receiver<Told> {
    let (to, told) = channel();
    client.connect(options, Tells { to, first }).unwrap();
    told
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(PATIENCE).expect("it is told something")
}

fn failure(told: &Receiver<Told>) -> String {
    match next(told) {
        Told::Failed(text) => text,
        other => panic!("expected a failure, was told {other:?}"),
    }
}

#[test]
fn it_opens_talks_and_closes() {
    let server = serve(settings(), |server| {
        server.websocket("/chat", |upgrade| {
            let request = upgrade.request();
            assert_eq!((request.origin(), request.header_str("X-Client")), (Some("http://a"), Some("me")));
            upgrade.subprotocol(&["b", "a"]).header("X-Server", "you").unwrap().accept(echo)
        })
    });
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/chat")).unwrap();
    let options = options.origin("http://a").header("X-Client", "me").subprotocol("a").subprotocol("b");
    let sizes = [0, 1, 125, 126, 4000, 5000, 65535, 65536, 3 << 20];
    let mut first: Vec<Vec<u8>> = sizes.iter().map(|length| pattern(*length, 3)).collect();
    first.push(b"close me".to_vec());
    let told = connect(&client, &options, first.clone());
    assert_eq!(next(&told), Told::Agreed(Some("b".into()), Some(b"you".to_vec())));
    assert_eq!(next(&told), Told::Open);
    for payload in first {
        assert!(next(&told) == Told::Message(payload.clone()), "{} bytes", payload.len());
    }
    assert_eq!(next(&told), Told::Closed(1000, "as asked".into(), true));
    wait_until("both ends to be gone", || server.count() == 0 && client.connections() == [0]);
    assert_eq!(client.stop(Drain::default()).unwrap().connections, 0);
}

#[test]
fn many_connections_over_two_shards() {
    let server = serve_echo(settings());
    let client = Client::start(wsring::Settings { shards: Some(2), ..settings() }).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap().to(server.address());
    let all: Vec<_> =
        (0..100).map(|number| connect(&client, &options, vec![pattern(number * 50, 4)])).collect();
    for (number, told) in all.iter().enumerate() {
        assert!(matches!(next(told), Told::Agreed(None, None)));
        assert_eq!(next(told), Told::Open);
        assert!(next(told) == Told::Message(pattern(number * 50, 4)));
    }
    assert_eq!(client.connections(), [50, 50]);
    let report = client.stop(Drain { window: Duration::ZERO, deadline: PATIENCE }).unwrap();
    assert_eq!((report.connections, report.closed), (100, 100));
    for told in &all {
        assert_eq!(next(told), Told::Closed(1001, "the server shuts down".into(), true));
    }
}

#[test]
fn a_port_where_nobody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::start(settings()).unwrap();
    let told = connect(&client, &to(address), Vec::new());
    let text = failure(&told);
    assert!(text.contains("refused"), "{text}");
    assert!(told.recv_timeout(PATIENCE).is_err(), "nothing else is called");
    assert_eq!(client.connections(), [0]);
}

#[test]
fn a_server_that_declines() {
    let server = serve(settings(), |server| {
        server.websocket("/401", |upgrade| upgrade.reject(Response::text(401, "no")))
    });
    let client = Client::start(settings()).unwrap();
    for (path, status) in [("/nothing", "404"), ("/401", "401")] {
        let text = failure(&connect(&client, &ConnectOptions::new(&server.url(path)).unwrap(), Vec::new()));
        assert!(text.contains(status), "{text}");
    }
    wait_until("the connections to be gone", || client.connections() == [0]);
}

#[test]
fn headers_of_the_request_cannot_smuggle_lines() {
    let server = serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    let options = || ConnectOptions::new(&server.url("/")).unwrap();
    for options in [
        options().header("X", "a\r\nX-Evil: 1"),
        options().header("X\r\nX-Evil", "1"),
        options().subprotocol("a, b"),
        options().subprotocol("a\r\nb"),
        options().origin("a\nb"),
    ] {
        let text = failure(&connect(&client, &options, Vec::new()));
        assert!(text.contains("cannot be sent"), "{text}");
    }
    wait_until("the connections to be gone", || client.connections() == [0]);
}

/// A server that answers every handshake with what is made of the proof, and holds the connection open.
fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> ConnectOptions {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut peer = Peer::over(stream.unwrap());
            let proof = peer.proof_asked_for();
            peer.send(&answer(&proof));
            held.push(peer);
        }
    });
    to(address)
}

fn to(address: SocketAddr) -> ConnectOptions {
    ConnectOptions::new(&format!("ws://{address}/")).unwrap()
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

#[test]
fn servers_that_answer_wrongly() {
    let client = Client::start(settings()).unwrap();
    let table = [
        (format!("{SWITCHING}Sec-WebSocket-Accept: {PROOF}\r\n\r\n"), "Sec-WebSocket-Accept"),
        (format!("{SWITCHING}\r\n"), "Sec-WebSocket-Accept"),
        (
            format!("{SWITCHING}Sec-WebSocket-Accept: PROOF\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
            "subprotocol",
        ),
        (
            format!("{SWITCHING}Sec-WebSocket-Accept: PROOF\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
            "extensions",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "200"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(), "HTTP/1.1"),
        (format!("HTTP/1.1 101 X\r\nA: {}\r\n\r\n", "a".repeat(9000)), "8192"),
    ];
    for (answer, words) in table {
        let options = answering(move |proof| answer.replace("PROOF", proof).into_bytes());
        let text = failure(&connect(&client, &options, Vec::new()));
        assert!(text.contains(words), "no {words:?} in: {text}");
    }
    wait_until("the connections to be gone", || client.connections() == [0]);
}

#[test]
fn a_server_that_hangs_up_and_one_that_never_answers() {
    let client =
        Client::start(wsring::Settings { handshake_timeout: Duration::from_millis(200), ..settings() })
            .unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = failure(&connect(&client, &to(silent.local_addr().unwrap()), Vec::new()));
    assert!(text.contains("in time"), "{text}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hangs_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let text = failure(&connect(&client, &to(address), Vec::new()));
    assert!(text.contains("closed the connection"), "{text}");
    hangs_up.join().unwrap();
    wait_until("the connections to be gone", || client.connections() == [0]);
}

#[test]
fn frames_right_behind_the_answer_and_a_masked_one_after_them() {
    let options = answering(|proof| {
        let head = format!("{SWITCHING}Sec-WebSocket-Accept: {proof}\r\n\r\n");
        [head.as_bytes(), &wire::header(BINARY, true, 2, false), b"hi", &wire::message(BINARY, b"masked")]
            .concat()
    });
    let client = Client::start(settings()).unwrap();
    let told = connect(&client, &options, Vec::new());
    assert_eq!(next(&told), Told::Agreed(None, None));
    assert_eq!(next(&told), Told::Open);
    assert_eq!(next(&told), Told::Message(b"hi".to_vec()));
    assert!(matches!(next(&told), Told::Closed(1002, _, false)), "section 5.1: a server must not mask");
}

/// A listener that leaves TCP itself unanswered: its queue is full, so that the kernel drops what asks
/// to connect. What fills it has to be kept.
fn hanging() -> (socket2::Socket, Vec<socket2::Socket>, ConnectOptions) {
    let stream = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = stream();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    // It has room for one; more than a few says that this kernel counts otherwise.
    while queue.len() < 16 {
        let socket = stream();
        match socket.connect_timeout(&address, Duration::from_millis(300)) {
            Ok(()) => queue.push(socket),
            Err(_) => return (listener, queue, to(address.as_socket().unwrap())),
        }
    }
    panic!("{} connections are in a queue of none", queue.len());
}

#[test]
fn a_host_that_does_not_answer_tcp_is_given_up_after_the_handshake_timeout() {
    let timeout = Duration::from_millis(400);
    let client = Client::start(wsring::Settings { handshake_timeout: timeout, ..settings() }).unwrap();
    let (_listener, _queue, options) = hanging();
    let began = Instant::now();
    let first = connect(&client, &options, Vec::new());
    std::thread::sleep(timeout / 2);
    let second = connect(&client, &options, Vec::new());
    for (told, waited) in [(first, timeout), (second, timeout * 3 / 2)] {
        let text = failure(&told);
        assert!(text.contains("in time"), "{text}");
        assert!(began.elapsed() >= waited, "{:?} of {waited:?}", began.elapsed());
    }
    assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
    let server = serve_echo(settings());
    let told = connect(&client, &to(server.address()), vec![b"others are reached".to_vec()]);
    assert_eq!(next(&told), Told::Agreed(None, None));
    assert_eq!(next(&told), Told::Open);
    assert_eq!(next(&told), Told::Message(b"others are reached".to_vec()));
}

#[test]
fn the_handshake_timeout_counts_from_when_it_began_to_connect() {
    let timeout = Duration::from_secs(3);
    let settings = wsring::Settings { handshake_timeout: timeout, shards: Some(1), ..settings() };
    let client = Client::start(settings).unwrap();
    // TCP asks again after a second, and then there is room; the request is never answered.
    let (listener, queue, options) = hanging();
    let first = connect(&client, &options, Vec::new());
    std::thread::sleep(timeout / 6);
    let accepted: Vec<_> = queue.iter().map(|_| listener.accept().unwrap()).collect();
    let (_listener, _queue, options) = hanging();
    let second = connect(&client, &options, Vec::new());
    assert!(failure(&second).contains("in time"));
    assert!(first.try_recv().is_ok(), "it began first");
    drop(accepted);
}

#[test]
fn it_stops_by_the_deadline_though_tcp_is_not_answered() {
    let client = Client::start(settings()).unwrap();
    let (_listener, _queue, options) = hanging();
    let told = connect(&client, &options, Vec::new());
    assert!(told.recv_timeout(Duration::from_millis(200)).is_err(), "it is still under way");
    let (to, stopped) = channel();
    let drain = Drain { window: Duration::ZERO, deadline: Duration::from_millis(500) };
    std::thread::spawn(move || to.send(client.stop(drain).map(|report| report.connections)).unwrap());
    let report = stopped.recv_timeout(settings().handshake_timeout / 2).expect("it ends by its deadline");
    assert_eq!(report.unwrap(), 0);
    assert!(failure(&told).contains("closed the connection"));
}
