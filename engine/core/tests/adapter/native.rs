//! The adapter against the native engine.

use crate::{SIZES, check_echo, echo, payload, run, server, text};
use std::sync::mpsc;
use wsring::adapter::{self, Options};
use wsring::{
    Client, CloseCode, Closed, Conn, ConnectOptions, ConnectionId, Drain, Handler, Kind, Message, Server,
    Settings,
};

fn one_shard() -> Settings {
    Settings { shards: Some(1), ..Settings::default() }
}

#[test]
fn the_adapter_as_client_of_the_native_server() {
    let server = Server::new().listen("127.0.0.1:0").settings(one_shard()).websocket("/echo", |upgrade| {
        upgrade.accept(|conn: &mut Conn<'_>, message: Message<'_>| {
            let _ = conn.send(message);
        })
    });
    let running = server.start().expect("it starts");
    let address = running.addresses()[0];
    run(async {
        let url = format!("ws://{address}/echo");
        let mut socket = adapter::connect(&url, Options::default()).await.expect("it opens");
        for bytes in SIZES {
            check_echo(&mut socket, payload(bytes).into()).await;
            check_echo(&mut socket, text(bytes).into()).await;
        }
        socket.close(CloseCode::GOING_AWAY, "enough").await.expect("it closes in order");
        assert_eq!(socket.closed().map(|closed| closed.number()), Some(1001));
        let refused = adapter::connect(&format!("ws://{address}/nowhere"), Options::default()).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("404")));
    });
    running.stop(Drain::default()).expect("it stops");
}

/// Sends one message after the other, each when the one before has come back.
struct Sender {
    next: usize,
    done: mpsc::Sender<(u16, bool)>,
}

impl Sender {
    fn send(&self, conn: &mut Conn<'_>) {
        let Some(&bytes) = SIZES.get(self.next / 2) else {
            conn.close(CloseCode::NORMAL, "done");
            return;
        };
        let _ = match self.next % 2 {
            0 => conn.send_binary(&payload(bytes)),
            _ => conn.send_text(&text(bytes)),
        };
    }
}

impl Handler for Sender {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.send(conn);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let bytes = SIZES[self.next / 2];
        let as_sent = match message.kind() {
            Kind::Binary => message.payload() == payload(bytes),
            Kind::Text => message.payload() == text(bytes).as_bytes(),
        };
        assert!(as_sent, "message {}", self.next);
        self.next += 1;
        self.send(conn);
    }

    fn close(&mut self, _connection: ConnectionId, closed: &Closed<'_>) {
        self.done.send((closed.number(), closed.clean)).expect("the test waits for it");
    }
}

#[test]
fn the_adapter_as_server_of_the_native_client() {
    let (address, served) =
        server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
    let client = Client::start(one_shard()).expect("it starts");
    let (done, end) = mpsc::channel();
    let options = ConnectOptions::new(&format!("ws://{address}/")).expect("it is a URL");
    client.connect(&options, Sender { next: 0, done }).expect("the address is known");
    assert_eq!(end.recv_timeout(crate::PATIENCE), Ok((1000, true)));
    served.join().expect("no panic").expect("a clean end");
    client.stop(Drain::default()).expect("it stops");
}
