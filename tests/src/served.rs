//! Servers in this process.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;
use wsring::{Conn, Drain, DrainReport, Message, Running, Server, Settings};

/// A running server; when it goes out of scope it is told to end at once.
#[derive(Debug)]
pub struct Served(Option<Running>);

/// Settings of one shard with few buffers, so that many servers may stand beside each other, and
/// without Pings, which would come between the frames that a slow test expects.
pub fn settings() -> Settings {
    Settings { shards: Some(1), buffers: 128, ping_interval: None, ..Settings::default() }
}

/// Starts a server on a free port of loopback.
///
/// # Panics
/// When it does not start.
pub fn serve(settings: Settings, routes: impl FnOnce(Server) -> Server) -> Served {
    let server = Server::new().listen("127.0.0.1:0").settings(settings);
    Served(Some(routes(server).start().unwrap_or_else(|error| panic!("{error}"))))
}

/// Echoes; a handler.
pub fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

/// A server that echoes on every path.
pub fn serve_echo(settings: Settings) -> Served {
    serve(settings, |server| server.websocket("/{*rest}", |upgrade| upgrade.accept(echo)))
}

impl Served {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// A `ws://` URL of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address())
    }

    /// Connections on all shards.
    pub fn count(&self) -> u32 {
        self.connections().iter().sum()
    }

    /// Stops in order.
    ///
    /// # Panics
    /// When a shard was lost.
    pub fn stop(mut self, drain: Drain) -> DrainReport {
        let running = self.0.take().expect("there until it is stopped");
        running.stop(drain).expect("no shard was lost")
    }
}

impl Deref for Served {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.0.as_ref().expect("there until it is stopped")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.begin_stop(Drain { window: Duration::ZERO, deadline: Duration::ZERO });
        }
    }
}
