//! Opening connections from shards of one's own.

use crate::cluster::Cluster;
use crate::driver::Driver;
use crate::error::Error;
use crate::figures::Observer;
use crate::handler::Handler;
use crate::route::Routes;
use crate::running::{Drain, DrainReport, Running};
use crate::settings::Settings;
use crate::shard::{Command, start_shards};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wsring_io::{Connect, Time};
use wsring_proto::deflate::{ContextRoom, DeflateOptions};
use wsring_proto::handshake;
use wsring_proto::handshake::{Scheme, Url};

/// Shards that open WebSocket connections: any number of them, each with a [`Handler`].
#[derive(Debug)]
pub struct Client {
    running: Running,
    requests: AtomicU64,
}

/// What to connect to, and how.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    url: Url,
    to: Option<SocketAddr>,
    from: Option<SocketAddr>,
    receive_buffer_bytes: Option<u32>,
    shard: Option<usize>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    deflate: Option<DeflateOptions>,
}

/// The client's side of a handshake under way, and who takes over after it.
pub(crate) struct Opening {
    pub(crate) handshake: handshake::Opening,
    /// Offered on top of that, as far as there is room when the request goes out.
    pub(crate) deflate: Option<DeflateOptions>,
    /// For the window that the server was asked to let us keep, until its answer.
    pub(crate) room: Option<ContextRoom>,
    pub(crate) handler: Box<dyn FnOnce() -> Box<dyn Handler> + Send>,
    /// When its shard has begun to connect.
    pub(crate) begun: Time,
    /// Once TCP is there.
    pub(crate) steps: Option<Steps>,
}

/// When a client's connection took the first steps of its opening, on the shard's clock
/// ([`Conn::now`](crate::Conn::now)). The answer of the server is what [`Handler::agreed`] and [`Handler::open`]
/// come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The shard has asked the kernel for the socket and the connection.
    pub begun: Time,
    /// TCP is connected, and the request is on its way.
    pub connected: Time,
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// TCP: refused, unreachable, no port left.
    #[error("no TCP connection: {0}")]
    Connect(std::io::Error),
    /// The answer to the opening handshake was not the one that opens.
    #[error(transparent)]
    Handshake(#[from] handshake::OpeningError),
    /// The request could not be written: a header or subprotocol of the options is malformed.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// The server went away before it answered.
    #[error("the server closed the connection before it answered the opening handshake")]
    Lost,
    /// No answer within the handshake timeout.
    #[error("no answer to the opening handshake in time")]
    Timeout,
}

impl ConnectOptions {
    /// Connects to a `ws://` URL.
    ///
    /// # Errors
    /// The caller's fault: the URL is malformed, or asks for TLS, which is not there yet.
    pub fn new(url: &str) -> Result<Self, Error> {
        let wrong = |cause: String| Error::Url { url: url.into(), cause };
        let url: Url = url.parse().map_err(|cause: handshake::UrlError| wrong(cause.to_string()))?;
        if url.scheme() == Scheme::Wss {
            return Err(wrong("TLS (wss://) is not supported".into()));
        }
        Ok(Self {
            url,
            to: None,
            from: None,
            receive_buffer_bytes: None,
            shard: None,
            origin: None,
            subprotocols: Vec::new(),
            headers: Vec::new(),
            deflate: None,
        })
    }

    /// Connects to this address instead of looking the URL's host up for each connection.
    pub fn to(mut self, address: SocketAddr) -> Self {
        self.to = Some(address);
        self
    }

