//! Servers of a few lines: a function for each connection.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Does this with each connection, each in a thread of its own, as long as the test's process runs.
pub(crate) fn serve(handle: impl Fn(TcpStream) + Copy + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || handle(stream));
        }
    });
    address
}
