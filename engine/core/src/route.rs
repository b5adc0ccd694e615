//! Which route answers a request.

use crate::Error;
use crate::reply::Reply;
use crate::upgrade::{Answer, Upgrade};
use std::borrow::Cow;
use std::net::IpAddr;
use wsring_proto::deflate::DeflateOptions;
use wsring_proto::http::{Request, percent_decode};

pub(crate) type WebSocketRoute = dyn Fn(Upgrade<'_>) -> Answer + Send + Sync;
pub(crate) type HttpRoute = dyn Fn(&HttpRequest<'_>) -> Reply + Send + Sync;

/// All routes of a server. A path is literal, or has `{name}` in place of a segment, or ends in
/// `/{*name}` for whatever follows, nothing included. The more literal route wins.
#[derive(Default)]
pub struct Routes {
    router: matchit::Router<usize>,
    /// Paths that a wildcard matches with nothing in its place.
    roots: Vec<(String, usize)>,
    endpoints: Vec<Endpoint>,
    /// What WebSocket routes do about compression unless they say otherwise.
    pub(crate) deflate: Option<DeflateOptions>,
}

/// What stands at one path.
#[derive(Default)]
pub(crate) struct Endpoint {
    path: String,
    pub(crate) websocket: Option<Box<WebSocketRoute>>,
    http: Vec<(&'static str, Box<HttpRoute>)>,
}

impl Routes {
    pub(crate) fn add_websocket(&mut self, path: &str, route: Box<WebSocketRoute>) -> Result<(), Error> {
        let endpoint = self.endpoint(path)?;
        if endpoint.websocket.replace(route).is_some() {
            return Err(Error::Route { path: path.into(), cause: "has a WebSocket route already".into() });
        }
        Ok(())
    }

    pub(crate) fn add_http(
        &mut self,
        method: &'static str,
        path: &str,
        route: Box<HttpRoute>,
    ) -> Result<(), Error> {
        let endpoint = self.endpoint(path)?;
        if endpoint.http.iter().any(|(taken, _)| *taken == method) {
            return Err(Error::Route { path: path.into(), cause: format!("has a {method} route already") });
        }
        endpoint.http.push((method, route));
        Ok(())
    }

    /// All routes are there: wildcards may take their roots. Not before, whatever the order in which
    /// they came, since a route of its own at such a path goes first.
    pub(crate) fn complete(mut self) -> Self {
        for (root, index) in std::mem::take(&mut self.roots) {
            // Refused where a route of its own stands.
            let _ = self.router.insert(root, index);
        }
        self
    }

    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<(&'a Endpoint, Params<'a>)> {
        let found = self.router.at(path).ok()?;
        Some((&self.endpoints[*found.value], Params(Some(found.params))))
    }

    fn endpoint(&mut self, path: &str) -> Result<&mut Endpoint, Error> {
        if let Some(index) = self.endpoints.iter().position(|endpoint| endpoint.path == path) {
            return Ok(&mut self.endpoints[index]);
        }
        let index = self.endpoints.len();
        if !path.starts_with('/') {
            return Err(Error::Route { path: path.into(), cause: "does not begin with /".into() });
        }
        let wrong =
            |cause: matchit::InsertError| Error::Route { path: path.into(), cause: cause.to_string() };
        self.router.insert(path, index).map_err(wrong)?;
        if let Some((root, _)) = path.rsplit_once("{*") {
            self.roots.push((root.into(), index));
        }
        self.endpoints.push(Endpoint { path: path.into(), ..Endpoint::default() });
        Ok(&mut self.endpoints[index])
    }
}

impl Endpoint {
    /// The route for a method; HEAD is answered by GET's.
    pub(crate) fn http(&self, method: &str) -> Option<&HttpRoute> {
        let wanted = if method == "HEAD" { "GET" } else { method };
        self.http.iter().find(|(method, _)| *method == wanted).map(|(_, route)| &**route)
    }

    /// What the Allow header of a 405 says.
    pub(crate) fn allowed(&self) -> String {
        let mut methods: Vec<&str> = self.http.iter().map(|(method, _)| *method).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        if methods.is_empty() {
            methods.push("GET");
        }
        methods.join(", ")
    }
}

/// The `{name}` parts of a matched path.
#[derive(Debug, Default)]
pub(crate) struct Params<'a>(Option<matchit::Params<'a, 'a>>);

impl<'a> Params<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.0.as_ref()?.get(name).map(percent_decode)
    }
}

/// A plain HTTP request with its whole body.
pub struct HttpRequest<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) params: Params<'a>,
    pub(crate) body: &'a [u8],
    pub(crate) peer: Option<IpAddr>,
}

impl<'a> HttpRequest<'a> {
    /// The head: method, path, query, headers, cookies.
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

    /// The body; empty when there was none.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}
