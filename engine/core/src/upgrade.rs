//! The decision about one opening handshake.

use crate::cluster::ConnectionId;
use crate::handler::Handler;
use crate::remote::Remote;
use crate::route::Params;
use crate::shard::Command;
use std::borrow::Cow;
use std::net::IpAddr;
use wsring_proto::handshake::{Offer, write_switching};
use wsring_proto::http::{InvalidHeader, OwnedRequest, Request, Response};

/// A client asks for a WebSocket, its handshake is valid, and a route has to answer: with
/// [`accept`](Self::accept), [`reject`](Self::reject) or [`defer`](Self::defer).
pub struct Upgrade<'a> {
    request: &'a Request<'a>,
    offer: Offer<'a>,
    params: Params<'a>,
    remote: Remote,
    peer: Option<IpAddr>,
    switching: Switching,
}

/// What a route has decided.
#[must_use = "a route returns its answer"]
pub struct Answer(pub(crate) Verdict);

pub(crate) enum Verdict {
    Accept { head: Vec<u8>, handler: Box<dyn Handler> },
    Reject(Response),
    Deferred,
}

/// The 101 answer as far as it is decided.
#[derive(Debug)]
struct Switching {
    accept_key: [u8; 28],
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
}

impl<'a> Upgrade<'a> {
    pub(crate) fn new(
        request: &'a Request<'a>,
        offer: Offer<'a>,
        params: Params<'a>,
        remote: Remote,
        peer: Option<IpAddr>,
    ) -> Self {
        let switching = Switching { accept_key: offer.accept_key(), subprotocol: None, headers: Vec::new() };
        Self { request, offer, params, remote, peer, switching }
    }

    /// The request: path, query, headers, cookies, Origin.
    pub fn request(&self) -> &Request<'a> {
        self.request
    }

    /// A `{name}` of the route's path, percent-decoded.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params.get(name)
    }

    /// Where the request comes from, when addresses are
    /// [looked up](crate::Settings::peer_addresses).
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// The name that the connection will have.
    pub fn connection(&self) -> ConnectionId {
        self.remote.id()
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.offer.protocols()
    }

    /// Chooses the first of `supported` that the client offers (RFC 6455 section 4.2.2); none when it
    /// offers none of them, which a client may take as a reason to leave.
    pub fn subprotocol(mut self, supported: &[&str]) -> Self {
        self.switching.subprotocol = self.offer.choose(supported).map(str::to_owned);
        self
    }

    /// The subprotocol chosen so far.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.switching.subprotocol.as_deref()
    }

    /// Adds a header to the answer, should it be accepted.
    ///
    /// # Errors
    /// The caller's fault: a name that is no token, a value with CR, LF or other control characters,
    /// a header that belongs to the handshake.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.switching.add(name, value)?;
        Ok(self)
    }

    /// Accepts: the handler's `open` follows.
    pub fn accept(self, handler: impl Handler) -> Answer {
        self.accept_boxed(Box::new(handler))
    }

    /// Accepts with a handler that is boxed already.
    pub fn accept_boxed(self, handler: Box<dyn Handler>) -> Answer {
        Answer(Verdict::Accept { head: self.switching.head(), handler })
    }

    /// Answers with an ordinary response, such as 401 or 403, and closes.
    pub fn reject(self, response: Response) -> Answer {
        Answer(Verdict::Reject(response))
    }

    /// Decides later, on any thread. The handshake timeout goes on running.
    pub fn defer(self) -> (Answer, Deferred) {
        let deferred = Deferred {
            request: self.request.to_owned_request(),
            remote: self.remote,
            switching: self.switching,
            decided: false,
        };
        (Answer(Verdict::Deferred), deferred)
    }
}

/// An upgrade whose decision is still to come. Dropped undecided it is answered with 503.
#[derive(Debug)]
pub struct Deferred {
    request: OwnedRequest,
    remote: Remote,
    switching: Switching,
    decided: bool,
}

/// The later answer, on its way to the shard.
pub(crate) enum Decision {
    Accept { head: Vec<u8>, handler: Box<dyn FnOnce() -> Box<dyn Handler> + Send> },
    Reject(Response),
}

impl Deferred {
    /// The request.
    pub fn request(&self) -> Request<'_> {
        self.request.request()
    }

    /// The subprotocol chosen before it was deferred.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.switching.subprotocol.as_deref()
    }

    /// As [`Upgrade::header`].
    ///
    /// # Errors
    /// As there.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        self.switching.add(name, value)
    }

    /// As [`Upgrade::accept`].
    pub fn accept(self, handler: impl Handler + Send) {
        let head = self.switching.head();
        self.decide(Decision::Accept { head, handler: Box::new(move || Box::new(handler)) });
    }

    /// As [`Upgrade::reject`].
    pub fn reject(self, response: Response) {
        self.decide(Decision::Reject(response));
    }

    fn decide(mut self, decision: Decision) {
        self.decided = true;
        self.send(decision);
    }

    fn send(&self, decision: Decision) {
        let socket = self.remote.id().socket;
        self.remote.command(Command::Decide { socket, decision: Box::new(decision) });
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if !self.decided {
            self.send(Decision::Reject(Response::text(503, "the upgrade was not decided\n")));
        }
    }
}

impl Switching {
    fn add(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        write_switching(&mut Vec::new(), &[b'A'; 28], None, None, &[(name, value)])?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        write_switching(&mut head, &self.accept_key, self.subprotocol.as_deref(), None, &headers)
            .expect("headers were checked as they were added, the subprotocol as it was chosen");
        head
    }
}
