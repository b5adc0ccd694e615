//! The adapter against itself.

use crate::{SIZES, check_echo, echo, payload, run, server, text};
use wsring::CloseCode;
use wsring::adapter::{self, Connect, Error, Options, OwnedMessage};

#[test]
fn messages_of_all_sizes_come_back() {
    let (address, served) =
        server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
    exchange(address);
    served.join().expect("no panic").expect("a clean end");
}

#[test]
fn messages_of_all_sizes_come_back_without_being_owned() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        socket.for_each(|kind, payload, outbox| outbox.message(kind, payload)).await
    });
    exchange(address);
    served.join().expect("no panic").expect("a clean end");
}

fn exchange(address: std::net::SocketAddr) {
    run(async {
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        for bytes in SIZES {
            check_echo(&mut socket, payload(bytes).into()).await;
            check_echo(&mut socket, text(bytes).into()).await;
        }
        socket.close(CloseCode::NORMAL, "").await.expect("it closes in order");
    });
}

#[test]
fn many_messages_on_their_way_at_once_keep_their_order() {
    const COUNT: usize = 2000;
    let (address, served) =
        server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
    run(async {
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        for number in 0..COUNT {
            socket.feed(&OwnedMessage::from(number.to_string())).expect("it is open");
        }
        // Nothing is waited for but answers: output and input move at the same time.
        for number in 0..COUNT {
            let answer = socket.next().await.expect("an answer").expect("a good one");
            assert_eq!(answer, OwnedMessage::from(number.to_string()));
        }
        socket.close(CloseCode::NORMAL, "").await.expect("it closes in order");
    });
    served.join().expect("no panic").expect("a clean end");
}

#[test]
fn two_ends_that_send_more_than_the_sockets_hold_do_not_wait_for_each_other() {
    const COUNT: usize = 32;
    async fn flood<R: adapter::Role>(mut socket: adapter::WebSocket<R>) -> Result<(), Error> {
        for _ in 0..COUNT {
            socket.feed(&payload(1 << 20).into())?;
        }
        for _ in 0..COUNT {
            let message = socket.next().await.expect("a message")?;
            assert!(message.payload() == payload(1 << 20));
        }
        socket.flush().await
    }
    // The high-water mark stops reading; here both ends are above it from the beginning.
    let options = Options { high_water_bytes: usize::MAX, ..Options::default() };
    let (address, served) =
        server(move |stream| async move { flood(adapter::accept(stream, options).await?).await });
    run(async {
        let socket = adapter::connect(&format!("ws://{address}/"), options).await.expect("it opens");
        flood(socket).await.expect("all of it arrives");
    });
    served.join().expect("no panic").expect("all of it arrives");
}

#[test]
fn both_ends_know_the_subprotocol_and_the_headers() {
    let (address, served) = server(|stream| async {
        let upgrade = adapter::Upgrade::receive(stream, Options::default()).await?;
        assert_eq!(upgrade.request().path(), "/chat");
        assert_eq!(upgrade.request().query_value("room").as_deref(), Some("1"));
        assert_eq!(upgrade.request().origin(), Some("http://example.com"));
        assert_eq!(upgrade.request().header("X-Token"), Some(&b"secret"[..]));
        assert_eq!(upgrade.offered_subprotocols(), ["v2", "v1"]);
        let upgrade = upgrade.subprotocol(&["v1", "v2"]).header("X-Answer", "42");
        assert_eq!(upgrade.chosen_subprotocol(), Some("v1"));
        let socket = upgrade.accept().await?;
        assert_eq!(socket.subprotocol(), Some("v1"));
        echo(socket).await
    });
    run(async {
        // The address decides where to; the URL's host is what the request says.
        let connect = Connect::new("ws://example.com/chat?room=1").expect("it is a URL").to(address);
        let connect = connect.subprotocol("v2").subprotocol("v1").origin("http://example.com");
        let (mut socket, agreement) = connect.header("X-Token", "secret").connect().await.expect("it opens");
        assert_eq!(socket.subprotocol(), Some("v1"));
        assert_eq!(agreement.header("X-Answer"), Some(&b"42"[..]));
        check_echo(&mut socket, "hello".into()).await;
        socket.close(CloseCode::NORMAL, "").await.expect("it closes in order");
    });
    served.join().expect("no panic").expect("a clean end");
}

#[test]
fn a_ping_is_answered_while_nobody_looks() {
    let (address, served) =
        server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
    run(async {
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        assert!(socket.has_heard());
        socket.feed_ping(b"anybody there?").expect("it is open");
        assert!(!socket.has_heard());
        let waited = tokio::time::timeout(std::time::Duration::from_millis(200), socket.next()).await;
        assert!(waited.is_err(), "a Pong is no message");
        assert!(socket.has_heard());
        socket.close(CloseCode::NORMAL, "").await.expect("it closes in order");
    });
    served.join().expect("no panic").expect("a clean end");
}
