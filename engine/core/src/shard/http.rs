//! Plain HTTP requests and opening handshakes.
//!
//! A request that arrives whole is read where it lies in the receive buffer; one that comes in pieces
//! is gathered. Requests may follow each other without waiting for the answers.

use super::hands::{After, Hands};
use super::session::{Http, Phase, Stream};
use crate::handler::Handler;
use crate::limits::UNSENT_ANSWERS_BYTES_MAX;
use crate::reply::{Events, Reply};
use crate::route::{Endpoint, HttpRequest, Params};
use crate::upgrade::{Accepted, Context, Upgrade, Verdict};
use std::net::IpAddr;
use wsring_proto::deflate::{Deflate, DeflateOptions};
use wsring_proto::handshake::Offer;
use wsring_proto::http::{self, Body, Refusal, Request, Response, WriteAs};
use wsring_proto::{Connection, Role};

/// What one look at the input came to.
enum Step {
    /// The request is not there yet.
    More,
    /// Answered; this many bytes were the request.
    Next(usize),
    /// Accepted as a WebSocket.
    Switch { taken: usize },
    /// Answered with a stream of events.
    Stream,
    /// The decision comes later.
    Deferred { taken: usize },
    /// Answered, and this was the last request.
    Over(After),
}

impl Hands<'_> {
    /// Input of a connection that speaks HTTP.
    pub(super) fn http(&mut self, input: &mut [u8]) -> After {
        let mut pending = match &mut self.session.phase {
            Phase::Http(http) => std::mem::take(&mut http.pending),
            _ => return After::Lost,
        };
        let mut at = 0;
        if pending.is_empty() {
            let after = self.requests(input, &mut at, true);
            self.keep(|| input[at..].to_vec());
            return after;
        }
        pending.extend_from_slice(input);
        self.local.input_stays = None;
        let after = self.requests(&mut pending, &mut at, false);
        self.keep(|| {
            pending.drain(..at);
            if pending.is_empty() { Vec::new() } else { pending }
        });
        after
    }

    /// Keeps the beginning of a request for later input.
    fn keep(&mut self, rest: impl FnOnce() -> Vec<u8>) {
        if let Phase::Http(http) = &mut self.session.phase {
            http.pending = rest();
        }
    }

    /// Answers the requests in `input` from `at` on, which ends behind the last whole one. `stays`:
    /// the input is a receive buffer.
    fn requests(&mut self, input: &mut [u8], at: &mut usize, stays: bool) -> After {
        let mut after = After::Open;
        loop {
            match self.request(&input[*at..]) {
                Step::Next(taken) => {
                    *at += taken;
                    after = After::Answered;
                }
                Step::Switch { taken } => {
                    *at += taken;
                    return self.opened(&mut input[*at..], stays.then_some(*at));
                }
                Step::Stream => return self.opened(&mut [], None),
                Step::Deferred { taken } => {
                    self.session.phase = Phase::Deferred(input[*at + taken..].to_vec());
                    return After::Open;
                }
                Step::Over(after) => return after,
                Step::More => return after,
            }
        }
    }

    /// Looks for one request at the front of `input` and answers it.
    fn request(&mut self, input: &[u8]) -> Step {
        let Phase::Http(Http { searched, .. }) = &mut self.session.phase else {
            return Step::Over(After::Lost);
        };
        let limits = &self.local.settings.head;
        // Where a head has ended, its end is looked for anew when more of the body is there.
        let Some(end) = http::head_end(input, std::mem::take(searched)) else {
            *searched = input.len();
            return match http::check_unfinished(input, limits) {
                Ok(()) => Step::More,
                Err(refusal) => self.refuse(refusal),
            };
        };
        let request = match Request::parse(&input[..end], limits) {
            Ok(request) => request,
            Err(refusal) => return self.refuse(refusal),
        };
        let length = match request.body() {
            Body::None => 0,
            Body::Length(length) if length > self.local.settings.body_bytes_max as u64 => {
                let max = self.local.settings.body_bytes_max;
                return self.refuse(Refusal::new(
                    413,
                    format!("the body has {length} bytes, at most {max} are taken"),
                ));
            }
            Body::Length(length) => length as usize,
        };
        if let Some(body) = input.get(end..end + length) {
            return self.answer(&request, body, end + length);
        }
        // A body that nobody will take is not gathered first.
        match self.no_route(&request) {
            Some(response) => self.reject(&response),
            None => {
                self.invite(&request);
                Step::More
            }
        }
    }

    /// Tells a client that waits for it to send its body (RFC 9110 section 10.1.1), once.
    fn invite(&mut self, request: &Request<'_>) {
        let Phase::Http(http) = &mut self.session.phase else { return };
        if request.expects_continue() && !http.continue_sent {
            http.continue_sent = true;
            self.output.compose(|bytes| bytes.extend_from_slice(http::CONTINUE));
        }
    }

    fn answer(&mut self, request: &Request<'_>, body: &[u8], taken: usize) -> Step {
        if let Phase::Http(http) = &mut self.session.phase {
            http.continue_sent = false;
        }
        let routes = self.routes;
        let found = routes.find(request.path());
        if let Some((endpoint, params)) = found {
            if endpoint.websocket.is_some() && request.wants_upgrade() {
                return self.upgrade(request, endpoint, params, taken);
            }
            if let Some(route) = endpoint.http(request.method()) {
                return match route(&HttpRequest { request, params, body, peer: self.peer() }) {
                    Reply::Response(response) => self.respond(request, &response, taken),
                    Reply::Events(events) => self.stream_events(request, events),
                };
            }
        }
        match self.no_route(request) {
            Some(response) if response.status() == 426 => self.reject(&response),
            Some(response) => self.respond(request, &response, taken),
            None => self.respond(request, &Response::empty(500), taken),
        }
    }

    /// The answer to a request that no route takes; `None` when one does.
    fn no_route(&self, request: &Request<'_>) -> Option<Response> {
        let Some((endpoint, _)) = self.routes.find(request.path()) else {
            return Some(Response::text(404, "404 Not Found: nothing is served at this path\n"));
        };
        let speaks_websocket = endpoint.websocket.is_some();
        if endpoint.http(request.method()).is_some() || (speaks_websocket && request.wants_upgrade()) {
            return None;
        }
        if speaks_websocket && request.method() == "GET" {
            return Some(Refusal::upgrade_required("this path speaks WebSocket only").into());
        }
        Some(no_such_method(request, endpoint))
    }

    fn peer(&self) -> Option<IpAddr> {
        self.local.peers.get(&self.session.socket.slot()).copied()
    }

    fn upgrade(
        &mut self,
        request: &Request<'_>,
        endpoint: &Endpoint,
        params: Params<'_>,
        taken: usize,
    ) -> Step {
        let Some(route) = &endpoint.websocket else { return Step::Over(After::Lost) };
        let offer = match Offer::check(request) {
            Ok(offer) => offer,
            Err(refusal) => return self.refuse(refusal),
        };
        let context = Context {
            remote: self.local.cluster.remote(self.id()),
            peer: self.peer(),
            deflate: self.routes.deflate,
            room: self.resources.has_room_for_context(),
        };
        match route(Upgrade::new(request, offer, params, context)).0 {
            Verdict::Accept { accepted, handler } => {
                self.accept(accepted, handler);
                Step::Switch { taken }
            }
            Verdict::Deferred => Step::Deferred { taken },
            Verdict::Reject(response) => self.reject(&response),
        }
    }

    /// Answers that it is a WebSocket from now on.
    pub(super) fn accept(&mut self, accepted: Accepted, handler: Box<dyn Handler>) {
        self.output.compose(|bytes| bytes.extend_from_slice(&accepted.head));
        let protocol = self.protocol(accepted.deflate);
        self.session.phase = Phase::Server(Stream::new(protocol, handler));
    }

    /// The protocol of a connection that has agreed on something about compression, or nothing.
    pub(super) fn protocol<R: Role>(&mut self, agreed: Option<(Deflate, DeflateOptions)>) -> Connection<R> {
        let Some((agreed, options)) = agreed else { return Connection::new() };
        self.session.flow.compression = Some(self.local.compressing.agreed(agreed, &options));
        Connection::with_deflate(agreed, self.resources)
    }

    /// Begins a stream of events. What the client sends after its request is thrown away.
    fn stream_events(&mut self, request: &Request<'_>, events: Events) -> Step {
        self.output.compose(|bytes| events.head.write_open_ended(bytes));
        if request.write_as().head_only {
            return Step::Over(After::Finish);
        }
        self.session.phase = Phase::Events(Some(events.handler));
        Step::Stream
    }

    fn respond(&mut self, request: &Request<'_>, response: &Response, taken: usize) -> Step {
        let how = request.write_as();
        // Requests may come in faster than their answers go out; small ones may have large answers.
        let unsent = self.session.flow.unsent_bytes() + self.output.len();
        let close = how.close || self.closing || unsent >= UNSENT_ANSWERS_BYTES_MAX;
        let how = WriteAs { close, ..how };
        self.output.compose(|bytes| response.write(bytes, how));
        if how.close { Step::Over(After::Finish) } else { Step::Next(taken) }
    }

    fn refuse(&mut self, refusal: Refusal) -> Step {
        self.reject(&Response::from(refusal))
    }

    /// Answers and closes; what the client has sent after it is not taken for another request.
    fn reject(&mut self, response: &Response) -> Step {
        self.output.compose(|bytes| response.write(bytes, WriteAs { head_only: false, close: true }));
        Step::Over(After::Linger)
    }
}

fn no_such_method(request: &Request<'_>, endpoint: &Endpoint) -> Response {
    let allowed = endpoint.allowed();
    let text = format!("405 Method Not Allowed: {} is not served here, only {allowed}\n", request.method());
    let response = Response::text(405, text);
    response.clone().header("Allow", &allowed).unwrap_or(response)
}
