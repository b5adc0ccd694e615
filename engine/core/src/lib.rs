//! A WebSocket engine for Linux on io_uring, one shard per core.
//!
//! ```no_run
//! use wsring::{Conn, Message, Server};
//!
//! fn main() -> Result<(), wsring::Error> {
//!     Server::new()
//!         .listen("127.0.0.1:8080")
//!         .websocket("/", |upgrade| {
//!             upgrade.accept(|conn: &mut Conn<'_>, message: Message<'_>| {
//!                 let _ = conn.send(message);
//!             })
//!         })
//!         .run()
//! }
//! ```
//!
//! * [`Server`] collects listeners, [`Settings`] and routes, and starts the shards; [`Running`] stops
//!   them in order.
//! * A route answers an [`Upgrade`] with accept, reject, or [`defer`](Upgrade::defer) (the decision
//!   comes later, from any thread); plain HTTP routes stand beside it on the same port.
//! * A [`Handler`] is the state of one connection; it lives on one shard and is never called from two
//!   threads. What it may do is [`Conn`]; [`Remote`] reaches a connection from any thread; a
//!   [`Topic`] reaches all its subscribers, and keeps messages for those that come later.
//! * [`Server::deflate`] and [`ConnectOptions::deflate`] compress messages where both ends want it; what is
//!   published to a topic is compressed once for all its subscribers.
//! * [`Client`] opens connections on shards of the same kind; a [`Driver`] there sends at times of its own.
//!
//! What a shard is, and what happens in one turn of its loop, is drawn in `docs/architecture.md`.

#[cfg(feature = "tokio-uring")]
pub mod adapter;
mod address;
mod client;
mod cluster;
mod conn;
mod driver;
mod error;
mod figures;
mod flow;
mod handler;
mod limits;
mod placement;
mod remote;
mod reply;
mod route;
mod running;
mod server;
mod settings;
mod shard;
mod subscribing;
mod topic;
mod upgrade;

pub use client::{Client, ConnectOptions, OpenFailure, Steps};
pub use cluster::ConnectionId;
pub use conn::{Conn, Sent};
pub use driver::{Again, Driver, Turn};
pub use error::Error;
pub use figures::{Observer, ShardFigures, Slow, TopicFigures};
pub use handler::{Closed, Handler};
pub use placement::Placement;
pub use remote::Remote;
pub use reply::{Events, Reply};
pub use route::HttpRequest;
pub use running::{Drain, DrainReport, Running, Stopper};
pub use server::Server;
pub use settings::{Settings, SlowPeer};
pub use topic::{
    Behind, Deflated, Form, Framing, Gap, GapReason, Missed, Pattern, Publication, Published, Publisher,
    Retention, SharedDeflate, Start, Subscribed, Topic, TopicError, TopicInfo, TopicRule, TopicSettings,
};
pub use upgrade::{Answer, Deferred, Upgrade};

pub use wsring_io::{CloseHow, Time};
pub use wsring_proto::deflate::{Deflate, DeflateOptions, InvalidDeflateOptions};
pub use wsring_proto::handshake::Agreement;
pub use wsring_proto::handshake::Url;
pub use wsring_proto::http::{Request, Response};
pub use wsring_proto::simd::Level as SimdLevel;
pub use wsring_proto::{CloseCode, Kind, Limits, Message};

/// What a simulation needs to run shards by hand; not part of the stable interface.
#[doc(hidden)]
pub mod simulate {
    pub use crate::shard::Shard;
}
