//! Building and starting a server.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::placement::Placement;
use crate::route::{HttpRequest, Routes};
use crate::running::Running;
use crate::settings::Settings;
use crate::shard::start_shards;
use crate::topic::Topic;
use crate::upgrade::{Answer, Upgrade};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use wsring_proto::http::Response;

/// A server to be: listeners, settings and routes. [`start`](Self::start) it, or
/// [`run`](Self::run) it until the process ends.
///
/// What is wrong with an address or a route is reported by `start`.
#[derive(Default)]
pub struct Server {
    listen: Vec<String>,
    settings: Settings,
    routes: Routes,
    fault: Option<Error>,
}

impl Server {
    /// A server with default settings that listens nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens on an address such as `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`; port 0 lets
    /// the kernel choose. May be called several times.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(address.into());
        self
    }

    /// Replaces the settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Answers opening handshakes on `path`, which is literal, has `{name}` for a segment, or ends in
    /// `/{*name}` for everything below.
    pub fn websocket(
        mut self,
        path: &str,
        route: impl Fn(Upgrade<'_>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let result = self.routes.add_websocket(path, Box::new(route));
        self.note(result)
    }

    /// Answers GET and HEAD requests on `path`.
    pub fn get(self, path: &str, route: impl Fn(&HttpRequest<'_>) -> Response + Send + Sync + 'static) -> Self {
        self.http("GET", path, route)
    }

    /// Answers POST requests on `path`.
    pub fn post(self, path: &str, route: impl Fn(&HttpRequest<'_>) -> Response + Send + Sync + 'static) -> Self {
        self.http("POST", path, route)
    }

    /// Answers requests with another method on `path`.
    pub fn http(
        mut self,
        method: &'static str,
        path: &str,
        route: impl Fn(&HttpRequest<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        let result = self.routes.add_http(method, path, Box::new(route));
        self.note(result)
    }

    /// Fixes the number of shards and gives the topics that routes need: `make` is called once with
    /// a function that makes topics, and returns the server with the routes that use them.
    pub fn start_with(self, make: impl FnOnce(Self, &dyn Fn() -> Topic) -> Self) -> Result<Running, Error> {
        self.settings.check()?;
        let shards = self.settings.shard_count(wsring_io::uring::Config::default().sockets_max);
        let cluster = Cluster::new(shards);
        let server = make(self, &|| Topic::new(Arc::clone(&cluster)));
        server.start_on(cluster)
    }

    /// Starts the shards and returns when all of them serve.
    ///
    /// # Errors
    /// The caller's fault: an address, a setting or a route. The environment's: a port in use, a
    /// kernel that gives no ring. The text names the remedy.
    pub fn start(self) -> Result<Running, Error> {
        self.start_with(|server, _| server)
    }

    /// Starts and serves until the process is killed.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when a shard is lost.
    pub fn run(self) -> Result<(), Error> {
        self.start()?.join().map(drop)
    }

    fn note(mut self, result: Result<(), Error>) -> Self {
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
        self
    }

    fn start_on(self, cluster: Arc<Cluster>) -> Result<Running, Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.listen.is_empty() {
            return Err(Error::NoListener);
        }
        let acceptors = match self.settings.placement {
            Placement::HandOver => 1,
            Placement::ReusePort => cluster.shards(),
        };
        let mut listeners: Vec<Vec<TcpListener>> = (0..cluster.shards()).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for text in &self.listen {
            let mut address = resolve(text)?;
            for listeners in listeners.iter_mut().take(acceptors) {
                let listener = bind(address, &self.settings)?;
                address = listener.local_addr().map_err(|cause| Error::Listen { address, cause })?;
                listeners.push(listener);
            }
            addresses.push(address);
        }
        let threads = start_shards(&cluster, self.settings, Arc::new(self.routes), listeners)?;
        Ok(Running { cluster, threads, addresses })
    }
}

fn resolve(text: &str) -> Result<SocketAddr, Error> {
    let addresses = text.to_socket_addrs().ok();
    addresses.and_then(|mut all| all.next()).ok_or_else(|| Error::Address { address: text.into() })
}

/// A listener whose sockets inherit TCP_NODELAY: without it the answers of a turn may wait 40 ms for
/// the acknowledgement of those before.
fn bind(address: SocketAddr, settings: &Settings) -> Result<TcpListener, Error> {
    let bound = || {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(settings.placement == Placement::ReusePort)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(settings.backlog)?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|cause| Error::Listen { address, cause })
}
