//! Building and starting a server.

use crate::cluster::{ACCEPTOR, Cluster};
use crate::error::Error;
use crate::figures::Observer;
use crate::placement::Placement;
use crate::reply::Reply;
use crate::route::{HttpRequest, Routes};
use crate::running::Running;
use crate::settings::Settings;
use crate::shard::{Command, Shard, Start, start_shards};
use crate::topic::{
    Encoding, Form, Framing, Publication, Publisher, SharedDeflate, Topic, TopicError, TopicRule,
};
use crate::upgrade::{Answer, Upgrade};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use wsring_io::Io;
use wsring_proto::deflate::DeflateOptions;

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
    cluster: Arc<Cluster>,
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

    /// Compresses messages (permessage-deflate, RFC 7692) with all clients that offer it, unless a route
    /// [says otherwise](Upgrade::deflate). Not by default: it pays where messages are long and alike, and the
    /// network is dearer than the processor.
    pub fn deflate(mut self, options: DeflateOptions) -> Self {
        let result = options.check().map_err(Error::Deflate);
        self.routes.deflate = Some(options);
        self.note(result)
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

    /// Answers GET and HEAD requests on `path`, with a [`Response`](crate::Response) or
    /// [`Events`](crate::Events).
    pub fn get<R: Into<Reply>>(
        self,
        path: &str,
        route: impl Fn(&HttpRequest<'_>) -> R + Send + Sync + 'static,
    ) -> Self {
        self.http("GET", path, route)
    }

    /// Answers POST requests on `path`.
    pub fn post<R: Into<Reply>>(
        self,
        path: &str,
        route: impl Fn(&HttpRequest<'_>) -> R + Send + Sync + 'static,
    ) -> Self {
        self.http("POST", path, route)
    }

    /// Answers requests with another method on `path`.
    pub fn http<R: Into<Reply>>(
        mut self,
        method: &'static str,
        path: &str,
        route: impl Fn(&HttpRequest<'_>) -> R + Send + Sync + 'static,
    ) -> Self {
        let route = move |request: &HttpRequest<'_>| route(request).into();
        let result = self.routes.add_http(method, path, Box::new(route));
        self.note(result)
    }

    /// The topics of this server, to be published to from any thread, before it has started too.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::clone(&self.cluster))
    }

    /// What will be going on.
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.cluster))
    }

    /// The topic with a name: [`Publisher::topic`].
    ///
    /// # Errors
    /// As there.
    pub fn topic(&self, name: &str) -> Result<Topic, TopicError> {
        self.publisher().topic(name)
    }

    /// Adds a form in which messages can be subscribed to. `encode` appends to an empty vector what goes
    /// out for a message; it is called once for each message of a topic with subscribers in the form, by
    /// whoever publishes, and must neither block nor publish.
    ///
    /// # Panics
    /// When there are eight forms already, the published one included.
    pub fn form(
        &self,
        framing: Framing,
        encode: impl Fn(&Publication<'_>, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Form {
        self.cluster.registry().add_form(Encoding::new(framing, encode))
    }

    /// Sets how topics are treated whose name matches a rule; the first that matches counts, and without
    /// one the default. Concerns topics made later.
    pub fn topic_rules(self, rules: Vec<TopicRule>) -> Self {
        let wrong = |cause: TopicError| Error::Topic(cause);
        let result = self.cluster.registry().set_rules(rules).map_err(wrong);
        self.note(result)
    }

    /// How many topics there may be: 2,000,000.
    pub fn topics_max(self, max: usize) -> Self {
        self.cluster.registry().set_topics_max(max);
        self
    }

    /// Memory that the logs of all topics may take up together: 4 GiB. Beyond it each keeps little more
    /// than its newest messages.
    pub fn retained_bytes_max(self, max: usize) -> Self {
        self.cluster.registry().set_retained_bytes_max(max);
        self
    }

    /// How messages of topics are deflated for those who have agreed on permessage-deflate: once for all.
    pub fn shared_deflate(self, settings: SharedDeflate) -> Self {
        let result = settings.check();
        if result.is_ok() {
            self.cluster.registry().set_shared_deflate(settings);
        }
        self.note(result)
    }

    /// Starts the shards and returns when all of them serve.
    ///
    /// # Errors
    /// The caller's fault: an address, a setting or a route. The environment's: a port in use, a
    /// kernel that gives no ring. The text names the remedy.
    pub fn start(self) -> Result<Running, Error> {
        self.settings.check()?;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.listen.is_empty() {
            return Err(Error::NoListener);
        }
        let cluster = self.cluster;
        let table = wsring_io::uring::Config::default().sockets_max;
        cluster.start(self.settings.shard_count(table, self.settings.accept_margin(table))?);
        let backlog = self.settings.backlog_of(self.listen.len(), table);
        let (listeners, addresses) =
            listen(&self.listen, self.settings.placement, cluster.shards(), backlog)?;
        let threads = start_shards(&cluster, self.settings, Arc::new(self.routes.complete()), listeners)?;
        Ok(Running { cluster, threads, addresses })
    }

    /// Starts and serves until the process is killed.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when a shard is lost.
    pub fn run(self) -> Result<(), Error> {
        self.start()?.join().map(drop)
    }

    /// The same server on speakers of the caller's choice, one per shard: shards to be turned by hand.
    /// Addresses have no meaning here. With [`Placement::HandOver`] the first one accepts.
    ///
    /// # Errors
    /// The caller's fault: a setting or a route.
    #[doc(hidden)]
    pub fn simulate<I: Io>(self, speakers: Vec<I>) -> Result<(Running, Vec<Shard<I>>), Error> {
        self.settings.check()?;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (cluster, settings, routes) =
            (self.cluster, Arc::new(self.settings), Arc::new(self.routes.complete()));
        cluster.start(speakers.len());
        cluster.registry().simulate_time(wsring_io::Time(0));
        let mut shards = Vec::new();
        for (shard, speaker) in speakers.into_iter().enumerate() {
            let accepts = settings.placement == Placement::ReusePort || shard == ACCEPTOR;
            let (settings, routes) = (Arc::clone(&settings), Arc::clone(&routes));
            let cluster = Arc::clone(&cluster);
            let seed = [shard as u8; 32];
            shards.push(Shard::new(speaker, Start { cluster, shard, settings, routes, accepts, seed }));
        }
        cluster.send_all(|| Command::AcceptResume);
        Ok((Running { cluster, threads: Vec::new(), addresses: Vec::new() }, shards))
    }

    fn note(mut self, result: Result<(), Error>) -> Self {
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
        self
    }
}

