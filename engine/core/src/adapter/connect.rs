//! The client's side of an opening handshake.

use super::head::Head;
use super::transport::Transport;
use super::{Error, Options, WebSocket};
use std::future::poll_fn;
use std::net::SocketAddr;
use tokio::time::{Instant, timeout_at};
use tokio_uring::net::TcpStream;
use wsring_proto::Client;
use wsring_proto::handshake::{Agreement, Opening, OpeningError, Scheme, Url};

/// One connection to be opened: add what the request shall carry, then [`connect`](Self::connect), or
/// [`open`](Self::open) on a stream that is connected already.
#[derive(Clone, Debug)]
pub struct Connect {
    url: Url,
    opening: Opening,
    options: Options,
    to: Option<SocketAddr>,
}

/// Opens a WebSocket to a `ws://` URL: [`Connect::new`], then [`Connect::connect`].
///
/// # Errors
/// As those.
pub async fn connect(url: &str, options: Options) -> Result<WebSocket<Client>, Error> {
    let (socket, _) = Connect::new(url)?.options(options).connect().await?;
    Ok(socket)
}

impl Connect {
    /// A connection to a `ws://` URL.
    ///
    /// # Errors
    /// The caller's fault: the URL is malformed or asks for TLS. The environment's: no randomness.
    pub fn new(url: &str) -> Result<Self, Error> {
        let url: Url = url.parse()?;
        if url.scheme() == Scheme::Wss {
            return Err(Error::Tls);
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(Error::Entropy)?;
        let opening = Opening::for_url(&url, key);
        Ok(Self { url, opening, options: Options::default(), to: None })
    }

    /// Replaces the options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Connects to this address instead of looking up the URL's host.
    #[must_use]
    pub fn to(mut self, address: SocketAddr) -> Self {
        self.to = Some(address);
        self
    }

    /// Sends an Origin header, as a browser does.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.opening = self.opening.origin(origin);
        self
    }

    /// Offers a subprotocol; those offered first are preferred.
    #[must_use]
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.opening = self.opening.subprotocol(name);
        self
    }

    /// Adds a header to the request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.opening = self.opening.header(name, value);
        self
    }

    /// Looks the host up, connects, and opens the WebSocket; [`Options::handshake_timeout`] bounds
    /// all of it.
    ///
    /// The TCP connection is made with tokio and then handed to tokio-uring, whose own `connect` cannot
    /// be ended before the kernel gives up after two minutes.
    ///
    /// # Errors
    /// The environment's fault: [`Error::Connect`]. Otherwise as [`open`](Self::open).
    pub async fn connect(self) -> Result<(WebSocket<Client>, Agreement), Error> {
        let deadline = Instant::now() + self.options.handshake_timeout;
        let request = self.request()?;
        let connected = async {
            match self.to {
                Some(address) => tokio::net::TcpStream::connect(address).await,
                None => tokio::net::TcpStream::connect((self.url.host(), self.url.port())).await,
            }
        };
        let stream = timeout_at(deadline, connected).await.map_err(|_| Error::Timeout)?;
        let stream = stream.and_then(|stream| {
            let stream = stream.into_std()?;
            stream.set_nonblocking(false)?;
            Ok(TcpStream::from_std(stream))
        });
        self.open_by(stream.map_err(Error::Connect)?, request, deadline).await
    }

    /// Opens the WebSocket on a stream that is connected to the URL's host (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// The caller's fault: [`Error::Header`]. The server's decision or fault: [`Error::Opening`]; the
    /// stream is closed then. The server went away, or took too long.
    pub async fn open(self, stream: TcpStream) -> Result<(WebSocket<Client>, Agreement), Error> {
        let deadline = Instant::now() + self.options.handshake_timeout;
        let request = self.request()?;
        self.open_by(stream, request, deadline).await
    }

    fn request(&self) -> Result<Vec<u8>, Error> {
        let mut request = Vec::with_capacity(512);
        self.opening.write(&mut request)?;
        Ok(request)
    }

    async fn open_by(
        self,
        stream: TcpStream,
        mut request: Vec<u8>,
        deadline: Instant,
    ) -> Result<(WebSocket<Client>, Agreement), Error> {
        let mut transport = Transport::new(stream, self.options.buffer_bytes, deadline);
        // Where this fails the reading tells why.
        let _ = poll_fn(|cx| transport.poll_write(&mut request, cx)).await;
        let limits = self.options.head;
        let head = Head::read(&mut transport, |bytes| {
            let too_long =
                OpeningError::TooLong { bytes_max: limits.bytes_max, headers_max: limits.headers_max };
            if bytes.len() < limits.bytes_max { Ok(()) } else { Err(too_long.into()) }
        });
        let head = head.await?;
        let agreement = self.opening.check(head.bytes(), &limits)?;
        let subprotocol = agreement.subprotocol().map(str::to_owned);
        let rest = head.into_rest();
        let socket = WebSocket::open(transport, self.options, Vec::new(), rest, subprotocol).await?;
        Ok((socket, agreement))
    }
}
