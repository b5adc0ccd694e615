//! The decision about one opening handshake.

use crate::cluster::ConnectionId;
use crate::handler::Handler;
use crate::remote::Remote;
use crate::route::Params;
use crate::shard::Command;
use std::borrow::Cow;
use std::net::IpAddr;
use wsring_proto::deflate::{Deflate, DeflateOptions};
use wsring_proto::handshake::{ExtensionOffer, Offer, write_switching};
use wsring_proto::http::{InvalidHeader, OwnedRequest, Request, Response};

/// A client asks for a WebSocket, its handshake is valid, and a route has to answer: with
/// [`accept`](Self::accept), [`reject`](Self::reject) or [`defer`](Self::defer).
pub struct Upgrade<'a> {
    request: &'a Request<'a>,
    offer: Offer<'a>,
    params: Params<'a>,
    context: Context,
    switching: Switching,
}

/// What the shard knows beside the request.
pub(crate) struct Context {
    /// The name that the connection will have.
    pub(crate) remote: Remote,
    pub(crate) peer: Option<IpAddr>,
    /// What the server does about compression unless a route says otherwise.
    pub(crate) deflate: Option<DeflateOptions>,
    /// Whether the shard can hold another window for what a client sends.
    pub(crate) room: bool,
}

/// What a route has decided.
#[must_use = "a route returns its answer"]
pub struct Answer(pub(crate) Verdict);

pub(crate) enum Verdict {
    Accept { accepted: Accepted, handler: Box<dyn Handler> },
    Reject(Response),
    Deferred,
}

/// The answer that makes a connection a WebSocket.
pub(crate) struct Accepted {
    /// The 101.
    pub(crate) head: Vec<u8>,
    /// What that says about compression, and how the connection is to compress then.
    pub(crate) deflate: Option<(Deflate, DeflateOptions)>,
}

/// The 101 answer as far as it is decided.
#[derive(Debug)]
struct Switching {
    accept_key: [u8; 28],
    subprotocol: Option<String>,
    deflate: Option<DeflateOptions>,
    headers: Vec<(String, String)>,
}

impl<'a> Upgrade<'a> {
    pub(crate) fn new(
        request: &'a Request<'a>,
        offer: Offer<'a>,
        params: Params<'a>,
        context: Context,
    ) -> Self {
        let switching = Switching {
            accept_key: offer.accept_key(),
            subprotocol: None,
            deflate: context.deflate,
            headers: Vec::new(),
        };
        Self { request, offer, params, context, switching }
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
        self.context.peer
    }

    /// The name that the connection will have.
    pub fn connection(&self) -> ConnectionId {
        self.context.remote.id()
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

    /// Compresses messages (permessage-deflate, RFC 7692) when the client offers it, in this way rather than
    /// in the [server's](crate::Server::deflate). A shard tells 255 pairs of level and smallest size apart:
    /// from there on a connection with yet another is treated as the last of them.
    ///
    /// # Panics
    /// When the options are not [valid](DeflateOptions::check).
    pub fn deflate(mut self, options: DeflateOptions) -> Self {
        self.switching.deflate(options);
        self
    }

    /// Does not compress, whatever the server does elsewhere.
    pub fn no_deflate(mut self) -> Self {
        self.switching.deflate = None;
        self
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
        let accepted = self.switching.accept(self.offer.extensions(), self.context.room);
        Answer(Verdict::Accept { accepted, handler })
    }

    /// Answers with an ordinary response, such as 401 or 403, and closes.
    pub fn reject(self, response: Response) -> Answer {
        Answer(Verdict::Reject(response))
    }

    /// Decides later, on any thread. The handshake timeout goes on running.
    pub fn defer(self) -> (Answer, Deferred) {
        let deferred = Deferred {
            request: self.request.to_owned_request(),
            remote: self.context.remote,
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
    Accept {
        accepted: Accepted,
        /// Instead of that, should the shard have no room for a window by then.
        without_window: Accepted,
        handler: Box<dyn FnOnce() -> Box<dyn Handler> + Send>,
    },
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

    /// As [`Upgrade::deflate`].
    ///
    /// # Panics
    /// As there.
    pub fn deflate(&mut self, options: DeflateOptions) {
        self.switching.deflate(options);
    }

    /// As [`Upgrade::no_deflate`].
    pub fn no_deflate(&mut self) {
        self.switching.deflate = None;
    }

    /// As [`Upgrade::accept`].
    pub fn accept(self, handler: impl Handler + Send) {
        let request = self.request();
        // It was valid when it arrived.
        let offer = Offer::check(&request).ok();
        let extensions = offer.as_ref().map_or(&[][..], Offer::extensions);
        let accepted = self.switching.accept(extensions, true);
        let without_window = self.switching.accept(extensions, false);
        let handler = Box::new(move || Box::new(handler) as Box<dyn Handler>);
        self.decide(Decision::Accept { accepted, without_window, handler });
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

    fn deflate(&mut self, options: DeflateOptions) {
        options.check().unwrap_or_else(|fault| panic!("these cannot be: {options:?}: {fault}"));
        self.deflate = Some(options);
    }

    /// The answer to what the client offers. `room`: for a window that outlives messages.
    fn accept(&self, offers: &[ExtensionOffer<'_>], room: bool) -> Accepted {
        let options = self.deflate;
        let agreed = options.and_then(|options| Some((options, options.accept(offers, room)?)));
        let (deflate, extensions) = match agreed {
            Some((options, (deflate, value))) => (Some((deflate, options)), Some(value)),
            None => (None, None),
        };
        Accepted { head: self.head(extensions.as_deref()), deflate }
    }

    fn head(&self, extensions: Option<&str>) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        write_switching(&mut head, &self.accept_key, self.subprotocol.as_deref(), extensions, &headers)
            .expect("headers were checked as they were added, the others chosen from what is well-formed");
        head
    }
}
