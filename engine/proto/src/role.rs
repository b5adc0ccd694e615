//! The two ends of a connection, as types.

/// Which end of the connection this is. RFC 6455 section 5.1: a client masks every frame it sends
/// and a server none; each fails the connection when the other does not keep to it.
pub trait Role: Send + 'static {
    /// Whether this end masks what it sends.
    const MASKS: bool;
}

/// The end that accepted the connection.
#[derive(Clone, Copy, Debug)]
pub struct Server;

/// The end that opened the connection.
#[derive(Clone, Copy, Debug)]
pub struct Client;

impl Role for Server {
    const MASKS: bool = false;
}

impl Role for Client {
    const MASKS: bool = true;
}
