//! permessage-deflate (RFC 7692), seen by a client with flate2 behind it.

mod broken;
mod client;
mod contexts;
mod messages;
mod negotiation;
mod shared;

use wsring::{DeflateOptions, Server, Settings};
use wsring_tests::served::echo;
use wsring_tests::{Served, serve, settings};

/// Everything allowed, and everything compressed.
const ALL: DeflateOptions = DeflateOptions {
    server_takeover: true,
    client_takeover: true,
    server_window_bits: 15,
    client_window_bits: 15,
    level: 6,
    bytes_min: 0,
};

/// A server that echoes on `/` in this way.
fn serve_deflate(options: DeflateOptions) -> Served {
    serve_deflate_with(settings(), options)
}

fn serve_deflate_with(settings: Settings, options: DeflateOptions) -> Served {
    serve(settings, |server| echoes(server, options))
}

fn echoes(server: Server, options: DeflateOptions) -> Server {
    server.deflate(options).websocket("/", |upgrade| upgrade.accept(echo))
}