/// A listener per address and accepting shard, and the addresses as they came to be.
type Listeners = (Vec<Vec<TcpListener>>, Vec<SocketAddr>);

fn listen(texts: &[String], placement: Placement, shards: usize, backlog: i32) -> Result<Listeners, Error> {
    let acceptors = match placement {
        Placement::HandOver => 1,
        Placement::ReusePort => shards,
    };
    let mut listeners: Vec<Vec<TcpListener>> = (0..shards).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for text in texts {
        let mut address = resolve(text)?;
        for listeners in listeners.iter_mut().take(acceptors) {
            let listener = bind(address, placement, backlog)?;
            address = listener.local_addr().map_err(|cause| Error::Listen { address, cause })?;
            listeners.push(listener);
        }
        addresses.push(address);
    }
    Ok((listeners, addresses))
}

fn resolve(text: &str) -> Result<SocketAddr, Error> {
    let addresses = text.to_socket_addrs().ok();
    addresses.and_then(|mut all| all.next()).ok_or_else(|| Error::Address { address: text.into() })
}

/// A listener whose sockets inherit TCP_NODELAY: without it the answers of a turn may wait 40 ms for
/// the acknowledgement of those before.
fn bind(address: SocketAddr, placement: Placement, backlog: i32) -> Result<TcpListener, Error> {
    let bound = || {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(placement == Placement::ReusePort)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|cause| Error::Listen { address, cause })
}
