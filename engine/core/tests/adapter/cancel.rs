//! Futures that are dropped while they wait lose nothing, and dropped sockets leave nothing behind.

use crate::{check_echo, echo, masked, open_raw, payload, run, server};
use std::io::{Read, Write};
use std::time::Duration;
use wsring::CloseCode;
use wsring::adapter::{self, Error, Options, OwnedMessage};

/// Gives up waiting again and again while a message arrives byte by byte.
#[test]
fn next_may_be_dropped() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        let mut gave_up = 0;
        loop {
            match tokio::time::timeout(Duration::from_millis(1), socket.next()).await {
                Ok(Some(message)) => return Ok::<_, Error>((gave_up, message?)),
                Ok(None) => panic!("no end is expected"),
                Err(_) => gave_up += 1,
            }
        }
    });
    let mut stream = open_raw(address);
    for byte in masked(0x82, &payload(100)) {
        stream.write_all(&[byte]).expect("it is written");
        std::thread::sleep(Duration::from_millis(2));
    }
    let (gave_up, message) = served.join().expect("no panic").expect("no error");
    assert!(gave_up > 10, "only {gave_up} futures were dropped");
    assert_eq!(message, OwnedMessage::from(payload(100)));
}

/// Gives up flushing while the peer does not read; the stream must go on where it stood.
#[test]
fn flush_may_be_dropped() {
    const BYTES: usize = 16 << 20;
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        socket.feed(&payload(BYTES).into())?;
        let mut gave_up = 0;
        while tokio::time::timeout(Duration::from_millis(5), socket.flush()).await.is_err() {
            gave_up += 1;
        }
        socket.send_text("end").await?;
        Ok::<_, Error>(gave_up)
    });
    let mut stream = open_raw(address);
    std::thread::sleep(Duration::from_millis(50));
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("the server ends the connection");
    let header = [&[0x82, 127][..], &(BYTES as u64).to_be_bytes()].concat();
    assert!(output.starts_with(&header));
    assert!(output[header.len()..header.len() + BYTES] == payload(BYTES));
    assert_eq!(&output[header.len() + BYTES..], b"\x81\x03end");
    let gave_up = served.join().expect("no panic").expect("no error");
    assert!(gave_up > 0, "no future was dropped");
}

/// A read is under way when the socket is dropped; the descriptor is closed all the same.
#[test]
fn a_dropped_socket_is_closed() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        assert!(tokio::time::timeout(Duration::from_millis(20), socket.next()).await.is_err());
        drop(socket);
        // The runtime goes on: it is the drop that ends the connection.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok::<_, Error>(std::time::Instant::now())
    });
    let mut stream = open_raw(address);
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("the server ends the connection");
    let seen = std::time::Instant::now();
    assert!(output.is_empty());
    assert!(seen < served.join().expect("no panic").expect("no error"));
}

/// A handler that fails stops the loop; the messages behind the one it failed at are still there.
#[test]
fn for_each_may_be_left_and_taken_up_again() {
    let (address, served) = server(|stream| async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        let mut seen = Vec::new();
        let left = socket
            .for_each(|_, payload, _| {
                seen.extend_from_slice(payload);
                if payload == b"b" { Err(Error::NotOpen) } else { Ok(()) }
            })
            .await;
        assert!(matches!(left, Err(Error::NotOpen)), "{left:?}");
        socket
            .for_each(|kind, payload, outbox| {
                seen.extend_from_slice(payload);
                outbox.message(kind, payload)
            })
            .await?;
        Ok::<_, Error>(seen)
    });
    let mut stream = open_raw(address);
    let frames: Vec<u8> = [b"a", b"b", b"c", b"d"].iter().flat_map(|text| masked(0x81, *text)).collect();
    stream.write_all(&[frames, masked(0x89, b"!"), masked(0x88, b"")].concat()).expect("it is written");
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("the server ends the connection in order");
    assert_eq!(output, b"\x81\x01c\x81\x01d\x8A\x01!\x88\x00");
    drop(stream);
    assert_eq!(served.join().expect("no panic").expect("no error"), b"abcd");
}

/// A peer that sends and does not read is not read from without bound.
#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    let options = Options { high_water_bytes: 64 << 10, ..Options::default() };
    let (address, served) = server(move |stream| async move {
        let mut socket = adapter::accept(stream, options).await?;
        let mut unsent_bytes_max = 0;
        while let Some(message) = socket.next().await {
            socket.feed(&message?)?;
            unsent_bytes_max = unsent_bytes_max.max(socket.unsent_bytes());
        }
        Ok::<_, Error>(unsent_bytes_max)
    });
    let mut stream = open_raw(address);
    let mut writer = stream.try_clone().expect("a second handle");
    const COUNT: usize = 200_000;
    let writing = std::thread::spawn(move || {
        let batch: Vec<u8> = (0..100).flat_map(|_| masked(0x82, &[7; 100])).collect();
        for _ in 0..COUNT / 100 {
            writer.write_all(&batch).expect("it is written");
        }
        writer.write_all(&masked(0x88, b"")).expect("it is written");
    });
    std::thread::sleep(Duration::from_millis(300));
    let mut output = Vec::new();
    stream.read_to_end(&mut output).expect("the server ends the connection in order");
    writing.join().expect("no panic");
    assert_eq!(output.len(), COUNT * 102 + 2);
    let unsent_bytes_max = served.join().expect("no panic").expect("a clean end");
    // What one read brings may come on top, and what was unsent when the write began.
    assert!(unsent_bytes_max <= 3 * (64 << 10), "{unsent_bytes_max} bytes were held");
}

/// A connection is of use after many that were dropped in the middle of something.
#[test]
fn a_runtime_outlives_its_dropped_sockets() {
    let (address, served) =
        server(|stream| async { echo(adapter::accept(stream, Options::default()).await?).await });
    run(async {
        for _ in 0..20 {
            let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
            let url = format!("ws://{}/", silent.local_addr().expect("it is bound"));
            let connect = adapter::connect(&url, Options::default());
            assert!(tokio::time::timeout(Duration::from_millis(5), connect).await.is_err());
        }
        let mut socket =
            adapter::connect(&format!("ws://{address}/"), Options::default()).await.expect("it opens");
        check_echo(&mut socket, "still there".into()).await;
        socket.close(CloseCode::NORMAL, "").await.expect("it closes in order");
    });
    served.join().expect("no panic").expect("a clean end");
}
