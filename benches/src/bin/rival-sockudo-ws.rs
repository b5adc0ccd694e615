//! sockudo-ws as an echo server, by its high-level stream on the tokio runtime.
//!
//! Pings and idle timeouts are off: the other servers here have none either.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::{Config, Error, Message, Result, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wsring_benches::rival;

fn main() -> std::io::Result<()> {
    rival::serve("rival-sockudo-ws", echo)
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    open(&mut stream).await?;
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    let mut socket = WebSocketStream::server(stream, config);
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

/// The library leaves the reading and writing of the opening handshake to its user.
async fn open(stream: &mut TcpStream) -> Result<()> {
    let mut head = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        if let Some((request, _)) = parse_request(&head)? {
            let answer = build_response(&generate_accept_key(request.key), None, None);
            return Ok(stream.write_all(&answer).await?);
        }
    }
}
