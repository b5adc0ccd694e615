//! Handlers that stop reading for a while, and what clients are told of their opening's steps.

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use wsring::{
    Agreement, Client, CloseCode, CloseHow, Closed, Conn, ConnectOptions, ConnectionId, Handler, Message,
    OpenFailure, Settings, SlowPeer, Steps, Time,
};
use wsring_tests::wire;
use wsring_tests::{PATIENCE, Peer, Served, serve, settings};

/// Pauses at "pause", and reads on a tenth of a second later; closes at "close".
struct Pauses(Sender<String>);

impl Handler for Pauses {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let text = String::from_utf8(message.payload().to_vec()).unwrap();
        match &*text {
            "pause" => {
                conn.pause_reading();
                conn.set_timer(Some(Duration::from_millis(100)));
            }
            "pause for good" => conn.pause_reading(),
            "pause and close" => {
                conn.pause_reading();
                conn.close(CloseCode::NORMAL, "enough");
            }
            _ => {}
        }
        self.0.send(text).unwrap();
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.0.send("timer".into()).unwrap();
        conn.resume_reading();
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let _ = self.0.send(format!("closed {}", closed.number()));
    }
}

fn server(settings: Settings) -> (Served, Receiver<String>) {
    let (to, told) = channel();
    let server =
        serve(settings, |server| server.websocket("/", move |upgrade| upgrade.accept(Pauses(to.clone()))));
    (server, told)
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).expect("the handler is told something")
}

fn rest(told: &Receiver<String>, count: usize) -> Vec<String> {
    (0..count).map(|_| next(told)).collect()
}

#[test]
fn what_comes_meanwhile_is_read_afterwards() {
    let (server, told) = server(settings());
    let mut peer = Peer::open(server.address(), "/");
    for _ in 0..3 {
        peer.send_text("pause");
        assert_eq!(next(&told), "pause");
        // The pause has taken effect when the timer, which takes longer, runs.
        std::thread::sleep(Duration::from_millis(20));
        peer.send_text("meanwhile");
        assert_eq!(rest(&told, 2), ["timer", "meanwhile"]);
    }
}

/// Without a closing handshake: the peer sees what was sent, or that it was cut off.
#[test]
fn hanging_up() {
    for (how, at_peer) in [(CloseHow::Fin, true), (CloseHow::Reset, false)] {
        let (to, told) = channel();
        let server = serve(settings(), |server| {
            server.websocket("/", move |upgrade| upgrade.accept(HangsUp { how, to: to.clone() }))
        });
        let mut peer = Peer::open(server.address(), "/");
        peer.send_text("go");
        assert_eq!(next(&told), "closed 1006");
        if at_peer {
            assert_eq!(peer.text(), "bye");
            peer.ended();
        } else {
            let mut end = [0; 64];
            assert!(peer.stream().read(&mut end).is_err(), "it is reset");
        }
    }
}

/// Says something and hangs up.
struct HangsUp {
    how: CloseHow,
    to: Sender<String>,
}

impl Handler for HangsUp {
    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        if self.how == CloseHow::Fin {
            let _ = conn.send_text("bye");
        }
        conn.hang_up(self.how);
    }

    fn close(&mut self, _: ConnectionId, closed: &Closed<'_>) {
        let _ = self.to.send(format!("closed {}", closed.number()));
    }
}

/// Who is not read from is sent no Ping, and not given up for its silence.
#[test]
fn nobody_is_missed_who_is_not_listened_to() {
    let ping = Duration::from_millis(100);
    let (server, told) = server(Settings { ping_interval: Some(ping), pong_timeout: ping, ..settings() });
    let mut peer = Peer::open(server.address(), "/");
    peer.send_text("pause for good");
    assert_eq!(next(&told), "pause for good");
    std::thread::sleep(ping * 8);
    assert!(told.try_recv().is_err(), "it is still open");
    peer.send_text("last words");
    drop(peer);
    assert_eq!(rest(&told, 2), ["last words", "closed 1006"]);
}

