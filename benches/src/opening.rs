//! How the clients open a connection: TCP and the opening handshake (RFC 6455 section 4.1), blocking,
//! because no window is open yet.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The example key of RFC 6455 section 1.3, and the answer it must get.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A server that has not answered for so long has failed.
pub const STALL: Duration = Duration::from_secs(5);

/// Connects to a port of 127.0.0.1 and shakes hands on `path`; without one, which is how floors are
/// spoken to, there is no handshake.
///
/// # Errors
/// The connection's, or the server refused the handshake.
pub fn open(port: u16, path: Option<&str>) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.set_nodelay(true)?;
    if let Some(path) = path {
        shake_hands(&mut socket, port, path, false)?;
    }
    Ok(socket)
}

/// Compression without takeover, both ways (RFC 7692 section 7.1.1), as it is offered.
const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";

/// Shakes hands on a connection that is there; with `deflate` it is to be compressed.
///
/// # Errors
/// As [`open`]; the server does not compress.
pub fn shake_hands(socket: &mut TcpStream, port: u16, path: &str, deflate: bool) -> io::Result<()> {
    let extensions = if deflate { DEFLATE } else { "" };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {extensions}Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    socket.set_read_timeout(Some(STALL))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    if head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT) {
        if deflate && !head.contains("permessage-deflate") {
            return Err(io::Error::other("the server does not compress"));
        }
        return Ok(());
    }
    Err(io::Error::other(format!("the opening handshake was refused: {}", head.lines().next().unwrap_or(""))))
}