    /// Connects from this address: several of them allow more connections to one peer than there
    /// are ports. With port 0 the kernel looks for one, which takes the longer the fewer are left; with another it
    /// takes that, or the connection fails with `EADDRINUSE` or `EADDRNOTAVAIL`.
    pub fn from(mut self, address: SocketAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Has the kernel keep no more than so much of what the peer sends (`SO_RCVBUF`, see socket(7)); otherwise it
    /// adapts that to how much is received. A peer meets a small one sooner when this side does not read.
    pub fn receive_buffer_bytes(mut self, bytes: u32) -> Self {
        self.receive_buffer_bytes = Some(bytes);
        self
    }

    /// On this shard; otherwise they take turns.
    pub fn shard(mut self, shard: usize) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Sends an Origin header, as a browser does.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Offers a subprotocol; those offered first are preferred.
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Adds a header to the request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers to compress messages (permessage-deflate, RFC 7692); [`Handler::agreed`] and [`Conn::deflate`]
    /// tell what the server made of it. What it may keep of earlier messages takes a window of up to 32 KiB;
    /// where the shard has [no room](wsring_proto::Limits::context_bytes_max) for one when the request goes
    /// out, it is asked not to.
    ///
    /// [`Conn::deflate`]: crate::Conn::deflate
    pub fn deflate(mut self, options: DeflateOptions) -> Self {
        self.deflate = Some(options);
        self
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// The environment's fault: the host has no address.
    pub fn resolve(&self) -> Result<SocketAddr, Error> {
        if let Some(to) = self.to {
            return Ok(to);
        }
        let wrong = |cause: String| Error::Url { url: self.url.to_string(), cause };
        let mut found =
            (self.url.host(), self.url.port()).to_socket_addrs().map_err(|cause| wrong(cause.to_string()))?;
        found.next().ok_or_else(|| wrong("the host has no address".into()))
    }

    fn handshake(&self) -> Result<handshake::Opening, Error> {
        self.deflate.map_or(Ok(()), |options| options.check())?;
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(Error::Entropy)?;
        let mut opening = handshake::Opening::for_url(&self.url, key);
        if let Some(origin) = &self.origin {
            opening = opening.origin(origin);
        }
        for name in &self.subprotocols {
            opening = opening.subprotocol(name);
        }
        for (name, value) in &self.headers {
            opening = opening.header(name, value);
        }
        Ok(opening)
    }
}

impl Client {
    /// Starts the shards. Of the settings, those about listening have no meaning here.
    ///
    /// # Errors
    /// The caller's fault: a setting. The environment's: a kernel that gives no ring.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        let shards = settings.shard_count(wsring_io::uring::Config::default().sockets_max, 0)?;
        let cluster = Cluster::new(shards);
        let none = (0..shards).map(|_| Vec::new()).collect();
        let threads = start_shards(&cluster, settings, Arc::new(Routes::default()), none)?;
        let running = Running { cluster, threads, addresses: Vec::new() };
        Ok(Self { running, requests: AtomicU64::new(0) })
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.running.cluster.shards()
    }

    /// Connections per shard, at this moment.
    pub fn connections(&self) -> Vec<u32> {
        self.running.connections()
    }

    /// Begins to connect; the handler's `open` or `failed` tells the outcome. The host's address is
    /// looked up here, which may block: give [`ConnectOptions::to`] where that matters.
    ///
    /// # Errors
    /// The environment's fault: the host has no address. The caller's: the options of
    /// [`ConnectOptions::deflate`] are not valid.
    pub fn connect(&self, options: &ConnectOptions, handler: impl Handler + Send) -> Result<(), Error> {
        self.connect_with(options, move || handler)
    }

    /// As [`connect`](Self::connect), with a handler that is made on its shard, in the moment in which the
    /// connection opens or fails: it may share what belongs to that thread, such as an [`Rc`](std::rc::Rc).
    ///
    /// # Errors
    /// As there.
    pub fn connect_with<H: Handler>(
        &self,
        options: &ConnectOptions,
        make: impl FnOnce() -> H + Send + 'static,
    ) -> Result<(), Error> {
        let to = options.resolve()?;
        let handshake = options.handshake()?;
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        let shard = options.shard.unwrap_or(request as usize) % self.shards();
        let (from, receive_buffer_bytes) = (options.from, options.receive_buffer_bytes);
        let connect = Connect { request, to, from, receive_buffer_bytes };
        let opening = Box::new(Opening {
            handshake,
            deflate: options.deflate,
            room: None,
            handler: Box::new(move || Box::new(make())),
            begun: Time(0),
            steps: None,
        });
        self.running.cluster.send(shard, Command::Connect { connect, opening });
        Ok(())
    }

    /// Has a driver made on a shard, and called in each of its turns from then on.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn drive<D: Driver>(&self, shard: usize, make: impl FnOnce() -> D + Send + 'static) {
        assert!(shard < self.shards(), "shard {shard} of {}", self.shards());
        self.running.cluster.send(shard, Command::Drive(Box::new(move || Box::new(make()))));
    }

    /// What is going on.
    pub fn observer(&self) -> Observer {
        self.running.observer()
    }

    /// Closes all connections with 1001 and ends the shards.
    ///
    /// # Errors
    /// A shard was lost; the environment's fault or ours.
    pub fn stop(self, drain: Drain) -> Result<DrainReport, Error> {
        self.running.stop(drain)
    }
}
