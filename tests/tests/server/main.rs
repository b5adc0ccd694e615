//! Whole servers over real sockets, seen from outside: by a client that shares no code with them.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod client;
mod deferred;
mod deflate;
mod drain;
mod driver;
mod errors;
mod fragments;
mod handshake;
mod http;
mod panics;
mod placement;
mod reach;
mod reading;
mod resume;
mod slow_peer;
mod timeouts;
mod topics;
