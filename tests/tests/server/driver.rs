//! What a client sends at times of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use wsring::{
    Again, Client, Conn, ConnectOptions, ConnectionId, Drain, Driver, Handler, Message, Time, Turn,
};
use wsring_tests::served::serve_echo;
use wsring_tests::{PATIENCE, settings};

thread_local! {
    /// What the handlers of a shard share with its driver.
    static SHARED: Rc<RefCell<Shared>> = Rc::default();
}

#[derive(Default)]
struct Shared {
    connection: Option<ConnectionId>,
    echoes: Vec<Vec<u8>>,
}

/// Notes itself and what comes back.
struct Member(Rc<RefCell<Shared>>);

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.0.borrow_mut().connection = Some(conn.id());
    }

    fn message(&mut self, _: &mut Conn<'_>, message: Message<'_>) {
        self.0.borrow_mut().echoes.push(message.payload().to_vec());
    }
}

/// Sends numbers at equal distances, and reports when the last has come back.
struct Metronome {
    shared: Rc<RefCell<Shared>>,
    count: u8,
    sent: u8,
    due: Option<Time>,
    early: bool,
    done: Sender<(bool, Vec<Vec<u8>>)>,
}

const DISTANCE: Duration = Duration::from_micros(700);

impl Driver for Metronome {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let Some(connection) = self.shared.borrow().connection else { return Again::NextTurn };
        if self.sent == self.count {
            if self.shared.borrow().echoes.len() < usize::from(self.count) {
                return Again::NextTurn;
            }
            let _ = self.done.send((self.early, self.shared.take().echoes));
            return Again::Never;
        }
        let now = turn.now();
        let due = *self.due.get_or_insert(now);
        if turn.now() >= due {
            let sent = turn.with(connection, |conn| (conn.now(), conn.send_binary(&[self.sent])));
            self.early |= sent.is_none_or(|(now, _)| now < due);
            self.sent += 1;
            self.due = Some(due.after(DISTANCE));
        }
        self.due.map_or(Again::NextTurn, Again::At)
    }
}

#[test]
fn a_driver_sends_when_it_is_due() {
    let server = serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap();
    client.connect_with(&options, || Member(SHARED.with(Rc::clone))).unwrap();
    let (done, ended) = channel();
    client.drive(0, move || Metronome {
        shared: SHARED.with(Rc::clone),
        count: 20,
        sent: 0,
        due: None,
        early: false,
        done,
    });
    let (early, echoes) = ended.recv_timeout(PATIENCE).expect("it comes to its end");
    assert!(!early, "a message left before it was due");
    assert_eq!(echoes, (0..20).map(|number| vec![number]).collect::<Vec<_>>());
    client.stop(Drain::default()).unwrap();
}

/// Counts its turns, then ends, panics or reaches for what is not there.
struct Ends {
    turns: Cell<u32>,
    panics: bool,
    gone: Sender<()>,
}

impl Driver for Ends {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        self.turns.set(self.turns.get() + 1);
        assert!(self.turns.get() < 3 || !self.panics, "as the test wants it");
        if self.turns.get() < 3 { Again::At(turn.now()) } else { Again::Never }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.gone.send(());
    }
}

#[test]
fn a_driver_that_ends_or_panics_is_dropped_and_the_shard_goes_on() {
    let server = serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    for panics in [false, true] {
        let (gone, dropped) = channel();
        client.drive(0, move || Ends { turns: Cell::new(0), panics, gone });
        dropped.recv_timeout(PATIENCE).expect("it is dropped");
    }
    let (told, heard) = channel();
    let options = ConnectOptions::new(&server.url("/")).unwrap();
    client.connect(&options, Once(told)).unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE).expect("it is answered"), b"still there");
    // Figures are shown at the end of a turn.
    let deadline = Instant::now() + PATIENCE;
    while client.observer().shards()[0].messages_received == 0 {
        assert!(Instant::now() < deadline, "the message is counted");
        thread::sleep(Duration::from_millis(1));
    }
    client.stop(Drain::default()).unwrap();
}

/// Sends one message and passes on what comes back.
struct Once(Sender<Vec<u8>>);

impl Handler for Once {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let _ = conn.send_binary(b"still there");
    }

    fn message(&mut self, _: &mut Conn<'_>, message: Message<'_>) {
        let _ = self.0.send(message.payload().to_vec());
    }
}

#[test]
fn a_connection_that_is_over_is_not_lent() {
    let server = serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap();
    let (told, heard) = channel();
    client.connect(&options, Leaves(told)).unwrap();
    let connection = heard.recv_timeout(PATIENCE).expect("it has opened");
    heard.recv_timeout(PATIENCE).expect("it has ended");
    let (told, heard) = channel();
    client.drive(0, move || Reaches(connection, told));
    assert!(!heard.recv_timeout(PATIENCE).expect("it was called"), "nothing is lent");
    client.stop(Drain::default()).unwrap();
}

/// Closes when it opens; tells both.
struct Leaves(Sender<ConnectionId>);

impl Handler for Leaves {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let _ = self.0.send(conn.id());
        conn.close(wsring::CloseCode::NORMAL, "");
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}

    fn close(&mut self, connection: ConnectionId, _: &wsring::Closed<'_>) {
        let _ = self.0.send(connection);
    }
}

/// Whether it can reach a connection.
struct Reaches(ConnectionId, Sender<bool>);

impl Driver for Reaches {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let _ = self.1.send(turn.with(self.0, |_| ()).is_some());
        Again::Never
    }
}

/// Tells of each turn.
struct Watches(Sender<()>);

impl Driver for Watches {
    fn turn(&mut self, _: &mut Turn<'_>) -> Again {
        let _ = self.0.send(());
        Again::NextTurn
    }
}

#[test]
fn another_thread_brings_a_turn_about() {
    let server = serve_echo(settings());
    let client = Client::start(settings()).unwrap();
    let options = ConnectOptions::new(&server.url("/")).unwrap().shard(0);
    let (told, opened) = channel();
    client.connect(&options, Waits(told)).unwrap();
    let remote = opened.recv_timeout(PATIENCE).expect("it opens");
    let (told, turns) = channel();
    client.drive(0, move || Watches(told));
    turns.recv_timeout(PATIENCE).expect("it is called at once");
    // What has come by the opening has been had by then.
    while turns.recv_timeout(Duration::from_millis(100)).is_ok() {}
    for _ in 0..3 {
        remote.wake();
        turns.recv_timeout(PATIENCE).expect("it is called");
    }
    client.stop(Drain::default()).unwrap();
}

/// Gives the way to reach it.
struct Waits(Sender<wsring::Remote>);

impl Handler for Waits {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let _ = self.0.send(conn.remote());
    }

    fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {}
}
