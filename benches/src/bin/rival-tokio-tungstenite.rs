//! tokio-tungstenite as an echo server.
//!
//! The library's default of a 128 KiB read buffer per connection is kept small instead, which is what
//! its issue tracker advises for many connections with small messages and what costs it least here.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wsring_benches::rival;

fn main() -> std::io::Result<()> {
    rival::serve("rival-tokio-tungstenite", echo)
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
