//! The WebSocket protocol without a socket: RFC 6455 as a state machine.
//!
//! Nothing here reads a clock, opens a socket, starts a thread or asks the system for randomness;
//! bytes, limits and entropy are arguments. The same code therefore serves the io_uring shards, the
//! async adapter and the simulation.
//!
//! * [`http`] and [`handshake`]: HTTP/1.1 heads and the opening handshake, both roles (section 4).
//! * [`Connection`]: frames and messages after the handshake, both roles (sections 5 to 7).
//! * [`deflate`]: permessage-deflate (RFC 7692).
//! * [`frame`]: one frame header, parsed and written.
//! * [`simd`] and [`utf8`]: the byte kernels.
//!
//! How to drive a [`Connection`]: hand it received bytes with [`Connection::receive`], act on each
//! [`Event`] in order, and send what the event asks for (each variant says what). All bounds come
//! from [`Limits`]; the memory a connection needs between two receives comes from [`Resources`],
//! one per thread.

mod assembly;
mod close;
mod connection;
pub mod deflate;
mod error;
mod event;
pub mod extension;
pub mod frame;
pub mod handshake;
pub mod http;
pub mod limits;
mod masking;
mod resources;
mod role;
pub mod simd;
pub mod utf8;

pub use close::{CloseCode, CloseReason};
pub use connection::{Connection, Receiving};
pub use error::Violation;
pub use event::{Event, Framed, Kind, Message};
pub use limits::Limits;
pub use masking::Masking;
pub use resources::Resources;
pub use role::{Client, Role, Server};
