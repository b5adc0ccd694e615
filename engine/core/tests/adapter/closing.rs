//! Close codes, both ways.

use crate::{PATIENCE, echo, run, server};
use std::time::{Duration, Instant};
use wsring::CloseCode;
use wsring::adapter::{self, Error, Options};

const CODES: [(u16, &str); 5] = [(1000, ""), (1001, "going"), (1011, "ü"), (3000, "library"), (4999, "mine")];

fn code(number: u16) -> CloseCode {
    CloseCode::new(number).expect("it may be sent")
}

#[test]
fn the_client_closes() {
    for (number, reason) in CODES {
        let (address, served) = server(|stream| async {
            let mut socket = adapter::accept(stream, Options::default()).await?;
            assert!(socket.next().await.is_none());
            let closed = socket.closed().expect("it is over");
            Ok::<_, Error>((closed.number(), closed.reason.to_owned(), closed.clean))
        });
        run(async {
            let mut socket =
                adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
            socket.close(code(number), reason).await.expect("it closes in order");
            let closed = socket.closed().expect("it is over");
            // The answer has the same code and the same reason.
            assert_eq!((closed.number(), closed.reason, closed.clean), (number, reason, true));
            assert!(matches!(socket.send_text("more").await, Err(Error::NotOpen)));
            assert!(socket.next().await.is_none());
        });
        let seen = served.join().expect("no panic").expect("no error");
        assert_eq!(seen, (number, reason.to_owned(), true));
    }
}

#[test]
fn the_server_closes() {
    for (number, reason) in CODES {
        let (address, served) = server(move |stream| async move {
            let mut socket = adapter::accept(stream, Options::default()).await?;
            socket.send_text("last words").await?;
            socket.close(code(number), reason).await?;
            let closed = socket.closed().expect("it is over");
            Ok::<_, Error>((closed.number(), closed.reason.to_owned(), closed.clean))
        });
        run(async {
            let mut socket =
                adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
            let words = socket.next().await.expect("a message").expect("a good one");
            assert_eq!(words.payload(), b"last words");
            assert!(socket.next().await.is_none());
            let closed = socket.closed().expect("it is over");
            assert_eq!((closed.number(), closed.reason, closed.clean), (number, reason, true));
        });
        let seen = served.join().expect("no panic").expect("no error");
        assert_eq!(seen, (number, reason.to_owned(), true));
    }
}

#[test]
fn both_close_at_once() {
    let close = async |mut socket: adapter::WebSocket<adapter::Server>| {
        socket.close(code(4001), "server").await?;
        Ok::<_, Error>(socket.closed().map(|closed| closed.number()))
    };
    let (address, served) =
        server(move |stream| async move { close(adapter::accept(stream, Options::default()).await?).await });
    let seen = run(async {
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        socket.close(code(4002), "client").await.expect("it closes in order");
        socket.closed().map(|closed| closed.number())
    });
    assert_eq!(seen, Some(4001));
    let seen = served.join().expect("no panic").expect("no error");
    // Whether our Close or an answer to its own comes first, the client's code is one of these.
    assert!(seen == Some(4002) || seen == Some(4001), "{seen:?}");
}

#[test]
fn an_end_without_a_close_is_an_error() {
    let (address, served) = server(|stream| async {
        let socket = adapter::accept(stream, Options::default()).await?;
        echo(socket).await
    });
    run(async {
        let socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        drop(socket);
    });
    let result = served.join().expect("no panic");
    assert!(matches!(result, Err(Error::Lost(_))), "{result:?}");
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_cut_off() {
    let options = Options { close_timeout: Duration::from_millis(100), ..Options::default() };
    let (address, served) = server(move |stream| async move {
        let mut socket = adapter::accept(stream, options).await?;
        let before = Instant::now();
        let result = socket.close(CloseCode::NORMAL, "").await;
        assert!(matches!(result, Err(Error::Timeout)), "{result:?}");
        let clean = socket.closed().map(|closed| closed.clean);
        Ok::<_, Error>((before.elapsed(), clean))
    });
    let silent = crate::open_raw(address);
    let (waited, clean) = served.join().expect("no panic").expect("no error");
    assert!(waited >= Duration::from_millis(100) && waited < PATIENCE / 4, "{waited:?}");
    assert_eq!(clean, Some(false));
    drop(silent);
}