#[test]
fn the_end_is_noticed_and_what_came_before_it_read() {
    let (server, told) = server(settings());
    let mut peer = Peer::open(server.address(), "/");
    peer.send_text("pause for good");
    assert_eq!(next(&told), "pause for good");
    std::thread::sleep(Duration::from_millis(20));
    peer.send_text("last words");
    peer.send(&wire::close(1001, ""));
    peer.stream().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&told, 2), ["last words", "closed 1001"]);
}

#[test]
fn whoever_closes_reads_on() {
    let (server, told) = server(settings());
    let mut peer = Peer::open(server.address(), "/");
    peer.send_text("pause and close");
    assert_eq!(peer.closed(), (1000, "enough".into()));
    peer.send(&wire::close(1000, ""));
    assert_eq!(rest(&told, 2), ["pause and close", "closed 1000"]);
}

/// A client that reads nothing, with a small receive buffer, and is told how its opening went.
struct Silent(Sender<String>);

impl Handler for Silent {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.pause_reading();
        let _ = conn.send_text("go");
        self.0.send("open".into()).unwrap();
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn connected(&mut self, steps: &Steps) {
        assert!(Time(0) < steps.begun && steps.begun <= steps.connected, "{steps:?}");
        self.0.send("connected".into()).unwrap();
    }

    fn agreed(&mut self, _: &Agreement) {
        self.0.send("agreed".into()).unwrap();
    }

    fn failed(&mut self, failure: &OpenFailure) {
        self.0.send(format!("failed: {failure}")).unwrap();
    }

    fn close(&mut self, _: ConnectionId, _: &Closed<'_>) {
        self.0.send("closed".into()).unwrap();
    }
}

fn connect(client: &Client, options: &ConnectOptions) -> Receiver<String> {
    let (to, told) = channel();
    client.connect(options, Silent(to)).unwrap();
    told
}

/// Sends more than anyone keeps who does not read.
struct Talks;

impl Handler for Talks {
    fn message(&mut self, conn: &mut Conn<'_>, _: Message<'_>) {
        conn.set_timer(Some(Duration::ZERO));
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        let _ = conn.send_binary(&vec![0; 1 << 20]);
        conn.set_timer(Some(Duration::ZERO));
    }
}

/// A server closes a client that reads nothing, and resets it when it goes on reading nothing. That is noticed,
/// although nothing is read.
#[test]
fn a_client_that_does_not_read_learns_that_it_was_cut_off() {
    let patience = Duration::from_millis(100);
    let slow = Settings {
        slow_peer: SlowPeer::Close,
        high_water_bytes: 4096,
        close_timeout: patience,
        ..settings()
    };
    let server = serve(slow, |server| server.websocket("/", |upgrade| upgrade.accept(Talks)));
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap().receive_buffer_bytes(4096);
    let told = connect(&client, &options);
    assert_eq!(rest(&told, 4), ["connected", "agreed", "open", "closed"]);
}

#[test]
fn a_client_learns_how_far_its_opening_came() {
    let server = serve(settings(), |server| server);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::start(settings()).unwrap();
    let told = connect(&client, &ConnectOptions::new(&server.url("/nothing")).unwrap());
    assert_eq!(next(&told), "connected");
    assert!(next(&told).contains("404"));
    let told = connect(&client, &ConnectOptions::new(&format!("ws://{nobody}/")).unwrap());
    assert!(next(&told).contains("refused"), "there was no TCP connection");
}

/// A port of one's own choice is taken, also right after a connection of the same two ends; one that is in use
/// is refused.
#[test]
fn a_client_connects_from_the_port_that_it_is_given() {
    let server = serve(settings(), |server| {
        server.websocket("/", |upgrade| upgrade.accept(|_: &mut Conn<'_>, _: Message<'_>| {}))
    });
    let free = TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap();
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap().from(free);
    let first = connect(&client, &options);
    assert_eq!(rest(&first, 3), ["connected", "agreed", "open"]);
    let text = next(&connect(&client, &options));
    assert!(text.contains("in use") || text.contains("assign"), "{text}");
}
