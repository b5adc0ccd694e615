//! What the rivals have in common: the same options, the same listener, one thread with tokio's
//! current-thread runtime, which is what each of them recommends for one core.

use clap::Parser;
use socket2::{Domain, Socket, Type};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};

/// An echo server on somebody else's library.
#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
}

/// Reads the options, listens, and hands every connection to a task of its own; never returns but by
/// an error. What a connection's task returns is of no interest to a benchmark's server.
///
/// # Errors
/// The environment's: no such core, the port is taken.
pub fn serve<F, T>(name: &str, handle: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let options = Options::parse();
    if let Some(core) = options.core {
        crate::proc::pin(core)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = listen(options.port)?;
        println!("{name} listening on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(handle(stream));
        }
    })
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Inherited by every connection.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}
