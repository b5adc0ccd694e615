//! The server's side of an opening handshake.

use super::head::Head;
use super::transport::{Finish, Transport};
use super::{Error, Options, WebSocket};
use std::future::poll_fn;
use tokio::time::Instant;
use tokio_uring::net::TcpStream;
use wsring_proto::Server;
use wsring_proto::handshake::{Offer, write_switching};
use wsring_proto::http::{OwnedRequest, Refusal, Request, Response, WriteAs, check_unfinished};

/// A client asks for a WebSocket and its handshake is valid: answer with [`accept`](Self::accept) or
/// [`reject`](Self::reject). The decision may take its time, within [`Options::handshake_timeout`].
/// Dropped undecided, the connection is closed without an answer.
pub struct Upgrade {
    transport: Transport,
    options: Options,
    request: OwnedRequest,
    accept_key: [u8; 28],
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
    /// Frames that the client sent right behind its request.
    rest: Vec<u8>,
}

/// An opening handshake is always a GET.
const CLOSE: WriteAs = WriteAs { head_only: false, close: true };

/// Opens a WebSocket on an accepted stream, whatever its path: [`Upgrade::receive`], then
/// [`Upgrade::accept`].
///
/// # Errors
/// As those.
pub async fn accept(stream: TcpStream, options: Options) -> Result<WebSocket<Server>, Error> {
    Upgrade::receive(stream, options).await?.accept().await
}

impl Upgrade {
    /// Reads and checks the request (RFC 6455 section 4.2.1).
    ///
    /// # Errors
    /// The client's fault, [`Error::Refused`]: the request was answered with that refusal, 426 when it
    /// asks for no WebSocket at all. Or the client went away, or took too long.
    pub async fn receive(stream: TcpStream, options: Options) -> Result<Self, Error> {
        let deadline = Instant::now() + options.handshake_timeout;
        let mut transport = Transport::new(stream, options.buffer_bytes, deadline);
        let read = Head::read(&mut transport, |bytes| Ok(check_unfinished(bytes, &options.head)?)).await;
        // RFC 9110 section 9.3.2: an answer to HEAD has no content.
        let head_only = read.as_ref().is_ok_and(|head| head.bytes().starts_with(b"HEAD "));
        let checked = read.and_then(|head| Ok((check(&head, &options)?, head)));
        match checked {
            Ok(((request, accept_key), head)) => Ok(Self {
                transport,
                options,
                request,
                accept_key,
                subprotocol: None,
                headers: Vec::new(),
                rest: head.into_rest(),
            }),
            Err(Error::Refused(refusal)) => {
                answer(&mut transport, &options, &refusal.clone().into(), WriteAs { head_only, close: true })
                    .await;
                Err(Error::Refused(refusal))
            }
            Err(error) => Err(error),
        }
    }

    /// The request: path, query, headers, cookies, Origin.
    pub fn request(&self) -> Request<'_> {
        self.request.request()
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn offered_subprotocols(&self) -> Vec<String> {
        self.offer(|offer| offer.protocols().map(str::to_owned).collect())
    }

    /// Chooses the first of `supported` that the client offers (RFC 6455 section 4.2.2); none when it
    /// offers none of them, which a client may take as a reason to leave.
    #[must_use]
    pub fn subprotocol(mut self, supported: &[&str]) -> Self {
        self.subprotocol = self.offer(|offer| offer.choose(supported).map(str::to_owned));
        self
    }

    /// The subprotocol chosen so far.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Adds a header to the answer, should it be accepted; it is checked then.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Accepts (RFC 6455 section 4.2.2).
    ///
    /// # Errors
    /// The caller's fault: [`Error::Header`]; the client was answered with 500. The client's: it went
    /// away, or the decision came too late for it.
    pub async fn accept(mut self) -> Result<WebSocket<Server>, Error> {
        let mut head = Vec::with_capacity(256);
        let subprotocol = self.subprotocol.as_deref();
        if let Err(fault) = write_switching(&mut head, &self.accept_key, subprotocol, None, &self.headers) {
            answer(&mut self.transport, &self.options, &Response::empty(500), CLOSE).await;
            return Err(fault.into());
        }
        WebSocket::open(self.transport, self.options, head, self.rest, self.subprotocol).await
    }

    /// Answers with an ordinary response, such as 401 or 403, and closes.
    pub async fn reject(mut self, response: Response) {
        answer(&mut self.transport, &self.options, &response, CLOSE).await;
    }

    /// The offer was checked when the request was received; it borrows from the request, so that it
    /// is made anew for each use.
    fn offer<T: Default>(&self, ask: impl FnOnce(&Offer<'_>) -> T) -> T {
        Offer::check(&self.request.request()).map_or_else(|_| T::default(), |offer| ask(&offer))
    }
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade")
            .field("request", &self.request)
            .field("subprotocol", &self.subprotocol)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

fn check(head: &Head, options: &Options) -> Result<(OwnedRequest, [u8; 28]), Refusal> {
    let request = Request::parse(head.bytes(), &options.head)?;
    if !request.wants_upgrade() {
        return Err(Refusal::upgrade_required(
            "this port has WebSockets only: the header Upgrade does not list websocket",
        ));
    }
    let offer = Offer::check(&request)?;
    Ok((request.to_owned_request(), offer.accept_key()))
}

/// Sends a response and ends the connection, so that the client can still read it.
async fn answer(transport: &mut Transport, options: &Options, response: &Response, how: WriteAs) {
    let mut output = Vec::new();
    response.write(&mut output, how);
    transport.set_deadline(options.close_timeout);
    let linger = Some(options.linger_timeout);
    let mut finish = Finish::default();
    poll_fn(|cx| transport.poll_finish(&mut finish, &mut output, linger, cx)).await;
}
