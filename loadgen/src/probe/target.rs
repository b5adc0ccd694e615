//! The server that is asked: where it is, and how long it is waited for.

use super::request::Request;
use crate::args::PeerOptions;
use crate::failure::Failure;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;
use wsring_proto::handshake::{Scheme, Url};

/// A server, looked up once.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) address: SocketAddr,
    /// Headers that every opening handshake has besides its own.
    headers: Vec<(String, String)>,
    /// The longest wait for anything that the server is to do.
    pub(super) patience: Duration,
}

impl Target {
    /// Reads the command line and looks the host up.
    ///
    /// # Errors
    /// The caller's fault: no WebSocket URL, or one with TLS. The environment's: the host has no address.
    pub(super) fn new(url: &str, options: &PeerOptions) -> Result<Self, Failure> {
        let url: Url = url.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
        if url.scheme() == Scheme::Wss {
            return Err(Failure::Usage(format!(
                "{url} needs TLS, which this command does not speak yet: give it the server's ws:// address"
            )));
        }
        if options.timeout.is_zero() {
            return Err(Failure::Usage("--timeout is 0; nothing answers in no time".into()));
        }
        let address = look_up(&url)?;
        Ok(Self { url, address, headers: options.headers.clone(), patience: options.timeout })
    }

    /// Opens a TCP connection on which no write and no read blocks for longer than the patience.
    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, self.patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.patience))?;
        stream.set_read_timeout(Some(self.patience))?;
        Ok(stream)
    }

    /// The right opening handshake, with a fresh key.
    pub(super) fn request(&self) -> Result<Request, getrandom::Error> {
        let mut entropy = [0; 16];
        getrandom::fill(&mut entropy)?;
        Ok(self.request_with(entropy))
    }

    /// The right opening handshake with this key.
    pub(super) fn request_with(&self, key: [u8; 16]) -> Request {
        let request = Request::new(&self.url, key);
        self.headers.iter().fold(request, |request, (name, value)| request.with(name, value))
    }

    /// An answer that ends everything, with the URL.
    pub(super) fn failure(&self, cause: impl ToString) -> Failure {
        Failure::Open { url: self.url.to_string(), cause: cause.to_string() }
    }
}

fn look_up(url: &Url) -> Result<SocketAddr, Failure> {
    let failure = |cause: String| Failure::Open { url: url.to_string(), cause };
    let mut addresses =
        (url.host(), url.port()).to_socket_addrs().map_err(|error| failure(error.to_string()))?;
    addresses.next().ok_or_else(|| failure("the host has no address".into()))
}
