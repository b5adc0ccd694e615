//! What is connected to, from where, and what each connection says of itself in its opening handshake.

use crate::args::{Common, ConnectionOptions};
use crate::failure::Failure;
use crate::sources::Sources;
use crate::template::{Data, Place, Template};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::time::Duration;
use wsring::{ConnectOptions, DeflateOptions};
use wsring_proto::handshake::Opening;

/// How long the kernel remembers a connection of which it has closed its end first (TIME_WAIT).
pub(crate) const TIME_WAIT: Duration = Duration::from_secs(60);

/// The server, looked up once, and the openings of connections to it.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    sources: Sources,
    url: Template,
    origin: Option<Template>,
    subprotocols: Vec<Template>,
    headers: Vec<(String, Template)>,
    receive_buffer_bytes: Option<u32>,
    deflate: Option<DeflateOptions>,
    data: Data,
    /// What all openings have in common, where that is everything but the source.
    fixed: Option<ConnectOptions>,
    random: RandomState,
}

impl Target {
    /// Checks that so many connections can be opened at once. `ports` is how many ports they take, those that have
    /// just ended included.
    ///
    /// # Errors
    /// The caller's fault: a malformed URL, template or data file, or too few source addresses. The environment's:
    /// the host has no address.
    pub(crate) fn new(common: &Common, ports: u64) -> Result<Self, Failure> {
        let options = &common.connection;
        let data =
            options.data.as_deref().map(Data::read).transpose().map_err(Failure::Usage)?.unwrap_or_default();
        let template = |text: &String| Template::parse(text, &data).map_err(Failure::Usage);
        let url = template(&common.url)?;
        let first = url.fill(&data, 0, 0, Place::Url);
        let address = connect_options(&first)?.resolve()?;
        let mut target = Self {
            address,
            sources: Sources::plan(options, address, ports)?,
            url,
            origin: options.origin.as_ref().map(template).transpose()?,
            subprotocols: options.subprotocol.iter().map(template).collect::<Result<_, _>>()?,
            headers: headers(options, &data)?,
            receive_buffer_bytes: options
                .receive_buffer
                .map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
            deflate: options.compression.offer(),
            data,
            fixed: None,
            random: RandomState::new(),
        };
        target.check()?;
        if target.is_fixed() {
            target.fixed = Some(target.fill(0)?);
        }
        Ok(target)
    }

    /// How many source addresses there are.
    pub(crate) fn sources(&self) -> u32 {
        self.sources.count()
    }

    /// Whether each connection is given a port, so that another one can be tried.
    pub(crate) fn chooses_ports(&self) -> bool {
        self.sources.has_ports()
    }

    /// The server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What each connection offers to do about compression.
    pub(crate) fn deflate(&self) -> Option<DeflateOptions> {
        self.deflate
    }

    /// What to know about the data before trusting the figures.
    pub(crate) fn warning(&self, connections: u32) -> Option<String> {
        let rows = self.data.rows();
        (rows > 0 && rows < connections as usize).then(|| {
            format!("--data has {rows} lines of values for {connections} connections: they are used again")
        })
    }

    /// How the connection with this number is opened, on this shard; each call takes another port.
    ///
    /// # Errors
    /// The caller's fault: with its values the URL is none.
    pub(crate) fn options(&self, number: u32, shard: usize) -> Result<ConnectOptions, Failure> {
        let options = match &self.fixed {
            Some(fixed) => fixed.clone(),
            None => self.fill(number)?,
        };
        let options = options.shard(shard);
        Ok(match self.sources.next() {
            Some(source) => options.from(source),
            None => options,
        })
    }

    fn is_fixed(&self) -> bool {
        let headers = self.headers.iter().map(|(_, value)| value);
        let mut all = headers.chain(&self.subprotocols).chain(&self.origin).chain([&self.url]);
        all.all(Template::is_fixed)
    }

    /// Writes what the first connection says of itself, as it will stand in its request.
    ///
    /// # Errors
    /// The caller's fault: that is no header, or no subprotocol.
    fn check(&self) -> Result<(), Failure> {
        let fill = |template: &Template| template.fill(&self.data, 0, 0, Place::Header);
        let mut opening = Opening::new([0; 16]).host("localhost");
        if let Some(origin) = &self.origin {
            opening = opening.origin(&fill(origin));
        }
        for subprotocol in &self.subprotocols {
            opening = opening.subprotocol(&fill(subprotocol));
        }
        for (name, value) in &self.headers {
            opening = opening.header(name, &fill(value));
        }
        let wrong = |cause| Failure::Usage(format!("the request cannot be sent: {cause}"));
        opening.write(&mut Vec::new()).map_err(wrong)
    }

    /// Everything but the source.
    fn fill(&self, number: u32) -> Result<ConnectOptions, Failure> {
        let mut hasher = self.random.build_hasher();
        hasher.write_u32(number);
        let random = hasher.finish();
        let fill = |template: &Template, place| template.fill(&self.data, number, random, place);
        let mut options = connect_options(&fill(&self.url, Place::Url))?.to(self.address);
        if let Some(origin) = &self.origin {
            options = options.origin(&fill(origin, Place::Header));
        }
        for subprotocol in &self.subprotocols {
            options = options.subprotocol(&fill(subprotocol, Place::Header));
        }
        for (name, value) in &self.headers {
            options = options.header(name, &fill(value, Place::Header));
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            options = options.receive_buffer_bytes(bytes);
        }
        if let Some(deflate) = self.deflate {
            options = options.deflate(deflate);
        }
        Ok(options)
    }
}

fn connect_options(url: &str) -> Result<ConnectOptions, Failure> {
    ConnectOptions::new(url).map_err(|error| Failure::Usage(error.to_string()))
}

/// All headers that are asked for: as such, as cookies, and as a token.
fn headers(options: &ConnectionOptions, data: &Data) -> Result<Vec<(String, Template)>, Failure> {
    let mut headers = options.header.clone();
    if let Some(cookie) = options.cookie.iter().find(|cookie| !cookie.contains('=')) {
        return Err(Failure::Usage(format!("--cookie {cookie:?} is none; write it as 'name=value'")));
    }
    if !options.cookie.is_empty() {
        // RFC 6265 section 5.4: all of them in one header.
        headers.push(("Cookie".into(), options.cookie.join("; ")));
    }
    if let Some(token) = &options.bearer {
        headers.push(("Authorization".into(), format!("Bearer {token}")));
    }
    let parsed = headers.into_iter().map(|(name, value)| Ok((name, Template::parse(&value, data)?)));
    parsed.collect::<Result<_, _>>().map_err(Failure::Usage)
}
