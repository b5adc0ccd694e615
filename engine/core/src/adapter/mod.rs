//! WebSockets over [`tokio_uring::net::TcpStream`], for programs that already run tokio-uring.
//!
//! ```no_run
//! use wsring::adapter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! adapter::runtime().start(async {
//!     let listener = tokio_uring::net::TcpListener::bind("127.0.0.1:9001".parse()?)?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         tokio_uring::spawn(async move {
//!             let mut socket = adapter::accept(stream, adapter::Options::default()).await?;
//!             while let Some(message) = socket.next().await {
//!                 socket.feed(&message?)?;
//!             }
//!             Ok::<(), adapter::Error>(())
//!         });
//!     }
//! })
//! # }
//! ```
//!
//! This module owns the reading and writing of one socket and the waiting for it; what the bytes mean
//! is decided by the same protocol core that the shards use. It opens no listener, starts no thread and
//! spawns no task. It offers no extensions and accepts none: messages are not compressed. Read [`WebSocket`] first, then [`Upgrade`] (a server's opening handshake) or
//! [`Connect`] (a client's).
//!
//! # What it costs
//!
//! This is the convenient way; the shards behind [`Server`](crate::Server) are the fast one. The
//! difference lies in what tokio-uring can ask of the kernel:
//!
//! * **Memory.** A pending read owns its buffer, so an idle connection keeps
//!   [`Options::buffer_bytes`] besides its task and its state: 7.6 KiB in all with a buffer of 4 KiB
//!   (resident memory of `echo_tokio_uring`, the slope from 500 to 4,500 connections). A shard's
//!   connections share one ring of buffers, and an idle one keeps less than 256 bytes of ours.
//! * **System calls.** tokio-uring sleeps in epoll on the ring's descriptor, so each turn of its loop is
//!   an epoll wait and a submission; a shard's turn is one enter. Every read and every write is
//!   an operation of its own with a completion of its own; a shard's receive is armed once and a send
//!   that went out whole completes silently.
//! * **Cores.** A runtime is one thread. Use one per core with listeners that share the port, as the
//!   example `echo_tokio_uring` does; connections do not move between them.
//!
//! `compare wsring tokio-uring` in `benches/` measures both with the same load. In November 2026, on Linux
//! 6.18 with two cores, an echo over 200 connections cost the adapter 1.3 times the CPU time of a shard
//! (medians of seven rounds; 20 B: 1.23 to 1.32, 1 KiB: 1.28 to 1.34; `benches/record`).
//!
//! # Rules of tokio-uring that matter here
//!
//! * Give streams in blocking mode, as its own listener does. A nonblocking one makes reads fail with
//!   "would block" instead of waiting.
//! * `DEFER_TASKRUN` must not be set on its ring: tokio-uring never asks the kernel to run deferred work
//!   and would hang. [`runtime`] sets what may be set.
//! * Dropping the future of an operation does not end the operation. Here all state lies in the
//!   [`WebSocket`], so every method may be dropped while it waits (in `select!`, say) and called again;
//!   timeouts and [`Drop`] shut the socket down, which ends what the kernel still holds.
//! * Drop a [`WebSocket`] while its runtime still exists.
//! * The kernel writes without `MSG_NOSIGNAL`. Rust programs ignore SIGPIPE from the start; one that
//!   restores its default would be killed by a peer that goes away.

mod connect;
mod error;
mod head;
mod message;
mod options;
mod outbox;
mod session;
mod transport;
mod upgrade;
mod websocket;

pub use connect::{Connect, connect};
pub use error::Error;
pub use message::OwnedMessage;
pub use options::Options;
pub use outbox::Outbox;
pub use upgrade::{Upgrade, accept};
pub use websocket::WebSocket;

pub use bytestring::ByteString;
pub use wsring_proto::handshake::{OpeningError, UrlError};
pub use wsring_proto::http::{InvalidHeader, Refusal};
pub use wsring_proto::{Client, Role, Server, Violation};

/// Entries of the submission queue; it is flushed early when they do not suffice.
const SUBMISSIONS: u32 = 1024;

/// Entries of the completion queue: every connection may complete a read and a write between two turns.
const COMPLETIONS: u32 = 16 * 1024;

/// A tokio-uring runtime to be, with the ring settings that suit many sockets: call
/// [`start`](tokio_uring::Builder::start). Its completion queue has room for a burst from thousands of
/// connections, and completions do not interrupt the thread (`COOP_TASKRUN`).
pub fn runtime() -> tokio_uring::Builder {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun().setup_cqsize(COMPLETIONS);
    let mut builder = tokio_uring::builder();
    builder.entries(SUBMISSIONS).uring_builder(&ring);
    builder
}
